"""`pybpfnf run` on objects of other people's making: what it cannot use ends in one clear message, and devices' programs take frames."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import pytest

from pybpfnf.captures.pcap import read_capture
from tests.cli.conftest import CaptureOf, Command
from tests.conformance.test_devices import IPV4, IPV6, LLC, MACS

DATA = Path(__file__).parent.parent / "image" / "data"
FOREIGN = Path(__file__).parent.parent / "conformance" / "foreign"
GOOD = (DATA / "programs.o").read_bytes()
DEVICES = FOREIGN / "devices.o"
CLASS, ORDER, TYPE, MACHINE = 4, 5, 16, 18  # offsets in the ELF header


def changed(at: int, value: bytes) -> bytes:
    return GOOD[:at] + value + GOOD[at + len(value) :]


def without_license(data: bytes) -> bytes:
    """The section has another name: nobody finds it."""
    return data.replace(b"license\0", b"lacense\0")


WRONG = {
    "nothing": (b"", "not an ELF object"),
    "text": (b"int main() {}\n", "not an ELF object"),
    "the start of one": (GOOD[:40], "ELF"),
    "half of one": (GOOD[: len(GOOD) // 2], "ends"),
    "big-endian": (changed(ORDER, b"\2"), "big-endian"),
    "32 bits": (changed(CLASS, b"\1"), "not a 64-bit ELF object"),
    "linked": (changed(TYPE, struct.pack("<H", 2)), "not a relocatable object"),
    "of another machine": (changed(MACHINE, struct.pack("<H", 62)), "BPF"),
    "CO-RE": ((DATA / "core.o").read_bytes(), "needs a CO-RE relocation (of task), which is not supported"),
    "addresses in data": ((DATA / "pointers.o").read_bytes(), "holds addresses"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_usable_object_is_one_message(what: str, command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    data, message = WRONG[what]
    path = tmp_path / "given.o"
    path.write_bytes(data)
    ended = command("run", path, capture_of(b""), "--type", "lwt_seg6local")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert message in ended.err


@pytest.mark.parametrize("part", range(1, 20))
def test_no_part_of_an_object_is_taken_for_one(part: int, command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    path = tmp_path / "given.o"
    path.write_bytes(GOOD[: len(GOOD) * part // 20])
    assert command("run", path, capture_of(b"")).status == 2


def test_a_section_that_says_no_type_asks_for_one(command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", DEVICES, capture_of(IPV6[14:]), "--program", "filter")
    assert ended.status == 2
    assert "section 'xdp_filter' of program filter does not say the program's type" in ended.err
    assert "hint: say it with --type" in ended.err


def test_several_programs_are_named(command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", DEVICES, capture_of(IPV6[14:]))
    assert ended.status == 2
    assert "translate" in ended.err
    assert "--program" in ended.err


def test_without_a_license_the_vm_runs_it(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    path = tmp_path / "devices.o"
    path.write_bytes(without_license(DEVICES.read_bytes()))
    ended = command("run", path, capture_of(IPV6[14:]), "--program", "reflect")
    assert ended.status == 0
    assert "1 forwarded" in ended.out


@pytest.mark.kernel
def test_without_a_license_the_kernel_says_which_helper_wants_one(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "devices.o"
    path.write_bytes(without_license(DEVICES.read_bytes()))
    ended = command("check", path, "--program", "told")
    assert ended.status == 1
    assert "GPL" in ended.err


# --------------------------------------------------------------------------------------------------------- devices


def test_frames_go_in_and_come_out_whole(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    out = tmp_path / "out.pcap"
    given = capture_of(IPV4[12:], IPV6[12:], link=MACS)
    ended = command("run", DEVICES, given, "--program", "reflect", "-w", out, "--json")
    assert ended.status == 0
    assert [document["verdict"] for document in ended.documents[1:3]] == ["TX", "PASS"]
    with out.open("rb") as stream:
        first, second = list(read_capture(stream, "out.pcap"))
    assert first.frame[:14] == MACS[6:] + MACS[:6] + b"\x08\x00"
    assert first.frame[22] == IPV4[22] - 1
    assert second.frame == IPV6


def test_a_debugger_of_a_device_begins_at_the_ethernet_header(
    command: Command, capture_of: CaptureOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("print ethernet.ether_type\n"))
    ended = command("debug", DEVICES, capture_of(IPV6[14:], link=IPV6[:14]), "--program", "reflect", "--batch")
    assert "  ethernet.ether_type = 0x86dd\n" in ended.out


def test_what_is_no_ip_is_a_frame_for_a_device(command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", DEVICES, capture_of(LLC[14:], link=LLC[:14]), "--program", "filter", "--type", "xdp", "--json")
    assert ended.documents[1]["verdict"] == "DROP"


def test_a_capture_without_ethernet_headers_is_nothing_for_a_device(command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", DEVICES, capture_of(IPV6[14:], link=b"", number=101), "--program", "reflect", "--json")
    assert ended.status == 0
    assert ended.documents[1]["reason"] == "a frame of link type raw IP: xdp begins with an Ethernet header"


def test_a_kernel_that_the_vm_follows_is_named(command: Command, capture_of: CaptureOf) -> None:
    given = capture_of(IPV6[14:])
    assert command("run", DEVICES, given, "--program", "reflect", "--kernel", "6.1").status == 0
    ended = command("run", DEVICES, given, "--program", "reflect", "--kernel", "5.4")
    assert ended.status == 2
    assert "'5.4' is not one of '6.1', '6.12', '6.18'" in ended.err
    assert command("run", DEVICES, given, "--program", "reflect", "--kernel", "6.1", "--runner", "kernel").status == 2


def test_what_the_kernel_that_is_followed_would_not_load_is_not_run(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    ended = command("run", FOREIGN / "packets.o", capture_of(IPV6[14:]), "--program", "dynptr_to_a_packet", "--kernel", "6.1")
    assert ended.status == 1
    assert "kernel function bpf_dynptr_from_skb came with Linux 6.4, and is not in 6.1 [newer-kernel]" in ended.err
