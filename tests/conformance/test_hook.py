"""The End.BPF hook around a program, row by row (net/ipv6/seg6_local.c, input_action_end_bpf): on the VM and in the kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Final

import pytest

from pybpfnf.abi.text import parse
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.runner import Environment, HmacKey, Outcome
from pybpfnf.testing import packets
from pybpfnf.testing.packets import Extension, Hmac, Tlv
from pybpfnf.vm import VmRunner
from tests.conformance.conftest import Open

SID: Final = "fc00:a::1"
NEXT, LAST = "fc00:c::2", "fc00:c::1"
SECRET = HmacKey("sha256", b"secret")
ROUTER: Final = Environment(sid=IPv6Address(SID), hmac_keys={5: SECRET, 6: HmacKey("sha1", b"short")})
Run = Callable[..., Outcome]


def program(text: str, *maps: MapSpec) -> ObjectImage:
    return ObjectImage((ProgramImage("rows", "lwt_seg6local", "lwt_seg6local", parse(text)),), {spec.name: spec for spec in maps}, "GPL")


def returning(value: int) -> ObjectImage:
    return program(f"r0 = {value}\nexit")


OK, DROP, REDIRECT = returning(0), returning(2), returning(7)


@pytest.fixture
def run(open_session: Open) -> Run:
    def run_(packet: bytes, image: ObjectImage = OK, environment: Environment = ROUTER) -> Outcome:
        return open_session(image, environment).run(packet)

    return run_


def to_sid(**fields: object) -> bytes:
    """A packet at the SID with two segments to go, unless told otherwise."""
    given: dict[str, object] = {"segments": [LAST, NEXT, SID], "destination": SID} | fields
    return packets.srv6(**given)  # type: ignore[arg-type]  # fields of several types


# --------------------------------------------------------------------------------------------- before the program


def test_the_next_segment_is_the_destination_before_the_program_runs(run: Run) -> None:
    look = program("r2 = *(u32 *)(r1 + 76)\nr3 = *(u32 *)(r1 + 80)\nr4 = r2\nr4 += 44\nif r4 > r3 goto out\nr0 = *(u8 *)(r2 + 39)\n"
                   "r1 = *(u8 *)(r2 + 43)\nr0 <<= 8\nr0 |= r1\nexit\nout:\nr0 = 2\nexit")  # fmt: skip
    assert run(to_sid(), look).verdict == 0x0201  # the last byte of NEXT, and segments_left


def test_only_the_destination_and_segments_left_change(run: Run) -> None:
    before = to_sid()
    after = run(before).packet
    assert after == before[:24] + IPv6Address(NEXT).packed + before[40:43] + b"\x01" + before[44:]


REFUSED = {
    "no SRH": (packets.ipv6(SID, payload=packets.udp()), "no routing header"),
    "none left": (to_sid(segments_left=0), "no routing header with segments left"),
    "an IPv6 packet inside": (to_sid(segments_left=0, payload=packets.inner(to_sid())), "no routing header with segments left"),
    "too many left": (to_sid(segments_left=4), "segments_left is 4, past last_entry 2"),
    "another type": (to_sid(routing_type=3), "the routing type is 3, not 4"),
    "too many entries": (to_sid(last_entry=3), "last_entry is 3"),
    "too short": (to_sid(header_length=5), "last_entry is 2"),
    "too long": (to_sid(header_length=200), "the SRH runs past the packet"),
    "Pad1 last": (to_sid(tlvs=b"\x09\x05abcde\x00", fill=False), "a TLV of one byte"),
    "Pad1 first": (to_sid(tlvs=b"\x00\x09\x05abcde", fill=False), "a TLV runs past its end"),
    "TLV too long": (to_sid(tlvs=b"\x09\x07abcdef", fill=False), "a TLV runs past its end"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_srh_that_the_kernel_refuses_drops_the_packet_unseen(run: Run, name: str) -> None:
    outcome = run(REFUSED[name][0])
    assert (outcome.verdict, outcome.forwarded, outcome.runs) == (None, False, 0)


@pytest.mark.parametrize("name", REFUSED)
def test_the_vm_names_the_check_that_dropped_it(name: str) -> None:
    packet, why = REFUSED[name]
    assert why in str(VmRunner().open(OK, OK.program(), ROUTER).run(packet).reason)


@pytest.mark.parametrize(
    "packet",
    [
        to_sid(segments=[LAST, NEXT], segments_left=2),
        to_sid(options=[packets.hop_by_hop()]),
        to_sid(options=[packets.hop_by_hop(b"\0\0\x31\x02\0\0")]),
        to_sid(options=[packets.destination_options()]),
        to_sid(options=[packets.hop_by_hop(), packets.destination_options()]),
        to_sid(options=[Extension(43, bytes((2, 4, 0, 0, 0, 0, 0)) + IPv6Address(LAST).packed)]),
        to_sid(tlvs=bytes(8), fill=False),
        to_sid(tlvs=[Tlv(9, b"abcd")]),
        to_sid(flags=8),
        to_sid() + b"link-layer padding",
    ],
    ids=[
        "reduced",
        "hop-by-hop",
        "aligned IOAM",
        "destination options",
        "both",
        "after an exhausted SRH",
        "zeros",
        "a TLV",
        "H flag alone",
        "trailing bytes",
    ],
)
def test_an_srh_that_the_kernel_takes_reaches_the_program(run: Run, packet: bytes) -> None:
    outcome = run(packet)
    assert (outcome.verdict, outcome.forwarded, outcome.runs) == (0, True, 1)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        to_sid()[:39],
        b"\x45" + to_sid()[1:],
        to_sid(payload_length=1000),
        to_sid(source="ff02::1"),
        to_sid(source="::1"),
        to_sid(options=[packets.hop_by_hop(b"\x05\x03\0\0\0")]),
        to_sid(options=[packets.hop_by_hop(b"\x80\x02\0\0")]),
        to_sid(options=[packets.hop_by_hop(b"\x01\x02\1\0")]),
        to_sid(options=[packets.hop_by_hop(b"\x01\x06\0\0\0\0\0\0")]),
        to_sid(options=[packets.hop_by_hop(b"\x1e\x30\0\0")]),
        to_sid(options=[packets.hop_by_hop(length=50)]),
        to_sid(options=[packets.hop_by_hop(b"\x1e\0" * 9)]),
        to_sid(options=[packets.hop_by_hop(b"\x31\x02\0\0")]),
    ],
    ids=["nothing", "short", "version 4", "truncated", "multicast source", "loopback source", "bad router alert", "unknown option",
         "PadN with content", "too much padding", "option overruns", "header overruns", "nine options", "IOAM not aligned"],
)  # fmt: skip
def test_reception_drops_malformed_packets_and_options(run: Run, packet: bytes) -> None:
    outcome = run(packet)
    assert (outcome.verdict, outcome.forwarded, outcome.runs) == (None, False, 0)


def test_reception_cuts_the_packet_to_its_payload_length(run: Run) -> None:
    length = program("r0 = *(u32 *)(r1 + 0)\nexit")
    packet = to_sid()
    assert run(packet + bytes(17), length).verdict == len(packet)


# ----------------------------------------------------------------------------------------------------------- HMAC


@pytest.mark.parametrize(
    ("require", "right", "wrong", "unknown", "absent"),
    [(-1, True, True, True, True), (0, True, False, False, True), (1, True, False, False, False)],
)
def test_the_hmac_policy(run: Run, require: int, right: bool, wrong: bool, unknown: bool, absent: bool) -> None:
    router = replace(ROUTER, require_hmac=require)
    cases = {
        "right": (to_sid(hmac=Hmac(5, SECRET)), right),
        "right, sha1": (to_sid(hmac=Hmac(6, ROUTER.hmac_keys[6])), right),
        "wrong": (to_sid(hmac=Hmac(5, SECRET, bytes(32))), wrong),
        "unknown": (to_sid(hmac=Hmac(99, SECRET)), unknown),
        "absent": (to_sid(), absent),
    }
    assert {name: run(packet, OK, router).forwarded for name, (packet, _) in cases.items()} == {
        name: forwarded for name, (_, forwarded) in cases.items()
    }


def test_an_hmac_without_the_h_flag_is_none(run: Run) -> None:
    packet = to_sid(hmac=Hmac(5, SECRET), flags=0)
    assert run(packet, OK, ROUTER).forwarded
    assert not run(packet, OK, replace(ROUTER, require_hmac=1)).forwarded


def test_behind_destination_options_the_hmac_is_not_found(run: Run) -> None:
    """The check looks at the transport header, which is the first after the hop-by-hop options."""
    wrong = Hmac(5, SECRET, bytes(32))
    assert run(to_sid(hmac=wrong, options=[packets.destination_options()])).forwarded
    assert not run(to_sid(hmac=wrong, options=[packets.hop_by_hop()])).forwarded
    assert not run(to_sid(hmac=Hmac(5, SECRET), options=[packets.destination_options()]), OK, replace(ROUTER, require_hmac=1)).forwarded


# ---------------------------------------------------------------------------------------------- after the program


@pytest.mark.parametrize("value", [1, 3, 128, -1])
def test_any_other_return_value_drops(run: Run, value: int) -> None:
    outcome = run(to_sid(), returning(value))
    assert (outcome.verdict, outcome.forwarded, outcome.runs) == (value & 0xFFFFFFFF, False, 1)


def test_drop_drops(run: Run) -> None:
    assert (run(to_sid(), DROP).verdict, run(to_sid(), DROP).forwarded) == (2, False)


def test_redirect_without_an_action_runs_the_function_until_no_segment_is_left(run: Run) -> None:
    outcome = run(to_sid(segments=["fc00:c::1", "fc00:c::2", "fc00:c::3", SID]), REDIRECT)
    assert (outcome.verdict, outcome.forwarded, outcome.runs) == (7, False, 3)


def test_a_packet_comes_back_to_the_function_at_most_nine_times(run: Run) -> None:
    """lwtunnel_input counts how deep it is in itself, as transmission does (XMIT_RECURSION_LIMIT)."""
    assert run(to_sid(segments=[NEXT] * 12, segments_left=11), REDIRECT).runs == 9


def test_ok_with_the_own_sid_as_next_segment_runs_the_function_again(run: Run) -> None:
    outcome = run(to_sid(segments=[LAST, SID, SID]))
    assert (outcome.verdict, outcome.forwarded, outcome.runs) == (0, True, 2)


def test_a_next_segment_without_a_route_drops(run: Run) -> None:
    router = replace(ROUTER, unreachable=("fc00:c::2/128",))
    assert (run(to_sid(), OK, router).verdict, run(to_sid(), OK, router).forwarded) == (0, False)


def test_a_packet_for_another_address_passes_unseen(run: Run) -> None:
    packet = to_sid(destination="fc00:d::1")
    outcome = run(packet)
    assert (outcome.verdict, outcome.packet, outcome.runs) == (None, packet, 0)


# ------------------------------------------------------------------------------------------------------ the context

CONTEXT = {
    "len": ("r0 = *(u32 *)(r1 + 0)", len(to_sid())),
    "protocol": ("r0 = *(u32 *)(r1 + 16)", 0xDD86),
    "its first byte": ("r0 = *(u8 *)(r1 + 16)", 0x86),
    "pkt_type": ("r0 = *(u32 *)(r1 + 4)", 0),
    "ifindex": ("r0 = *(u32 *)(r1 + 40)", ROUTER.ifindex),
    "ingress_ifindex": ("r0 = *(u32 *)(r1 + 36)", ROUTER.ifindex),
    "mark": ("r0 = *(u32 *)(r1 + 8)", ROUTER.mark),
    "priority": ("r0 = *(u32 *)(r1 + 32)", 0),
    "cb, wide": ("r0 = *(u64 *)(r1 + 48)", 0),
    "data_end - data": ("r0 = *(u32 *)(r1 + 80)\nr1 = *(u32 *)(r1 + 76)\nr0 -= r1", len(to_sid())),
    "cb holds what is stored": ("r2 = 77\n*(u64 *)(r1 + 48) = r2\nr0 = *(u16 *)(r1 + 48)", 77),
    "the high half of a mark": ("w2 = 0x12345678\n*(u32 *)(r1 + 8) = w2\nr0 = *(u16 *)(r1 + 10)", 0x1234),
}


@pytest.mark.parametrize("field", CONTEXT)
def test_the_context_reads_as_in_the_kernel(run: Run, field: str) -> None:
    text, expected = CONTEXT[field]
    assert run(to_sid(), program(f"{text}\nexit")).verdict == expected


def test_cb_is_zero_again_when_the_function_runs_again(run: Run) -> None:
    keep = program("r0 = *(u32 *)(r1 + 48)\nr2 = 1\n*(u32 *)(r1 + 48) = r2\nif r0 != 0 goto bad\nr0 = 7\nexit\nbad:\nr0 = 2\nexit")
    assert (run(to_sid(), keep).verdict, run(to_sid(), keep).runs) == (7, 2)


def test_a_mark_set_by_the_program_stays_on_the_packet(run: Run) -> None:
    assert run(to_sid(), program("r2 = 42\n*(u32 *)(r1 + 8) = r2\nr0 = 0\nexit")).mark == 42
