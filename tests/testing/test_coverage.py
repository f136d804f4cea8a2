"""Coverage of a function's source by packets: lines and branches as coverage.py would have them, and its own data file to join."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import coverage
import pytest

from pybpfnf import InputError, KernelRunner, Runner, VmRunner
from pybpfnf.testing.coverage import FileCoverage, report, write_data
from pybpfnf.testing.packets import srv6
from pybpfnf.testing.profile import Profile
from pybpfnf.verbs.build import build
from pybpfnf.verbs.coverage import counting
from pybpfnf.verbs.run import simulate
from pybpfnf.vm import VmSession
from tests.testing import tail_functions

SEGMENTS = ["fc00:3::3", "fc00:2::2"]
FUNCTION = """\
from pybpfnf import DROP, OK, Array, Seg6Packet, Verdict, func, seg6local, u32, u64

hits = Array(u64, 4)


@func
def kind(tag: u32) -> u32:
    if tag < 100:
        return 0  # low
    elif tag < 20000:
        return 1  # middle
    return 2  # high


@func(inline=False)
def is_marked(flags: u32) -> bool:
    if flags == 0x77:
        return True  # marked
    return False  # not marked


@seg6local
def many(pkt: Seg6Packet) -> Verdict:
    srh = pkt.srh
    n = kind(srh.tag)
    for i in range(4):
        if i == n:
            hits[i] += 1  # the loop
            break
    else:
        return DROP  # never
    match n:
        case 0:  # asked
            hits[3] += 1  # case low
        case 1:  # asked further
            pass  # case middle
        case _:  # asked last
            return DROP  # case high
    if is_marked(srh.flags): return DROP
    return OK  # the end


def control(nf: object) -> None:
    print(nf)  # Python's
