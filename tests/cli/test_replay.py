"""`pybpfnf run --record` and `--replay`."""

from __future__ import annotations

from pathlib import Path

from pybpfnf.testing.packets import srv6
from tests.cli.conftest import CaptureOf, Command

SEGMENTS = ["fc00:3::3", "fc00:2::2"]
PACKETS = [srv6(SEGMENTS, tag=at) for at in range(3)] + [srv6(SEGMENTS, segments_left=0)]


def test_what_was_recorded_is_replayed_with_the_same_result(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    plain = command("run", "tag_increment", capture_of(*PACKETS))
    ended = command("run", "tag_increment", capture_of(*PACKETS), "--record", tmp_path / "it")
    assert ended.out == plain.out
    again = command("run", "--replay", tmp_path / "it")
    assert (again.status, again.out) == (0, "4 packets replayed by the recorded object: nothing differs\n")


def test_the_times_of_a_capture_are_recorded(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    path = tmp_path / "stamps.py"
    path.write_text(
        "from pybpfnf import OK, Seg6Packet, Verdict, log, realtime, seg6local\n\n\n@seg6local\ndef stamps(pkt: Seg6Packet) -> Verdict:\n"
        '    log(f"{realtime()}")\n    return OK\n'
    )
    command("run", path, capture_of(*PACKETS), "--clock", "pcap", "--record", tmp_path / "it")
    assert command("run", "--replay", tmp_path / "it").status == 0


def test_another_function_differs_and_ends_with_status_1(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    command("run", "tag_increment", capture_of(*PACKETS), "--record", tmp_path / "it")
    ended = command("run", "--replay", tmp_path / "it", "end")
    assert ended.status == 1
    assert ended.out.startswith("1 packet replayed by another build: packet 0 differs\n    srh.tag: recorded 0x1, now 0x0\n")
    (document,) = command("run", "--replay", tmp_path / "it", "end", "--json").documents
    assert document["changed"]["differs"] == ["srh.tag: recorded 0x1, now 0x0"]


def test_a_replay_takes_no_capture_and_no_other_options(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    ended = command("run", "--replay", tmp_path / "it", "end", "-q")
    assert (ended.status, ended.err.splitlines()[0]) == (2, "error: --replay does not go with --quiet")
    ended = command("run", "--replay", tmp_path / "it", "end", capture_of(*PACKETS))
    assert "--replay does not go with PCAP" in ended.err


def test_a_file_that_cannot_be_written_is_said(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    ended = command("run", "end", capture_of(*PACKETS), "--record", tmp_path / "no" / "it")
    assert (ended.status, f"cannot write {tmp_path / 'no' / 'it'}: there is no directory {tmp_path / 'no'}" in ended.err) == (2, True)
