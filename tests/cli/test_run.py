"""`pybpfnf run`: what becomes of the packets of a capture, as text, as JSON Lines and as a capture again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import pybpfnf
from pybpfnf.captures.pcap import read_capture
from pybpfnf.testing.packets import srv6
from tests.cli.conftest import ETHERNET, FIRST, CaptureOf, Command

SEGMENTS = ["fc00:3::3", "fc00:2::2"]
TAGGED = srv6(SEGMENTS, tag=7)
LAST = srv6(SEGMENTS, segments_left=0)
NO_SRH = bytes.fromhex("60000000 0000 3b40") + bytes(15) + b"\1" + bytes(15) + b"\2"
ARP = ETHERNET[:12] + b"\x08\x06" + bytes(28)

FAULTY = """
from pybpfnf import DROP, OK, PerCpuArray, Seg6Packet, State, Verdict, seg6local, u32

DIVISOR = State(u32, initial=10)
packets = PerCpuArray(u32, 1)


@seg6local
def divides(pkt: Seg6Packet) -> Verdict:
    packets[0] += 1
    if packets[0] % DIVISOR == 3:
        return DROP
    return OK


@seg6local
def drops(pkt: Seg6Packet) -> Verdict:
    return DROP
"""


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    path = tmp_path / "faulty.py"
    path.write_text(FAULTY)
    return path


# --------------------------------------------------------------------------------------------------------- JSON


def test_json_is_a_header_a_line_for_each_packet_and_a_summary(command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", "tag_increment", capture_of(TAGGED, LAST), "--json")
    header, first, second, summary = ended.documents
    assert (ended.status, ended.err) == (0, "")
    assert header == {"program": "tag_increment", "type": "lwt_seg6local", "runner": "vm", "engine": "auto"}
    assert first.keys() == {"index", "verdict", "forwarded", "packet", "reason", "fault", "instructions", "events", "log"}
    assert (first["index"], first["verdict"], first["forwarded"], first["fault"], first["events"]) == (0, "OK", True, None, [])
    assert first["instructions"] > 0
    assert (second["index"], second["verdict"], second["forwarded"], second["packet"]) == (1, None, False, None)
    assert summary == {"packets": 2, "forwarded": 1, "dropped": 1, "faults": [], "contents": []}


def test_the_packet_is_what_leaves_the_hook_before_a_hop_is_taken_off(command: Command, capture_of: CaptureOf) -> None:
    _, first, _ = command("run", "tag_increment", capture_of(TAGGED), "--json").documents
    expected = srv6(SEGMENTS, tag=8, segments_left=0)  # the next segment: the destination follows
    assert bytes.fromhex(first["packet"])[:40] == expected[:40]
    assert bytes.fromhex(first["packet"])[46:48] == b"\x00\x08"


def test_a_fault_says_file_line_and_message(command: Command, capture_of: CaptureOf, faulty: Path) -> None:
    ended = command("run", faulty, capture_of(TAGGED, TAGGED), "--program", "divides", "--set", "DIVISOR=0", "--json")
    _, first, _, summary = ended.documents
    fault = first["fault"]
    assert (fault["file"].endswith("faulty.py"), fault["line"]) == (True, 11)
    assert "zero" in fault["message"]
    assert (first["verdict"], first["forwarded"]) == ("DROP", False)
    assert summary["faults"] == [{**fault, "count": 2}]
    assert ended.status == 0


def test_a_frame_that_is_not_ipv6_is_reported_and_not_lost(command: Command, capture_of: CaptureOf) -> None:
    _, first, summary = command("run", "end", capture_of(ARP, link=b""), "--json").documents
    assert (first["forwarded"], first["verdict"], first["reason"]) == (False, None, "EtherType 0x0806 (arp), not IPv6")
    assert summary == {"packets": 1, "forwarded": 0, "dropped": 1, "faults": [], "contents": []}


def test_raw_ip_captures_are_read(command: Command, capture_of: CaptureOf) -> None:
    _, first, _ = command("run", "end", capture_of(TAGGED, link=b"", number=101), "--json").documents
    assert first["forwarded"]


def test_maps_live_from_packet_to_packet(command: Command, capture_of: CaptureOf, faulty: Path) -> None:
    lines = command("run", faulty, capture_of(*[TAGGED] * 4), "--program", "divides", "--json").documents
    assert [line["verdict"] for line in lines[1:-1]] == ["OK", "OK", "DROP", "OK"]


# --------------------------------------------------------------------------------------------------------- text


def test_text_has_a_line_for_each_packet_and_the_sums(command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", "end", capture_of(TAGGED, NO_SRH))
    header, first, second, sums = ended.out.splitlines()
    assert header == "end (lwt_seg6local) in the VM"
    assert first.split() == ["0", "OK", "forwarded", str(len(TAGGED)), "bytes"]
    assert second.split()[:3] == ["1", "-", "dropped"]
    assert len(second.split()) > 3
    assert sums == "2 packets: 1 forwarded, 1 dropped, 0 with a fault"


def test_text_ends_with_a_table_of_faults(command: Command, capture_of: CaptureOf, faulty: Path) -> None:
    ended = command("run", faulty, capture_of(TAGGED, TAGGED), "--program", "divides", "--set", "DIVISOR=0")
    *_, heading, row = ended.out.splitlines()
    assert heading.split() == ["PACKETS", "WHERE", "FAULT"]
    assert row.split()[0] == "2"
    assert row.split()[1].endswith("faulty.py:11")


# ------------------------------------------------------------------------------------------------------- writing


def test_what_leaves_is_written_with_its_time_and_link_header(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    out = tmp_path / "out.pcap"
    ended = command("run", "tag_increment", capture_of(LAST, TAGGED), "-w", out, "--json")
    with out.open("rb") as stream:
        (record,) = read_capture(stream, out.name)
    assert (record.timestamp, record.header) == ((FIRST + 1) * 10**9 + 5, ETHERNET)
    assert record.packet is not None
    assert record.packet.hex() == ended.documents[2]["packet"]


def test_a_capture_that_breaks_off_leaves_the_former_output_alone(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    out, source = tmp_path / "out.pcap", capture_of(TAGGED, TAGGED)
    source.write_bytes(source.read_bytes()[:-1])
    out.write_bytes(b"before")
    ended = command("run", "end", source, "-w", out)
    assert (ended.status, out.read_bytes()) == (2, b"before")
    assert "record 1, offset" in ended.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.pcap", "out.pcap"]


def test_an_output_that_cannot_be_written_is_named(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    ended = command("run", "end", capture_of(TAGGED), "-w", tmp_path / "no" / "out.pcap")
    assert (ended.status, ended.err) == (2, f"error: cannot write {tmp_path}/no/out.pcap: there is no directory {tmp_path}/no\n")


def test_a_full_disk_is_said_with_the_files_name(command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", "end", capture_of(TAGGED), "-q", "-w", "/dev/full")
    assert ended.status == 2
    assert ended.err == "error: cannot write /dev/full: no space left on device\n"


def test_what_is_no_regular_file_is_written_through(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    """A rename would put a file in the place of a device or a pipe."""
    link = tmp_path / "link.pcap"
    link.symlink_to("/dev/null")
    assert command("run", "end", capture_of(TAGGED), "-w", link).status == 0
    assert link.is_char_device()


def test_a_link_to_the_output_stays_a_link(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    link, real = tmp_path / "link.pcap", tmp_path / "real.pcap"
    real.write_bytes(b"")
    real.chmod(0o640)
    link.symlink_to(real)
    assert command("run", "end", capture_of(TAGGED), "-w", link).status == 0
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert real.stat().st_size > 0


def test_the_input_may_be_the_output(command: Command, capture_of: CaptureOf) -> None:
    source = capture_of(TAGGED, LAST)
    assert command("run", "end", source, "-w", source).status == 0
    with source.open("rb") as stream:
        assert len(list(read_capture(stream, source.name))) == 1


# ---------------------------------------------------------------------------------------------------- bad inputs

NOT_A_CAPTURE = "is not a capture: it begins with 67 61 72 62"


def test_a_capture_of_garbage_is_refused(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "garbage.pcap"
    path.write_bytes(b"garbage, no capture")
    ended = command("run", "end", path)
    assert (ended.status, ended.out) == (2, "")
    assert NOT_A_CAPTURE in ended.err


def test_a_missing_capture_is_named(command: Command) -> None:
    ended = command("run", "end", "no/such.pcap")
    assert (ended.status, ended.err) == (2, "error: cannot read no/such.pcap: no such file or directory\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "no/such.py", "x.pcap"], "no such file: no/such.py"),
        (["run", "nosuch", "x.pcap"], "no file and no catalogue function is called 'nosuch'"),
        (["run", "end_t", "x.pcap", "--set", "TABEL=1"], "no variable 'TABEL' in the object"),
        (["run", "end_t", "x.pcap", "--set", "TABLE=4294967296"], "TABLE: 4294967296 is not a u32 (0 to 4294967295)"),
        (["run", "end_t", "x.pcap", "--set", "TABLE"], "'TABLE' is not NAME=VALUE"),
        (["run", "end_t", "x.pcap", "--set", "TABLE=1", "--set", "TABLE=2"], "TABLE is given twice"),
        (["run", "end_t", "x.pcap", "--program", "nosuch"], "no program 'nosuch' in the object"),
        (["run", "end_t", "x.pcap", "--type", "lwt_in"], "program end_t is lwt_seg6local"),
    ],
)
def test_what_cannot_be_used_is_one_message_and_status_2(command: Command, arguments: list[str], message: str) -> None:
    ended = command(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no object", "not an ELF object"),
        (b"\x7fELF", "truncated"),
    ],
)
def test_what_is_no_object_is_refused(command: Command, tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bad.o"
    path.write_bytes(data)
    ended = command("run", path, "x.pcap")
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err


def test_an_object_for_another_machine_is_refused(command: Command) -> None:
    ended = command("run", Path(sys.executable).resolve(), "x.pcap")
    assert (ended.status, ended.out) == (2, "")
    assert "not for BPF" in ended.err


def test_an_object_without_programs_says_where_its_functions_are(command: Command) -> None:
    ended = command("run", Path(__file__).parent.parent / "image" / "data" / "only_text.o", "x.pcap")
    assert (ended.status, ended.out) == (2, "")
    assert "no programs" in ended.err


def test_a_truncated_object_is_refused(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "short.o"
    path.write_bytes(pybpfnf.build("end")[:-100])
    ended = command("run", path, "x.pcap")
    assert (ended.status, ended.out) == (2, "")
    assert "truncated" in ended.err


def test_one_of_several_programs_must_be_named(command: Command, capture_of: CaptureOf, faulty: Path) -> None:
    ended = command("run", faulty, capture_of(TAGGED))
    assert ended.status == 2
    assert "2 programs: divides, drops" in ended.err


def test_a_config_without_value_is_named(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    path = tmp_path / "needs.py"
    path.write_text(
        "from pybpfnf import Config, Seg6Packet, Verdict, seg6local, u32\n\nTABLE = Config(u32)\n\n\n"
        "@seg6local\ndef needs(pkt: Seg6Packet) -> Verdict:\n    return pkt.end_t(table=TABLE)\n"
    )
    assert "needs a value for TABLE (u32)" in command("run", path, capture_of(TAGGED)).err
    assert command("run", path, capture_of(TAGGED), "--set", "TABLE=254").status == 0


def test_a_wrong_program_is_status_1_with_its_line(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(
        "from pybpfnf import OK, Seg6Packet, Verdict, seg6local\n\n\n"
        "@seg6local\ndef wrong(pkt: Seg6Packet) -> Verdict:\n    pkt.srh.segments_left += 1\n    return OK\n"
    )
    ended = command("run", path, capture_of(TAGGED))
    assert (ended.status, ended.out) == (1, "")
    assert "wrong.py:6:" in ended.err
    assert "[read-only]" in ended.err


COUNTED = """
from pybpfnf import OK, Hash, IPv6Address, Seg6Packet, State, Struct, Verdict, octets, seg6local, u32


