"""`pkt.view`, `pkt.get`, `pkt.find`, `pkt.load` and the fields of what they give: on the VM, in the kernel and in the evaluator."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address
from typing import TypeAlias

import pytest

from pybpfnf import (
    DROP,
    OK,
    Array,
    Config,
    Header,
    Program,
    Seg6Packet,
    Tlv,
    Verdict,
    array,
    backend,
    bits,
    image,
    octets,
    s16,
    seg6local,
    u8,
    u16,
    u32,
    u64,
)
from pybpfnf.dsl import compile_module
from pybpfnf.headers import Icmpv6, Ipv6, Tcp, Udp
from pybpfnf.live import Live
from pybpfnf.runner import Environment, Outcome, Runner
from pybpfnf.testing import packets
from pybpfnf.testing.evaluate import Evaluator
from pybpfnf.testing.packets import Extension, Payload, destination_options, hop_by_hop, icmpv6_echo, inner, ipv6, srv6, tcp, udp
from tests.fuzz.inputs import at_the_hook
from tests.kernel_support import TOO_MANY_WAYS

SID = "fc00:2::2"
SEGMENTS = ["fc00:3::3", SID]
UPPER = 40 + 8 + 16 * len(SEGMENTS)
Run: TypeAlias = Callable[[bytes], Outcome]


class Part(Header):
    kind: u8 = bits(3)
    size: u16 = bits(13)
    name: bytes = octets(6)


class Whole(Header):
    vni: u32 = bits(24)
    flag: bool
    skew: s16
    part: Part
    where: IPv6Address
    numbers: list[u16] = array(u16, 3)
    parts: list[Part] = array(Part, 2)
    odd: u32 = bits(27)
    rest: u8 = bits(5)
    long: u64


class Mark(Tlv, type=124):
    left: u8


OFFSET, INDEX, SMALL = Config(u16, default=UPPER), Config(u32, default=1), Config(u8, default=8)
seen = Array(u64, 16)
addresses = Array(IPv6Address, 1)


@seg6local
def ports(pkt: Seg6Packet) -> Verdict:
    udp = pkt.find(Udp)
    if udp is None:
        return DROP
    seen[0] = udp.source_port
    seen[1] = udp.destination_port
    seen[2] = udp.length
    return OK


@seg6local
def fields(pkt: Seg6Packet) -> Verdict:
    whole = pkt.view(Whole, at=UPPER)
    seen[0] = whole.vni
    seen[1] = u64(whole.flag)
    seen[2] = u64(whole.skew)
    seen[3] = whole.part.kind
    seen[4] = whole.part.size
    seen[5] = whole.part.name[5]
    addresses[0] = whole.where
    seen[6] = whole.numbers[2]
    seen[7] = whole.numbers[INDEX]
    part = whole.parts[INDEX]
    seen[8] = part.size
    seen[9] = part.name[INDEX]
    seen[10] = u64(part.name == b"second") * 2 + u64(whole.part.name != part.name)
    seen[11] = whole.odd
    seen[12] = whole.rest
    seen[13] = whole.long
    return OK


@seg6local
def somewhere(pkt: Seg6Packet) -> Verdict:
    """At an offset of which the compiler knows nothing but the type, twice, and after the SRH has grown."""
    seen[0] = pkt.view(Udp, at=OFFSET).destination_port
    pkt.srh.append(Mark(left=3))
    udp = pkt.view(Udp, at=OFFSET + u16(SMALL))
    pkt.srh.tag = 7
    seen[1] = udp.destination_port
    seen[2] = pkt.load(u16, at=u32(OFFSET) + 2)
    return OK


@seg6local
def grown(pkt: Seg6Packet) -> Verdict:
    """The kernel has not written the SRH's new length when the walk passes it."""
    for i in range(3):
        pkt.srh.append(Mark(left=u8(i)))
        udp = pkt.find(Udp)
        if udp is None:
            return DROP
        seen[i] = udp.destination_port
    return OK


