"""Structs in maps, from a function and from Python: on the VM and in the kernel."""

from __future__ import annotations

import json
import struct
import subprocess
from ipaddress import IPv6Address
from pathlib import Path as Path_

import pytest

from pybpfnf import (
    OK,
    Array,
    Hash,
    PerCpuArray,
    Seg6Packet,
    Struct,
    Verdict,
    array,
    backend,
    bits,
    octets,
    seg6local,
    u8,
    u16,
    u32,
    u64,
)
from pybpfnf.dsl import compile_module
from pybpfnf.dsl.surface.structs import pack
from pybpfnf.errors import InputError
from pybpfnf.runner import Runner
from pybpfnf.vm import VmRunner
from tests.conformance.running import SOURCE, packet, running


class Inner(Struct):
    low: u8
    high: u16 = 7


class Path(Struct):
    id: u32
    sid: IPv6Address
    credit: u32 = 3
    session: u32 = bits(24, default=1)
    kind: u32 = bits(8)
    inner: Inner
    raw: bytes = octets(3, default=b"abc")
    hops: list[u16] = array(u16, 3)
    total: u64 = 0


class Flow(Struct):
    tag: u16
    source: IPv6Address


class Count(Struct):
    packets: u64 = 0
    last: u8 = 200


paths = Array(Path, 2)
copies = Array(Path, 2)
counts = Hash(Flow, Count, 2, default=Count())
own = PerCpuArray(Count, 1)


@seg6local
def through(pkt: Seg6Packet) -> Verdict:
    """Change an entry through its view, and copy it."""
    path = paths[pkt.srh.tag]
    path.credit -= 1
    path.total += pkt.len
    path.session = path.session + 1
    path.inner.high = 9
    path.hops[pkt.srh.flags] = 5
    path.sid = pkt.ipv6.source
    copies[0] = path
    path.id = 99
    return OK


@seg6local
def keyed(pkt: Seg6Packet) -> Verdict:
    """Count by a struct key; the entry is made when it is first seen."""
    count = counts[Flow(tag=pkt.srh.tag, source=pkt.ipv6.source)]
    count.packets += 1
    own[0].last += 3
    assert Flow(tag=pkt.srh.tag, source=pkt.ipv6.source) in counts
    return OK


@seg6local
def swapped(pkt: Seg6Packet) -> Verdict:
    paths[0], paths[1] = paths[1], paths[0]
    if paths[0] == paths[1]:
        pkt.mark = 1
    return OK


A = Path(id=1, sid=IPv6Address("fc00::a"), kind=2, inner=Inner(low=3), hops=[1, 2, 3], credit=10)
B = Path(id=2, sid=IPv6Address("fc00::b"), kind=255, inner=Inner(low=4), hops=[4, 5, 6])


def test_a_view_writes_through_and_what_is_stored_is_a_copy(runner: Runner) -> None:
    with running(runner, through) as (nf, run):
        nf[paths][1] = A
        assert run(packet(tag=1, flags=2)).fault is None
        found = nf[paths][1]
        assert (found.id, found.credit, found.session, found.kind, found.sid) == (99, 9, 2, 2, SOURCE)
        assert (found.inner, found.raw, list(found.hops)) == (Inner(low=3, high=9), b"abc", [1, 2, 5])
        assert found.total == len(packet())
        assert nf[copies][0].id == 1
        assert nf[paths][0].credit == 0


def test_an_index_out_of_range_is_a_fault_at_its_place(runner: Runner) -> None:
    with running(runner, through) as (_, run):
        fault = run(packet(tag=2)).fault
        assert fault is not None
        assert fault.message == "index out of range"
        fault = run(packet(tag=1, flags=3)).fault
        assert fault is not None
        assert fault.message == "index out of range"