class Seen(Struct):
    packets: u32 = 0
    mark: bytes = octets(2, default=b"ab")


LAST = State(IPv6Address, initial=IPv6Address("::"))
seen = Hash(IPv6Address, Seen, 8, default=Seen())


@seg6local
def counted(pkt: Seg6Packet) -> Verdict:
    global LAST
    seen[pkt.ipv6.source].packets += 1
    LAST = pkt.ipv6.source
    return OK
"""


def test_what_the_program_holds_at_the_end_is_shown_when_asked_for(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    source = tmp_path / "counted.py"
    source.write_text(COUNTED)
    capture = capture_of(*(srv6(["fc00:2::2", "fc00:1::1"], source=address) for address in ("fd00::1", "fd00::2", "fd00::2")))
    text = command("run", source, capture, "--get", "seen", "--get", "LAST").out
    rows = sorted(" ".join(line.split()) for line in text.partition("VALUE\n")[2].splitlines())
    assert rows == ["LAST fd00::2", "seen[fd00::1] packets=1 mark=6162", "seen[fd00::2] packets=2 mark=6162"]
    summary = command("run", source, capture, "--get", "LAST", "--get", "seen", "--json").documents[-1]
    assert summary["contents"][0] == {"name": "LAST", "key": None, "value": "fd00::2"}
    assert {"name": "seen", "key": "fd00::2", "value": {"packets": 2, "mark": "6162"}} in summary["contents"]


def test_a_name_that_the_program_does_not_have_is_found_before_the_first_packet(
    command: Command, capture_of: CaptureOf, tmp_path: Path
) -> None:
    source = tmp_path / "counted.py"
    source.write_text(COUNTED)
    ended = command("run", source, capture_of(srv6(["fc00:2::2", "fc00:1::1"])), "--get", "sean")
    assert ended.status == 2
    assert "did you mean seen?" in ended.err
    assert "forwarded" not in ended.out


# ------------------------------------------------------------------------------------------------------- the router

TABLE_100 = ("--set", "TABLE=100")


def test_a_helper_that_fails_says_the_kernels_error_and_why(command: Command, capture_of: CaptureOf) -> None:
    capture = capture_of(srv6(SEGMENTS))
    _, first, _ = command("run", "end_t", capture, *TABLE_100, "--json").documents
    assert (first["fault"]["message"], first["forwarded"]) == ("end_t failed", False)
    assert first["reason"] == "lwt_seg6_action answered -22 (EINVAL): there is no routing table 100"
    assert f"end_t failed: {first['reason']}\n" in command("run", "end_t", capture, *TABLE_100).out


def test_a_fault_of_the_language_blames_no_helper(command: Command, capture_of: CaptureOf, faulty: Path) -> None:
    _, first, _ = command("run", faulty, capture_of(TAGGED), "--program", "divides", "--set", "DIVISOR=0", "--json").documents
    assert first["reason"] == "the program returned BPF_DROP"


@pytest.mark.parametrize("engine", ["vm", pytest.param("kernel", marks=pytest.mark.kernel)])
def test_a_table_that_is_named_has_a_default_route(command: Command, capture_of: CaptureOf, engine: str) -> None:
    ended = command("run", "end_t", capture_of(srv6(SEGMENTS)), *TABLE_100, "--table", 7, "--table", 100, "--runner", engine, "--json")
    header, first, _ = ended.documents
    assert (header["runner"], first["verdict"], first["forwarded"], first["fault"]) == (engine, "REDIRECT", True, None)


@pytest.mark.parametrize("engine", ["vm", pytest.param("kernel", marks=pytest.mark.kernel)])
def test_a_packet_for_another_than_the_sid_passes_without_the_program(command: Command, capture_of: CaptureOf, engine: str) -> None:
    arguments = ("run", "end", capture_of(srv6(SEGMENTS)), "--runner", engine, "--json", "--sid")
    assert command(*arguments, "fc00:9::9").documents[1]["verdict"] is None
    assert command(*arguments, SEGMENTS[1]).documents[1]["verdict"] == "OK"


@pytest.mark.parametrize("engine", ["vm", pytest.param("kernel", marks=pytest.mark.kernel)])
def test_packets_come_with_the_mark(command: Command, capture_of: CaptureOf, tmp_path: Path, engine: str) -> None:
    source = tmp_path / "marked.py"
    source.write_text(
        "from pybpfnf import DROP, OK, Seg6Packet, Verdict, seg6local\n\n\n"
        "@seg6local\ndef marked(pkt: Seg6Packet) -> Verdict:\n    return DROP if pkt.mark == 7 else OK\n"
    )
    arguments = ("run", source, capture_of(srv6(SEGMENTS)), "--runner", engine, "--json")
    assert command(*arguments, "--mark", 7).documents[1]["verdict"] == "DROP"
    assert command(*arguments).documents[1]["verdict"] == "OK"


@pytest.mark.kernel
def test_text_says_that_the_kernel_ran_it(command: Command, capture_of: CaptureOf) -> None:
    assert command("run", "end", capture_of(TAGGED), "--runner", "kernel").out.startswith("end (lwt_seg6local) in the kernel\n")


def test_a_sid_is_an_address(command: Command, capture_of: CaptureOf) -> None:
    ended = command("run", "end", capture_of(TAGGED), "--sid", "fc00::/64")
    assert (ended.status, "'fc00::/64' is not an IPv6 or IPv4 address" in ended.err) == (2, True)
