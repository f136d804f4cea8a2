"""The hooks of a `bpf` route around a program, row by row (net/core/lwt_bpf.c): on the VM and in the kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import pytest

from pybpfnf.abi.text import parse
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.runner import Environment, Outcome, Runner
from pybpfnf.testing import packets
from pybpfnf.testing.packets import ipv4, ipv6, pack, srh, udp
from tests.kernel_support import ATOMIC_FRAGMENT

LWT_IN, LWT_OUT, LWT_XMIT = "lwt_in", "lwt_out", "lwt_xmit"
HOOKS = (LWT_IN, LWT_OUT, LWT_XMIT)
ROUTER: Final = Environment(unreachable=("2001:db8::/32", "203.0.113.0/24"), tunnel_source=IPv6Address("fc00:b::99"))
SIX: Final = ipv6("fc00:a::1", payload=udp())
FOUR: Final = ipv4("198.51.100.1", payload=udp(), dscp=46)
TRANSIT, EGRESS, NOWHERE = "fc00:c::1", "fc00:c::2", "2001:db8::1"
EINVAL, EBADMSG, ENETUNREACH, ENOTSUPP = 0xFFFFFFEA, 0xFFFFFFB6, 0xFFFFFF9B, 0xFFFFFDF4
OK, DROP, REDIRECT, REROUTE = 0, 2, 7, 128


def image(text: str, hook: str) -> ObjectImage:
    return ObjectImage((ProgramImage("rows", hook, hook, parse(text)),), {}, "GPL")


def run(runner: Runner, hook: str, text: str, packet: bytes = SIX, environment: Environment = ROUTER) -> Outcome:
    built = image(text, hook)
    with runner.open(built, built.program(), environment) as session:
        return session.run(packet)


def returning(value: int) -> str:
    return f"r0 = {value}\nexit"


def one_hop_less(packet: bytes) -> bytes:
    if packet[0] >> 4 == 6:
        return packet[:7] + bytes((packet[7] - 1,)) + packet[8:]
    return ipv4(str(IPv4Address(packet[16:20])), payload=udp(), dscp=packet[1] >> 2, ttl=packet[8] - 1)


def left(hook: str, packet: bytes) -> bytes:
    """The packet as a program that changes nothing lets it out of the hook: forwarding is after lwt_in, before the others."""
    return packet if hook == LWT_IN else one_hop_less(packet)


# ------------------------------------------------------------------------------------------------- return values


@pytest.mark.parametrize("packet", [SIX, FOUR], ids=["IPv6", "IPv4"])
@pytest.mark.parametrize("hook", HOOKS)
def test_ok_lets_the_packet_go_on(runner: Runner, hook: str, packet: bytes) -> None:
    outcome = run(runner, hook, returning(OK), packet)
    assert outcome.packet == left(hook, packet)
    assert (outcome.verdict, outcome.runs) == (OK, 1)


@pytest.mark.parametrize("verdict", [DROP, 1, 3, 6, 127, 129, 0xFFFFFFFF])
@pytest.mark.parametrize("hook", HOOKS)
def test_drop_and_every_unknown_value_drop(runner: Runner, hook: str, verdict: int) -> None:
    outcome = run(runner, hook, returning(verdict))
    assert (outcome.verdict, outcome.forwarded, outcome.runs) == (verdict, False, 1)


@pytest.mark.parametrize("hook", [LWT_IN, LWT_OUT])
def test_redirect_is_as_good_as_ok_but_for_xmit(runner: Runner, hook: str) -> None:
    assert run(runner, hook, returning(REDIRECT)).packet == left(hook, SIX)


def test_redirect_without_a_device_drops_in_xmit(runner: Runner) -> None:
    assert not run(runner, LWT_XMIT, returning(REDIRECT)).forwarded


def test_reroute_is_as_good_as_ok_in_out(runner: Runner) -> None:
    outcome = run(runner, LWT_OUT, returning(REROUTE))
    assert (outcome.packet, outcome.runs) == (one_hop_less(SIX), 1)


@pytest.mark.parametrize("packet", [SIX, FOUR], ids=["IPv6", "IPv4"])
@pytest.mark.parametrize("hook", [LWT_IN, LWT_XMIT])
def test_reroute_of_a_packet_that_is_as_before_runs_the_program_again_nine_times_at_most(runner: Runner, hook: str, packet: bytes) -> None:
    outcome = run(runner, hook, returning(REROUTE), packet)
    assert (outcome.runs, outcome.forwarded) == (9, False)


# --------------------------------------------------------------------------------------------- before the program


@pytest.mark.parametrize("hook", [LWT_OUT, LWT_XMIT])
@pytest.mark.parametrize("packet", [SIX[:7] + b"\1" + SIX[8:], ipv4("198.51.100.1", payload=udp(), ttl=1)])
def test_forwarding_drops_the_last_hop_before_these_hooks(runner: Runner, hook: str, packet: bytes) -> None:
    assert run(runner, hook, returning(OK), packet).runs == 0


@pytest.mark.parametrize(
    "packet",
    [
        ipv4("198.51.100.1", payload=udp(), checksum=1),
        ipv4("198.51.100.1", payload=udp(), total_length=200),
        ipv4("198.51.100.1", payload=udp(), total_length=19),
        ipv4("198.51.100.1", payload=udp())[:19],
        ipv4("198.51.100.1", payload=udp(), source="224.0.0.1"),
        ipv4("198.51.100.1", payload=udp(), source="127.0.0.1"),
        ipv4("127.0.0.1", payload=udp()),
        ipv4("224.0.0.5", payload=udp()),
    ],
    ids=["checksum", "too long", "too short", "cut", "multicast source", "loopback source", "to loopback", "to multicast"],
)
@pytest.mark.parametrize("hook", HOOKS)
def test_a_bad_ipv4_packet_does_not_come_to_the_hook(runner: Runner, hook: str, packet: bytes) -> None:
    outcome = run(runner, hook, returning(OK), packet)
    assert (outcome.runs, outcome.forwarded) == (0, False)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_packet_for_another_prefix_passes_by_the_program(runner: Runner, hook: str) -> None:
    outcome = run(runner, hook, returning(DROP), environment=replace(ROUTER, sid=IPv6Address("fc00:e::1")))
    assert (outcome.runs, outcome.packet) == (0, left(hook, SIX))


@pytest.mark.parametrize("address", ["0.51.100.1", "255.51.100.1", "240.0.0.1", "169.254.0.1"])
@pytest.mark.parametrize("hook", HOOKS)
def test_odd_ipv4_addresses_are_forwarded_all_the_same(runner: Runner, hook: str, address: str) -> None:
    assert run(runner, hook, returning(OK), ipv4(address, payload=udp())).runs == 1
    assert run(runner, hook, returning(OK), ipv4("198.51.100.1", payload=udp(), source=address)).runs == 1


CONTEXT = {"len": 0, "pkt_type": 4, "mark": 8, "protocol": 16, "priority": 32, "ingress_ifindex": 36, "ifindex": 40}


def expected(name: str, hook: str, packet: bytes) -> int:
    """Devices: in0 has the given number, out0 the next. DSCP 46 is 0xb8, whose low bits IPv4's forwarding takes for "interactive bulk"."""
    is_four = packet is FOUR
    return {
        "len": len(packet),
        "pkt_type": 0,
        "mark": 9,
        "protocol": 0x0008 if is_four else 0xDD86,
        "priority": 4 if is_four and hook != LWT_IN else 0,
        "ingress_ifindex": ROUTER.ifindex,
        "ifindex": ROUTER.ifindex + (hook == LWT_XMIT),
    }[name]


