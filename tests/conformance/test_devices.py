"""XDP and traffic control: what helpers do to frames, what programs read of their contexts and what verdicts mean, on the VM and in the
kernel's test runs. What a helper answers is the verdict here, where it is not 0."""

from __future__ import annotations

import errno
import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from pybpfnf.abi.contexts import SK_BUFF, XDP_MD
from pybpfnf.abi.kernels import kernel_like
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.abi.text import parse
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.runner import Environment, Outcome, Runner, Session
from pybpfnf.testing.packets import ipv4, ipv6, srv6, tcp, udp
from pybpfnf.vm import Engine, VmRunner

ROUTER = Environment(mark=0x1234, ifindex=40)
MACS = bytes.fromhex("020000000011 020000000022".replace(" ", ""))
IPV6 = MACS + b"\x86\xdd" + ipv6("fc00:a::1", payload=udp(b"0123456789abcdef"))
IPV4 = MACS + b"\x08\x00" + ipv4("198.51.100.1", payload=tcp(b"0123456789"))
SRV6 = MACS + b"\x86\xdd" + srv6(["fc00:c::2", "fc00:c::1"], tag=77)
TAGGED = MACS + b"\x81\x00\x20\x07" + IPV6[12:]
TWICE = MACS + b"\x88\xa8\x00\x64\x81\x00\x00\x0a" + IPV4[12:]
BROADCAST = b"\xff" * 6 + IPV4[6:]
MULTICAST = b"\x33\x33\0\0\0\x01" + IPV6[6:]
LLC = MACS + b"\x00\x10" + bytes(range(46))
NOVELL = MACS + b"\x00\x10\xff\xff" + bytes(44)
SHORT = MACS + b"\x88\xb5" + bytes(10)  # a test run takes no IP packet shorter than its header
FRAMES = {
    "ipv6": IPV6, "ipv4": IPV4, "srv6": SRV6, "tagged": TAGGED, "twice": TWICE, "broadcast": BROADCAST, "multicast": MULTICAST, "llc": LLC,
    "novell": NOVELL, "short": SHORT,
}  # fmt: skip

LIKE = kernel_like(platform.release())
VM = tuple(partial(VmRunner, engine=engine, kernel=LIKE.name) for engine in (Engine.REFERENCE, Engine.COMPILED))
TARGETS = MapSpec("targets", "devmap_hash", 4, 4, 4)
EMPTY = MapSpec("sockets", "xskmap", 4, 4, 4)


def image(text: str, type_name: str) -> ObjectImage:
    maps = {spec.name: spec for spec in (TARGETS, EMPTY) if f"map[{spec.name}]" in text}
    return ObjectImage((ProgramImage("sample", type_name, type_name, parse(text)),), maps, "GPL")


def helper(name: str, *arguments: int, type_name: str = "sched_cls") -> str:
    """Call it with the context and these; its answer is the verdict, or what lets the frame go on."""
    lines = [f"r{number} = {value}" for number, value in enumerate(arguments, start=2)]
    going_on = PROGRAM_TYPES[type_name].verdicts["PASS" if type_name == "xdp" else "OK"]
    return "\n".join((*lines, f"call {name}", "if r0 != 0 goto end", f"r0 = {going_on}", "end:", "exit"))


@pytest.fixture
def sessions() -> Iterator[Callable[[str, str], list[Session]]]:
    """The sessions of a program, in the VM and in the kernel; each opened once, and closed with the test."""
    with ExitStack() as stack:
        opened: dict[tuple[str, str], list[Session]] = {}

        def open_(text: str, type_name: str) -> list[Session]:
            if (text, type_name) not in opened:
                built = image(text, type_name)
                engines = VM if type_name == "xdp" else VM[:1]  # what is a call alone costs the other a compilation, and shows nothing
                runners: list[Runner] = [*(make() for make in engines), KernelRunner()]
                opened[text, type_name] = [stack.enter_context(each.open(built, built.program(), ROUTER)) for each in runners]
            return opened[text, type_name]

        yield open_


def seen(outcome: Outcome) -> tuple[object, ...]:
    return outcome.verdict, outcome.forwarded, None if outcome.packet is None else outcome.packet.hex(), outcome.mark, outcome.fault


def agree(sessions: list[Session], frame: bytes) -> Outcome:
    """What all give."""
    first, *others = (session.run(frame) for session in sessions)
    for other in others:
        assert seen(other) == seen(first)
    return first


