"""How `pybpfnf run` runs: the VM's engines, the clock, and with the sums alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpfnf.testing.packets import srv6
from pybpfnf.vm.engines import WORTH_A_FILE
from tests.cli.conftest import FIRST, CaptureOf, Command

SEGMENTS = ["fc00:3::3", "fc00:2::2"]
TAGGED = srv6(SEGMENTS, tag=7)
LAST = srv6(SEGMENTS, segments_left=0)
NO_SRH = bytes.fromhex("60000000 0000 3b40") + bytes(15) + b"\1" + bytes(15) + b"\2"


@pytest.mark.parametrize("engine", ["reference", "compiled"])
def test_the_engines_print_and_write_the_same(engine: str, command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    capture = capture_of(TAGGED, LAST, NO_SRH, TAGGED)
    ended, usual = (
        command("run", "add_tlv", capture, *options, "-w", tmp_path / name)
        for name, options in (("out.pcap", ("--engine", engine)), ("usual.pcap", ()))
    )
    assert (ended.status, ended.out) == (0, usual.out)
    assert (tmp_path / "out.pcap").read_bytes() == (tmp_path / "usual.pcap").read_bytes()


def test_the_kernel_has_no_engine_to_choose(command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", "end", capture_of(TAGGED), "--runner", "kernel", "--engine", "compiled")
    assert ended.status == 2
    assert "the packets go to the kernel" in ended.err


def test_quiet_leaves_the_sums(command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", "tag_increment", capture_of(TAGGED, LAST), "--quiet")
    assert ended.out.splitlines() == ["tag_increment (lwt_seg6local) in the VM", "2 packets: 1 forwarded, 1 dropped, 0 with a fault"]


STAMP = """
from pybpfnf import OK, Seg6Packet, State, Verdict, realtime, seg6local, u64

last = State(u64)


@seg6local
def stamp(pkt: Seg6Packet) -> Verdict:
    global last
    last = realtime()
    return OK
"""


def test_packets_come_at_the_times_of_the_capture(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    """One second apart, five nanoseconds after a whole one (`capture_of`)."""
    path = tmp_path / "stamp.py"
    path.write_text(STAMP)
    capture = capture_of(TAGGED, TAGGED, TAGGED)
    ended = command("run", path, capture, "--clock", "pcap", "--get", "last", "--json")
    (content,) = ended.documents[-1]["contents"]
    assert content["value"] == (FIRST + 2) * 10**9 + 5


@pytest.mark.kernel
def test_the_kernels_clocks_are_its_own(command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", "end", capture_of(TAGGED), "--clock", "pcap", "--runner", "kernel")
    assert (ended.status, "the kernel's clocks are its own" in ended.err) == (2, True)


def test_a_long_file_without_lines_for_packets_gives_the_same_as_with_them(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    """It goes through machine code as a whole (`testing.passing`), from half a megabyte on."""
    capture = capture_of(*(TAGGED, TAGGED, LAST, NO_SRH) * 1800)
    assert capture.stat().st_size > WORTH_A_FILE
    ended = command("run", "add_tlv", capture, "-q", "-w", tmp_path / "out.pcap")
    usual = command("run", "add_tlv", capture, "-w", tmp_path / "usual.pcap", "--engine", "reference")
    assert ended.out.splitlines()[-1] == usual.out.splitlines()[-1] == "7200 packets: 3600 forwarded, 3600 dropped, 0 with a fault"
    assert (tmp_path / "out.pcap").read_bytes() == (tmp_path / "usual.pcap").read_bytes()
