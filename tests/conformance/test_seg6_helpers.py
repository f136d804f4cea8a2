"""The seg6 helpers, row by row, quirks included (net/core/filter.c): on the VM and in the kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from errno import EBADMSG, EFAULT, EINVAL, ENETUNREACH, ENOENT
from ipaddress import IPv6Address
from typing import Final

import pytest

from pybpfnf.abi.seg6 import ACTIONS
from pybpfnf.runner import Environment, HmacKey, Outcome
from pybpfnf.testing import packets
from pybpfnf.testing.packets import Hmac, Tlv
from tests.conformance import probe
from tests.conformance.conftest import Open
from tests.conformance.probe import Script, Step, action, adjust, store

SID: Final = "fc00:a::1"
NEXT, LAST = "fc00:c::2", "fc00:c::1"
KEY = HmacKey("sha256", b"a key of the router")
ROUTER: Final = Environment(
    sid=IPv6Address(SID), device_address=IPv6Address("fc00:b::7"), unreachable=("fc00:dead::/32",), hmac_keys={3: KEY}
)
PROBE = probe.image()
OK, REDIRECT = 0, 7
SRH, TLVS, END = 40, 80, 88  # offsets in PACKET: the SRH, its TLV area, what follows
PACKET = packets.srv6([NEXT, SID], destination=SID, tlvs=[Tlv(9, b"abcdef")], hop_limit=17, traffic_class=0xB8, flow_label=0x12345)
Try = Callable[..., tuple[tuple[int, ...], Outcome]]


@pytest.fixture
def attempt(open_session: Open) -> Try:
    """Runs the steps on a packet: what each helper gave, and what became of the packet."""

    def attempt_(
        *steps: Step, verdict: int = OK, packet: bytes = PACKET, environment: Environment = ROUTER
    ) -> tuple[tuple[int, ...], Outcome]:
        session = open_session(PROBE, environment)
        script = Script(steps, verdict)
        probe.run_script(script, session.maps["script"])
        outcome = session.run(packet)
        return probe.results(script, session.maps["script"]), outcome

    return attempt_


def end(name: str, parameter: bytes) -> Step:
    return action(ACTIONS[name].number, parameter)


def table(number: int) -> bytes:
    return number.to_bytes(4, "little")


def address(text: str) -> bytes:
    return IPv6Address(text).packed


def new_srh(*segments: str, **fields: object) -> bytes:
    """An SRH as B6 and B6_ENCAPS take it: `segments` in wire order."""
    return b"\0" + packets.srh(segments, **fields).body  # type: ignore[arg-type]  # fields of several types


def left(outcome: Outcome) -> bytes:
    assert outcome.packet is not None
    return outcome.packet


# ------------------------------------------------------------------------------------------------------ store_bytes

STORES = [
    (39, 1, -EFAULT), (40, 1, -EFAULT), (44, 1, -EFAULT), (44, 2, -EFAULT), (45, 1, 0), (46, 1, 0), (47, 1, 0), (45, 3, 0),
    (45, 4, -EFAULT), (46, 2, 0), (48, 1, -EFAULT), (71, 1, -EFAULT), (72, 8, 0), (72, 16, 0), (72, 17, -EFAULT), (80, 8, 0),
    (80, 9, -EFAULT), (87, 1, 0), (88, 1, -EFAULT), (0xFFFFFFFF, 1, -EFAULT),
]  # fmt: skip


@pytest.mark.parametrize(("offset", "size", "result"), STORES)
def test_store_bytes_reaches_flags_tag_and_tlvs_and_the_end_of_the_last_segment(attempt: Try, offset: int, size: int, result: int) -> None:
    assert attempt(store(offset, bytes(size)))[0] == (result,)


def test_the_tag_is_written_and_nothing_else(attempt: Try) -> None:
    plain = left(attempt()[1])
    assert left(attempt(store(46, b"\xab\xcd"))[1]) == plain[:46] + b"\xab\xcd" + plain[48:]


def test_the_last_eight_bytes_of_the_last_segment_can_be_written(attempt: Try) -> None:
    plain = left(attempt()[1])
    assert left(attempt(store(72, b"12345678"))[1]) == plain[:72] + b"12345678" + plain[80:]


def test_tlvs_that_no_longer_end_where_the_srh_does_drop_the_packet(attempt: Try) -> None:
    results, outcome = attempt(store(81, b"\x05"))
    assert (results, outcome.forwarded) == ((0,), False)


def test_with_an_exhausted_routing_header_before_the_srh_that_is_what_store_bytes_finds_next(attempt: Try) -> None:
    exhausted = packets.Extension(43, bytes((2, 4, 0, 0, 0, 0, 0)) + address(LAST))
    packet = packets.srv6([NEXT, SID], destination=SID, options=[exhausted])
    assert attempt(store(96, b"\1\2"), store(96, b"\3\4"), store(46, b"\5\6"), packet=packet)[0] == (0, -EFAULT, 0)


# ------------------------------------------------------------------------------------------------------- adjust_srh


@pytest.mark.parametrize(
    ("offset", "delta", "result"),
    [
        (79, 8, -EFAULT),
        (80, 8, 0),
        (88, 8, 0),
        (89, 8, -EFAULT),
        (80, -8, 0),
        (80, -9, -EFAULT),
        (84, -8, -EFAULT),
        (88, -1, -EFAULT),
        (80, 0, 0),
    ],
)
def test_adjust_srh_stays_within_the_tlv_area(attempt: Try, offset: int, delta: int, result: int) -> None:
    assert attempt(adjust(offset, delta))[0] == (result,)


def test_growing_inserts_zeros_and_moves_both_lengths(attempt: Try) -> None:
    plain = left(attempt()[1])
    grown = left(attempt(adjust(END, 8))[1])
    length = int.from_bytes(plain[4:6], "big") + 8
    expected = plain[:4] + length.to_bytes(2, "big") + plain[6:41] + bytes([plain[41] + 1]) + plain[42:88] + bytes(8) + plain[88:]
    assert grown == expected


def test_shrinking_removes_the_tlv(attempt: Try) -> None:
    shrunk = left(attempt(adjust(TLVS, -8))[1])
    assert len(shrunk) == len(PACKET) - 8
    assert shrunk[41] == PACKET[41] - 1


@pytest.mark.parametrize("deltas", [(4,), (1,), (12,), (8, 4)])
def test_an_srh_that_is_no_multiple_of_eight_is_dropped_at_the_end(attempt: Try, deltas: tuple[int, ...]) -> None:
    results, outcome = attempt(*(adjust(END, delta) for delta in deltas))
    assert (set(results), outcome.verdict, outcome.forwarded) == ({0}, OK, False)


def test_two_halves_make_a_whole(attempt: Try) -> None:
    assert attempt(adjust(END, 4), adjust(END, 4))[1].forwarded


def test_after_growing_store_bytes_reaches_the_new_area(attempt: Try) -> None:
    results, outcome = attempt(adjust(END, 8), store(END, b"\x06\x06ABCDEF"), store(END + 8, b"x"))
    assert results == (0, 0, -EFAULT)
    assert left(outcome)[END : END + 8] == b"\x06\x06ABCDEF"


def test_the_hdrlen_byte_follows_at_the_validation_only(attempt: Try) -> None:
    """2,000 bytes more make a HdrLen that has no room in its byte: what is left of it no longer fits the TLVs."""
    results, outcome = attempt(adjust(END, 2008))
    assert (results, outcome.forwarded) == ((0,), False)


# ---------------------------------------------------------------------------------------------------------- actions


@pytest.mark.parametrize("number", [0, 1, 4, 5, 6, 8, 11, 12, 13, 14, 15, 16])
def test_other_actions_are_invalid(attempt: Try, number: int) -> None:
    assert attempt(action(number, bytes(16)))[0] == (-EINVAL,)


@pytest.mark.parametrize(("name", "size"), [("end_x", 15), ("end_x", 4), ("end_t", 8), ("end_dt6", 16)])
def test_a_parameter_of_another_size_is_invalid(attempt: Try, name: str, size: int) -> None:
    assert attempt(end(name, bytes(size)))[0] == (-EINVAL,)


@pytest.mark.parametrize(("name", "size"), [("end_x", 15), ("end_t", 8), ("end_dt6", 16), ("end_x", 16)])
def test_an_invalid_srh_is_found_before_the_size_of_the_parameter(attempt: Try, name: str, size: int) -> None:
    assert attempt(adjust(END, 4), end(name, bytes(size)))[0] == (0, -EBADMSG)


LOOKUPS = {
    "end_x": (end("end_x", address(LAST)), 0, True),
    "end_x to nowhere": (end("end_x", address("fc00:dead::1")), -ENETUNREACH, False),
    "end_x to the router itself": (end("end_x", address("fc00:b::7")), -EINVAL, False),
    "end_t in the main table": (end("end_t", table(254)), 0, True),
    "end_t by the ordinary rules": (end("end_t", table(0)), 0, True),
    "end_t in no table": (end("end_t", table(4321)), -EINVAL, False),
}


@pytest.mark.parametrize("name", LOOKUPS)
def test_redirect_takes_the_route_that_the_action_found(attempt: Try, name: str) -> None:
    step, result, forwarded = LOOKUPS[name]
    results, outcome = attempt(step, verdict=REDIRECT)
    assert (results, outcome.verdict, outcome.forwarded, outcome.runs) == ((result,), REDIRECT, forwarded, 1)


@pytest.mark.parametrize("name", LOOKUPS)
def test_ok_looks_the_destination_up_whatever_the_action_found(attempt: Try, name: str) -> None:
    step, result, _ = LOOKUPS[name]
    results, outcome = attempt(step)
    assert (results, outcome.forwarded) == ((result,), True)


# ----------------------------------------------------------------------------------------------------------- End.DT6

INNER = packets.ipv6(LAST, payload=packets.udp(), hop_limit=9)
INNER_SRH = packets.srv6([LAST, NEXT], hop_limit=9)


def carrying(inner: bytes, **fields: object) -> bytes:
    return packets.srv6([NEXT, SID], destination=SID, payload=packets.inner(inner), **fields)  # type: ignore[arg-type]


def test_end_dt6_takes_the_outer_headers_off_though_segments_are_left(attempt: Try) -> None:
    results, outcome = attempt(end("end_dt6", table(254)), verdict=REDIRECT, packet=carrying(INNER))
    assert (results, outcome.packet) == ((0,), INNER)


def test_end_dt6_without_a_packet_inside(attempt: Try) -> None:
    assert attempt(end("end_dt6", table(254)))[0] == (-EBADMSG,)


def test_end_dt6_into_no_table_has_decapsulated_all_the_same(attempt: Try) -> None:
    results, outcome = attempt(end("end_dt6", table(4321)), packet=carrying(INNER))
    assert (results, outcome.packet) == ((-EINVAL,), INNER)


def test_after_end_dt6_to_a_packet_without_srh_the_helpers_find_none(attempt: Try) -> None:
    steps = (end("end_dt6", table(254)), store(46, b"\0\1"), adjust(END, 8), end("end_x", address(LAST)))
    results, outcome = attempt(*steps, packet=carrying(INNER))
    assert (results, outcome.packet) == ((0, -EINVAL, -EINVAL, -EBADMSG), INNER)


def test_after_end_dt6_to_a_packet_with_srh_the_helpers_edit_that(attempt: Try) -> None:
    results, outcome = attempt(end("end_dt6", table(254)), store(46, b"\xab\xcd"), packet=carrying(INNER_SRH))
    assert (results, outcome.packet) == ((0, 0), INNER_SRH[:46] + b"\xab\xcd" + INNER_SRH[48:])


def test_after_end_dt6_encapsulation_works(attempt: Try) -> None:
    results, outcome = attempt(end("end_dt6", table(254)), end("end_b6_encaps", new_srh(LAST)), packet=carrying(INNER))
    assert results == (0, 0)
    assert left(outcome)[-len(INNER) :] == INNER


# --------------------------------------------------------------------------------------------------------------- B6

PUSHES = ("end_b6", "end_b6_encaps")


@pytest.mark.parametrize("name", PUSHES)
@pytest.mark.parametrize(
    "header",
    [new_srh(LAST, NEXT, segments_left=2), new_srh(LAST) + bytes(8), new_srh(LAST)[:-8], new_srh(LAST, routing_type=0), b"\0" * 7],
    ids=["too many segments left", "longer than it says", "shorter", "another type", "a piece"],
)
def test_a_wrong_srh_is_not_pushed(attempt: Try, name: str, header: bytes) -> None:
    results, outcome = attempt(end(name, header))
    assert (results, len(left(outcome))) == ((-EINVAL,), len(PACKET))


@pytest.mark.parametrize("name", PUSHES)
def test_nothing_is_pushed_on_an_invalid_srh(attempt: Try, name: str) -> None:
    assert attempt(adjust(END, 4), end(name, new_srh(LAST)))[0] == (0, -EBADMSG)


@pytest.mark.parametrize("segments_left", [0, 1])
def test_b6_inserts_the_srh_and_the_destination_becomes_its_last_segment(attempt: Try, segments_left: int) -> None:
    results, outcome = attempt(end("end_b6", new_srh(NEXT, LAST, segments_left=segments_left)))
    after = left(outcome)
    assert results == (0,)
    assert after[24:40] == address(LAST)
    assert (after[6], after[40], after[43]) == (43, 43, segments_left)
    assert after[48:64] == address(NEXT)  # segment 0: what had been the destination, once advanced
    assert after[80:] == left(attempt()[1])[40:]


@pytest.mark.parametrize("tunnel_source", ["::", "fc00:b::99"])
def test_b6_encaps_puts_an_outer_header_in_front(attempt: Try, tunnel_source: str) -> None:
    router = replace(ROUTER, tunnel_source=IPv6Address(tunnel_source))
    results, outcome = attempt(end("end_b6_encaps", new_srh(LAST)), environment=router)
    after = left(outcome)
    source = "fc00:b::7" if tunnel_source == "::" else tunnel_source
    assert results == (0,)
    assert after[64:] == left(attempt()[1])
    assert after[:4] == PACKET[:4]  # traffic class and flow label
    assert (after[6], after[7], after[40]) == (43, PACKET[7], 41)
    assert (after[8:24], after[24:40]) == (address(source), address(LAST))
    assert int.from_bytes(after[4:6], "big") == len(after) - 40


def test_a_negative_flow_label_setting_clears_the_outer_label(attempt: Try) -> None:
    after = left(attempt(end("end_b6_encaps", new_srh(LAST)), environment=replace(ROUTER, flowlabel=-1))[1])
    assert int.from_bytes(after[:4], "big") & 0xFFFFF == 0


@pytest.mark.parametrize("name", PUSHES)
@pytest.mark.parametrize("verdict", [OK, REDIRECT])
def test_both_verdicts_send_it_to_the_new_destination(attempt: Try, name: str, verdict: int) -> None:
    outcome = attempt(end(name, new_srh(LAST, "fc00:c::9")), verdict=verdict)[1]
    assert (outcome.forwarded, outcome.runs) == (True, 1)


@pytest.mark.parametrize("name", PUSHES)
def test_after_a_push_the_helpers_edit_the_new_srh(attempt: Try, name: str) -> None:
    results, outcome = attempt(end(name, new_srh(LAST)), store(46, b"\xab\xcd"), adjust(64, 8))
    assert results == (0, 0, 0)
    assert (left(outcome)[46:48], left(outcome)[41]) == (b"\xab\xcd", 3)


@pytest.mark.parametrize("name", PUSHES)
def test_a_push_towards_nowhere_says_so(attempt: Try, name: str) -> None:
    results, outcome = attempt(end(name, new_srh(LAST, "fc00:dead::1")), verdict=REDIRECT)
    assert (results, outcome.forwarded) == ((-ENETUNREACH,), False)


def test_the_router_signs_what_it_pushes(attempt: Try) -> None:
    header = new_srh(LAST, hmac=Hmac(3, KEY, bytes(32)))
    after = left(attempt(end("end_b6_encaps", header))[1])
    signed = new_srh(LAST, hmac=Hmac(3, KEY), source="fc00:b::7")
    assert after[41:104] == signed[1:]


@pytest.mark.parametrize(
    ("header", "result"),
    [(new_srh(LAST, hmac=Hmac(99, KEY, bytes(32))), -ENOENT), (new_srh(LAST, flags=8), -EINVAL)],
    ids=["no such key", "no HMAC TLV"],
)
def test_what_cannot_be_signed_fails(attempt: Try, header: bytes, result: int) -> None:
    """The outer header is there by then, its payload length not: only the program's DROP makes sense."""
    assert attempt(end("end_b6_encaps", header), verdict=2)[0] == (result,)
