"""Records to user space: through a ring buffer and through perf events, on the VM and in the kernel, and as the evaluator says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address
from typing import Any, TypeAlias

import pytest

from pybpfnf import (
    DROP,
    OK,
    Array,
    LwtOutPacket,
    PerfEventArray,
    Program,
    RingBuf,
    Seg6Packet,
    Struct,
    Verdict,
    array,
    backend,
    bits,
    image,
    lwt_out,
    seg6local,
    u8,
    u16,
    u32,
    u64,
)
from pybpfnf.dsl import compile_module
from pybpfnf.dsl.surface.structs import pack
from pybpfnf.live import Live
from pybpfnf.runner import Environment, Event, Outcome, Runner
from pybpfnf.testing.evaluate import Evaluator
from pybpfnf.testing.packets import srv6

SOURCE = IPv6Address("fd00::1")


class Seen(Struct):
    """With gaps, which are zeros to the reader."""

    kind: u8
    by: IPv6Address
    tag: u16 = 9
    low: u32 = bits(12, default=5)
    high: u32 = bits(20)
    numbers: list[u16] = array(u16, 3)
    flag: bool = True


class Big(Struct):
    number: u64
    filling: list[u64] = array(u64, 63)


THREE: Any = (1, 2, 65535)  # to a checker not a list, which could change
MANY: Any = (0,) * 63
seen = RingBuf(Seen, 4096)
kept = Array(Seen, 1)
big = RingBuf(Big, 4096)
others = RingBuf(Big, 8192)
limits = Array(u32, 4)
samples = PerfEventArray(Seen)


@seg6local
def whole(pkt: Seg6Packet) -> Verdict:
    """A new record, one that lies in a map, and one that the function has."""
    kept[0] = Seen(kind=1, by=pkt.ipv6.source, high=pkt.srh.tag, numbers=THREE)
    seen.emit(Seen(kind=pkt.srh.flags, by=pkt.ipv6.destination, tag=pkt.srh.tag, high=7, numbers=THREE, flag=pkt.srh.tag == 3))
    seen.emit(kept[0])
    own = kept[0]
    own.kind = 100 // pkt.srh.flags
    seen.emit(own)
    return OK


@seg6local
def filled(pkt: Seg6Packet) -> Verdict:
    """Reserved and filled in place, in ways that fault in between."""
    record = seen.reserve()
    if record is None:
        return DROP
    record.kind = pkt.srh.flags
    record.numbers[pkt.srh.flags] = 100 // pkt.srh.tag
    record.high = 1 + record.high
    assert limits[pkt.srh.flags] == 0
    if pkt.srh.tag == 5:
        seen.discard(record)
        return DROP
    record.by = pkt.ipv6.source
    kept[0] = record
    seen.submit(record)
    return OK


@seg6local
def many(pkt: Seg6Packet) -> Verdict:
    """As many as there is room for: a record of 512 bytes takes 520."""
    for i in range(9):
        if pkt.srh.flags == 1:
            record = big.reserve()
            if record is None:
                return DROP
            record.number = i
            if i % 2 == 0:
                big.discard(record)
            else:
                big.submit(record)
        elif pkt.srh.flags == 2:
            if not big.try_emit(Big(number=i, filling=MANY)):
                pkt.mark = i
                return OK
        else:
            big.emit(Big(number=i, filling=MANY))
    return OK


@seg6local
def two_at_once(pkt: Seg6Packet) -> Verdict:
    """The order is that of the reserves; a fault discards what is reserved."""
    first = others.reserve()
    second = others.reserve()
    if first is None:
        if second is not None:
            others.discard(second)
        return DROP
    first.number = 1
    if second is None:
        others.submit(first)
        return DROP
    second.number = 2
    others.emit(Big(number=3, filling=MANY))
    second.filling[pkt.srh.tag] = 100 // pkt.srh.flags
    others.submit(second)
    first.number += pkt.srh.tag
    others.submit(first)
    return OK


@lwt_out(on_fault=DROP)
def sampled(pkt: LwtOutPacket) -> Verdict:
    if pkt.ipv6 is None:
        return OK
    samples.emit(Seen(kind=1, by=pkt.ipv6.source, high=2, numbers=THREE))
    samples.emit(Seen(kind=2, by=pkt.ipv6.source, high=2, numbers=THREE), packet=7)
    if samples.try_emit(Seen(kind=3, by=pkt.ipv6.source, high=2, numbers=THREE), packet=1 << 19):
        return OK
    return DROP


Run: TypeAlias = Callable[[bytes], Outcome]


@contextmanager
def running(runner: Runner, program: Program) -> Iterator[tuple[Live, Run]]:
    built = image.read(backend.build(compile_module([program])))
    with runner.open(built, built.program(), Environment(sid=IPv6Address("fc00:2::2"))) as session:
        yield Live(built, session.maps), session.run


def packet(tag: int = 0, flags: int = 0) -> bytes:
    return srv6(segments=["fc00:3::3", "fc00:2::2"], tag=tag, flags=flags)


def at_the_hook(tag: int, flags: int) -> bytes:
    return srv6(segments=["fc00:3::3", "fc00:2::2"], tag=tag, flags=flags, segments_left=0, destination="fc00:3::3")


RECORDS = pytest.mark.linux("6.8", "its verifier forgets of a record that it was asked for already")


@pytest.mark.parametrize("program", [whole, filled, many, pytest.param(two_at_once, marks=RECORDS)], ids=lambda program: program.name)
@pytest.mark.parametrize(("tag", "flags"), [(1, 2), (3, 1), (5, 0), (0, 1), (2, 3), (9, 4), (63, 1), (100, 2)])
def test_the_reader_gets_what_the_function_means(runner: Runner, program: Program, tag: int, flags: int) -> None:
    module = compile_module([program])
    evaluated = Evaluator(module, module.functions[0], Environment()).run(at_the_hook(tag, flags))
    with running(runner, program) as (_, run):
        for _ in range(3):  # the reader keeps up: what one packet leaves is read before the next
            outcome = run(packet(tag, flags))
            assert (outcome.verdict, outcome.mark) == (evaluated.verdict, evaluated.mark)
            assert (outcome.fault and outcome.fault.message) == (evaluated.fault and evaluated.fault.message)
            assert outcome.events == tuple(Event(name, data) for name, records in evaluated.events.items() for data in records)


def test_a_record_has_its_fields_and_zeros_between(runner: Runner) -> None:
    with running(runner, whole) as (_, run):
        events = run(packet(tag=3, flags=4)).events
    expected = Seen(kind=4, by=IPv6Address("fc00:3::3"), tag=3, high=7, numbers=[1, 2, 65535], flag=True)
    assert [event.map for event in events] == ["seen"] * 3
    assert events[0].data == pack(expected)
    assert events[2].data == pack(Seen(kind=25, by=SOURCE, high=3, numbers=[1, 2, 65535]))


def test_a_full_ring_is_a_fault_and_is_none_and_is_asked(runner: Runner) -> None:
    """4096 bytes have room for seven records of 520 bytes."""
    with running(runner, many) as (_, run):
        outcome = run(packet(flags=0))
        assert outcome.fault is not None
        assert (outcome.fault.message, len(outcome.events)) == ("the ring buffer is full", 7)
        outcome = run(packet(flags=1))
        assert (outcome.verdict, [event.data[0] for event in outcome.events]) == (DROP, [1, 3, 5])
        outcome = run(packet(flags=2))
        assert (outcome.verdict, outcome.mark, outcome.fault) == (OK, 7, None)


def test_perf_events_bring_the_start_of_the_packet(runner: Runner) -> None:
    sent = packet()
    with running(runner, sampled) as (_, run):
        outcome = run(sent)
    assert outcome.fault is None
    at_the_hook_ = outcome.packet or b""
    records = [pack(Seen(kind=kind, by=SOURCE, high=2, numbers=[1, 2, 65535])) for kind in (1, 2, 3)]
    size = len(records[0])
    assert [event.data[:size] for event in outcome.events] == records
    rests = [event.data[size:] for event in outcome.events]
    for rest, octets in zip(rests, (b"", at_the_hook_[:7], at_the_hook_), strict=True):
        assert rest.startswith(octets)
        assert len(rest) == (size + len(octets) + 4 + 7) // 8 * 8 - 4 - size  # perf rounds a sample up
