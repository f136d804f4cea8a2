"""Subprograms (`@func(inline=False)`): the evaluator, the VM and the kernel do the same with them as with functions that are inlined."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpfnf.runner import Runner
from tests.conformance.test_functions import agree

MANY_PARAMETERS = r"""
class Pair(Struct):
    low: u32
    high: u64

class Wide(Struct):
    pair: Pair
    sid: IPv6Address
    tail: bytes = octets(5)

seen = Array(u64, 4)

@func(inline=False)
def fold(a: u8, b: s8, c: u16, d: s16, e: u32, f: s32, g: u64, h: s64, i: bool) -> s64:
    n = s64(a) + b
    n = n * 3 + c
    n = n * 3 + d
    n = n * 3 + e
    n = n * 3 + f
    n = n * 3 + h
    return n + (7 if i else 5) + s64(g & 0xFFFF)

@func(inline=False)
def wide(of: Wide, a: IPv6Address, n: u16, pkt: Seg6Packet, b: IPv6Address, pair: Pair) -> Wide:
    of.pair = Pair(low=of.pair.low + pair.low, high=pair.high)
    if pkt.srh.tag > 2:
        of.sid = a
        return of
    return Wide(pair=pair, sid=b, tail=of.tail)

@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    tag = pkt.srh.tag
    n = fold(u8(tag), -3, i=tag > 2, c=tag, d=s16(tag) - 9, h=-1, g=u64(tag) << 40, e=7, f=-(s32(tag)))
    first = Wide(pair=Pair(low=1, high=2), sid=pkt.ipv6.source, tail=b"\1\2\3\4\5")

    one = wide(first, pkt.ipv6.destination, tag, pkt, first.sid, Pair(low=tag, high=u64(n & 0xFFFFFFFF)))
    other = wide(one, first.sid, 3, pkt, one.sid, one.pair)
    assert first.pair.low == 1 and first.sid == pkt.ipv6.source, "a copy was given"
    seen[0] = other.pair.high
    seen[1] = u64(other.pair.low) + (1 if other.sid == one.sid else 0)
    seen[2] = u64(n & 0xFFFFFFFFFF)
    seen[3] = u64(other.tail[3]) * 100 + one.tail[tag % 5]
    return OK
"""

GROWTH = """
class Hop(Tlv, type=124):
    node: u32

lengths = Array(u32, 5)

@func(inline=False)
def length(srh: Srh) -> u32:
    return srh.hdr_ext_len

@func(inline=False)
def add(pkt: Seg6Packet, node: u32) -> None:
    pkt.srh.append(Hop(node=node))

@func(inline=False)
def add_two(pkt: Seg6Packet) -> u32:
    add(pkt, 8)
    before = length(pkt.srh)
    add(pkt, 9)
    return before

@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    lengths[0] = length(pkt.srh)
    pkt.srh.append(Hop(node=1))
    lengths[1] = length(pkt.srh)
    lengths[2] = add_two(pkt)
    lengths[3] = pkt.srh.hdr_ext_len
    lengths[4] = length(pkt.srh)
    pkt.mark = pkt.srh.tag
    return OK
"""

MAYBE = """
class Hop(Tlv, type=124):
    node: u32

class Path(Struct):
    sid: IPv6Address
    credit: u32

hops = Hash(u32, u64, 8)
homes = Hash(u32, IPv6Address, 8)
paths = Hash(u32, Path, 8)
flags = Array(bool, 4)

@func(inline=False)
def hop_of(pkt: Seg6Packet) -> Hop | None:
    if pkt.srh.tag == 3:
        return None
    return pkt.srh.find(Hop)

@func(inline=False)
def node_of(hop: Hop | None, otherwise: u64 | None) -> u64 | None:
    if hop is None:
        return otherwise
    return u64(hop.node)

@func(inline=False)
def home(n: u32, other: IPv6Address | None) -> IPv6Address | None:
    if n > 2:
        return other
    return homes.get(n)

@func(inline=False)
def path_of(n: u32) -> Path | None:
    return paths.get(n)

@func(inline=False)
def spend(path: Path | None, set: bool) -> bool:
    if path is None:
        return not set
    path.credit += 1
    flags[1] = set
    return flags[1]

@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    tag = u32(pkt.srh.tag)
    homes[1] = pkt.ipv6.source
    paths[2] = Path(sid=pkt.ipv6.destination, credit=tag)
    hops[0] = 77
    node = node_of(hop_of(pkt), hops.get(tag))
    pkt.mark = 1 if node is None else u32(node) + 2
    there = home(tag, homes.get(1))
    flags[0] = there is not None and there == pkt.ipv6.source
    flags[2] = spend(path_of(tag), True)
    flags[3] = spend(None, False)
    path = path_of(2)
    assert path is not None
    path.credit += 5
    return OK
"""

LOCKS_AND_EVENTS = """
class Bucket(Struct):
    lock: SpinLock = SpinLock()
    tokens: u32
    taken: u32

class Probe(Struct):
    tag: u32
    node: u32

buckets = Array(Bucket, 4)
probes = RingBuf(Probe, 4096)

@func(inline=False)
def take(i: u32, n: u32) -> bool:
    bucket = buckets[i]
    with bucket.lock:
        assert n != 2, "none takes two"
        bucket.taken += n
        if bucket.taken > 7:
            bucket.tokens += 1
            return False
    return True

@func(inline=False)
def fill(probe: Probe, tag: u16) -> None:
    probe.tag = tag
    probe.node = 100 // u32(tag)

@seg6local(on_fault=OK)
def function(pkt: Seg6Packet) -> Verdict:
    probe = probes.reserve()
    if probe is None:
        return DROP
    fill(probe, pkt.srh.tag)
    if not take(1, probe.tag):
        probes.discard(probe)
        return DROP
    probe.node += 1
    probes.submit(probe)
    return OK
"""

LOOPS = """
seen = Array(u64, 8)

@func(inline=False)
def inner(pkt: Seg6Packet, n: u32) -> u32:
    total = n
    for i in range(min(pkt.srh.last_entry + 1, 4)):
        if pkt.srh.segments[i] == pkt.ipv6.source:
            continue
        total += 3
    assert total < 60
    return total

@func(inline=False)
def outer(pkt: Seg6Packet, n: u16) -> u32:
    total = u32(0)
    for i in range(min(n, 3)):
        total += inner(pkt, u32(i) * n)
        if total > 40:
            break
    else:
        seen[1] += 1
    return total

@seg6local
def function(pkt: Seg6Packet) -> Verdict:
    pkt.mark = outer(pkt, pkt.srh.tag)
    for k in range(2):
        pkt.srh.tag += 1
        seen[k + 2] += outer(pkt, pkt.srh.tag)
    return OK
"""

CASES = {
    "more parameters than registers, and structs": MANY_PARAMETERS,
    "what the SRH has grown by": GROWTH,
    "look-ups that miss": MAYBE,
    "locks and reserved records": LOCKS_AND_EVENTS,
    "loops": LOOPS,
}


# Linux 6.1 takes the loops as subprograms alone: inlined it says "infinite loop detected", of one that ends.
_INLINED_TOO = [case for case in CASES if case != "loops"]


@pytest.mark.parametrize(("case", "inline"), [*((case, "(inline=False)") for case in CASES), *((case, "") for case in _INLINED_TOO)])
def test_subprograms_mean_the_same_to_all_engines(runner: Runner, tmp_path: Path, case: str, inline: str) -> None:
    found = agree(runner, tmp_path, CASES[case].replace("(inline=False)", inline))
    assert len({(each.verdict, each.mark, repr(each.maps)) for each in found}) > 1
