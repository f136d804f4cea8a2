"""`pkt.srh.segments`: indexed, counted and gone over, in the order of the wire; on the VM and in the kernel."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from pybpfnf import DROP, OK, Array, LwtInPacket, Prefix, Seg6Packet, State, Tlv, Verdict, lwt_in, seg6local, u32
from pybpfnf.runner import Runner
from pybpfnf.testing import packets
from pybpfnf.testing.packets import srv6
from tests.conformance.tlv_support import SID, running
from tests.kernel_support import TOO_MANY_WAYS

NEAR = Prefix("fc00:3::/32")
WANTED = State(u32)
seen = Array(IPv6Address, 4)


class Note(Tlv, type=124):
    where: IPv6Address


@seg6local
def indexed(pkt: Seg6Packet) -> Verdict:
    srh = pkt.srh
    seen[0] = srh.segments[srh.segments_left]
    seen[1] = srh.segments[WANTED]
    seen[2] = srh.segments[0]
    pkt.mark = len(srh.segments)
    if srh.segments[0] in NEAR:
        pkt.mark += 1000
    return OK


@seg6local
def gone_over(pkt: Seg6Packet) -> Verdict:
    for segment in pkt.srh.segments:
        pkt.mark += 1
        if segment in NEAR:
            continue
        if segment == pkt.ipv6.destination:
            break
    else:
        return DROP
    pkt.srh.append(Note(where=segment))
    for i in range(min(len(pkt.srh.segments), 8)):
        if pkt.srh.segments[i] == pkt.ipv6.source:
            pkt.srh.append(Note(where=pkt.ipv6.source))
    for i in range(min(len(pkt.srh.segments), 64)):
        if pkt.srh.segments[i] == pkt.ipv6.source:
            pkt.mark += 100
        elif pkt.srh.tag == 3 and i > 2:
            seen[i & 3] = pkt.srh.segments[i]
        else:
            pkt.srh.tag += 1
    return OK


@lwt_in(on_fault=OK)
def on_a_route(pkt: LwtInPacket) -> Verdict:
    if pkt.srh is None or pkt.ipv6 is None:
        return OK
    for segment in pkt.srh.segments:
        pkt.mark += 1
        if segment == pkt.ipv6.source:
            return DROP
    seen[1] = pkt.srh.segments[pkt.srh.segments_left]
    return OK


def path(count: int, left: int = 1) -> bytes:
    segments = [f"fc00:3::{index + 1:x}" for index in range(count)]
    segments[left] = "fc00:5::5"
    segments[left - 1] = SID
    segments[left - 1], segments[left] = segments[left], segments[left - 1]
    return srv6(segments=segments, segments_left=left)


@pytest.mark.parametrize("count", [2, 3, 60])
def test_segments_are_in_the_order_of_the_wire(runner: Runner, count: int) -> None:
    with running(runner, indexed) as (nf, run):
        nf[WANTED] = count - 1
        outcome = run(path(count))
        assert (outcome.fault, outcome.mark) == (None, count)
        last = SID if count == 2 else f"fc00:3::{count:x}"
        assert [nf[seen][i] for i in range(3)] == [IPv6Address(each) for each in ("fc00:5::5", last, "fc00:5::5")]


def test_a_segment_is_asked_for_a_prefix(runner: Runner) -> None:
    with running(runner, indexed) as (nf, run):
        outcome = run(path(4, left=2))
        assert (outcome.fault, outcome.mark) == (None, 1004)
        assert nf[seen][0] == IPv6Address("fc00:5::5")


@pytest.mark.parametrize("index", [3, 127, 1 << 31])
def test_an_index_past_the_last_segment_is_a_fault(runner: Runner, index: int) -> None:
    with running(runner, indexed) as (nf, run):
        nf[WANTED] = index
        fault = run(path(3)).fault
        assert fault is not None
        assert fault.message == "index out of range"


@TOO_MANY_WAYS
@pytest.mark.parametrize("left", [1, 3, 59])
def test_a_loop_goes_over_them_and_keeps_the_one_where_it_was_left(runner: Runner, left: int) -> None:
    with running(runner, gone_over) as (_, run):
        outcome = run(path(60, left))
        assert (outcome.fault, outcome.mark) == (None, left)
        assert outcome.packet is not None
        assert outcome.packet[46:48] == (3).to_bytes(2, "big")


@pytest.mark.parametrize(("options", "count"), [((), 2), ((packets.hop_by_hop(), packets.destination_options()), 40)])
def test_behind_options_and_on_a_route(runner: Runner, options: tuple[packets.Extension, ...], count: int) -> None:
    segments = ["fc00:5::5", *(f"fc00:3::{index + 1:x}" for index in range(count - 2)), SID]
    with running(runner, on_a_route) as (nf, run):
        outcome = run(srv6(segments=segments, options=options))
        assert (outcome.fault, outcome.mark) == (None, count)
        assert nf[seen][1] == IPv6Address(segments[-1])


_PAST = "the segments run past the SRH's end"


@pytest.mark.parametrize(("last_entry", "left", "message"), [(2, 1, _PAST), (255, 1, _PAST), (1, 2, "index out of range")])
def test_an_srh_that_nobody_has_checked_may_say_anything(runner: Runner, last_entry: int, left: int, message: str) -> None:
    with running(runner, on_a_route) as (_, run):
        fault = run(srv6(segments=["fc00:5::5", SID], destination=SID, last_entry=last_entry, segments_left=left)).fault
        assert fault is not None
        assert fault.message == message


def test_a_segment_past_the_packets_end_is_a_fault(runner: Runner) -> None:
    whole = srv6(segments=["fc00:5::5", SID], destination=SID, last_entry=9, header_length=20)
    with running(runner, on_a_route) as (_, run):
        fault = run(whole).fault
        assert fault is not None
        assert fault.message == "the segments run past the SRH's end"