# ---------------------------------------------------------------------------------------------------------- contexts

TC_FIELDS = [name for name, row in SK_BUFF.fields.items() if "sched_cls" in row.readable and row.size == 4]
HIDDEN = {"data", "data_end", "data_meta", "hash", "napi_id"}  # addresses, and what depends on the machine


@pytest.mark.kernel
@pytest.mark.parametrize("frame", FRAMES)
def test_what_a_classifier_reads_of_its_context_is_the_same(sessions: Callable[[str, str], list[Session]], frame: str) -> None:
    for name in sorted(set(TC_FIELDS) - HIDDEN):
        agree(sessions(f"r0 = *(u32 *)(r1 + {SK_BUFF.fields[name].offset})\nexit", "sched_cls"), FRAMES[frame])


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["ingress_ifindex", "rx_queue_index"])
def test_what_an_xdp_program_reads_of_its_context_is_the_same(sessions: Callable[[str, str], list[Session]], name: str) -> None:
    outcome = agree(sessions(f"r0 = *(u32 *)(r1 + {XDP_MD.fields[name].offset})\nexit", "xdp"), IPV6)
    assert outcome.verdict == {"ingress_ifindex": 40, "rx_queue_index": 0}[name]


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["mark", "priority", "queue_mapping", "tc_index", "tc_classid"])
@pytest.mark.parametrize("value", [7, 0xFFFE, 0xFFFF, 0x12345])
def test_what_a_classifier_writes_to_its_context_is_read_again(
    sessions: Callable[[str, str], list[Session]], name: str, value: int
) -> None:
    at = SK_BUFF.fields[name].offset
    agree(sessions(f"r2 = {value}\n*(u32 *)(r1 + {at}) = r2\nr0 = *(u32 *)(r1 + {at})\nexit", "sched_cls"), IPV6)


# ---------------------------------------------------------------------------------------------------------- verdicts


@pytest.mark.kernel
@pytest.mark.parametrize("type_name", ["xdp", "sched_cls"])
@pytest.mark.parametrize("verdict", [-1, *range(10), 128, 0x7FFFFFFF])
def test_each_verdict_ends_as_it_does_in_the_kernel(sessions: Callable[[str, str], list[Session]], type_name: str, verdict: int) -> None:
    agree(sessions(f"r0 = {verdict}\nexit", type_name), IPV6)


@pytest.mark.parametrize(
    ("type_name", "verdict", "reason"),
    [
        ("xdp", 0, "the program returned XDP_ABORTED"),
        ("xdp", 1, "the program returned XDP_DROP"),
        ("xdp", 4, "skb_do_redirect: no device was chosen"),
        ("xdp", 9, "bpf_warn_invalid_xdp_action: the program returned no XDP action"),
        ("sched_cls", 2, "the program returned TC_ACT_SHOT"),
        ("sched_cls", 7, "skb_do_redirect: no device was chosen"),
    ],
)
def test_a_frame_that_does_not_go_on_says_why(type_name: str, verdict: int, reason: str) -> None:
    built = image(f"r0 = {verdict}\nexit", type_name)
    assert VmRunner().open(built, built.program(), ROUTER).run(IPV6).reason == reason


def test_less_than_an_ethernet_header_reaches_no_program() -> None:
    built = image("r0 = 2\nexit", "xdp")
    outcome = VmRunner().open(built, built.program(), ROUTER).run(bytes(13))
    assert (outcome.runs, outcome.reason) == (0, "13 bytes are less than an Ethernet header")


# --------------------------------------------------------------------------------------------------------------- XDP

XDP_CALLS = (
    *(("xdp_adjust_head", (offset,)) for offset in (0, 4, 14, 40, 60, 61, 100, -4, -216, -217, -256, -257)),
    *(("xdp_adjust_tail", (offset,)) for offset in (0, 1, -1, -60, -61, -64, -65, -200, 3000, 4000, 1 << 30)),
    *(("xdp_adjust_meta", (offset,)) for offset in (0, -4, -6, -32, -36, -252, -256, 4)),
)


@pytest.mark.kernel
@pytest.mark.parametrize(("name", "arguments"), XDP_CALLS)
def test_an_adjusted_xdp_frame_is_the_same(sessions: Callable[[str, str], list[Session]], name: str, arguments: tuple[int, ...]) -> None:
    for frame in (IPV6, SHORT):
        agree(sessions(helper(name, *arguments, type_name="xdp"), "xdp"), frame)


