"""Headers are found, read in host order and written through the helper; what is not there is a fault exit."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from pybpfnf.dsl import ir
from pybpfnf.dsl.types import ADDRESS, BOOL, U8, U16, U32, IntType
from pybpfnf.testing.packets import Extension, destination_options, hop_by_hop, inner, srv6, udp
from tests.backend.build_ir import (
    IPV6,
    OK,
    REDIRECT,
    SPAN,
    SRH,
    action,
    append,
    at,
    binary,
    compare,
    const,
    convert,
    function,
    give,
    ipv6,
    module,
    raw_tlv,
    read,
    set_srh,
    srh,
    when,
)
from tests.backend.engine import PACKET, Engine, built

OUT = ir.State("OUT", U32, 0)
ADDRESS_OUT = ir.State("ADDRESS_OUT", ADDRESS, bytes(16))
OPTIONS = [hop_by_hop(), destination_options(b"\1\20" + bytes(16)), destination_options()]


def reading(value: ir.Expr, *before: ir.Stmt) -> Engine:
    """A function that stores what it reads in OUT (or ADDRESS_OUT)."""
    if isinstance(value.type, IntType):
        stored = ir.SetState(OUT, convert(value, U32) if value.type != U32 else value, SPAN)
    else:
        stored = ir.SetState(ADDRESS_OUT, value, SPAN)
    return Engine(module(function("reads", *before, stored, give()), variables=(OUT, ADDRESS_OUT)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("version", 6),
        ("traffic_class", 0xAB),
        ("flow_label", 0x12345),
        ("payload_length", 56),
        ("next_header", 43),
        ("hop_limit", 64),
    ],
)
def test_a_field_of_the_ipv6_header_reads_as_a_host_integer(name: str, expected: int) -> None:
    packet = srv6(segments=["fc00:3::3", "fc00:2::2"], traffic_class=0xAB, flow_label=0x12345)
    with reading(ipv6(name)) as engine:
        engine.run(packet)
        assert engine.get("OUT") == expected


def test_an_address_reads_as_its_bytes_and_the_destination_is_the_next_segment() -> None:
    with reading(ipv6("destination")) as engine:
        engine.run()
        assert engine.get("ADDRESS_OUT") == IPv6Address("fc00:3::3").packed


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("next_header", 17),
        ("hdr_ext_len", 5),
        ("routing_type", 4),
        ("segments_left", 0),
        ("last_entry", 1),
        ("flags", 0x20),
        ("tag", 0x1234),
    ],
)
def test_a_field_of_the_srh_reads_as_a_host_integer(name: str, expected: int) -> None:
    packet = srv6(segments=["fc00:3::3", "fc00:2::2"], flags=0x20, tag=0x1234, tlvs=bytes(8))
    with reading(srh(name)) as engine:
        engine.run(packet)
        assert engine.get("OUT") == expected


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_the_srh_is_found_past_options(count: int) -> None:
    with reading(srh("tag")) as engine:
        engine.run(srv6(segments=["fc00:3::3", "fc00:2::2"], tag=0xBEEF, options=OPTIONS[:count]))
        assert engine.get("OUT") == 0xBEEF


def test_more_headers_before_the_srh_than_the_search_looks_at_are_a_fault() -> None:
    with reading(srh("tag", at(33, 9))) as engine:
        outcome = engine.run(srv6(segments=["fc00:3::3", "fc00:2::2"], options=[*OPTIONS, destination_options()]))
        assert outcome.fault is not None
        assert (outcome.fault.message, outcome.fault.line, outcome.fault.column) == ("no SRH in the packet", 33, 9)


def test_another_extension_header_before_the_srh_is_a_fault() -> None:
    authentication = Extension(51, bytes((4,)) + bytes(22))
    with reading(srh("tag")) as engine:
        assert engine.fault(srv6(segments=["fc00:3::3", "fc00:2::2"], options=[authentication])) == "no SRH in the packet"


def test_a_packet_without_srh_is_a_fault_once_the_outer_headers_are_off() -> None:
    packet = srv6(segments=["fc00:3::3", "fc00:2::2"], payload=inner(srv6(segments=["fc00:5::5"])[:40] + udp().data))
    with reading(srh("tag"), ir.Evaluate(action(ir.Seg6Action.END_DT6, const(254, U32)), SPAN)) as engine:
        assert engine.fault(packet) == "no SRH in the packet"


def test_the_srh_is_looked_for_again_after_an_action_that_puts_other_headers_there() -> None:
    tunnelled = srv6(segments=["fc00:5::5", "fc00:6::6"], tag=0x5555)
    packet = srv6(segments=["fc00:3::3", "fc00:2::2"], tag=0x2222, options=[hop_by_hop()], payload=inner(tunnelled))
    with reading(
        srh("tag"),
        when(compare("==", srh("tag"), const(0x2222, U16)), (ir.Evaluate(action(ir.Seg6Action.END_DT6, const(254, U32)), SPAN),)),
    ) as engine:
        assert engine.run(packet).fault is None
        assert engine.get("OUT") == 0x5555


def test_a_write_to_the_tag_is_in_network_order_and_wraps() -> None:
    with Engine(module(function("bump", set_srh("tag", binary("+", srh("tag"), const(0xFFFF, U16))), give()))) as engine:
        outcome = engine.run(srv6(segments=["fc00:3::3", "fc00:2::2"], tag=0x0100))
        assert outcome.packet is not None
        assert outcome.packet[46:48] == b"\x00\xff"


def test_a_write_to_the_flags_touches_no_other_byte() -> None:
    with Engine(module(function("mark", set_srh("flags", const(0x20, U8)), give()))) as engine:
        outcome = engine.run()
        assert outcome.packet is not None
        changed = [index for index, (old, new) in enumerate(zip(PACKET[40:], outcome.packet[40:], strict=True)) if old != new]
        assert changed == [3, 5]  # segments_left, which the kernel counts down, and flags


def test_what_is_read_after_a_write_is_what_was_written() -> None:
    with reading(srh("tag"), set_srh("tag", const(0x4321, U16))) as engine:
        engine.run()
        assert engine.get("OUT") == 0x4321


def test_the_srh_found_on_both_ways_is_not_looked_for_again() -> None:
    both_ways = when(compare("==", srh("flags"), const(0, U8)), (set_srh("tag", const(1, U16)),), (set_srh("tag", const(2, U16)),))
    text = str(len(built(module(function("once", both_ways, set_srh("flags", const(1, U8)), give()))).program().insns))
    searches = [
        insn
        for insn in built(module(function("once", both_ways, set_srh("flags", const(1, U8)), give()))).program().insns
        if insn.imm == 60
    ]
    assert len(searches) == 1, text


def test_a_view_made_on_two_ways_is_checked_again_where_they_meet() -> None:
    """Both arms append, which moves the packet, and read; the verifier would lose two merged checks."""
    arm = (append(raw_tlv(8)), set_srh("tag", binary("+", srh("tag"), const(1, U16))))
    body = (when(compare("==", srh("flags"), const(0, U8)), arm, (append(raw_tlv(16)), *arm)), set_srh("flags", srh("last_entry")))
    with Engine(module(function("meets", *body, give()))) as engine:
        outcome = engine.run()
        assert outcome.packet is not None
        assert outcome.packet[45] == 1
        assert outcome.packet[46:48] == b"\x00\x08"


def test_an_address_compares_equal_to_one_of_the_same_bytes_only() -> None:
    here = compare("==", ipv6("destination"), const(IPv6Address("fc00:3::3").packed, ADDRESS))
    with Engine(module(function("compares", when(here, (give(REDIRECT),)), give(OK)))) as engine:
        assert engine.run(srv6(segments=["fc00:3::3", "fc00:2::2"])).verdict == REDIRECT
        assert engine.run(srv6(segments=["fc00:3::4", "fc00:2::2"])).verdict == OK


def test_a_bit_field_in_the_flags_is_written_without_its_neighbours() -> None:
    from dataclasses import replace

    oam = replace(SRH.fields["flags"], name="oam", width=1, shift=5)
    write = ir.SetHeader(SRH, oam, const(1, U8), SPAN)
    with Engine(module(function("mark", write, give()))) as engine:
        outcome = engine.run(srv6(segments=["fc00:3::3", "fc00:2::2"], flags=0x83))
        assert outcome.packet is not None
        assert outcome.packet[45] == 0xA3


def test_fields_that_the_helper_does_not_write_are_refused_as_our_own_bug() -> None:
    from pybpfnf import backend
    from pybpfnf.errors import InternalError

    write = ir.SetHeader(IPV6, IPV6.fields["hop_limit"], const(1, U8), SPAN)
    with pytest.raises(InternalError, match="hop_limit cannot be written"):
        backend.build(module(function("wrong", write, give())))


FLAG = ir.State("FLAG", BOOL, 0)


@pytest.mark.parametrize("flag", [0, 1])
def test_a_view_from_before_a_branch_holds_in_it_and_after_it(flag: int) -> None:
    body = (
        ir.SetState(OUT, convert(srh("tag"), U32), SPAN),
        when(read(FLAG), (ir.UpdateState(OUT, ir.BinaryOp.ADD, convert(srh("last_entry"), U32), SPAN),)),
        ir.UpdateState(OUT, ir.BinaryOp.ADD, convert(srh("flags"), U32), SPAN),
    )
    with Engine(module(function("reads", *body, give()), variables=(OUT, FLAG))) as engine:
        engine.set(FLAG=flag)
        engine.run(srv6(segments=["fc00:3::3", "fc00:2::2"], tag=0x1000, flags=0x20))
        assert engine.get("OUT") == 0x1000 + flag + 0x20
