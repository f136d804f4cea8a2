"""The kernel runner: what becomes of packets on a real End.BPF route, and what of an Environment it honours."""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from pybpfnf.errors import InputError, SystemLacksError, VerifierError
from pybpfnf.image.model import MapSpec, ObjectImage
from pybpfnf.kernel.load import load_program
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.runner import Environment, FaultKind, HmacKey, Outcome
from pybpfnf.testing.packets import Hmac, hop_by_hop, inner, ipv6, srh, srv6, udp
from tests.kernel.programs import DROP, OK, REDIRECT, faulty, image
from tests.kernel.system import descriptors

pytestmark = pytest.mark.kernel

SEGMENTS = ["fc00:3::3", "fc00:2::2", "fc00:f::2"]
PACKET = srv6(SEGMENTS)
ADVANCED = srv6(SEGMENTS, segments_left=1)


def run(text: str, packet: bytes = PACKET, environment: Environment | None = None, *, exact: bool = False) -> Outcome:
    whole = image(text)
    with KernelRunner(exact=exact).open(whole, whole.program(), environment or Environment()) as session:
        return session.run(packet)


def test_a_forwarded_packet_has_its_next_segment_as_destination_and_its_hop_limit_as_before() -> None:
    outcome = run(OK)
    assert outcome.packet is not None
    assert outcome.packet.hex() == ADVANCED.hex()
    assert (outcome.verdict, outcome.forwarded, outcome.runs, outcome.reason) == (0, True, 1, None)


def test_a_dropped_packet_shows_the_verdict() -> None:
    outcome = run(DROP)
    assert (outcome.verdict, outcome.packet, outcome.forwarded) == (2, None, False)
    assert outcome.reason == "the program returned DROP"


def test_a_verdict_that_the_hook_does_not_know_is_shown_and_drops() -> None:
    outcome = run("r0 = 0x1_00000081 ll\nexit".replace("_", ""))
    assert (outcome.verdict, outcome.forwarded) == (0x81, False)
    assert (outcome.reason or "").startswith("the kernel dropped the packet after the program")


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x60",
        PACKET[:39],
        ipv6("fc00:f::2", payload=inner(b"x" * 30)),
        srv6(SEGMENTS, segments_left=0),
        srv6(SEGMENTS, segments_left=4, destination="fc00:f::2"),
        srv6(SEGMENTS, routing_type=3),
        srv6(SEGMENTS, header_length=7),
        b"\x45" + PACKET[1:],
        bytes(range(256)),
    ],
    ids=["empty", "one byte", "cut", "no SRH", "last segment", "segments left", "type 3", "length lies", "version 4", "garbage"],
)
def test_the_program_does_not_run_on_what_the_hook_refuses(packet: bytes) -> None:
    outcome = run(OK, packet)
    assert (outcome.verdict, outcome.runs, outcome.packet) == (None, 0, None)
    assert (outcome.reason or "").startswith("the kernel dropped the packet before the program")


def test_the_hop_limit_can_end_a_packet_after_the_program() -> None:
    assert (run(OK, srv6(SEGMENTS, hop_limit=1)).reason or "").startswith("the kernel dropped the packet after the program")
    forwarded = run(OK, srv6(SEGMENTS, hop_limit=2)).packet
    assert forwarded is not None
    assert forwarded[7] == 2


def test_redirect_without_a_route_runs_the_program_again_while_the_next_segment_is_the_sid() -> None:
    sid = "fc00:f::2"
    outcome = run(REDIRECT, srv6([sid, sid, sid, sid]))
    assert (outcome.verdict, outcome.runs, outcome.forwarded) == (7, 3, False)


def test_a_session_keeps_its_maps_from_packet_to_packet() -> None:
    whole = faulty()
    with KernelRunner().open(whole, whole.program(), Environment()) as session:
        for _ in range(3):
            session.run(PACKET)
        assert session.maps[".bss"].lookup(bytes(4)) == bytes(16) + (3).to_bytes(8, "little")
        assert set(session.maps) == {".bss"}


def test_a_fault_exit_is_told_with_its_source_line() -> None:
    whole = faulty()
    with KernelRunner().open(whole, whole.program(), Environment()) as session:
        assert session.run(PACKET).fault is None
        outcome = session.run(srv6(SEGMENTS, tag=0xDEAD))
        fault = outcome.fault
        assert session.run(PACKET).fault is None
    assert fault is not None
    assert (fault.kind, fault.message, fault.file, fault.line, fault.site) == (FaultKind.EXIT, "fault 1", "probe.py", 11, 1)
    assert outcome.verdict == 2


def test_sids_follow_the_destinations_and_leave_no_trace() -> None:
    """A packet whose next segment was the SID of the packet before is forwarded, not run again."""
    whole = image(OK)
    with KernelRunner().open(whole, whole.program(), Environment()) as session:
        assert session.run(srv6(["fc00:3::3", "fc00:a::a"])).runs == 1
        outcome = session.run(srv6(["fc00:3::3", "fc00:a::a", "fc00:b::c"]))
    assert (outcome.runs, outcome.forwarded) == (1, True)