@seg6local
def shrunk(pkt: Seg6Packet) -> Verdict:
    """As `grown`, where a TLV was taken out."""
    pkt.srh.append(Mark(left=1))
    mark = pkt.srh.find(Mark)
    if mark is None:
        return DROP
    pkt.srh.remove(mark)
    udp = pkt.find(Udp)
    if udp is None:
        return DROP
    seen[0] = udp.destination_port
    return OK


@seg6local
def perhaps(pkt: Seg6Packet) -> Verdict:
    udp = pkt.get(Udp, at=OFFSET)
    if udp is not None:
        seen[0] = udp.destination_port
    else:
        seen[0] = 1
    return OK


@seg6local
def words(pkt: Seg6Packet) -> Verdict:
    """The sum of the 16-bit words of what follows the SRH, as far as 32 bytes."""
    for i in range(16):
        if i * 2 + UPPER + 2 > s16(pkt.len):
            break
        seen[0] += pkt.load(u16, at=UPPER + i * 2)
    addresses[0] = pkt.load(IPv6Address, at=24)
    return OK


@seg6local
def joined(pkt: Seg6Packet) -> Verdict:
    """One name for views of two branches, and a view in a loop that takes another each time."""
    if pkt.mark == 0:
        udp = pkt.view(Udp, at=UPPER)
    else:
        udp = pkt.view(Udp, at=OFFSET)
    seen[0] = udp.destination_port
    part = pkt.view(Part, at=0)
    for i in range(6):
        seen[1] += part.size
        part = pkt.view(Part, at=i)
        seen[2] += part.kind
    return OK


@seg6local
def encapsulated(pkt: Seg6Packet) -> Verdict:
    outer = pkt.find(Ipv6)
    if outer is None or outer.next_header != 17:
        return DROP
    addresses[0] = outer.source
    return OK


@seg6local
def protocols(pkt: Seg6Packet) -> Verdict:
    if pkt.find(Tcp) is not None:
        pkt.mark = 6
    elif pkt.find(Icmpv6) is not None:
        pkt.mark = 58
    return OK


@contextmanager
def running(runner: Runner, program: Program, **config: int) -> Iterator[tuple[Live, Run]]:
    """What the evaluator makes of a packet must be what the runner made of it."""
    module = compile_module([program])
    built = image.configure(image.read(backend.build(module)), config)
    evaluator = Evaluator(module, module.functions[0], Environment(sid=IPv6Address(SID)), config)
    with runner.open(built, built.program(), Environment(sid=IPv6Address(SID))) as session:

        def run(packet: bytes) -> Outcome:
            outcome = session.run(packet)
            if outcome.runs:
                expected = evaluator.run(at_the_hook(packet))
                sites = [None if f is None else (f.message, f.line, f.column) for f in (outcome.fault, expected.fault)]
                assert (sites[0], outcome.verdict, outcome.mark) == (sites[1], expected.verdict, expected.mark)
                assert list(live[seen]) == evaluator.maps["seen"] if "seen" in evaluator.maps else True
            return outcome

        live = Live(built, session.maps)
        yield live, run


def packet(payload: Payload | None = None, options: tuple[Extension, ...] = (), behind: tuple[Extension, ...] = ()) -> bytes:
    """An SRv6 packet for the function, with extension headers before its SRH and behind it."""
    upper = udp(destination_port=53) if payload is None else payload
    if not behind:
        return srv6(segments=SEGMENTS, options=options, payload=upper)
    numbers = [*(extension.number for extension in behind), upper.number]
    chain = b"".join(bytes((after,)) + extension.body for extension, after in zip(behind, numbers[1:], strict=True))
    return srv6(segments=SEGMENTS, options=options, payload=Payload(numbers[0], chain + upper.data))


def fragment(offset: int, more: int = 1) -> Extension:
    return Extension(44, struct.pack(">BHI", 0, offset << 3 | more, 7))