def chain(*calls: tuple[str, int]) -> str:
    """One after the other on r6, the context, until one fails."""
    lines = [line for name, offset in calls for line in ("r1 = r6", f"r2 = {offset}", f"call {name}", "if r0 != 0 goto end")]
    return "\n".join(("r6 = r1", *lines, "r0 = 2", "end:", "exit"))


CHAINS = (
    (("xdp_adjust_head", 14), ("xdp_adjust_head", -14)),  # what was cut off is there again
    (("xdp_adjust_meta", -8), ("xdp_adjust_head", 20), ("xdp_adjust_head", -40)),
    (("xdp_adjust_meta", -8), ("xdp_adjust_head", -208)),
    (("xdp_adjust_meta", -8), ("xdp_adjust_head", -209)),
    (("xdp_adjust_head", -100), ("xdp_adjust_meta", -32), ("xdp_adjust_meta", 32)),
    (("xdp_adjust_tail", -20), ("xdp_adjust_tail", 20)),  # of which zeros have come back
    (("xdp_adjust_tail", -20), ("xdp_adjust_head", 10), ("xdp_adjust_tail", 7)),
    (("xdp_adjust_meta", -32), ("xdp_adjust_meta", -4)),
)


@pytest.mark.kernel
@pytest.mark.parametrize("calls", CHAINS)
def test_one_adjustment_after_the_other_gives_the_same_frame(
    sessions: Callable[[str, str], list[Session]], calls: tuple[tuple[str, int], ...]
) -> None:
    agree(sessions(chain(*calls), "xdp"), IPV6)


@pytest.mark.kernel
@pytest.mark.parametrize("offset", [0, 10, 70, 71, 90, 0xFFFF, 0x10000])
def test_bytes_of_an_xdp_frame_are_loaded_and_stored(sessions: Callable[[str, str], list[Session]], offset: int) -> None:
    text = f"""\
r6 = r1
*(u64 *)(r10 - 8) = 0
r2 = {offset}
r3 = r10
r3 += -8
r4 = 8
call xdp_load_bytes
if r0 != 0 goto end
*(u8 *)(r10 - 8) = 90
r1 = r6
r2 = {offset + 1}
r3 = r10
r3 += -8
r4 = 7
call xdp_store_bytes
if r0 != 0 goto end
r1 = r6
call xdp_get_buff_len
if r0 != {len(IPV6)} goto end
r0 = 2
end:
exit"""
    agree(sessions(text, "xdp"), IPV6)


@pytest.mark.kernel
@pytest.mark.parametrize("ifindex", [7, 40])
@pytest.mark.parametrize("flags", [0, 1, 8])
def test_a_redirect_of_xdp_takes_no_flags(sessions: Callable[[str, str], list[Session]], ifindex: int, flags: int) -> None:
    agree(sessions(f"r1 = {ifindex}\nr2 = {flags}\ncall redirect\nexit", "xdp"), IPV6)


@pytest.mark.kernel
@pytest.mark.parametrize("spec", [TARGETS, EMPTY], ids=lambda spec: spec.type)
@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4, 8, 16, 24, 32])
def test_what_a_map_has_not_is_answered_by_the_flags(sessions: Callable[[str, str], list[Session]], spec: MapSpec, flags: int) -> None:
    agree(sessions(f"r1 = map[{spec.name}]\nr2 = 3\nr3 = {flags}\ncall redirect_map\nexit", "xdp"), IPV6)


def redirected(flags: int, **given: object) -> Outcome:
    built = image(f"r1 = map[targets]\nr2 = 3\nr3 = {flags}\ncall redirect_map\nexit", "xdp")
    with VmRunner().open(built, built.program(), Environment(devices={50: "ethernet", 51: "ethernet"})) as session:
        for key, device in ((1, 50), (3, 51), (2, 32)):
            session.maps["targets"].update(key.to_bytes(4, "little"), device.to_bytes(4, "little"))
        return session.run(IPV6)


def test_a_frame_leaves_by_the_device_that_the_map_has() -> None:
    assert [(each.ifindex, each.frame) for each in redirected(0).redirected] == [(51, IPV6)]


