"""Capture files: every format and byte order gives the same records; what is broken is said with record and offset."""

from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from pybpfnf.captures.capture import Record
from pybpfnf.captures.link import LINK_TYPES
from pybpfnf.captures.pcap import Writer, read_capture
from pybpfnf.errors import InputError

IPV6 = bytes.fromhex("60000000 0004 3b40") + bytes(15) + b"\1" + bytes(15) + b"\2" + b"data"
IPV4 = bytes.fromhex("45000014 00000000 40fd0000 0a000001 0a000002")
MACS = bytes.fromhex("020000000002 020000000001")
ETHERNET = MACS + b"\x86\xdd" + IPV6
TIME = 1_700_000_000_123_456_789  # nanoseconds
EXAMPLE = "in.pcap"


def pcap(*frames: bytes, link: int = 1, order: str = "<", nanoseconds: bool = True, original: int | None = None) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    seconds, fraction = divmod(TIME, 10**9)
    fraction //= 1 if nanoseconds else 1000
    header = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    return header + b"".join(struct.pack(f"{order}IIII", seconds, fraction, len(f), original or len(f)) + f for f in frames)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = 1, order: str = "<", options: bytes = b"") -> bytes:
    return block(1, struct.pack(f"{order}HHI", link, 0, 0) + options, order)