AH = Extension(51, bytes((4,)) + bytes(22))  # 24 bytes: (4 + 2) * 4
FOUND = {
    "behind the SRH": packet(),
    "behind options too": packet(options=(hop_by_hop(), destination_options(bytes(20)))),
    "behind options after the SRH": packet(behind=(destination_options(bytes(100)),)),
    "in a first fragment": packet(behind=(fragment(0),)),
    "behind an authentication header": packet(behind=(AH,)),
    "behind eight extension headers": packet(behind=(destination_options(),) * 7),
}
MISSING = {
    "another protocol": packet(tcp()),
    "in a later fragment": packet(behind=(fragment(1),)),
    "in the last fragment": packet(behind=(fragment(100, more=0),)),
    "no next header": packet(Payload(59, b"")),
    "a mobility header": packet(Payload(135, bytes(8))),
    "a protocol number of 64 and more": packet(Payload(64 + 43, bytes(8))),
}
FAULTS = {
    "nine extension headers": (packet(behind=(destination_options(),) * 8), "more than 8 extension headers in the packet"),
    "seven bytes of UDP": (packet(Payload(17, bytes(7))), "past the end of the packet"),
    "no byte of UDP": (packet(Payload(17, b"")), "past the end of the packet"),
    "options that are longer than the packet": (packet(Payload(60, b"\x11\x01" + bytes(6))), "past the end of the packet"),
    "a cut extension header": (packet(Payload(60, b"\x11\x00" + bytes(3))), "past the end of the packet"),
}


@pytest.mark.parametrize("name", FOUND)
def test_udp_is_found_behind_whatever_stands_before_it(runner: Runner, name: str) -> None:
    with running(runner, ports) as (nf, run):
        outcome = run(FOUND[name])
        assert (outcome.fault, outcome.verdict) == (None, OK)
        assert list(nf[seen])[:3] == [1024, 53, 16]


@pytest.mark.parametrize("name", MISSING)
def test_none_where_the_upper_layer_is_another(runner: Runner, name: str) -> None:
    with running(runner, ports) as (_, run):
        outcome = run(MISSING[name])
        assert (outcome.fault, outcome.verdict) == (None, DROP)


@pytest.mark.parametrize("name", FAULTS)
def test_a_chain_that_leads_nowhere_is_a_fault(runner: Runner, name: str) -> None:
    malformed, message = FAULTS[name]
    with running(runner, ports) as (_, run):
        fault = run(malformed).fault
        assert fault is not None
        assert fault.message == message


def test_an_encapsulated_packet_is_found_by_its_number(runner: Runner) -> None:
    with running(runner, encapsulated) as (nf, run):
        outcome = run(packet(inner(ipv6("fc00:9::9", payload=udp(), source="fc00:8::8"))))
        assert (outcome.fault, outcome.verdict) == (None, OK)
        assert nf[addresses][0] == IPv6Address("fc00:8::8")


def test_each_number_finds_its_own_protocol(runner: Runner) -> None:
    with running(runner, protocols) as (_, run):
        assert [run(packet(payload)).mark for payload in (tcp(), icmpv6_echo(b"x" * 8), udp())] == [6, 58, 0]


PART_ONE, PART_TWO = b"\xa0\x05first!", b"\x7f\xffsecond"
WHOLE = (
    b"\x01\x02\x03\x01\xff\xfe" + PART_TWO + IPv6Address("fc00::7").packed + struct.pack(">3H", 11, 12, 13) + PART_ONE + PART_TWO
    + struct.pack(">I", 0x5555555 << 5 | 0x1E) + struct.pack(">Q", 1 << 63 | 5)
)  # fmt: skip


def test_fields_are_host_integers_wherever_they_lie(runner: Runner) -> None:
    with running(runner, fields) as (nf, run):
        outcome = run(packet(Payload(253, WHOLE)))
        assert outcome.fault is None
        assert list(nf[seen])[:14] == [
            0x010203, 1, (1 << 64) - 2, 3, 0x1FFF, ord("d"), 13, 12, 0x1FFF, ord("e"), 2, 0x5555555, 0x1E, 1 << 63 | 5
        ]  # fmt: skip
        assert nf[addresses][0] == IPv6Address("fc00::7")


