"""An appended TLV stands before trailing padding and HMAC, and the SRH is padded to a multiple of 8: for each shape of TLV area."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import IPv6Address

import pytest

from pybpfnf.dsl import ir
from pybpfnf.dsl.types import ADDRESS, BOOL, U8, U16, U32, U64
from pybpfnf.image.model import ObjectImage
from pybpfnf.runner import Environment
from pybpfnf.testing.packets import Tlv, destination_options, pad, srv6
from tests.backend.build_ir import (
    REDIRECT,
    SPAN,
    action,
    append,
    binary,
    compare,
    const,
    function,
    give,
    layout,
    module,
    raw_tlv,
    read,
    set_srh,
    srh,
    tlv,
    when,
)
from tests.backend.engine import Engine, built
from tests.backend.tlv_area import appended

SEGMENTS = ["fc00:3::3", "fc00:2::2"]
AREA = 40 + 8 + 16 * len(SEGMENTS)  # where TLVs begin in a packet without options
HMAC = Tlv(5, bytes(range(38)))  # its digest is never looked at: the router of these tests ignores HMACs
ROUTER = Environment(require_hmac=-1)
SIZES = [2, 3, 6, 7, 8, 9, 15, 16, 20]


def area_of(packet: bytes | None, srh_at: int = 40) -> bytes:
    """The TLV area by the packet's own length bytes."""
    assert packet is not None
    _, length, _, _, last_entry = packet[srh_at : srh_at + 5]
    return packet[srh_at + 8 + 16 * (last_entry + 1) : srh_at + 8 * (length + 1)]


def new_tlv(size: int) -> bytes:
    return bytes((6, size - 2)) + bytes(range(1, size - 1))


SHAPES: dict[str, list[Tlv]] = {
    "nothing": [],
    "one of 8": [Tlv(9, b"abcdef")],
    "one of 5 and padding of 3": [Tlv(9, b"abc"), pad(3)],
    "one of 7 and padding of 9": [Tlv(9, b"abcde"), pad(9)],
    "padding of 8": [pad(8)],
    "padding of 2 and of 6": [pad(2), pad(6)],
    "padding of 24": [pad(24)],
    "padding of 257 and of 7": [pad(257), pad(7)],
    "padding in the middle": [pad(2), Tlv(9, b"abcd")],
    "padding in the middle and at the end": [pad(4), Tlv(9, b"ab"), pad(8)],
    "HMAC": [HMAC],
    "padding and HMAC": [Tlv(9, b"abcd"), pad(2), HMAC],
    "HMAC alone after padding": [pad(8), HMAC],
    "padding after HMAC": [HMAC, pad(8)],
    "zeros": [Tlv(0), Tlv(0), Tlv(0), Tlv(0)],
    "empty values": [Tlv(9), Tlv(10), pad(4)],
    "32 of them": [Tlv(9)] * 32,
    "longest": [Tlv(9, bytes(255)), pad(7)],
}  # fmt: skip


@pytest.fixture(scope="module")
def engines() -> Iterator[Callable[[int], Engine]]:
    whole = module(*(function(f"append_{size}", append(raw_tlv(size)), give()) for size in SIZES))
    image = built(whole)
    with ExitStack() as stack:
        opened = {size: stack.enter_context(Engine(image, f"append_{size}", ROUTER)) for size in SIZES}
        yield opened.__getitem__


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_an_appended_tlv_follows_the_rule(engines: Callable[[int], Engine], shape: str, size: int) -> None:
    area = b"".join(each.encode() for each in SHAPES[shape])
    before = srv6(segments=SEGMENTS, tlvs=area, fill=False)
    outcome = engines(size).run(before)
    assert outcome.fault is None
    assert outcome.packet is not None
    expected = appended(area, new_tlv(size))
    assert area_of(outcome.packet) == expected
    assert outcome.packet[AREA + len(expected) :] == before[AREA + len(area) :]
    assert int.from_bytes(outcome.packet[4:6], "big") == len(outcome.packet) - 40


def test_it_is_found_past_options_and_with_one_segment(engines: Callable[[int], Engine]) -> None:
    outcome = engines(8).run(srv6(segments=SEGMENTS[:1], segments_left=1, destination="fc00:f::f", options=[destination_options()]))
    assert area_of(outcome.packet, 48) == new_tlv(8)


def test_more_tlvs_than_the_walk_looks_at_are_a_fault(engines: Callable[[int], Engine]) -> None:
    assert engines(8).fault(srv6(segments=SEGMENTS, tlvs=[Tlv(9)] * 36)) == "more than 32 TLVs in the SRH"


@pytest.mark.parametrize("first", [3, 8, 15])
@pytest.mark.parametrize("second", [2, 9, 16])
def test_a_second_append_counts_with_the_first_though_the_length_byte_does_not_say_it_yet(first: int, second: int) -> None:
    body = (append(raw_tlv(first)), append(raw_tlv(second)))
    area = Tlv(9, b"abc").encode() + pad(3).encode()
    with Engine(module(function("twice", *body, give())), environment=ROUTER) as engine:
        outcome = engine.run(srv6(segments=SEGMENTS, tlvs=area, fill=False))
        assert area_of(outcome.packet) == appended(appended(area, new_tlv(first)), new_tlv(second))