def test_a_fixed_sid_lets_other_packets_pass_untouched() -> None:
    environment = Environment(sid=IPv6Address("fc00:f::2"))
    assert run(DROP, PACKET, environment).runs == 1
    other = srv6(["fc00:3::3", "fc00:2::2"])
    outcome = run(DROP, other, environment)
    assert (outcome.runs, outcome.verdict, outcome.packet) == (0, None, other)


def test_the_mark_comes_with_the_packet_and_goes_with_it() -> None:
    returned = "r0 = *(u32 *)(r1 + 8)\nr2 = 9\n*(u32 *)(r1 + 8) = r2\nr0 = 0\nexit"
    outcome = run(returned, environment=Environment(mark=5))
    assert outcome.mark == 9
    assert run("r0 = *(u32 *)(r1 + 8)\nexit", environment=Environment(mark=5)).verdict == 5


def test_the_device_and_the_cpu_are_those_of_the_environment() -> None:
    cpu = max(os.sched_getaffinity(0))
    assert run("r0 = *(u32 *)(r1 + 40)\nexit", environment=Environment(ifindex=77)).verdict == 77
    assert run("call get_smp_processor_id\nexit", environment=Environment(cpu=cpu, cpus=cpu + 1)).verdict == cpu
    with pytest.raises(SystemLacksError, match="may not run on CPU 4095"):
        run(OK, environment=Environment(cpu=4095, cpus=4096))
    with pytest.raises(InputError, match="cannot have the index 1"):
        run(OK, environment=Environment(ifindex=1))


END_T = "*(u32 *)(r10 - 4) = {table}\nr2 = 3\nr3 = r10\nr3 += -4\nr4 = 4\ncall lwt_seg6_action\nif r0 == 0 goto +1\nexit\nr0 = 7\nexit"


@pytest.mark.parametrize(("table", "verdict"), [(0, 7), (254, 7), (100, 7), (101, 2**32 - 22)])
def test_only_the_environments_tables_exist(table: int, verdict: int) -> None:
    outcome = run(END_T.format(table=table), environment=Environment(tables=frozenset({0, 100, 253, 254, 255})))
    assert outcome.verdict == verdict
    assert outcome.forwarded == (verdict == 7)


def test_an_unreachable_prefix_has_no_route() -> None:
    outcome = run(END_T.format(table=0), environment=Environment(unreachable=("fc00:2::/32",)))
    assert outcome.verdict == 2**32 - 101
    assert run(OK, environment=Environment(unreachable=("fc00:2::/32",))).forwarded is False
    assert run(OK, environment=Environment(unreachable=("fc00:3::/32", "2000::/3"))).forwarded is True


def encapsulation(header: bytes) -> str:
    """A program that pushes `header` by End.B6.Encaps, from its stack."""
    stores = "".join(
        f"r1 = {int.from_bytes(header[at : at + 8], 'little'):#x} ll\n*(u64 *)(r10 - {len(header) - at}) = r1\n"
        for at in range(0, len(header), 8)
    )
    return f"r6 = r1\n{stores}r1 = r6\nr2 = 10\nr3 = r10\nr3 += -{len(header)}\nr4 = {len(header)}\ncall lwt_seg6_action\nexit"


@pytest.mark.parametrize("source", ["fc00:5::5", "::"])
def test_encapsulated_packets_come_from_the_tunnel_source_or_the_outgoing_device(source: str) -> None:
    environment = Environment(tunnel_source=IPv6Address(source), device_address=IPv6Address("fc00:c::c"))
    outcome = run(encapsulation(bytes([41]) + srh(["fc00:9::9"], segments_left=0).body), environment=environment)
    assert outcome.packet is not None
    assert IPv6Address(outcome.packet[8:24]) == IPv6Address("fc00:c::c" if source == "::" else source)
    assert IPv6Address(outcome.packet[24:40]) == IPv6Address("fc00:9::9")


def test_hmac_keys_are_the_routers_and_may_be_required() -> None:
    key = HmacKey("sha256", b"a secret")
    keys = {7: key}
    signed = srv6(SEGMENTS, hmac=Hmac(7, key))
    forged = srv6(SEGMENTS, hmac=Hmac(7, key, digest=bytes(32)))
    assert run(OK, signed, Environment(hmac_keys=keys)).runs == 1
    assert run(OK, forged, Environment(hmac_keys=keys)).runs == 0
    assert run(OK, signed, Environment()).runs == 0
    assert run(OK, PACKET, Environment(require_hmac=1)).runs == 0
    assert run(OK, signed, Environment(hmac_keys=keys, require_hmac=1)).runs == 1
    assert run(OK, forged, Environment(require_hmac=-1)).runs == 1