@pytest.mark.parametrize("packet", [SIX, FOUR], ids=["IPv6", "IPv4"])
@pytest.mark.parametrize("name", CONTEXT)
@pytest.mark.parametrize("hook", HOOKS)
def test_the_context_at_entry(runner: Runner, hook: str, name: str, packet: bytes) -> None:
    outcome = run(runner, hook, f"r0 = *(u32 *)(r1 + {CONTEXT[name]})\nexit", packet, replace(ROUTER, mark=9))
    assert outcome.verdict == expected(name, hook, packet)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_mark_that_a_program_sets_is_the_packets(runner: Runner, hook: str) -> None:
    assert run(runner, hook, "r2 = 77\n*(u32 *)(r1 + 8) = r2\nr0 = 0\nexit").mark == 77


# ------------------------------------------------------------------------------------------------- encapsulation


def push(kind: int, header: bytes, verdict: int | None = OK) -> str:
    """push_encap from the stack, and a verdict; None returns what the helper gave."""
    data = header.ljust(-(-len(header) // 8) * 8, b"\0")
    base = -len(data)
    stores = [
        f"r2 = {int.from_bytes(data[at : at + 8], 'little'):#x} ll\n*(u64 *)(r10 - {-(base + at)}) = r2\n" for at in range(0, len(data), 8)
    ]
    result = "" if verdict is None else f"r0 = {verdict}\n"
    return "".join(stores) + f"r2 = {kind}\nr3 = r10\nr3 += {base}\nr4 = {len(header)}\ncall lwt_push_encap\n{result}exit"


def srh_bytes(*segments: str, **fields: int) -> bytes:
    return b"\0" + srh(segments, **fields).body  # type: ignore[arg-type]


SEG6, INLINE, IP = 0, 1, 2
HEADER: Final = srh_bytes(EGRESS, TRANSIT)


def outer_six(packet: bytes, header: bytes, destination: str = TRANSIT, source: str = "fc00:b::99", **fields: int) -> bytes:
    given = {"hop_limit": packet[7], "next_header": 43, **fields}
    fixed = pack("ipv6", version=6, payload_length=len(header) + len(packet), source=source, destination=destination, **given)
    return fixed + header + packet


@pytest.mark.parametrize("verdict", [OK, REROUTE, REDIRECT])
def test_seg6_puts_an_outer_header_and_the_srh_around_an_ipv6_packet(runner: Runner, verdict: int) -> None:
    outcome = run(runner, LWT_IN, push(SEG6, HEADER, verdict))
    assert outcome.packet == outer_six(SIX, b"\x29" + HEADER[1:])
    assert outcome.runs == 1


def test_the_outer_header_inherits_traffic_class_flow_label_and_hop_limit(runner: Runner) -> None:
    inner = ipv6("fc00:a::1", payload=udp(), traffic_class=0xB8, flow_label=0x12345, hop_limit=9)
    outcome = run(runner, LWT_IN, push(SEG6, HEADER), inner)
    assert outcome.packet == outer_six(inner, b"\x29" + HEADER[1:], traffic_class=0xB8, flow_label=0x12345)


@pytest.mark.parametrize("verdict", [OK, REROUTE])
def test_inline_inserts_the_srh_with_the_old_destination_as_last_segment(runner: Runner, verdict: int) -> None:
    outcome = run(runner, LWT_IN, push(INLINE, HEADER, verdict))
    inserted = b"\x11" + HEADER[1:8] + SIX[24:40] + HEADER[24:]
    before = pack("ipv6", version=6, payload_length=len(SIX), next_header=43, hop_limit=64, source=packets.SOURCE, destination=TRANSIT)
    assert outcome.packet == before[:4] + (len(SIX) - 40 + len(HEADER)).to_bytes(2, "big") + before[6:] + inserted + SIX[40:]


@pytest.mark.parametrize(
    ("header", "result"),
    [
        (srh_bytes(EGRESS, TRANSIT, segments_left=2), EINVAL),
        (srh_bytes(EGRESS, TRANSIT, routing_type=3), EINVAL),
        (srh_bytes(EGRESS, TRANSIT, header_length=2), EINVAL),
        (srh_bytes(EGRESS, NOWHERE), ENETUNREACH),
        (HEADER, 0),
    ],
    ids=["segments left", "type", "length", "unreachable", "right"],
)
@pytest.mark.parametrize("kind", [SEG6, INLINE])
def test_what_the_seg6_types_answer(runner: Runner, kind: int, header: bytes, result: int) -> None:
    assert run(runner, LWT_IN, push(kind, header, None)).verdict == result


def test_a_push_that_leads_nowhere_leaves_a_route_that_drops(runner: Runner) -> None:
    assert not run(runner, LWT_IN, push(SEG6, srh_bytes(EGRESS, NOWHERE))).forwarded


def test_inline_wants_an_ipv6_packet_after_a_right_srh(runner: Runner) -> None:
    assert run(runner, LWT_IN, push(INLINE, HEADER, None), FOUR).verdict == EBADMSG
    assert run(runner, LWT_IN, push(INLINE, srh_bytes(EGRESS, routing_type=3), None), FOUR).verdict == EINVAL


@ATOMIC_FRAGMENT
def test_seg6_on_ipv4_calls_it_ipv6_and_breaks_the_outer_source(runner: Runner) -> None:
    """ip_forward takes the hop off byte 8, the first of the source, and adds to the "checksum" in bytes 10 and 11."""
    outcome = run(runner, LWT_IN, push(SEG6, HEADER), FOUR)
    whole = outer_six(FOUR, b"\x29" + HEADER[1:], hop_limit=64)
    broken = whole[:8] + b"\xfb" + whole[9:10] + b"\x01\x0b" + whole[12:]
    assert outcome.packet == broken


def test_seg6_on_ipv4_is_lost_where_it_is_routed_anew(runner: Runner) -> None:
    """The packet is still called IPv4 (skb->protocol), so that a route is looked up for bytes of the outer source."""
    outcome = run(runner, LWT_IN, push(SEG6, HEADER, REROUTE), FOUR)
    assert (outcome.verdict, outcome.forwarded) == (REROUTE, False)


def test_seg6_on_ipv4_does_not_change_the_protocol_of_the_context(runner: Runner) -> None:
    text = "r6 = r1\n" + push(SEG6, HEADER, None).replace("exit", "") + "r0 = *(u32 *)(r6 + 16)\nexit"
    assert run(runner, LWT_IN, text, FOUR).verdict == 0x0008


def outer_header(inner: bytes, destination: str = TRANSIT, payload_length: int | None = None) -> bytes:
    length = len(HEADER) + len(inner) if payload_length is None else payload_length
    number = 41 if inner[0] >> 4 == 6 else 4
    fixed = pack("ipv6", version=6, payload_length=length, next_header=43, hop_limit=7, source="fc00:b::99", destination=destination)
    return fixed + bytes((number,)) + HEADER[1:]


@pytest.mark.parametrize("packet", [SIX, pytest.param(FOUR, marks=ATOMIC_FRAGMENT)], ids=["IPv6", "IPv4"])
@pytest.mark.parametrize("hook", [LWT_IN, LWT_XMIT])
def test_the_ip_type_puts_the_header_in_front_as_it_is(runner: Runner, hook: str, packet: bytes) -> None:
    outcome = run(runner, hook, push(IP, outer_header(packet), REROUTE), packet)
    assert outcome.packet == outer_header(packet) + left(hook, packet)


@pytest.mark.parametrize("hook", [LWT_IN, LWT_XMIT])
def test_the_ip_type_does_not_mend_the_payload_length(runner: Runner, hook: str) -> None:
    outcome = run(runner, hook, push(IP, outer_header(SIX, payload_length=1), REROUTE))
    assert outcome.packet == outer_header(SIX, payload_length=1) + left(hook, SIX)


@pytest.mark.parametrize("hook", [LWT_IN, LWT_XMIT])
def test_ok_after_another_ip_version_loses_the_packet(runner: Runner, hook: str) -> None:
    assert not run(runner, hook, push(IP, outer_header(FOUR)), FOUR).forwarded


@pytest.mark.parametrize("hook", [LWT_IN, LWT_XMIT])
def test_ok_after_the_same_ip_version_keeps_the_old_route(runner: Runner, hook: str) -> None:
    """No look-up: also a destination without a route leaves."""
    outcome = run(runner, hook, push(IP, outer_header(SIX, NOWHERE)))
    assert outcome.packet == outer_header(SIX, NOWHERE) + left(hook, SIX)


@pytest.mark.parametrize("hook", [LWT_IN, LWT_XMIT])
def test_reroute_drops_where_there_is_no_route(runner: Runner, hook: str) -> None:
    assert not run(runner, hook, push(IP, outer_header(SIX, NOWHERE), REROUTE)).forwarded


def four_header(inner: bytes, **fields: int) -> bytes:
    return ipv4("198.51.100.7", payload=packets.Payload(41, inner), **fields)[:20]  # type: ignore[arg-type]


@pytest.mark.parametrize("hook", [LWT_IN, LWT_XMIT])
def test_an_ipv4_checksum_of_zero_is_filled_in(runner: Runner, hook: str) -> None:
    outcome = run(runner, hook, push(IP, four_header(SIX, checksum=0), REROUTE))
    assert outcome.packet == four_header(SIX) + left(hook, SIX)


def test_an_ipv4_checksum_that_is_given_stays(runner: Runner) -> None:
    outcome = run(runner, LWT_XMIT, push(IP, four_header(SIX, checksum=0x1234), REROUTE))
    assert outcome.packet == four_header(SIX, checksum=0x1234) + one_hop_less(SIX)


@pytest.mark.parametrize(
    ("header", "result"),
    [
        (b"\x45" + bytes(18), EINVAL),
        (b"\x46" + bytes(19), EINVAL),
        (b"\x45" + bytes(19), 0),
        (b"\x60" + bytes(38), EINVAL),
        (b"\x60" + bytes(39), 0),
        (b"\x50" + bytes(39), EINVAL),
        (b"\x60" + bytes(255), 0),
        (b"\x60" + bytes(256), EINVAL),
    ],
    ids=["19 bytes", "options cut", "IPv4", "IPv6 cut", "IPv6", "version 5", "256 bytes", "257 bytes"],
)
@pytest.mark.parametrize("hook", [LWT_IN, LWT_XMIT])
def test_what_the_ip_type_answers(runner: Runner, hook: str, header: bytes, result: int) -> None:
    assert run(runner, hook, push(IP, header, None)).verdict == result


@pytest.mark.parametrize(("hook", "kind"), [(LWT_IN, 3), (LWT_XMIT, SEG6), (LWT_XMIT, INLINE), (LWT_XMIT, 3)])
def test_types_that_a_hook_does_not_have(runner: Runner, hook: str, kind: int) -> None:
    assert run(runner, hook, push(kind, HEADER, None)).verdict == EINVAL


# ---------------------------------------------------------------------------------------- writing, in lwt_xmit alone

BOUNDED = "r2 = *(u32 *)(r1 + 76)\nr3 = *(u32 *)(r1 + 80)\nr4 = r2\nr4 += 48\nif r4 > r3 goto out\n"
OUT = "\nr0 = 0\nexit\nout:\nr0 = 2\nexit"


def test_xmit_writes_the_packet_directly(runner: Runner) -> None:
    outcome = run(runner, LWT_XMIT, BOUNDED + "*(u8 *)(r2 + 7) = 33" + OUT)
    assert outcome.packet == SIX[:7] + b"\x21" + SIX[8:]


def test_a_packet_that_was_written_can_be_routed_anew(runner: Runner) -> None:
    """The destination's last byte: no longer the function's own address."""
    outcome = run(runner, LWT_XMIT, BOUNDED + "*(u8 *)(r2 + 39) = 9\nr0 = 128\nexit\nout:\nr0 = 2\nexit")
    changed = one_hop_less(SIX)
    assert (outcome.packet, outcome.runs) == (changed[:39] + b"\x09" + changed[40:], 1)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("r2 = 44\nr3 = r10\nr3 += -8\nr4 = 4\nr5 = 0\ncall skb_store_bytes", 0),
        ("r2 = 52\nr3 = r10\nr3 += -8\nr4 = 8\nr5 = 0\ncall skb_store_bytes", 0xFFFFFFF2),
        ("r2 = -1\nr3 = r10\nr3 += -8\nr4 = 1\nr5 = 0\ncall skb_store_bytes", 0xFFFFFFF2),
        ("r2 = 0\nr3 = r10\nr3 += -8\nr4 = 1\nr5 = 4\ncall skb_store_bytes", EINVAL),
        ("r2 = 46\nr3 = 1\nr4 = 2\nr5 = 2\ncall l3_csum_replace", 0),
        ("r2 = 46\nr3 = 1\nr4 = 2\nr5 = 3\ncall l3_csum_replace", EINVAL),
        ("r2 = 46\nr3 = 1\nr4 = 2\nr5 = 0\ncall l3_csum_replace", EINVAL),
        ("r2 = 45\nr3 = 1\nr4 = 2\nr5 = 2\ncall l3_csum_replace", 0xFFFFFFF2),
        ("r2 = 46\nr3 = 1\nr4 = 2\nr5 = 18\ncall l3_csum_replace", EINVAL),
        ("r2 = 46\nr3 = 1\nr4 = 2\nr5 = 18\ncall l4_csum_replace", 0),
        ("r2 = 56\nr3 = 1\nr4 = 2\nr5 = 2\ncall l4_csum_replace", 0xFFFFFFF2),
        ("r2 = 1\ncall csum_update", ENOTSUPP),
        ("r2 = 0\ncall csum_level", 0xFFFFFFF3),
        ("r2 = 1\ncall csum_level\nr1 = r6\nr2 = 1\ncall csum_level\nr1 = r6\nr2 = 0\ncall csum_level", 1),
        ("r2 = 4\ncall csum_level", EINVAL),
        ("r2 = 50\nr3 = 0\ncall skb_change_tail", 0),
        ("r2 = 39\nr3 = 0\ncall skb_change_tail", EINVAL),
        ("r2 = 50\nr3 = 1\ncall skb_change_tail", EINVAL),
        ("r2 = 17000\nr3 = 0\ncall skb_change_tail", EINVAL),
        ("r2 = 56\ncall skb_pull_data", 0),
        ("r2 = 57\ncall skb_pull_data", 0xFFFFFFF4),
        ("call set_hash_invalid", 0),
    ],
)
def test_what_the_helpers_of_xmit_answer(runner: Runner, text: str, result: int) -> None:
    assert run(runner, LWT_XMIT, f"*(u64 *)(r10 - 8) = 0x11223344\nr6 = r1\n{text}\nexit").verdict == result


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("r2 = 44\nr3 = r10\nr3 += -8\nr4 = 4\nr5 = 1\ncall skb_store_bytes", (44, b"\x44\x33\x22\x11")),
        ("r2 = 46\nr3 = 0x1000\nr4 = 0x2000\nr5 = 2\ncall l3_csum_replace", None),
        ("r2 = 46\nr3 = 0x1000\nr4 = 0xabcdef01\nr5 = 4\ncall l4_csum_replace", None),
        ("r2 = 46\nr3 = 0\nr4 = 0x8765fffe\nr5 = 0\ncall l4_csum_replace", None),
        ("r2 = 46\nr3 = 0xffff\nr4 = 0\nr5 = 34\ncall l4_csum_replace", None),
        ("r2 = 48\nr3 = 0\ncall skb_change_tail", None),
        ("r2 = 64\nr3 = 0\ncall skb_change_tail", None),
    ],
)
def test_what_the_helpers_of_xmit_write(runner: Runner, text: str, changed: tuple[int, bytes] | None) -> None:
    """The two runners are asked each for the same bytes: the sums are those of RFC 1624, computed here by hand."""
    outcome = run(runner, LWT_XMIT, f"*(u64 *)(r10 - 8) = 0x11223344\n{text}\nr0 = 0\nexit")
    packet = one_hop_less(SIX)
    if changed is not None:
        at, data = changed
        assert outcome.packet == packet[:at] + data + packet[at + len(data) :]
        return
    assert outcome.packet == WRITTEN[text](packet)


