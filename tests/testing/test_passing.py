"""A capture through machine code: the same sums, the same file as packet by packet, whatever the capture."""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest

import pybpfnf
from pybpfnf.errors import InputError
from pybpfnf.image.model import ObjectImage
from pybpfnf.runner import Environment, Fault, Outcome
from pybpfnf.testing.capture import Record
from pybpfnf.testing.hostile import any_ipv6, mutated_packets, well_formed
from pybpfnf.testing.passing import FilePass, outcomes
from pybpfnf.testing.pcap import Writer, read_capture
from pybpfnf.vm import Engine, VmRunner, VmSession

COUNT = 500
FUNCTIONS = ("end_t", "add_tlv", "tag_increment")
MACS = bytes.fromhex("020000000002 020000000001")
VLAN = bytes.fromhex("8100 0007")
LINKS = {1: MACS + b"\x86\xdd", 101: b"", 113: bytes(14) + b"\x86\xdd", 276: b"\x86\xdd" + bytes(18)}


@dataclass
class Sums:
    count: int = 0
    forwarded: int = 0
    at_once: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)

    def packet(self, record: Record, outcome: Outcome) -> None:
        self.count += 1
        self.forwarded += outcome.forwarded
        if outcome.fault is not None:
            self.faults[outcome.fault] += 1

    def packets(self, count: int, forwarded: int) -> None:
        self.count += count
        self.forwarded += forwarded
        self.at_once += count


class Pieces(io.BytesIO):
    """A stream that gives what it likes of what is asked for: a record may lie in several pieces."""

    def __init__(self, data: bytes, random: Random) -> None:
        super().__init__(data)
        self._random = random

    def read1(self, size: int | None = -1) -> bytes:
        return self.read(self._random.choice((7, 100, 3000, 1 << 20)))


def frames(random: Random, link: int) -> Iterator[tuple[bytes, int]]:
    """Frames, and how long they were on the wire: most have an SRv6 packet, some a VLAN tag, padding, a part of a packet, or IPv4."""
    for packet in mutated_packets(random.randrange(99), COUNT, make=random.choice((well_formed, any_ipv6))):
        header = LINKS[link]
        if link == 1 and random.random() < 0.05:
            header = MACS + VLAN + b"\x86\xdd"
        elif header and random.random() < 0.05:
            header = header.replace(b"\x86\xdd", b"\x08\x00")
        frame = header + packet + bytes(random.choice((0, 0, 0, 6)))
        yield frame, len(frame) + (random.random() < 0.03)


def pcap(random: Random, order: str, link: int, nanoseconds: bool) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    file = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for at, (frame, original) in enumerate(frames(random, link)):
        fraction = random.randrange(10**9 if nanoseconds else 10**6)
        if random.random() < 0.02:
            fraction = 0xFFFFFFFF  # more than a second
        file += struct.pack(f"{order}IIII", at, fraction, len(frame), original) + frame
    return file


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)