def test_a_broadcast_leaves_by_all_devices_of_the_map_but_where_it_came_from() -> None:
    assert [each.ifindex for each in redirected(8).redirected] == [50, 32, 51]
    assert [each.ifindex for each in redirected(8 | 16).redirected] == [50, 51]


# ---------------------------------------------------------------------------------------------------- traffic control

BIG_IPV4, BIG_IPV6 = 0x0008, 0xDD86  # EtherTypes as a little-endian program writes them
BIG_VLAN, BIG_SERVICE = 0x0081, 0xA888
ROOM_FLAGS = (0, 1, 2, 4, 6, 2 | 8, 2 | 16, 8 | 16 | 2, 4 | 16, 32, 64 | 4, 64 | 4 | 14 << 56, 200 << 56 | 2, 128, 256, 128 | 256, 512)
TC_CALLS = (
    *(("skb_vlan_push", (protocol, tci)) for protocol in (BIG_VLAN, BIG_SERVICE, 0, BIG_IPV4) for tci in (0, 5, 0x2FFF, 0x12345)),
    ("skb_vlan_pop", ()),
    *(("skb_change_proto", (protocol, flags)) for protocol in (BIG_IPV4, BIG_IPV6, 0) for flags in (0, 1)),
    *(("skb_change_type", (kind,)) for kind in (0, 1, 2, 3, 4, 7)),
    *(("skb_adjust_room", (size, mode, 0)) for size in (0, 8, 40, -8, -20, -40, 0xFFF, 0x1000, -0x1000) for mode in (0, 1, 2)),
    *(("skb_change_tail", (size, 0)) for size in (0, 13, 14, 40, 60, 100, 1000)),
    *(("skb_change_head", (size, 0)) for size in (0, 4, 14, 200)),
    ("skb_change_tail", (60, 1)),
    ("skb_pull_data", (0,)), ("skb_pull_data", (60,)), ("skb_pull_data", (5000,)),
    ("skb_ecn_set_ce", ()),
    ("set_hash", (77,)), ("set_hash_invalid", ()),
    ("csum_level", (0,)), ("csum_level", (1,)), ("csum_update", (5,)),
    ("l3_csum_replace", (24, 0, 0x1234, 2)), ("l3_csum_replace", (23, 0, 0x1234, 2)), ("l4_csum_replace", (50, 1, 2, 4)),
    ("l4_csum_replace", (60, 0, 0x7777, 0x10)), ("l4_csum_replace", (3000, 0, 1, 2)),
)  # fmt: skip


@pytest.mark.kernel
@pytest.mark.parametrize(("name", "arguments"), TC_CALLS, ids=lambda value: str(value))
def test_a_helper_of_traffic_control_does_the_same_to_each_frame(
    sessions: Callable[[str, str], list[Session]], name: str, arguments: tuple[int, ...]
) -> None:
    opened = sessions(helper(name, *arguments), "sched_cls")
    for frame in FRAMES.values():
        agree(opened, frame)


@pytest.mark.kernel
@pytest.mark.parametrize("flags", ROOM_FLAGS, ids=hex)
@pytest.mark.parametrize("size", [28, -20, -40])
def test_room_for_a_tunnel_is_the_same(sessions: Callable[[str, str], list[Session]], size: int, flags: int) -> None:
    text = f"r2 = {size}\nr3 = 1\nr4 = {flags} ll\ncall skb_adjust_room\nif r0 != 0 goto end\nr0 = 0\nend:\nexit"
    for frame in (IPV6, IPV4, SRV6, LLC):
        agree(sessions(text, "sched_cls"), frame)