def mended(packet: bytes, old: int, new: int, bits: int) -> bytes:
    """RFC 1624, equation 3, on little-endian words: HC' = ~(~HC + ~m + m')."""
    total = (~int.from_bytes(packet[46:48], "little") & 0xFFFF) + (~old & ((1 << bits) - 1) if bits else 0) + new
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return packet[:46] + (~total & 0xFFFF).to_bytes(2, "little") + packet[48:]


WRITTEN: Final[dict[str, Callable[[bytes], bytes]]] = {
    "r2 = 46\nr3 = 0x1000\nr4 = 0x2000\nr5 = 2\ncall l3_csum_replace": lambda packet: mended(packet, 0x1000, 0x2000, 16),
    "r2 = 46\nr3 = 0x1000\nr4 = 0xabcdef01\nr5 = 4\ncall l4_csum_replace": lambda packet: mended(packet, 0x1000, 0xABCDEF01, 32),
    "r2 = 46\nr3 = 0\nr4 = 0x8765fffe\nr5 = 0\ncall l4_csum_replace": lambda packet: mended(packet, 0, 0x8765FFFE, 0),
    "r2 = 46\nr3 = 0xffff\nr4 = 0\nr5 = 34\ncall l4_csum_replace": lambda packet: mended(packet, 0xFFFF, 0, 16),
    "r2 = 48\nr3 = 0\ncall skb_change_tail": lambda packet: packet[:48],
    "r2 = 64\nr3 = 0\ncall skb_change_tail": lambda packet: packet + bytes(8),
}


def test_the_tail_of_an_encapsulated_packet_stays(runner: Runner) -> None:
    text = push(IP, outer_header(SIX), None).replace("exit", "") + "r1 = r6\nr2 = 200\nr3 = 0\ncall skb_change_tail\nexit"
    assert run(runner, LWT_XMIT, "r6 = r1\n" + text).verdict == ENOTSUPP
