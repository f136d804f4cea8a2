"""`pybpfnf run --jobs`: processes for parts of a capture, and the report, the file and the sums of one process; or no for an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpfnf.testing.packets import srv6
from tests.cli.conftest import CaptureOf, Command

SEGMENTS = ["fc00:3::3", "fc00:2::2"]
PACKETS = [srv6(SEGMENTS, tag=at, segments_left=at % 4 != 3) for at in range(60)]

FAULTY = """
from pybpfnf import OK, Seg6Packet, State, Verdict, log, realtime, seg6local, u8, u32


seen = State(u32)


@seg6local
def faulty(pkt: Seg6Packet) -> Verdict:
    log(f"tag {pkt.srh.tag}")
    if pkt.srh.tag > 20:
        return OK if pkt.srh.segments[9] == pkt.ipv6.destination else OK
    return OK


@seg6local
def counts(pkt: Seg6Packet) -> Verdict:
    global seen
    seen += 1
    return OK


@seg6local
def asks(pkt: Seg6Packet) -> Verdict:
    return OK if realtime() != 0 else OK
"""


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pybpfnf.cli.jobs._SIZE", 2000)


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    path = tmp_path / "faulty.py"
    path.write_text(FAULTY)
    return path


@pytest.mark.usefixtures("small_parts")
def test_lines_files_sums_and_faults_are_those_of_one_process(
    command: Command, capture_of: CaptureOf, functions: Path, tmp_path: Path
) -> None:
    capture = capture_of(*PACKETS)
    arguments = ("run", functions, "--program", "faulty", capture, "--json", "-w")
    one, many = (command(*arguments, tmp_path / name, *jobs) for name, jobs in (("one.pcap", ()), ("many.pcap", ("--jobs", 2))))
    assert (many.status, many.out) == (0, one.out)
    assert one.documents[-1]["faults"][0]["count"] == 29
    assert (tmp_path / "many.pcap").read_bytes() == (tmp_path / "one.pcap").read_bytes()


@pytest.mark.usefixtures("small_parts")
def test_a_damaged_file_ends_as_with_one_process(command: Command, capture_of: CaptureOf) -> None:
    capture = capture_of(*PACKETS)
    capture.write_bytes(capture.read_bytes()[:-10])
    one, many = (command("run", "end", capture, *jobs) for jobs in ((), ("--jobs", 3)))
    assert (many.status, many.out, many.err) == (2, one.out, one.err)
    assert "record 59" in many.err


@pytest.mark.usefixtures("small_parts")
def test_a_function_whose_packets_leave_something_to_others_is_refused_with_its_name(
    command: Command, capture_of: CaptureOf, functions: Path
) -> None:
    ended = command("run", functions, "--program", "counts", capture_of(*PACKETS), "--jobs", 2, "-q")
    assert ended.status == 2
    assert "they depend on what others leave in seen" in ended.err


def test_a_function_that_asks_for_the_time_is_refused_before_it_runs(command: Command, capture_of: CaptureOf, functions: Path) -> None:
    ended = command("run", functions, "--program", "asks", capture_of(*PACKETS), "--jobs", 2)
    assert (ended.status, ended.out) == (2, "")
    assert "--jobs would change what becomes of packets: asks asks for the time" in ended.err


@pytest.mark.parametrize("option", [("--trace",), ("--clock", "pcap"), ("--runner", "kernel"), ("--profile",)])
def test_what_looks_at_packet_after_packet_does_not_go_with_jobs(option: tuple[str, ...], command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", "end", capture_of(*PACKETS), "--jobs", 2, *option)
    assert ended.status == 2
    assert "--jobs is for packets that depend on nothing else" in ended.err