def enhanced(frame: bytes, ticks: int, number: int = 0, order: str = "<") -> bytes:
    head = struct.pack(f"{order}IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(6, head + frame, order)


def records(data: bytes) -> list[Record]:
    return list(read_capture(io.BytesIO(data), EXAMPLE))


def only(data: bytes) -> Record:
    (record,) = records(data)
    return record


def refusal(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        records(data)
    return caught.value.message


# ------------------------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcap_of_either_byte_order_keeps_nanoseconds(order: str) -> None:
    record = only(pcap(ETHERNET, order=order))
    assert (record.index, record.timestamp, record.frame, record.packet) == (0, TIME, ETHERNET, IPV6)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcap_with_microseconds_gives_nanoseconds(order: str) -> None:
    assert only(pcap(ETHERNET, order=order, nanoseconds=False)).timestamp == TIME // 1000 * 1000


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_counts_microseconds_by_default(order: str) -> None:
    data = section(order) + interface(order=order) + enhanced(ETHERNET, TIME // 1000, order=order)
    assert only(data).timestamp == TIME // 1000 * 1000
    assert only(data).packet == IPV6


def test_pcapng_time_resolution_and_offset_are_of_the_interface() -> None:
    nanoseconds = interface(options=struct.pack("<HHB3x", 9, 1, 9))
    halves_from_100_seconds = interface(options=struct.pack("<HHB3xHHq", 9, 1, 0x81, 14, 8, 100))
    data = section() + nanoseconds + halves_from_100_seconds + enhanced(ETHERNET, TIME) + enhanced(ETHERNET, 3, number=1)
    assert [record.timestamp for record in records(data)] == [TIME, 101_500_000_000]


def test_pcapng_interfaces_have_link_types_of_their_own() -> None:
    data = section() + interface() + interface(link=101) + enhanced(ETHERNET, 0) + enhanced(IPV6, 0, number=1)
    assert [(record.link.name, record.packet) for record in records(data)] == [("Ethernet", IPV6), ("raw IP", IPV6)]


def test_a_new_pcapng_section_may_change_the_byte_order_and_forgets_interfaces() -> None:
    first = section() + interface() + enhanced(ETHERNET, 1)
    second = section(">") + interface(link=101, order=">") + enhanced(IPV6, 2, order=">")
    assert [record.packet for record in records(first + second)] == [IPV6, IPV6]
    assert "interface 0" in refusal(first + section() + enhanced(ETHERNET, 1))


def test_pcapng_simple_and_obsolete_packet_blocks_are_read() -> None:
    simple = block(3, struct.pack("<I", len(ETHERNET)) + ETHERNET)
    obsolete = block(2, struct.pack("<HHIIII", 0, 7, 0, 5, len(ETHERNET), len(ETHERNET)) + ETHERNET)
    found = records(section() + interface() + simple + obsolete)
    assert [(record.timestamp, record.packet) for record in found] == [(0, IPV6), (5000, IPV6)]


def test_unknown_pcapng_blocks_are_skipped() -> None:
    data = section() + block(4, b"name resolution!") + interface() + block(0xBAD, b"custom") + enhanced(ETHERNET, 0)
    assert only(data).index == 0


def test_records_are_read_one_at_a_time() -> None:
    """A stream that never ends still gives its first records: nothing is read ahead."""

    class Endless(io.RawIOBase):
        def __init__(self) -> None:
            self.pending = pcap()

        def read(self, size: int = -1) -> bytes:
            while len(self.pending) < size:
                self.pending += pcap(ETHERNET)[24:]
            data, self.pending = self.pending[:size], self.pending[size:]
            return data

    capture = iter(read_capture(Endless(), "endless"))
    assert [next(capture).index for _ in range(1000)] == list(range(1000))


# ---------------------------------------------------------------------------------------------------- link types

LINK_HEADERS = {
    1: MACS + b"\x86\xdd",
    12: b"",
    14: b"",
    101: b"",
    113: bytes.fromhex("0000 0001 0006 0200000000010000 86dd"),
    228: b"",
    229: b"",
    276: bytes.fromhex("86dd 0000 00000002 0001 00 06 0200000000010000"),
}


def test_every_link_type_has_a_case_here() -> None:
    assert LINK_HEADERS.keys() == LINK_TYPES.keys()


@pytest.mark.parametrize("link", LINK_HEADERS)
def test_the_ipv6_packet_is_found_behind_the_link_header(link: int) -> None:
    record = only(pcap(LINK_HEADERS[link] + IPV6, link=link))
    assert (record.header, record.packet) == (LINK_HEADERS[link], IPV6)


def test_vlan_tags_are_part_of_the_link_header() -> None:
    tagged = MACS + bytes.fromhex("88a8 0064 8100 0007 86dd")
    record = only(pcap(tagged + IPV6))
    assert (record.header, record.packet) == (tagged, IPV6)


def test_ethernet_padding_is_not_part_of_the_packet() -> None:
    assert only(pcap(ETHERNET + bytes(6))).packet == IPV6


def test_a_jumbogram_is_as_long_as_its_frame() -> None:
    jumbo = IPV6[:4] + b"\0\0\0" + IPV6[7:]  # payload length 0, next header hop-by-hop
    assert only(pcap(jumbo, link=101)).packet == jumbo


@pytest.mark.parametrize(
    ("link", "frame", "reason"),
    [
        (101, IPV4, "an IPv4 packet"),
        (1, MACS + b"\x08\x00" + IPV4, "EtherType 0x0800 (ipv4), not IPv6"),
        (1, MACS + b"\x12\x34", "EtherType 0x1234, not IPv6"),
        (1, MACS + b"\x00\x2e" + bytes(46), "an IEEE 802.3 frame, not IPv6"),
        (1, MACS, "12 bytes are less than an Ethernet header"),
        (1, MACS + b"\x81\x00\x00", "it ends inside a VLAN tag"),
        (101, IPV6[:39], "39 bytes are less than an IPv6 header"),
        (101, IPV6[:-1], "its payload length is 4, but 3 bytes follow the IPv6 header"),
        (101, b"\x70" + IPV6[1:], "IP version 7"),
    ],
)
def test_what_is_no_whole_ipv6_packet_is_a_record_with_a_reason(link: int, frame: bytes, reason: str) -> None:
    record = only(pcap(frame, link=link))
    assert (record.packet, record.reason, record.frame) == (None, reason, frame)


def test_a_frame_captured_in_part_is_not_run() -> None:
    assert only(pcap(ETHERNET, original=1500)).reason == f"only {len(ETHERNET)} of its 1500 bytes were captured"


# -------------------------------------------------------------------------------------------------------- errors

FRAME_AT = 24 + 16  # of the first record in a pcap


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "in.pcap is empty"),
        (b"\x7fELF", "in.pcap is not a capture: it begins with 7f 45 4c 46"),
        (b"ab", "in.pcap: record 0, offset 0: the file ends inside the file header (2 of 4 bytes)"),
        (pcap()[:20], "in.pcap: record 0, offset 4: the file ends inside the file header (16 of 20 bytes)"),
        (b"\xd4\xc3\xb2\xa1\7\0" + pcap()[6:], "in.pcap: record 0, offset 4: pcap version 7 is not known"),
        (pcap(link=147), "in.pcap: link type 147 is not supported"),
        (pcap(ETHERNET)[:-1], f"in.pcap: record 0, offset {FRAME_AT}: the file ends inside a record (57 of 58 bytes)"),
        (pcap(ETHERNET) + b"\1", "in.pcap: record 1, offset 98: the file ends inside a record's header (1 of 16 bytes)"),
        (pcap() + b"\xff" * 16, "in.pcap: record 0, offset 24: a record of 4294967295 bytes is longer than any packet"),
        (section()[:8] + b"garb", "in.pcap: record 0, offset 8: a section header without its byte-order magic"),
        (section() + b"\6\0\0\0\7\0\0\0", "in.pcap: record 0, offset 32: a block's length is 7; it is a multiple of 4, and at least 12"),
        (section() + interface() + block(6, b"short"), "in.pcap: record 0, offset 56: a block of 8 bytes is too short for its kind (6)"),
        (section() + b"\6\0\0\0\xf0\xff\xff\xff", "in.pcap: record 0, offset 28: a block of 4294967268 bytes is longer than any packet"),
    ],
)
def test_what_is_not_a_whole_capture_is_refused_with_record_and_offset(data: bytes, message: str) -> None:
    assert refusal(data) == message


