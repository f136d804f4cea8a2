"""Rules about places: packets, map entries and records that come, go, or belong to someone else."""

from __future__ import annotations

from pybpfnf.explanations.row import Explanation

PLACES = (
    Explanation(
        "stale-view",
        why="`pkt.srh`, what `find` gives and a struct read from a map are views: names for a place, not copies. Calls that may move the"
        " packet, and `del` or an assignment to an entry of a Hash, end the views of that place: the bytes are elsewhere, or another"
        " flow's. Read what you need before, or take the view again after.",
        wrong="""\
from pybpfnf import OK, Seg6Packet, Tlv, Verdict, seg6local, u16, u32


class Hop(Tlv, type=124):
    node: u32
    count: u16


@seg6local
def record_hop(pkt: Seg6Packet) -> Verdict:
    srh = pkt.srh
    srh.append(Hop(node=7, count=1))
    srh.tag += 1
    return OK
""",
        right="""\
from pybpfnf import OK, Seg6Packet, Tlv, Verdict, seg6local, u16, u32


class Hop(Tlv, type=124):
    node: u32
    count: u16


@seg6local
def record_hop(pkt: Seg6Packet) -> Verdict:
    pkt.srh.append(Hop(node=7, count=1))
    pkt.srh.tag += 1
    return OK
""",
    ),
    Explanation(
        "maybe-none",
        why="A look-up that can miss gives None: `m.get(key)`, `srh.find(T)`, and on a route `pkt.ipv6` and `pkt.srh`, since IPv4 and"
        " plain IPv6 pass there too. The function says what then: by `is None` and an early return, by `is not None`, in `and` and"
        " `or`, or by `assert`. A truth test will not do, because a 0 that was found is false as well.",
        wrong="""\
from pybpfnf import DROP, OK, Hash, Seg6Packet, Verdict, seg6local, u16, u32

limits = Hash(u16, u32, 1024)


@seg6local
def police(pkt: Seg6Packet) -> Verdict:
    limit = limits.get(pkt.srh.tag)
    return DROP if pkt.len > limit else OK
""",
        right="""\
from pybpfnf import DROP, OK, Hash, Seg6Packet, Verdict, seg6local, u16, u32

limits = Hash(u16, u32, 1024)


@seg6local
def police(pkt: Seg6Packet) -> Verdict:
    limit = limits.get(pkt.srh.tag)
    if limit is None:
        return OK
    return DROP if pkt.len > limit else OK
""",
    ),
    Explanation(
        "read-only",
        why="At a SID a function may write the tag, the flags and the TLVs of the SRH, through the kernel, which checks them; addresses"
        " and the rest of the packet change by actions and encapsulations. Other hooks have rights of their own, and module-level"
        " constants have none. What decides where a packet goes next is asked for by name.",
        wrong="""\
from pybpfnf import OK, Seg6Packet, Verdict, seg6local


@seg6local
def skip_a_hop(pkt: Seg6Packet) -> Verdict:
    pkt.srh.segments_left -= 1
    return OK
""",
        right="""\
from pybpfnf import Config, IPv6Address, Seg6Packet, Verdict, seg6local

NEXT = Config(IPv6Address, default=IPv6Address("fc00::2"))


@seg6local
def skip_a_hop(pkt: Seg6Packet) -> Verdict:
    return pkt.end_x(nexthop=NEXT)
""",
    ),
    Explanation(
        "not-here",
        why="Each hook has its own helpers, verdicts and fields of the packet's context: the kernel gives a hook what makes sense"
        " there. Some need a license of the GPL's kind, some map operations a Hash; and a SEG6 encapsulation needs a packet that is"
        " known to be IPv6. docs/reference.md has who may do what.",
        wrong="""\
from pybpfnf import OK, REROUTE, LwtOutPacket, Verdict, lwt_out


@lwt_out(on_fault=OK)
def elsewhere(pkt: LwtOutPacket) -> Verdict:
    return REROUTE
""",
        right="""\
from pybpfnf import OK, REROUTE, IPv6Address, LwtXmitPacket, Srh, Verdict, lwt_xmit

HERE = IPv6Address("fc00::1")
THERE = IPv6Address("fc00::2")


@lwt_xmit(on_fault=OK)
def elsewhere(pkt: LwtXmitPacket) -> Verdict:
    pkt.push_ip(Srh(path=[THERE]), source=HERE)
    return REROUTE
""",
    ),
    Explanation(
        "leak",
        why="A record that is reserved in a ring buffer belongs to the function until it is submitted or discarded, on every path; a"
        " path that forgets it would block the buffer for all who read it.",
        wrong="""\
from pybpfnf import DROP, OK, RingBuf, Seg6Packet, Struct, Verdict, seg6local, u16


class Seen(Struct):
    tag: u16


events = RingBuf(Seen, 4096)


@seg6local
def report(pkt: Seg6Packet) -> Verdict:
    seen = events.reserve()
    if seen is None:
        return DROP
    seen.tag = pkt.srh.tag
    if seen.tag == 0:
        return OK
    events.submit(seen)
    return OK
""",
        right="""\
from pybpfnf import DROP, OK, RingBuf, Seg6Packet, Struct, Verdict, seg6local, u16


class Seen(Struct):
    tag: u16


events = RingBuf(Seen, 4096)


@seg6local
def report(pkt: Seg6Packet) -> Verdict:
    seen = events.reserve()
    if seen is None:
        return DROP
    seen.tag = pkt.srh.tag
    if seen.tag == 0:
        events.discard(seen)
        return OK
    events.submit(seen)
    return OK
""",
    ),
)
