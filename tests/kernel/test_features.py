"""What is missing is found by trying, and named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pybpfnf.errors import SystemLacksError
from pybpfnf.kernel import bpffs, features
from pybpfnf.kernel.features import FEATURES, Feature


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Answers are kept for the process; a test must not find, or leave, another's."""
    features.lacks.cache_clear()
    yield
    features.lacks.cache_clear()


@pytest.mark.kernel
@pytest.mark.parametrize("name", features.RUNNER)
def test_what_the_runner_needs_is_here(name: str) -> None:
    assert features.lacks(name) is None


def test_bpffs_is_looked_for_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(bpffs.VARIABLE, str(tmp_path))
    assert features.lacks("bpffs") == f"bpffs is not mounted on {tmp_path}"


@pytest.mark.kernel
def test_a_mounted_bpffs_is_found_also_below_its_mount_point(own_bpffs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bpffs.mount_point() == own_bpffs
    (own_bpffs / "below").mkdir()
    monkeypatch.setenv(bpffs.VARIABLE, str(own_bpffs / "below"))
    assert bpffs.mount_point() == own_bpffs / "below"


def test_the_first_lack_is_named_and_the_answer_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def missing() -> None:
        tried.append("missing")
        raise SystemLacksError("there is none")

    rows = {"here": Feature("here", "", lambda: None), "missing": Feature("missing", "", missing)}
    monkeypatch.setattr(features, "FEATURES", {**FEATURES, **rows})
    assert features.first_lack("here") is None
    assert features.first_lack("here", "missing") == "missing: there is none"
    assert features.first_lack("missing") == "missing: there is none"
    assert tried == ["missing"]