def test_a_pcapng_block_whose_lengths_differ_is_refused() -> None:
    data = section() + interface()
    assert "two lengths differ (20 and 99)" in refusal(data[:-4] + struct.pack("<I", 99))


def test_records_before_the_broken_one_are_given() -> None:
    capture = iter(read_capture(io.BytesIO(pcap(ETHERNET) + b"\1"), EXAMPLE))
    assert next(capture).packet == IPV6
    with pytest.raises(InputError):
        next(capture)


# ------------------------------------------------------------------------------------------------------- writing


def written(data: bytes, packet: bytes) -> bytes:
    out = io.BytesIO()
    writer = Writer(out)
    for record in records(data):
        writer.write(record, packet)
    writer.finish()
    return out.getvalue()


@pytest.mark.parametrize("link", LINK_HEADERS)
def test_what_is_written_keeps_time_link_type_and_link_header(link: int) -> None:
    longer = IPV6[:5] + b"\x08" + IPV6[6:] + b"more"
    record = only(written(pcap(LINK_HEADERS[link] + IPV6, link=link), longer))
    assert (record.timestamp, record.link.number, record.header, record.packet) == (TIME, link, LINK_HEADERS[link], longer)


def test_a_capture_of_nothing_is_a_capture() -> None:
    assert records(written(pcap(), IPV6)) == []


def test_a_pcap_has_one_link_type() -> None:
    mixed = section() + interface() + interface(link=101) + enhanced(ETHERNET, 0) + enhanced(IPV6, 0, number=1)
    with pytest.raises(InputError, match="packet 1 has link type raw IP, those before it Ethernet"):
        written(mixed, IPV6)


def test_a_time_that_pcap_cannot_hold_is_refused() -> None:
    far = section() + interface() + enhanced(ETHERNET, (1 << 33) * 10**6)
    with pytest.raises(InputError, match="does not fit in a pcap file"):
        written(far, IPV6)


# -------------------------------------------------------------------------------------------- agreement with others


@pytest.fixture
def capture_file(tmp_path: Path) -> Path:
    path = tmp_path / "written.pcap"
    path.write_bytes(written(pcap(ETHERNET, ETHERNET), IPV6))
    return path


def test_scapy_reads_what_we_write(capture_file: Path) -> None:
    scapy: Any = pytest.importorskip("scapy.all")
    packets = scapy.rdpcap(str(capture_file))
    assert [bytes(packet) for packet in packets] == [ETHERNET, ETHERNET]
    assert [int(packet.time * 10**9) for packet in packets] == [TIME, TIME]


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_we_read_what_scapy_writes(kind: str, tmp_path: Path) -> None:
    scapy: Any = pytest.importorskip("scapy.all")
    path = tmp_path / f"scapy.{kind}"
    write = {"pcap": scapy.wrpcap, "pcapng": scapy.wrpcapng}[kind]
    write(str(path), [scapy.Ether(ETHERNET), scapy.Ether(ETHERNET)])
    with path.open("rb") as stream:
        assert [record.packet for record in read_capture(stream, path.name)] == [IPV6, IPV6]


@pytest.mark.skipif(which("tcpdump") is None, reason="tcpdump is not installed")
def test_tcpdump_reads_what_we_write(capture_file: Path) -> None:
    command = ["tcpdump", "-nn", "-tt", "--nano", "-r", str(capture_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split(" IP6 ")[0] for line in done.stdout.splitlines()] == ["1700000000.123456789"] * 2


# ------------------------------------------------------------------------------------------------------ IPv4 packets


@pytest.mark.parametrize(("link", "header"), [(1, MACS + b"\x08\x00"), (1, MACS + bytes.fromhex("8100 0007 0800")), (101, b"")])
def test_an_ipv4_packet_is_found_beside_the_reason(link: int, header: bytes) -> None:
    record = only(pcap(header + IPV4, link=link))
    assert (record.packet, record.header, record.ipv4) == (None, header, IPV4)


@pytest.mark.parametrize(
    ("link", "header", "written"),
    [
        (1, MACS + b"\x08\x00", MACS + b"\x86\xdd"),
        (1, MACS + bytes.fromhex("8100 0007 0800"), MACS + bytes.fromhex("8100 0007 86dd")),
        (113, bytes(14) + b"\x08\x00", bytes(14) + b"\x86\xdd"),
        (276, b"\x08\x00" + bytes(18), b"\x86\xdd" + bytes(18)),
        (101, b"", b""),
    ],
)
def test_a_packet_of_the_other_version_is_written_as_what_it_is(link: int, header: bytes, written: bytes) -> None:
    stream = io.BytesIO()
    Writer(stream).write(only(pcap(header + IPV4, link=link)), IPV6)
    assert stream.getvalue()[40:] == written + IPV6
