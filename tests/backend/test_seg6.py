"""The seg6 actions: the parameter on the stack, the verdict, and failure as a fault exit."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from pybpfnf.dsl import ir
from pybpfnf.dsl.ir import Seg6Action
from pybpfnf.dsl.types import ADDRESS, S32, U8, U16, U32
from pybpfnf.runner import Environment
from pybpfnf.testing.packets import inner, srv6
from tests.backend.build_ir import REDIRECT, action, const, function, give, layout, module, new_srh, raw_tlv, read, tlv
from tests.backend.engine import PACKET, Engine

FIRST, SECOND, THIRD = (IPv6Address(f"fc00:{n}::{n}").packed for n in (7, 8, 9))


def acting(kind: Seg6Action, parameter: ir.Expr | ir.SrhValue, *variables: ir.Variable, environment: Environment | None = None) -> Engine:
    return Engine(module(function("acts", give(action(kind, parameter))), variables=variables), environment=environment)


def test_end_t_takes_a_table_and_redirects() -> None:
    table = ir.Config("TABLE", U32, 254)
    with acting(Seg6Action.END_T, read(table), table) as engine:
        outcome = engine.run()
        assert (outcome.verdict, outcome.forwarded) == (REDIRECT, True)


def test_an_action_that_fails_is_a_fault() -> None:
    with acting(Seg6Action.END_T, const(4711, S32)) as engine:
        assert engine.fault() == "end_t failed"


def test_end_x_takes_an_address() -> None:
    hop = ir.State("HOP", ADDRESS, FIRST)
    with acting(Seg6Action.END_X, read(hop), hop, environment=Environment(unreachable=("fc00:8::/32",))) as engine:
        assert engine.run().verdict == REDIRECT
        engine.set(HOP=SECOND)
        assert engine.fault() == "end_x failed"


def test_end_dt6_takes_the_outer_headers_off() -> None:
    within = srv6(segments=["fc00:5::5", "fc00:6::6"])
    with acting(Seg6Action.END_DT6, const(254, U32)) as engine:
        outcome = engine.run(srv6(segments=["fc00:3::3", "fc00:2::2"], payload=inner(within)))
        assert outcome.packet == within


def test_end_b6_encaps_puts_an_srh_with_its_path_in_wire_order_in_front() -> None:
    path = ir.State("PATH", ADDRESS, SECOND)
    srh = new_srh(const(FIRST, ADDRESS), read(path), const(THIRD, ADDRESS), tag=0x1234)
    with acting(Seg6Action.END_B6_ENCAPS, srh, path) as engine:
        packet = engine.run().packet
        assert packet is not None
        assert packet[24:40] == FIRST  # the destination is the first of the path
        assert packet[40:48] == bytes((41, 6, 4, 2, 2, 0, 0x12, 0x34))
        assert packet[48:96] == THIRD + SECOND + FIRST
        assert packet[96 + 40 :] == PACKET[40:43] + b"\0" + PACKET[44:]  # as it came, but for segments_left


@pytest.mark.parametrize(("size", "padding"), [(8, b""), (7, b"\4\7" + bytes(7)), (6, b"\4\0"), (3, b"\4\3" + bytes(3))])
def test_tlvs_of_a_new_srh_are_padded_with_padn(size: int, padding: bytes) -> None:
    with acting(Seg6Action.END_B6_ENCAPS, new_srh(const(FIRST, ADDRESS), tlvs=(raw_tlv(size),))) as engine:
        packet = engine.run().packet
        assert packet is not None
        value = bytes((6, size - 2, *range(1, size - 1)))
        assert packet[64 : 64 + size + len(padding)] == value + padding
        assert packet[41] == (24 + size + len(padding)) // 8 - 1


def test_end_b6_inserts_the_srh_before_the_packets_own() -> None:
    with acting(Seg6Action.END_B6, new_srh(const(FIRST, ADDRESS), const(SECOND, ADDRESS))) as engine:
        packet = engine.run().packet
        assert packet is not None
        assert packet[24:40] == FIRST
        assert packet[40:48] == bytes((43, 6, 4, 2, 2, 0, 0, 0))  # the kernel makes room for the destination as segment 0
        assert packet[48:96] == IPv6Address("fc00:3::3").packed + SECOND + FIRST


def test_several_tlvs_stand_one_after_the_other_and_are_padded_once() -> None:
    marked = layout("Marked", 9, ("level", 1, U8), ("code", 2, U16))
    srh = new_srh(const(FIRST, ADDRESS), tlvs=(raw_tlv(4), tlv(marked, const(5, U8), const(0x1234, U16)), raw_tlv(2)))
    with acting(Seg6Action.END_B6_ENCAPS, srh) as engine:
        packet = engine.run().packet
        assert packet is not None
        assert packet[64:80] == bytes.fromhex("06020102 0903051234 0600 0403000000")