def test_an_append_on_one_way_only_is_known_where_the_ways_meet() -> None:
    flag = ir.State("FLAG", BOOL, 0)
    body = (when(read(flag), (append(raw_tlv(9)),)), append(raw_tlv(12)))
    with Engine(module(function("maybe", *body, give()), variables=(flag,)), environment=ROUTER) as engine:
        assert area_of(engine.run(srv6(segments=SEGMENTS)).packet) == appended(b"", new_tlv(12))
        engine.set(FLAG=1)
        assert area_of(engine.run(srv6(segments=SEGMENTS)).packet) == appended(appended(b"", new_tlv(9)), new_tlv(12))


def test_an_action_in_between_has_the_kernel_write_the_length_byte() -> None:
    table = const(254, U32)
    body = (append(raw_tlv(9)), ir.Evaluate(action(ir.Seg6Action.END_T, table), SPAN), append(raw_tlv(12)), give(REDIRECT))
    with Engine(module(function("between", *body)), environment=ROUTER) as engine:
        assert area_of(engine.run(srv6(segments=SEGMENTS)).packet) == appended(appended(b"", new_tlv(9)), new_tlv(12))


def test_writes_to_the_srh_go_on_after_an_append() -> None:
    body = (append(raw_tlv(9)), set_srh("tag", binary("+", srh("tag"), const(1, U16))))
    with Engine(module(function("both", *body, give())), environment=ROUTER) as engine:
        outcome = engine.run(srv6(segments=SEGMENTS, tag=41))
        assert outcome.packet is not None
        assert outcome.packet[46:48] == b"\x00\x2a"
        assert area_of(outcome.packet) == appended(b"", new_tlv(9))


@pytest.mark.parametrize("tlvs", [[], [pad(24)]], ids=["longer", "shorter"])
def test_the_srhs_length_counts_what_was_appended(tlvs: list[Tlv]) -> None:
    """The kernel writes the length byte only later."""
    length = ir.State("LENGTH", U8, 0)
    body = (append(raw_tlv(9)), ir.SetState(length, srh("hdr_ext_len"), SPAN))
    with Engine(module(function("length", *body, give()), variables=(length,)), environment=ROUTER) as engine:
        packet = engine.run(srv6(segments=SEGMENTS, tlvs=tlvs)).packet
        assert packet is not None
        assert engine.get("LENGTH") == packet[41] == 6


def test_values_of_a_tlv_are_in_network_order_wherever_they_stand() -> None:
    fields = layout(
        "Odd", 77, ("a", 1, U8), ("b", 4, U32), ("c", 8, U64), ("d", 2, U16), ("e", 16, ADDRESS), ("f", 1, BOOL), ("g", 3, None)
    )
    address = IPv6Address("2001:db8::1").packed
    variables = {
        "A": ir.State("A", U8, 0x11), "B": ir.State("B", U32, 0x22334455), "C": ir.State("C", U64, 0x66778899AABBCCDD),
        "D": ir.State("D", U16, 0xEEFF), "E": ir.State("E", ADDRESS, address), "F": ir.State("F", BOOL, 1),
    }  # fmt: skip
    values = [read(variable) for variable in variables.values()]
    expected = bytes.fromhex("4d23 11 22334455 66778899aabbccdd eeff") + address + b"\x01xyz"
    constants = [
        const(0x11, U8),
        const(0x22334455, U32),
        const(0x66778899AABBCCDD, U64),
        const(0xEEFF, U16),
        const(address, ADDRESS),
        const(1, BOOL),
    ]
    for name, written in (("variables", values), ("constants", constants)):
        image: ObjectImage = built(
            module(function(name, append(tlv(fields, *written, b"xyz")), give()), variables=tuple(variables.values()))
        )
        with Engine(image, environment=ROUTER) as engine:
            assert area_of(engine.run(srv6(segments=SEGMENTS)).packet) == appended(b"", expected)


def test_without_tlvs_the_walk_costs_little() -> None:
    """The common case: instructions of End's price, the search and two helper calls."""
    with Engine(module(function("append", append(raw_tlv(8)), give())), environment=ROUTER) as engine:
        instructions = engine.run(srv6(segments=SEGMENTS)).instructions
        assert instructions is not None
        assert instructions <= 65


def test_a_field_that_was_found_equal_to_a_quotient_still_bounds_the_walk() -> None:
    """LLVM knows that the quotient of two bytes is a byte, and takes it in the field's place; the verifier does not know."""
    dividend, divisor = ir.State("DIVIDEND", U8, 5), ir.State("DIVISOR", U8, 4)
    same = compare("==", binary("//", read(dividend), read(divisor)), srh("last_entry"))
    body = when(same, (append(raw_tlv(8)),))
    with Engine(module(function("equal", body, give()), variables=(dividend, divisor)), environment=ROUTER) as engine:
        assert area_of(engine.run(srv6(segments=SEGMENTS)).packet) == new_tlv(8)


def test_a_comparison_before_an_append_uses_the_same_search() -> None:
    body = (when(compare("==", srh("tag"), const(7, U16)), (append(raw_tlv(8)),)),)
    image = built(module(function("sometimes", *body, give())))
    assert sum(insn.imm == 60 for insn in image.program().insns) == 1