@pytest.mark.parametrize(
    ("index", "fits"), [(0, True), (1, True), (2, False), (3, False), (6, False), (1 << 31, False), (0xFFFFFFFF, False)]
)
def test_an_index_out_of_range_faults(runner: Runner, index: int, fits: bool) -> None:
    with running(runner, fields, INDEX=index) as (_, run):
        fault = run(packet(Payload(253, WHOLE))).fault
        assert (fault is None) == fits
        assert fault is None or fault.message == "index out of range"


@pytest.mark.parametrize("missing", [1, 8, len(WHOLE)])
def test_a_view_that_is_cut_is_a_fault_before_any_field_is_read(runner: Runner, missing: int) -> None:
    with running(runner, fields) as (nf, run):
        fault = run(packet(Payload(253, WHOLE[: len(WHOLE) - missing]))).fault
        assert fault is not None
        assert (fault.message, nf[seen][0]) == ("past the end of the packet", 0)


def test_a_view_at_a_computed_offset_survives_what_does_not_move_the_packet(runner: Runner) -> None:
    with running(runner, somewhere) as (nf, run):
        outcome = run(packet())
        assert outcome.fault is None
        assert list(nf[seen])[:2] == [53, 53]


@TOO_MANY_WAYS
@pytest.mark.parametrize("options", [(), (hop_by_hop(), destination_options())])
def test_what_is_behind_the_srh_is_found_after_it_has_grown(runner: Runner, options: tuple[Extension, ...]) -> None:
    with running(runner, grown) as (nf, run):
        outcome = run(packet(options=options))
        assert (outcome.fault, outcome.verdict) == (None, OK)
        assert list(nf[seen])[:3] == [53] * 3


def test_what_is_behind_the_srh_is_found_after_it_has_shrunk(runner: Runner) -> None:
    with running(runner, shrunk) as (nf, run):
        tlvs = [packets.Tlv(124, b"x"), packets.Tlv(6, bytes(5))]
        outcome = run(srv6(segments=SEGMENTS, tlvs=tlvs, payload=udp(destination_port=53)))
        assert (outcome.fault, outcome.verdict) == (None, OK)
        assert nf[seen][0] == 53


END = len(packet())


@pytest.mark.parametrize("offset", [END - 8, END - 7, END, 0x7FF8, 0x7FFF, 0x8000, 0xFFF7, 0xFFFE, 0xFFFF])
def test_past_the_end_is_a_fault_or_none_however_far(runner: Runner, offset: int) -> None:
    there = offset + 8 <= END
    with running(runner, somewhere, OFFSET=offset) as (_, run):
        fault = run(packet()).fault
        assert fault is None or (fault.message, there) == ("past the end of the packet", False)
    with running(runner, perhaps, OFFSET=offset) as (nf, run):
        assert run(packet()).fault is None
        assert (nf[seen][0] != 1) == there


def test_raw_words_are_read_in_a_loop(runner: Runner) -> None:
    with running(runner, words) as (nf, run):
        datagram = packet()
        outcome = run(datagram)
        assert outcome.fault is None
        assert nf[seen][0] == sum(struct.unpack(">8H", datagram[UPPER:]))
        assert nf[addresses][0] == IPv6Address("fc00:3::3")


def test_a_name_for_views_of_two_branches_and_of_each_iteration(runner: Runner) -> None:
    with running(runner, joined) as (nf, run):
        datagram = at_the_hook(packet())
        assert run(packet()).fault is None
        heads = [int.from_bytes(datagram[i : i + 2], "big") for i in (0, *range(6))]
        assert list(nf[seen])[:3] == [53, sum(head & 0x1FFF for head in heads[:6]), sum(head >> 13 for head in heads[1:])]
