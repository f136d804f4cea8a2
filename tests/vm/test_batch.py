"""Many packets at once: as one after the other by the reference, whatever the packets."""

from __future__ import annotations

from ipaddress import IPv6Address
from pathlib import Path

import pytest

import pybpfnf
from pybpfnf.image.model import ObjectImage
from pybpfnf.runner import Environment, Outcome
from pybpfnf.testing.hostile import SID, mutated_packets
from pybpfnf.vm import Engine, VmRunner, VmSession
from tests.vm.programs import array, image

ONCE = True  # see conftest
FUNCTIONS = ("end", "end_t", "tag_increment", "add_tlv", "add_tlv_20")
_TABLES = Environment().tables | {100}
ROUTERS = {
    "of the SID": Environment(sid=IPv6Address(SID), tables=_TABLES),
    "of any destination": Environment(tables=_TABLES),
    "with little fuel": Environment(tables=_TABLES, fuel=70),
    "with unreachable networks": Environment(tables=_TABLES, unreachable=("fc00:c::4/126",)),
    "that asks for HMACs": Environment(tables=_TABLES, require_hmac=1),
    "with packets in pieces": Environment(tables=_TABLES, linear=60),
    "with packets that stand for several": Environment(tables=_TABLES, gso_size=20),
    "that ignores HMACs": Environment(tables=_TABLES, require_hmac=-1),
}
COUNT = 600


def built(function: str) -> ObjectImage:
    return pybpfnf.read(pybpfnf.build(function))


def sessions(image: ObjectImage, environment: Environment) -> tuple[VmSession, VmSession]:
    first = image.programs[0]
    one, other = (VmRunner(engine=engine).open(image, first, environment) for engine in (Engine.REFERENCE, Engine.COMPILED))
    return one, other


def contents(session: VmSession) -> dict[str, list[bytes | None]]:
    return {name: [map_.lookup(key) for key in map_.keys()] for name, map_ in session.maps.items() if map_.spec.max_entries < 100}  # noqa: SIM118


def compare(image: ObjectImage, environment: Environment, packets: list[bytes]) -> list[Outcome]:
    reference, compiled = sessions(image, environment)
    expected, got = [reference.run(packet) for packet in packets], compiled.run_many(packets)
    different = [(at, packets[at].hex(), got[at], expected[at]) for at in range(len(packets)) if got[at] != expected[at]]
    assert different[:1] == []
    assert contents(compiled) == contents(reference)
    return expected


@pytest.mark.parametrize("router", ROUTERS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_batch_gives_what_single_runs_give(function: str, router: str) -> None:
    outcomes = compare(built(function), ROUTERS[router], list(mutated_packets(len(router), COUNT)))
    assert not all(outcome.forwarded for outcome in outcomes)
    assert any(outcome.forwarded for outcome in outcomes) or router == "that asks for HMACs"


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
def test_two_hundred_thousand_mutated_packets(function: str) -> None:
    """With the five functions a million; by both engines."""
    packets = list(mutated_packets(7, 200_000))
    compare(built(function), ROUTERS["of the SID"], packets)


_MAPS = """
from pybpfnf import DROP, OK, Array, Hash, IPv6Address, PerCpuArray, Seg6Packet, Struct, Verdict, helpers, seg6local, u16, u32, u64


class Pair(Struct):
    tag: u16
    left: u16


by_source = Hash(IPv6Address, u64, 4)
by_pair = Hash(Pair, u64, 64, default=0)
slots = Array(u64, 8)
own = PerCpuArray(u64, 4)


@seg6local
def count(pkt: Seg6Packet) -> Verdict:
    srh = pkt.srh
    slots[srh.tag & 7] += 1
    own[srh.tag & 3] += pkt.len
    pair = Pair(tag=srh.tag & 15, left=srh.segments_left)
    by_pair[pair] += 1
    if by_pair[pair] > 5:
        del by_pair[pair]
    if pkt.ipv6.destination not in by_source:
        by_source[pkt.ipv6.destination] = 1
        return OK
    return OK if srh.tag & 1 == 0 else DROP
"""


def test_what_a_hash_has_found_before_is_not_what_it_has_lost_since(tmp_path: Path) -> None:
    """Look-ups in machine code: of arrays, of hashes whose keys come and go, and of one that is full."""
    (tmp_path / "count.py").write_text(_MAPS)
    outcomes = compare(built(str(tmp_path / "count.py")), ROUTERS["of the SID"], list(mutated_packets(5, 3000)))
    assert len({outcome.verdict for outcome in outcomes}) > 2


def test_maps_and_time_go_on_from_packet_to_packet() -> None:
    """A counter of the packets, and the clock, which moves on by a packet: also where some of them are not ordinary."""
    text = """
        r6 = r1
        *(u32 *)(r10 - 4) = 0
        r1 = map[m]
        r2 = r10
        r2 += -4
        call map_lookup_elem
        if r0 == 0 goto +5
        r1 = 1
        lock *(u64 *)(r0 + 0) += r1
        call ktime_get_ns
        *(u64 *)(r10 - 16) = r0
        r0 = 0
        exit
    """
    built_ = image("\n".join(line.strip() for line in text.strip().splitlines()), array("m"))
    compare(built_, ROUTERS["of the SID"], list(mutated_packets(3, 300)))