def test_options_before_the_srh_are_no_obstacle() -> None:
    packet = srv6(SEGMENTS, options=[hop_by_hop()])
    assert run(OK, packet).runs == 1


def test_exact_runs_the_bytes_as_they_are_and_counts_the_runs() -> None:
    outcome = run(OK, exact=True)
    assert (outcome.verdict, outcome.runs, outcome.packet) == (None, 1, ADVANCED)
    sid = "fc00:f::2"
    assert run(REDIRECT, srv6([sid, sid, sid, sid]), exact=True).runs == 3


def test_a_program_that_cannot_be_wrapped_says_so_and_runs_exactly() -> None:
    """The kernel allows eight functions deep; the wrapper is one more."""
    deep = "call +1\nexit\n" * 7 + OK
    with pytest.raises(InputError, match=r"loads, but not as a subprogram of the wrapper: .*call stack of 9 frames is too deep") as caught:
        run(deep)
    assert caught.value.hint == "run it as it is, without its verdict: KernelRunner(exact=True)"
    assert run(deep, exact=True).packet == ADVANCED


@pytest.mark.linux("6.8", "the wrapper's empty frame counts 32 bytes of the stack")
def test_a_program_with_the_whole_stack_can_be_wrapped() -> None:
    assert run(f"*(u64 *)(r10 - 512) = 0\n{OK}").verdict == 0


def test_a_tail_call_in_a_program_without_types_is_one_that_cannot_be_wrapped() -> None:
    progs = MapSpec("progs", "prog_array", key_size=4, value_size=4, max_entries=1)
    whole, last = image(f"r2 = map[progs]\nr3 = 0\ncall tail_call\n{OK}", progs), image(DROP)
    with pytest.raises(InputError, match="tail_call is not allowed in subprogs without BTF"):
        KernelRunner().open(whole, whole.program(), Environment())
    with KernelRunner(exact=True).open(whole, whole.program(), Environment()) as session, load_program(last, last.program()) as loaded:
        assert session.run(PACKET).forwarded
        session.maps["progs"].update(bytes(4), loaded.fd.number.to_bytes(4, "little"))
        assert not session.run(PACKET).forwarded


def test_a_refused_program_shows_its_own_instruction_numbers() -> None:
    with pytest.raises(VerifierError) as caught:
        run("r0 = 0\nr0 = *(u32 *)(r1 + 500)\nexit")
    assert caught.value.diagnostic.message.endswith("(instruction 1)")


def test_large_packets_and_many_packets_cross() -> None:
    whole = image(OK)
    big = ipv6("fc00:f::2", payload=inner(bytes(60000)))
    with KernelRunner().open(whole, whole.program(), Environment(sid=IPv6Address("fc00:1::1"))) as session:
        assert session.run(big).packet == big
    with KernelRunner().open(whole, whole.program(), Environment()) as session:
        assert all(session.run(PACKET).packet == ADVANCED for _ in range(300))


def test_a_packet_that_is_too_large_for_any_device_is_refused() -> None:
    with pytest.raises(InputError, match="a packet of 70000 bytes is larger than the device takes"):
        run(OK, bytes(70000))


def test_a_mark_has_32_bits() -> None:
    assert run("r0 = *(u32 *)(r1 + 8)\nexit", environment=Environment(mark=0xFFFFFFFE)).verdict == 0xFFFFFFFE


def test_nothing_is_left_behind() -> None:
    run(OK)
    gc.collect()
    before, affinity = descriptors(), os.sched_getaffinity(0)
    home = os.readlink("/proc/thread-self/ns/net")
    run(OK)
    with pytest.raises(VerifierError):
        run("r0 = *(u32 *)(r1 + 500)\nexit")
    with pytest.raises(InputError):
        run(OK, environment=Environment(ifindex=0))
    assert descriptors() == before
    assert os.sched_getaffinity(0) == affinity
    assert os.readlink("/proc/thread-self/ns/net") == home


def test_two_sessions_do_not_meet() -> None:
    whole: ObjectImage = image(OK)
    dropping = image(DROP)
    with (
        KernelRunner().open(whole, whole.program(), Environment()) as one,
        KernelRunner().open(dropping, dropping.program(), replace(Environment(), ifindex=5)) as other,
    ):
        assert one.run(PACKET).forwarded
        assert not other.run(PACKET).forwarded
        assert one.run(PACKET).forwarded


@pytest.mark.parametrize("hook", ["lwt_in", "lwt_out", "lwt_xmit"])
def test_exact_runs_the_programs_of_routes_as_they_are(hook: str) -> None:
    whole, packet = image(type_name=hook), ipv6("fc00:a::1", payload=udp())
    with KernelRunner(exact=True).open(whole, whole.program(), Environment()) as session:
        outcome = session.run(packet)
    assert (outcome.verdict, outcome.runs, outcome.forwarded) == (None, 1, True)
    assert outcome.packet == (packet if hook == "lwt_in" else packet[:7] + b"\x3f" + packet[8:])
