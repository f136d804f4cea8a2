"""A capture through machine code: the same sums, the same file as packet by packet, whatever the capture."""

from __future__ import annotations

import io
import struct
from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest

import pybpfnf
from pybpfnf.captures.capture import Record
from pybpfnf.captures.pcap import Writer, read_capture
from pybpfnf.errors import InputError
from pybpfnf.image.model import ObjectImage
from pybpfnf.runner import Environment, Fault, Outcome
from pybpfnf.testing.hostile import well_formed
from pybpfnf.testing.passing import FilePass, outcomes
from pybpfnf.vm import Engine, VmRunner, VmSession
from tests.captures.generated import CAPTURES, COUNT, LINKS, block

FUNCTIONS = ("end_t", "add_tlv", "tag_increment")


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
