"""`python -m benchmarks`, what scripts/bench runs: every figure that the system can give, and the name of what it cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import clang, files
from benchmarks.codegen import IN_C, IN_FIXED_C, OURS, OURS_UNCOUNTED
from benchmarks.vm_speed import COMPILED, KERNEL, PROGRAMS, REFERENCE
from benchmarks.yardsticks import YARDSTICKS

ROOT = Path(__file__).resolve().parent.parent.parent


def _bench(*options: str, path: str | None = None) -> str:
    environment = dict(os.environ) if path is None else {**os.environ, "PATH": path}
    command = [sys.executable, "-m", "benchmarks", "--quick", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment).stdout


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.skipif(clang.version() is None, reason="clang is missing")
def test_every_function_has_its_figures_beside_those_of_c() -> None:
    report = json.loads(_bench("--json"))
    assert [row["function"] for row in report["build"]] == list(YARDSTICKS)
    assert all(0 < row[name]["least"] <= row[name]["median"] for row in report["build"] for name in ("in_process", "command", "clang"))
    variants = {(row["function"], row["variant"]) for row in report["codegen"]}
    expected = {(function, variant) for function in YARDSTICKS for variant in (OURS, OURS_UNCOUNTED, IN_C)}
    assert variants == expected | {(function, IN_FIXED_C) for function in ("end_t", "tag_increment", "add_tlv")}
    assert all(0 < row["nanoseconds"]["least"] < 100_000 for row in report["codegen"])
    assert report["missing"] == []


@pytest.mark.slow
@pytest.mark.kernel
def test_the_vm_has_its_figures_beside_those_of_the_kernel() -> None:
    report = json.loads(_bench("vm", "--json"))
    assert {(row["program"], row["runner"]) for row in report["vm"]} == {
        (program, runner) for program in PROGRAMS for runner in (REFERENCE, COMPILED, KERNEL)
    }
    assert all(row["nanoseconds"] > 0 and row["instructions"] > 0 for row in report["vm"])


@pytest.mark.slow
def test_without_clang_it_says_so_and_measures_the_rest(tmp_path: Path) -> None:
    text = _bench(path=str(tmp_path))
    assert "missing: clang" in text
    assert "tag_increment" in text


@pytest.mark.slow
def test_files_have_their_figures() -> None:
    report = json.loads(_bench("files", "--json"))
    assert [row["function"] for row in report["files"]] == list(files.FUNCTIONS)
    assert all(row["seconds"] > 0 and row["memory"] > 10**6 for row in report["files"])


@pytest.mark.slow
@pytest.mark.kernel
def test_delay_monitoring_has_its_figures_and_loses_nothing() -> None:
    report = json.loads(_bench("delay", "--json"))
    (steady,) = report["sustained"]
    assert steady["sent"] >= steady["heard"] >= steady["answered"] >= steady["collected"] > 1000
    rows = report["probes"]
    assert [(row["what"], row["lost"]) for row in rows] == [("responder", 0), ("collector", 0)]
    assert all(row["rate"] > 10_000 for row in rows)


@pytest.mark.slow
@pytest.mark.kernel
def test_a_labs_link_has_its_figures() -> None:
    (row,) = json.loads(_bench("link", "--json"))["links"]
    assert abs(row["sent"] - row["arrived"]) < 5  # what nodes say of themselves may be under way when frames are counted
    assert row["arrived"] > 400
    assert row["dropped"] == 0
    assert 0 < row["idle_median"] <= row["idle_99"]


@pytest.mark.slow
@pytest.mark.kernel
def test_delays_have_their_figures() -> None:
    rows = json.loads(_bench("delay", "--json"))["delays"]
    assert [(row["ways"], row["known"], row["sent"], row["answered"]) for row in rows] == [
        ("one-way", 5_000_000, 200, 200), ("two-way", 25_000_000, 200, 200)
    ]  # fmt: skip
    assert all(row["median"] >= row["known"] for row in rows)


@pytest.mark.slow
def test_a_lab_in_one_process_has_its_figures() -> None:
    rows = json.loads(_bench("lab", "--json"))["labs"]
    assert [row["what"] for row in rows] == ["forwarded", "End", "tag_increment"]
    assert all(row["packets"] == 200 and 0 < row["seconds"] < 10 for row in rows)