def pcapng(random: Random, order: str, link: int, resolution: bytes) -> bytes:
    """Two interfaces of one link type, of which the second comes later, with time stamps of its own; names and options between packets."""
    file = block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    file += block(order, 1, struct.pack(f"{order}HHI", link, 0, 0))
    for at, (frame, original) in enumerate(frames(random, link)):
        if at == COUNT // 3:
            options = struct.pack(f"{order}HH", 9, 1) + resolution + bytes(3) + struct.pack(f"{order}HHq", 14, 8, 1_600_000_000)
            file += block(order, 1, struct.pack(f"{order}HHI", link, 0, 0) + options)
        interface = random.randrange(1 + (at >= COUNT // 3))
        ticks = random.randrange(1 << 50) if interface == 0 else random.randrange(1 << 34)
        head = struct.pack(f"{order}IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), original)
        options = struct.pack(f"{order}HHIHH", 2, 4, 1, 0, 0) if random.random() < 0.1 else b""
        file += block(order, 6, head + frame + bytes(-len(frame) % 4) + options)
        if random.random() < 0.02:
            file += block(order, 4, bytes(8)) if at % 2 else block(order, 3, struct.pack(f"{order}I", len(frame)) + frame)
    return file


CAPTURES = {
    "pcap": lambda random: pcap(random, "<", 1, True),
    "pcap, big-endian, microseconds": lambda random: pcap(random, ">", 1, False),
    "pcap, raw IP": lambda random: pcap(random, "<", 101, True),
    "pcap, cooked": lambda random: pcap(random, "<", 113, False),
    "pcap, cooked v2": lambda random: pcap(random, ">", 276, True),
    "pcapng": lambda random: pcapng(random, "<", 1, b"\x09"),
    "pcapng, big-endian, in parts of 1024": lambda random: pcapng(random, ">", 1, b"\x8a"),
    "pcapng, in so small parts that Python counts them": lambda random: pcapng(random, "<", 101, b"\xbf"),
}


def opened(image: ObjectImage, engine: Engine) -> VmSession:
    environment = Environment(tables=Environment().tables | {100})
    return VmRunner(engine=engine).open(image, image.programs[0], environment)


def packet_by_packet(image: ObjectImage, data: bytes) -> tuple[Sums, bytes, str]:
    sums, out, error = Sums(), io.BytesIO(), ""
    writer = Writer(out)
    link = None
    try:
        for record, outcome in outcomes(opened(image, Engine.REFERENCE), iter(read_capture(io.BytesIO(data), "it"))):
            link = link or record.link
            sums.packet(record, outcome)
            if outcome.packet is not None:
                writer.write(record, outcome.packet)
        writer.finish(link)
    except InputError as caught:
        error = caught.message
    return sums, out.getvalue(), error


def in_machine_code(image: ObjectImage, data: bytes, random: Random) -> tuple[Sums, bytes, str]:
    sums, out, error = Sums(), io.BytesIO(), ""
    session, writer = opened(image, Engine.COMPILED), Writer(out)
    files = session.files(len(data))
    assert files is not None
    try:
        writer.finish(FilePass(session, files, read_capture(Pieces(data, random), "it"), writer, sums).run())
    except InputError as caught:
        error = caught.message
    return sums, out.getvalue(), error


def compare(image: ObjectImage, data: bytes, seed: int) -> Sums:
    expected, written, error = packet_by_packet(image, data)
    sums, file, said = in_machine_code(image, data, Random(seed))
    assert (sums.count, sums.forwarded, sums.faults, said) == (expected.count, expected.forwarded, expected.faults, error)
    assert file == written
    return sums


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_machine_code_counts_and_writes_what_single_runs_do(function: str, capture: str) -> None:
    image = pybpfnf.read(pybpfnf.build(function))
    seed = len(capture)
    sums = compare(image, CAPTURES[capture](Random(seed)), seed)
    assert 0 < sums.forwarded < sums.count
    assert sums.at_once > COUNT // 10 or "in so small parts" in capture


@pytest.mark.parametrize("capture", ["pcap", "pcapng"])
def test_a_damaged_file_is_refused_where_it_is_damaged(capture: str) -> None:
    """With the same words, after the same packets: cut off anywhere, or with any of its bytes changed."""
    image = pybpfnf.read(pybpfnf.build("end"))
    random = Random(5)
    whole = CAPTURES[capture](random)[:6000]
    errors = set()
    for _ in range(40):
        damaged = bytearray(whole[: random.randrange(30, len(whole))])
        damaged[random.randrange(24, len(damaged))] ^= 1 << random.randrange(8)
        compare(image, bytes(damaged), 3)
        errors.add(packet_by_packet(image, bytes(damaged))[2].partition(": ")[2])
    assert len(errors) > 20


def test_a_link_type_other_than_that_of_what_was_written_before_is_refused() -> None:
    image = pybpfnf.read(pybpfnf.build("end"))
    start = block("<", 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    interfaces = [block("<", 1, struct.pack("<HHI", link, 0, 0)) for link in (1, 101)]
    packet = well_formed(Random(4))
    frames = [(0, LINKS[1] + packet), (0, LINKS[1] + packet), (1, packet)]
    records = [block("<", 6, struct.pack("<IIIII", number, 0, 0, len(frame), len(frame)) + frame) for number, frame in frames]
    data = b"".join((start, *interfaces, *records))
    sums, written, error = in_machine_code(image, data, Random(6))
    assert error.startswith("packet 2 has link type raw IP, those before it Ethernet")
    assert (sums.count, sums.at_once) == (3, 1)  # interfaces, and the packet after them, are for Python
    assert written == packet_by_packet(image, data)[1]