"""
PACKETS = {"low": srv6(SEGMENTS, tag=5), "middle": srv6(SEGMENTS, tag=500), "high": srv6(SEGMENTS, tag=30000)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "many.py"
    path.write_text(FUNCTION)
    return path


def reached(path: Path, packets: Iterable[bytes], runner: Runner | None = None) -> FileCoverage:
    counted = counting(path)
    with simulate(counted.data, runner=runner) as simulation:
        simulation.run_many(list(packets))
        return counted.covered(simulation)[str(path)]


def at(mark: str) -> int:
    """The line with this comment."""
    (line,) = (number for number, text in enumerate(FUNCTION.splitlines(), 1) if text.endswith(f"# {mark}"))
    return line


_COMMENTS = {text.rpartition("# ")[2] for text in FUNCTION.splitlines() if "# " in text}


@pytest.mark.parametrize(
    ("packets", "commented"),
    [
        ((), set()),
        (("low",), {"low", "the loop", "asked", "case low", "not marked", "the end"}),
        (("middle",), {"middle", "the loop", "asked", "asked further", "case middle", "not marked", "the end"}),
        (("high",), {"high", "the loop", "asked", "asked further", "asked last", "case high"}),
        (("low", "middle", "high"), _COMMENTS - {"never", "marked", "Python's"}),
    ],
)
def test_lines_are_those_that_packets_reached(path: Path, packets: tuple[str, ...], commented: set[str]) -> None:
    found = reached(path, [PACKETS[name] for name in packets])
    assert {comment for comment in _COMMENTS if at(comment) in found.lines} == commented


def test_what_importing_executes_was_executed(path: Path) -> None:
    """Definitions, decorators and maps; not what is in the functions."""
    assert reached(path, []).lines == {1, 3, 6, 7, 15, 16, 22, 23, 43}


def test_arcs_are_the_ways_that_branches_took(path: Path) -> None:
    low = reached(path, [PACKETS["low"]]).arcs
    ways = {(at("low") - 1, at("low")), (at("the loop") - 1, at("the loop")), (at("asked"), at("case low"))}
    others = {(at("low") - 1, at("low") + 1), (at("the loop") - 1, at("the loop") - 2), (at("asked"), at("asked further"))}
    assert low & (ways | others) == ways
    assert (ways | others) <= reached(path, PACKETS.values()).arcs


@pytest.mark.kernel
def test_the_kernel_counts_the_same(path: Path) -> None:
    assert reached(path, PACKETS.values(), KernelRunner()) == reached(path, PACKETS.values(), VmRunner())


def test_data_joins_what_python_has_measured(path: Path, tmp_path: Path) -> None:
    """`control` runs in Python, the rest in the VM: both in one file, in the mode of the first."""
    data = tmp_path / "data"
    for lines, expected in ((True, False), (False, True)):
        data.unlink(missing_ok=True)
        before = coverage.CoverageData(basename=str(data))
        end = at("Python's")
        before.add_lines({str(path): {end}}) if lines else before.add_arcs({str(path): {(end - 1, end)}})
        before.write()
        before.close()
        write_data(data, {str(path): reached(path, [PACKETS["low"]])})
        joined = coverage.CoverageData(basename=str(data))
        joined.read()
        has_arcs = joined.has_arcs()
        lines_joined = set(joined.lines(str(path)) or ())
        joined.close()
        assert has_arcs is expected
        assert {end, at("low"), at("case low")} <= lines_joined


@pytest.mark.parametrize(
    ("configuration", "arcs"),
    [
        ({}, True),
        ({"pyproject.toml": "[tool.other]\n"}, True),
        ({"pyproject.toml": "[tool.coverage.run]\nsource = ['.']\n"}, False),
        ({"pyproject.toml": "[tool.coverage.run]\nbranch = true\n"}, True),
        ({".coveragerc": "[run]\nomit = x.py\n"}, False),
    ],
)
def test_new_data_is_in_the_mode_that_the_project_measures_in(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configuration: dict[str, str], arcs: bool
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name, text in configuration.items():
        (project / name).write_text(text)
    monkeypatch.chdir(project)
    data = project / ".coverage.functions"
    write_data(data, {str(path): reached(path, [PACKETS["low"]])})
    written = coverage.CoverageData(basename=str(data))
    written.read()
    assert (written.has_arcs(), at("low") in (written.lines(str(path)) or ())) == (arcs, True)
    written.close()


@pytest.mark.parametrize("branch", ["true", "false"])
def test_new_data_combines_with_what_python_measures_in_the_same_project(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, branch: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".coveragerc").write_text(f"[run]\nbranch = {branch}\n")
    (tmp_path / "control.py").write_text("print('here')\n")
    write_data(tmp_path / ".coverage.functions", {str(path): reached(path, [PACKETS["low"]])})
    for command in (["run", "--parallel-mode", "control.py"], ["combine"]):
        subprocess.run([sys.executable, "-m", "coverage", *command], check=True)
    combined = coverage.CoverageData(basename=str(tmp_path / ".coverage"))
    combined.read()
    assert {Path(each).name for each in combined.measured_files()} == {path.name, "control.py"}
    combined.close()


def test_a_configuration_that_coverage_refuses_is_named(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".coveragerc").write_text("[run]\nbranch = perhaps\n")
    with pytest.raises(InputError, match="perhaps"):
        write_data(tmp_path / "data", {str(path): reached(path, [PACKETS["low"]])})


def test_a_file_that_is_no_data_file_is_left_alone(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("notes")
    with pytest.raises(InputError, match="cannot add to"):
        write_data(other, {str(path): reached(path, [])})
    assert other.read_text() == "notes"


def test_the_report_and_the_pages_are_coverages_own(path: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_data(data, {str(path): reached(path, [PACKETS["low"]])})
    assert "many.py" in report(data, [str(path)], tmp_path / "html")
    (page,) = (tmp_path / "html").glob("*many_py.html")
    assert "is_marked" in page.read_text()


def test_an_object_has_no_source_to_cover(path: Path, tmp_path: Path) -> None:
    (tmp_path / "many.o").write_bytes(build(path))
    with pytest.raises(InputError, match="coverage needs the source"):
        counting(tmp_path / "many.o")


def test_a_profile_counts_instructions_and_visits_by_line(path: Path) -> None:
    profile = Profile()
    with simulate(path, runner=VmRunner(profile)) as simulation:
        outcomes = [simulation.run(srv6(SEGMENTS, tag=5)) for _ in range(3)]
        assert isinstance(simulation.session, VmSession)
        lines = profile.lines(simulation.session.chained)
    assert sum(line.instructions for line in lines) == sum(outcome.instructions or 0 for outcome in outcomes)
    hits = next(line for line in lines if line.line == at("the loop"))
    assert hits.visits % 3 == 0
    assert hits.instructions >= hits.visits >= 3


def test_a_profile_has_the_programs_that_a_run_goes_on_in(tmp_path: Path) -> None:
    (tmp_path / "tails.py").write_text(tail_functions.SOURCE)
    profile = Profile()
    with simulate(tmp_path / "tails.py", program="first", runner=VmRunner(profile)) as simulation:
        outcome = simulation.run(srv6(SEGMENTS, tag=5))
        assert isinstance(simulation.session, VmSession)
        lines = {line.line: line for line in profile.lines(simulation.session.chained)}
    assert sum(line.instructions for line in lines.values()) == outcome.instructions
    assert lines[tail_functions.TAIL_CALL].visits == lines[tail_functions.IN_SECOND].visits == 1
    assert lines[tail_functions.IN_SECOND].text == "pkt.srh.tag += 1"
