"""What measurements of attached functions have around them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from benchmarks.attaching import own_bpffs, wait_until_attached
from pybpfnf.errors import InternalError
from pybpfnf.kernel import bpffs


@pytest.mark.kernel
@pytest.mark.parametrize("before", [None, "/nowhere"])
def test_a_measurement_has_a_bpffs_of_its_own_and_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    monkeypatch.delenv(bpffs.VARIABLE, raising=False)
    if before is not None:
        monkeypatch.setenv(bpffs.VARIABLE, before)
    with own_bpffs(tmp_path / "bpffs"):
        assert bpffs.mount_point() == tmp_path / "bpffs"
    assert os.environ.get(bpffs.VARIABLE) == before
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_a_daemon_that_ends_before_it_is_attached_is_quoted() -> None:
    with pytest.raises(InternalError, match="before it began: error: bpffs is not mounted hint: mount it"):
        wait_until_attached(io.StringIO("error: bpffs is not mounted\nhint: mount it\n"))


def test_what_comes_after_attached_is_left_to_be_read() -> None:
    said = io.StringIO('{"event": "loaded"}\n{"event": "attached"}\n{"event": "more"}\n')
    wait_until_attached(said)
    assert said.readline() == '{"event": "more"}\n'
