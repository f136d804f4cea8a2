"""`end_dm`: times into probes, records to user space, errors back to who can be told, nothing else changed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final

import pytest

import pybpfnf
from pybpfnf import ObjectImage, Outcome, Runner, Simulation
from pybpfnf.testing import packets
from pybpfnf.testing.packets import Payload, Tlv, ipv4, ipv6, pad, srv6, udp
from tests.functions.cases import BAD, SID, Case, advanced
from tests.functions.conftest import ROUTER
from tests.functions.delay_checks import COLLECTOR, PORT, SECOND, dm, stamp, time_at, timed, uro

FUNCTION = "end_dm"
EXIT, BACK = "fc00:c::1", "fc00:c::2"
T1: Final = 1_700_000_000 * SECOND + 123_456_789
INNER: Final = ipv6("2001:db8:9::1", payload=udp(), hop_limit=33)
IPV6_INSIDE: Final = packets.inner(INNER)
SUCCESS, GENERIC, VERSION, CONTROL = 0x01, 0x10, 0x11, 0x12
ONE_WAY, TWO_WAY, SILENT, ANSWERED_WRONG, DROPPED_WRONG, UNHEARD, TOO_LONG = range(7)
DROP = 2


@pytest.fixture(scope="module")
def built() -> ObjectImage:
    return pybpfnf.read(FUNCTION)


@pytest.fixture
def nf(built: ObjectImage, runner: Runner) -> Iterator[Simulation]:
    with pybpfnf.simulate(built, environment=ROUTER, runner=runner) as simulation:
        yield simulation


def probe(*tlvs: Tlv, segments: tuple[str, ...] = (EXIT, SID), payload: Payload = IPV6_INSIDE, tag: int = 0) -> bytes:
    return srv6(segments, tlvs=tlvs, payload=payload, tag=tag, hop_limit=64)


def one_way(**fields: object) -> bytes:
    return probe(dm(control=1, session=7, times=(T1, 0, 0, 0)), uro(), **fields)  # type: ignore[arg-type]  # of several types


def counted(nf: Simulation) -> dict[int, int]:
    return {index: count for index, count in enumerate(nf["seen"]) if count}


# ------------------------------------------------------------------------------------------------------------ one-way


def test_a_one_way_probe_sends_a_record_and_the_packet_inside_goes_on_alone(nf: Simulation, runner: Runner) -> None:
    outcome, times = timed(runner, nf.run, one_way(tag=0xBEEF))
    assert (outcome.verdict, outcome.fault, outcome.packet) == (7, None, INNER)
    (record,) = nf["measured"]
    assert (record.t1, record.session, record.port, record.collector) == (
        int.from_bytes(stamp(T1), "big"), 7 << 8, PORT, IPv6Address(COLLECTOR)
    )  # fmt: skip
    assert time_at(record.t2.to_bytes(8, "big"), 0) in times
    assert record.ipv6 == bytes(advanced(Case(one_way(tag=0xBEEF))))[:40]
    fields = (record.srh.next_header, record.srh.segments_left, record.srh.last_entry, record.srh.flags, record.srh.tag)
    assert fields == (41, 0, 1, 0, 0xBEEF)
    assert record.segments[:2] == [IPv6Address(EXIT), IPv6Address(SID)]
    assert set(record.segments[2:]) == {IPv6Address("::")}
    assert counted(nf) == {ONE_WAY: 1}


def with_t2(packet: bytes, t2: int, at: int = 40 + 8 + 32 + 24) -> bytes:
    changed = advanced(Case(packet))
    changed[at : at + 8] = stamp(t2)
    return bytes(changed)


@pytest.mark.parametrize(
    "payload", [udp(), Payload(4, ipv4("198.51.100.1", payload=udp()))], ids=["UDP", "IPv4"]
)  # fmt: skip
def test_what_is_no_ipv6_packet_goes_to_the_segment_that_is_left(nf: Simulation, payload: Payload) -> None:
    packet = one_way(payload=payload)
    outcome = nf.run(packet)
    assert (outcome.verdict, outcome.fault) == (0, None)
    (record,) = nf["measured"]
    assert outcome.packet == with_t2(packet, time_at(record.t2.to_bytes(8, "big"), 0))


def test_a_probe_with_more_segments_goes_to_the_next_with_t2_in_it(nf: Simulation) -> None:
    packet = one_way(segments=(EXIT, BACK, SID))
    outcome = nf.run(packet)
    (record,) = nf["measured"]
    assert record.srh.segments_left == 1
    assert outcome.packet == with_t2(packet, time_at(record.t2.to_bytes(8, "big"), 0), 40 + 8 + 48 + 24)


def test_without_decapsulation_every_probe_goes_to_its_last_segment(built: ObjectImage, runner: Runner) -> None:
    with pybpfnf.simulate(built, environment=ROUTER, runner=runner, config={"DECAPSULATE": False}) as nf:
        outcome = nf.run(one_way())
        (record,) = nf["measured"]
    assert outcome.packet == with_t2(one_way(), time_at(record.t2.to_bytes(8, "big"), 0))


def test_the_record_has_the_segments_of_a_long_path_and_a_longer_one_is_counted(nf: Simulation) -> None:
    hops = [f"fc00:c::{index:x}" for index in range(1, 17)]
    for count, records in ((15, 1), (16, 0)):
        outcome = nf.run(one_way(segments=(*hops[:count], SID)))
        assert (outcome.fault, outcome.forwarded) == (None, True)
        found = list(nf["measured"])
        assert len(found) == records
        assert all(record.segments == [IPv6Address(each) for each in (*hops[:15], SID)] for record in found)
    assert counted(nf) == {ONE_WAY: 1, TOO_LONG: 1}


def test_without_room_for_its_record_a_probe_goes_on_and_is_counted(runner: Runner, tmp_path: Path) -> None:
    # Runners take records out after each packet, so the ring is one into which none fits.
    source = (Path(pybpfnf.__file__).parent.parent / "functions/delay/end_dm.py").read_text()
    longer = tmp_path / "end_dm.py"
    longer.write_text(source.replace("MOST_SEGMENTS = 16", "MOST_SEGMENTS = 250"))
    image = pybpfnf.read(longer)
    small = replace(image.maps["measured"], max_entries=4096)
    with pybpfnf.simulate(replace(image, maps={**image.maps, "measured": small}), environment=ROUTER, runner=runner) as nf:
        outcome = nf.run(one_way())
        assert (outcome.verdict, outcome.fault, outcome.packet) == (7, None, INNER)
        assert list(nf["measured"]) == []
        assert counted(nf) == {UNHEARD: 1}


@pytest.mark.parametrize("size", [0, 1, 39])
def test_a_probe_that_ends_within_the_header_inside_leaves_no_record(nf: Simulation, size: int) -> None:
    outcome = nf.run(one_way(payload=Payload(41, INNER[:size])))
    assert (outcome.verdict, outcome.packet) == (DROP, None)
    assert outcome.fault is not None
    assert outcome.fault.message == "past the end of the packet"
    assert list(nf["measured"]) == []
    assert counted(nf) == {}


def test_after_destination_options_the_record_is_of_the_same_srh(nf: Simulation) -> None:
    packet = srv6([EXIT, SID], tlvs=[dm(times=(T1, 0, 0, 0)), uro()], payload=IPV6_INSIDE, options=[packets.destination_options()])
    assert nf.run(packet).packet == INNER
    (record,) = nf["measured"]
    assert record.segments[:2] == [IPv6Address(EXIT), IPv6Address(SID)]


def test_nobody_is_told_of_a_probe_that_asks_for_nobody(nf: Simulation) -> None:
    assert nf.run(probe(dm(control=2), uro())).packet == INNER
    assert nf.run(probe(dm(control=2))).packet == INNER
    assert list(nf["measured"]) == []
    assert counted(nf) == {SILENT: 2}


# ------------------------------------------------------------------------------------------------------------ two-way


def answered(packet: bytes, outcome: Outcome, code: int, times: range, at: int = 40 + 8 + 48) -> None:
    """The packet went on to its next segment, its DM TLV (at that offset) with the flag R, the code, T2 and T3, and nothing else in it
    changed."""
    assert (outcome.verdict, outcome.fault) == (0, None)
    assert outcome.packet is not None
    t2, t3 = (time_at(outcome.packet, at + offset) for offset in (24, 32))
    assert t2 in times
    assert t2 <= t3 < t2 + SECOND
    expected = advanced(Case(packet))
    expected[at + 4 : at + 6] = bytes((0x81, code))
    expected[at + 24 : at + 40] = stamp(t2) + stamp(t3)
    assert outcome.packet == bytes(expected)


def two_way(tlv: Tlv, *others: Tlv) -> bytes:
    return probe(tlv, *others, segments=(EXIT, BACK, SID), payload=udp())


WRONG = {
    "version 0": (dm(control=0, version=0x00), VERSION),
    "version 2": (dm(control=0, version=0x02), VERSION),
    "an unknown flag": (dm(control=0, version=0x41), VERSION),
    "a response already": (dm(control=1, version=0x81), VERSION),
    "control code 3": (dm(control=3), CONTROL),
    "control code 255": (dm(control=255), CONTROL),
    "another format of times": (dm(control=0, formats=0x32), GENERIC),
}


def test_a_two_way_probe_gets_both_times_and_goes_on(nf: Simulation, runner: Runner) -> None:
    packet = two_way(dm(control=0, session=0xFFFFFF, traffic_class=3, times=(T1, 0, 0, 0)))
    outcome, times = timed(runner, nf.run, packet)
    answered(packet, outcome, SUCCESS, times)
    assert counted(nf) == {TWO_WAY: 1}


def test_a_two_way_probe_is_one_with_a_uro_too(nf: Simulation, runner: Runner) -> None:
    packet = two_way(dm(control=0, times=(T1, 0, 0, 0)), uro())
    outcome, times = timed(runner, nf.run, packet)
    answered(packet, outcome, SUCCESS, times)
    assert list(nf["measured"]) == []


@pytest.mark.parametrize(("tlv", "code"), WRONG.values(), ids=WRONG)
def test_a_wrong_two_way_probe_goes_on_with_the_code_of_its_error(nf: Simulation, runner: Runner, tlv: Tlv, code: int) -> None:
    outcome, times = timed(runner, nf.run, two_way(tlv))
    answered(two_way(tlv), outcome, code, times)
    assert counted(nf) == {ANSWERED_WRONG: 1}


# -------------------------------------------------------------------------------------------------- the kernel's stamp


@pytest.mark.parametrize(("ago", "stamped"), [(None, False), (0, True), (250_000_000, True), (SECOND - 1, True), (SECOND, False)])
def test_t2_is_the_stamp_of_the_arrival_where_there_is_one(built: ObjectImage, ago: int | None, stamped: bool) -> None:
    with pybpfnf.simulate(built, environment=replace(ROUTER, received=ago)) as nf:
        nf.run(one_way())
        answered_packet = nf.run(two_way(dm(control=0))).packet
        (record,) = nf["measured"]
        clocks = list(nf["clocks"])
    assert answered_packet is not None
    t2, t3 = (time_at(answered_packet, 40 + 8 + 48 + offset) for offset in (24, 32))
    assert (record.stamped, clocks) == (stamped, [0, 2] if stamped else [2, 0])
    assert (t3 - t2 >= (ago or 0)) == (stamped or ago is None)


# -------------------------------------------------------------------------------------------------------------- wrong

DROPPED = {
    "no DM TLV": probe(uro()),
    "no TLV": probe(),
    "a DM TLV of another length": probe(Tlv(7, bytes(38)), uro()),
    "one-way, and nobody to tell": probe(dm(control=1)),
    "one-way, of another version": probe(dm(control=1, version=0x02), uro()),
    "one-way, a response": probe(dm(control=1, version=0x81), uro()),
    "one-way, an unknown control code": probe(dm(control=3), uro()),
    "one-way, another format of times": probe(dm(control=1, formats=0x22), uro()),
    "one-way, a URO of another length": probe(dm(control=1), Tlv(131, bytes(14))),
}


@pytest.mark.parametrize("packet", DROPPED.values(), ids=DROPPED)
def test_another_wrong_probe_is_dropped_and_counted(nf: Simulation, packet: bytes) -> None:
    outcome = nf.run(packet)
    assert (outcome.verdict, outcome.packet, outcome.fault) == (DROP, None, None)
    assert list(nf["measured"]) == []
    assert counted(nf) == {DROPPED_WRONG: 1}


@pytest.mark.parametrize("packet", BAD.values(), ids=BAD)
def test_end_dm_never_sees_a_malformed_packet(nf: Simulation, packet: bytes) -> None:
    assert nf.run(packet).runs == 0


def test_the_tlvs_may_stand_anywhere(nf: Simulation) -> None:
    nf.run(probe(Tlv(9, b"abcdef"), uro(), pad(4), dm(times=(T1, 0, 0, 0))))
    (record,) = nf["measured"]
    assert (record.t1, record.port) == (int.from_bytes(stamp(T1), "big"), PORT)


# ---------------------------------------------------------------------------------------------- bytes changed at random


def expected_verdict(packet: bytes) -> int:
    """What a probe whose TLV area is changed deserves, read here byte by byte: OK 0, DROP 2, REDIRECT 7 (decapsulated)."""
    area = packet[40 + 8 + 32 : 40 + 8 * (packet[41] + 1)]
    found: dict[tuple[int, int], bytes] = {}
    at = 0
    while at + 2 <= len(area):
        found.setdefault((area[at], area[at + 1]), area[at + 2 : at + 2 + area[at + 1]])
        at += 2 + area[at + 1]
    measurement, told = found.get((7, 46)), (131, 18) in found
    if measurement is None:
        return DROP
    version, control, formats = measurement[2], measurement[3], measurement[6]
    if version != 1 or control > 2 or formats != 0x33:
        return 0 if not told or control == 0 else DROP
    if control == 0:
        return 0
    return DROP if control == 1 and not told else 7


def mutated(source: random.Random) -> bytes:
    packet = bytearray(one_way())
    for _ in range(source.randint(1, 3)):
        packet[source.randrange(80, 80 + 72)] = source.choice([0, 1, 2, 4, 7, 18, 46, 131, 0x33, 0x81, source.randrange(256)])
    return bytes(packet)


def check_mutations(nf: Simulation, count: int) -> None:
    source = random.Random(6)
    reached = 0
    for _ in range(count // 500):
        some = [mutated(source) for _ in range(500)]
        for packet, outcome in zip(some, nf.run_many(some), strict=True):
            assert outcome.fault is None, packet.hex()
            if outcome.runs:
                reached += 1
                assert outcome.verdict == expected_verdict(packet), packet.hex()
        list(nf["measured"])
    assert reached > count / 2


def test_changed_bytes_never_fault_and_are_judged_by_the_rules(nf: Simulation) -> None:
    check_mutations(nf, 500)


@pytest.mark.slow
def test_forty_thousand_changed_probes(nf: Simulation) -> None:
    check_mutations(nf, 40_000)