def test_a_struct_is_a_key_and_a_missing_one_is_made_from_the_default(runner: Runner) -> None:
    with running(runner, keyed) as (nf, run):
        for tag in (1, 2, 1):
            assert run(packet(tag)).fault is None
        assert dict(nf[counts]) == {Flow(tag=1, source=SOURCE): Count(packets=2), Flow(tag=2, source=SOURCE): Count(packets=1)}
        fault = run(packet(tag=3)).fault
        assert fault is not None
        assert fault.message == "the map is full"
        assert sorted(count.last for count in nf[own].per_cpu(0))[-1] == 9


def test_entries_are_swapped_and_compared_by_value(runner: Runner) -> None:
    with running(runner, swapped) as (nf, run):
        nf[paths][0], nf[paths][1] = A, B
        assert run(packet()).mark == 0
        assert (nf[paths][0], nf[paths][1]) == (B, A)
        nf[paths][1] = B
        assert run(packet()).mark == 1


def test_the_layout_is_that_of_a_c_compiler() -> None:
    places = {field.name: (field.offset, field.shift, field.bits) for field in Path.layout.fields}
    assert places == {
        "id": (0, 0, 0),
        "sid": (4, 0, 0),
        "credit": (20, 0, 0),
        "session": (24, 0, 24),
        "kind": (24, 24, 8),
        "inner": (28, 0, 0),
        "raw": (32, 0, 0),
        "hops": (36, 0, 0),
        "total": (48, 0, 0),
    }
    assert Path.layout.size == 56
    assert pack(A) == struct.pack("<I16sIIBxH3sx3H6xQ", 1, A.sid.packed, 10, 2 << 24 | 1, 3, 7, b"abc", 1, 2, 3, 0)


def test_the_object_says_the_struct_to_who_has_no_class(runner: Runner) -> None:
    with running(runner, through) as (nf, _):
        nf["paths"][0] = {**vars(A), "inner": {"low": 1, "high": 2}}
        found = nf["paths"][0]
        assert (found.credit, found.inner.high, found.sid) == (10, 2, A.sid)
        assert repr(found.inner) == "Inner(low=1, high=2)"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"low": 1}, "map paths, value.inner: {'low': 1} has no high"),
        ({"low": 1, "high": 2, "wide": 3}, "has wide, which Inner has not"),
        ({"low": 256, "high": 2}, "map paths, value.inner.low: 256 is not a u8 (0 to 255)"),
        (7, "map paths, value.inner: 7 has no low, high"),
    ],
)
def test_a_value_that_does_not_fit_names_its_field(given: object, message: str) -> None:
    with running(VmRunner(), through) as (nf, _), pytest.raises(InputError) as caught:
        nf["paths"][0] = {**vars(A), "inner": given}
    assert message in caught.value.message


def test_clang_lays_the_struct_out_alike(tmp_path: Path_) -> None:
    """The same struct in C has the same members at the same bits in BTF."""
    source = tmp_path / "s.c"
    source.write_text(
        "typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;\n"
        "struct in6_addr { u32 words[4]; };\nstruct Inner { u8 low; u16 high; };\n"
        "struct Path { u32 id; struct in6_addr sid; u32 credit; u32 session: 24, kind: 8; struct Inner inner; u8 raw[3]; u16 hops[3];"
        " u64 total; };\nstruct Path path;\n"
    )
    subprocess.run(["clang", "-O2", "-g", "-target", "bpf", "-c", str(source), "-o", str(tmp_path / "s.o")], check=True)
    ours = tmp_path / "ours.o"
    ours.write_bytes(backend.build(compile_module([through])))
    assert _members(ours) == _members(tmp_path / "s.o")


def _members(object_: Path_) -> list[tuple[str, int, int]]:
    listed = subprocess.run(["bpftool", "-j", "btf", "dump", "file", str(object_)], check=True, capture_output=True, text=True).stdout
    found = next(type_ for type_ in json.loads(listed)["types"] if type_.get("name") == "Path")
    return [(member["name"], member["bits_offset"], member.get("bitfield_size", 0)) for member in found["members"]]