AFTERWARDS = {
    "the protocol": f"r0 = *(u32 *)(r6 + {SK_BUFF.fields['protocol'].offset})",
    "the length": f"r0 = *(u32 *)(r6 + {SK_BUFF.fields['len'].offset})",
    "the tag": f"r0 = *(u32 *)(r6 + {SK_BUFF.fields['vlan_tci'].offset})",
    "the tag's protocol": f"r0 = *(u32 *)(r6 + {SK_BUFF.fields['vlan_proto'].offset})",
    "whether there is a tag": f"r0 = *(u32 *)(r6 + {SK_BUFF.fields['vlan_present'].offset})",
    "whom it is for": f"r0 = *(u32 *)(r6 + {SK_BUFF.fields['pkt_type'].offset})",
    "a word of the packet": "*(u32 *)(r10 - 8) = 0\nr1 = r6\nr2 = 2\nr3 = r10\nr3 += -8\nr4 = 4\nr5 = 1\ncall skb_load_bytes_relative\n"
    "r0 = *(u32 *)(r10 - 8)",
    "another tag": f"r1 = r6\nr2 = {BIG_VLAN}\nr3 = 9\ncall skb_vlan_push",
    "a tag less": "r1 = r6\ncall skb_vlan_pop",
    "another length": "r1 = r6\nr2 = 60\nr3 = 0\ncall skb_change_tail",
}
BEFORE = {
    "tagged": (f"r2 = {BIG_SERVICE}\nr3 = 5\ncall skb_vlan_push"),
    "untagged": "call skb_vlan_pop",
    "of the other version": f"r2 = {BIG_IPV4}\nr3 = 0\ncall skb_change_proto",
    "with room for IPv6": "r2 = 40\nr3 = 1\nr4 = 4\ncall skb_adjust_room",
    "with room for IPv4 and UDP": "r2 = 28\nr3 = 1\nr4 = 18\ncall skb_adjust_room",
    "without its first bytes": "r2 = -40\nr3 = 1\nr4 = 128\ncall skb_adjust_room",
    "another's": "r2 = 3\ncall skb_change_type",
    "with more before it": "r2 = 10\nr3 = 0\ncall skb_change_head",
}


@pytest.mark.kernel
@pytest.mark.parametrize("after", AFTERWARDS)
@pytest.mark.parametrize("before", BEFORE)
def test_what_is_found_after_a_helper_is_the_same(sessions: Callable[[str, str], list[Session]], before: str, after: str) -> None:
    opened = sessions(f"r6 = r1\n{BEFORE[before]}\n{AFTERWARDS[after]}\nexit", "sched_cls")
    for frame in FRAMES.values():
        agree(opened, frame)


@pytest.mark.kernel
@pytest.mark.parametrize("start", [0, 1, 2])
@pytest.mark.parametrize("offset", [0, 12, 40, 200, 0xFFFF, 0x10000])
def test_bytes_are_loaded_from_the_link_layer_header_or_the_network_header(
    sessions: Callable[[str, str], list[Session]], start: int, offset: int
) -> None:
    text = f"""\
r6 = r1
*(u32 *)(r10 - 8) = 0
r2 = {offset}
r3 = r10
r3 += -8
r4 = 4
r5 = {start}
call skb_load_bytes_relative
r2 = *(u32 *)(r10 - 8)
*(u32 *)(r6 + {SK_BUFF.fields["mark"].offset}) = r2
exit"""
    for frame in (IPV6, SHORT):
        agree(sessions(text, "sched_cls"), frame)


@pytest.mark.parametrize("codepoint", range(4))
@pytest.mark.kernel
def test_congestion_is_marked_where_the_packet_can_carry_it(sessions: Callable[[str, str], list[Session]], codepoint: int) -> None:
    opened = sessions("call skb_ecn_set_ce\nr0 += 100\nexit", "sched_cls")
    for frame, at, shift in ((IPV4, 15, 0), (IPV6, 15, 4)):
        changed = bytearray(frame)
        changed[at] |= codepoint << shift
        agree(opened, bytes(changed))


def test_a_classifiers_redirect_takes_the_tag_along() -> None:
    built = image(f"r6 = r1\nr2 = {BIG_VLAN}\nr3 = 5\ncall skb_vlan_push\nr1 = 50\nr2 = 0\ncall redirect\nexit", "sched_cls")
    outcome = VmRunner().open(built, built.program(), Environment(devices={50: "ethernet"})).run(IPV6)
    assert [(each.ifindex, each.frame) for each in outcome.redirected] == [(50, MACS + b"\x81\x00\x00\x05" + IPV6[12:])]


def test_the_answers_are_error_numbers() -> None:
    """So that none of the comparisons above passes because nothing happened."""
    for name, arguments, answer in (
        ("skb_change_proto", (BIG_IPV6, 0), -524),
        ("skb_adjust_room", (0x1000, 1, 0), -errno.EFAULT),
        ("skb_change_type", (7,), -errno.EINVAL),
        ("skb_vlan_pop", (), 0),
    ):
        built = image(helper(name, *arguments), "sched_cls")
        assert VmRunner().open(built, built.program(), ROUTER).run(IPV6).verdict == answer & 0xFFFFFFFF
