"""What the kernel does with packets, as named rules: the table that shows which of them the generated packets reached.

A rule is a predicate over a packet and what became of it, not over how the packet was made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from errno import EBADMSG, EFAULT, EINVAL, ENETUNREACH, ENOENT
from typing import Final, final

from pybpfnf.abi.headers import NEXT_HEADERS, SEGMENT_SIZE, SRH_TLVS
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.abi.seg6 import ACTIONS
from tests.conformance.observation import FIXED, IPV6_SIZE, Observation, Srh
from tests.conformance.probe import Op

OK, DROP, REDIRECT = (PROGRAM_TYPES["lwt_seg6local"].verdicts[name] for name in ("OK", "DROP", "REDIRECT"))

Rule = Callable[[Observation], bool]
SrhRule = Callable[[Observation, Srh], bool]


@final
@dataclass(frozen=True, slots=True)
class Row:
    source: str  # in the kernel
    name: str
    rule: Rule


# ------------------------------------------------------------------------------------------- rules from rules


def refused(rule: SrhRule) -> Rule:
    """The rule holds for an SRH that is none of a broken type, and the program did not run."""
    return lambda seen: seen.refused and seen.srh is not None and rule(seen, seen.srh)


def accepted(rule: SrhRule) -> Rule:
    return lambda seen: seen.accepted and seen.srh is not None and rule(seen, seen.srh)


def gave(op: Op, result: int) -> Rule:
    return lambda seen: seen.gave(op, result)


def action(name: str, result: int, verdict: int | None = None) -> Rule:
    """The action gave the result; with a verdict, the program then said this and the packet left."""
    return lambda seen: seen.action(name, result) and (verdict is None or seen.left_with(verdict))


def grown(sign: int) -> Rule:
    """adjust_srh succeeded and the packet that left is longer (1), shorter (-1), as long (0)."""

    def rule(seen: Observation) -> bool:
        change = len(seen.after) - len(seen.packet)
        return seen.accepted and seen.gave(Op.ADJUST, 0) and (change > 0) - (change < 0) == sign

    return rule


# ------------------------------------------------------------------------------------------------------- rules


def after(name: str) -> Rule:
    """A header of this name stands before the SRH."""
    return accepted(lambda seen, srh: NEXT_HEADERS[name] in srh.before)


def advanced(seen: Observation) -> bool:
    if seen.srh is None:
        return False
    expected = int.from_bytes(seen.srh.segment(seen.srh.segments_left - 1)[8:], "big")
    return any(step.op is Op.PEEK and step.first == IPV6_SIZE - 8 and result == expected for step, result in seen.steps())


def no_srh(seen: Observation) -> bool:
    return seen.refused and seen.srh is None and seen.packet[6] != NEXT_HEADERS["routing"]


def segments_left_zero(seen: Observation) -> bool:
    return seen.refused and seen.packet[6] == NEXT_HEADERS["routing"] and seen.packet[43:44] == b"\0"


def other_verdict(seen: Observation) -> bool:
    return seen.outcome.verdict not in (None, OK, DROP, REDIRECT) and not seen.outcome.forwarded


def half_a_unit(seen: Observation) -> bool:
    return seen.dropped_after_ok and seen.gave(Op.ADJUST, 0) and sum(step.second for step in seen.script.steps) % 8 != 0


def past_hdrlen(seen: Observation) -> bool:
    """The SRH of these packets has 64 bytes, and HdrLen can say 2,048."""
    grows = [step.second for step, result in seen.steps() if step.op is Op.ADJUST and result == 0]
    return seen.dropped_after_ok and any(1984 < size < 1 << 31 for size in grows)


def shaped(seen: Observation, srh: Srh) -> bool:
    """What is checked before the TLVs is right."""
    inside = srh.size <= len(srh.header) and srh.tlvs_at <= srh.size
    return srh.is_segment_routing and srh.segments_left <= srh.last_entry + 1 and inside


def too_many_left(seen: Observation, srh: Srh) -> bool:
    return srh.is_segment_routing and srh.segments_left > srh.last_entry + 1


def last_entry_past_hdrlen(seen: Observation, srh: Srh) -> bool:
    return srh.is_segment_routing and not too_many_left(seen, srh) and srh.tlvs_at > srh.size


def longer_than_the_packet(seen: Observation, srh: Srh) -> bool:
    return srh.is_segment_routing and srh.size > len(srh.header)


def broken_tlvs(seen: Observation, srh: Srh) -> bool:
    return shaped(seen, srh) and not srh.area_ends


def pad1(seen: Observation, srh: Srh) -> bool:
    """Seven bytes of a TLV and a zero, which RFC 8754 calls padding."""
    return shaped(seen, srh) and len(srh.area) == 8 and srh.area[1] == 5 and srh.area[7] == 0


def zero_tlvs(seen: Observation, srh: Srh) -> bool:
    return len(srh.area) >= 8 and not any(srh.area)


def other_tlvs(seen: Observation, srh: Srh) -> bool:
    return bool(srh.area) and srh.area[0] not in (SRH_TLVS["pad1"], SRH_TLVS["padn"], SRH_TLVS["hmac"])


def signed(seen: Observation, srh: Srh) -> bool:
    """An HMAC that the kernel looks at: not behind destination options."""
    return shaped(seen, srh) and srh.area_ends and srh.has_hmac and srh.has_flag and not srh.before


def policy(sign: int) -> Rule:
    return lambda seen: seen.environment.require_hmac * sign > 0


def unsigned_where_required(seen: Observation, srh: Srh) -> bool:
    return policy(1)(seen) and shaped(seen, srh) and srh.area_ends and not srh.has_hmac


def wrong_where_ignored(seen: Observation, srh: Srh) -> bool:
    return policy(-1)(seen) and signed(seen, srh)


def stored_in_the_last_segment(seen: Observation) -> bool:
    if seen.srh is None:
        return False
    end = IPV6_SIZE + seen.srh.tlvs_at
    return any(step.op is Op.STORE and result == 0 and end - 8 <= step.first < end for step, result in seen.steps())


def inner_left(seen: Observation) -> bool:
    """The packet that left is the one that was inside."""
    return seen.action("end_dt6", 0) and seen.left_with(REDIRECT) and seen.packet.endswith(seen.after)


def decapsulated_early(seen: Observation) -> bool:
    """Segments were left when the outer headers went."""
    return inner_left(seen) and seen.srh is not None and seen.srh.segments_left > 1


def new_destination(seen: Observation) -> bool:
    """Segments Left of the new SRH says another segment than its last, and that is the destination all the same."""
    if not seen.after or not seen.action("end_b6", 0):
        return False
    left, last = seen.after[IPV6_SIZE + 3], seen.after[IPV6_SIZE + 4]
    segment = IPV6_SIZE + FIXED + SEGMENT_SIZE * last
    return left < last and seen.after[24:40] == seen.after[segment : segment + SEGMENT_SIZE]


def other_action(seen: Observation) -> bool:
    known = {row.number for row in ACTIONS.values()}
    return any(step.op is Op.ACTION and step.first not in known and result == -EINVAL for step, result in seen.steps())


def signs(seen: Observation) -> bool:
    header = Srh((), seen.after[IPV6_SIZE:]) if seen.after else None
    return header is not None and seen.action("end_b6_encaps", 0) and header.has_hmac and any(header.area[-32:])


# ------------------------------------------------------------------------------------------------------- table

_INPUT = "seg6_local.c input_action_end_bpf"
_VALIDATE = "seg6.c seg6_validate_srh"
_HMAC = "seg6_hmac.c seg6_hmac_validate_skb"
_STORE = "filter.c bpf_lwt_seg6_store_bytes"
_ADJUST = "filter.c bpf_lwt_seg6_adjust_srh"
_ACTION = "filter.c bpf_lwt_seg6_action"

ROWS: Final = (
    Row(_INPUT, "no SRH: drop", no_srh),
    Row(_INPUT, "Segments Left 0: drop", segments_left_zero),
    Row(_INPUT, "the next segment is the destination before the program runs", advanced),
    Row(_INPUT, "a used-up routing header before the SRH is skipped", after("routing")),
    Row(_INPUT, "hop-by-hop options before the SRH", after("hop_by_hop")),
    Row(_INPUT, "destination options before the SRH", after("destination_options")),
    Row(_INPUT, "verdict OK", lambda seen: seen.left_with(OK)),
    Row(_INPUT, "verdict DROP", lambda seen: seen.outcome.verdict == DROP and not seen.outcome.forwarded),
    Row(_INPUT, "verdict REDIRECT", lambda seen: seen.left_with(REDIRECT)),
    Row(_INPUT, "any other verdict: drop", other_verdict),
    Row(_INPUT, "REDIRECT without an action: runs again", lambda seen: seen.outcome.runs > 1 and seen.outcome.verdict == REDIRECT),
    Row(_INPUT, "the next segment is the SID too: runs again", lambda seen: seen.outcome.runs > 1 and seen.left_with(OK)),
    Row(_INPUT, "the SRH was left with half a unit: drop", half_a_unit),
    Row(_INPUT, "a TLV was left broken: drop", lambda seen: seen.dropped_after_ok and seen.gave(Op.STORE, 0)),
    Row(_INPUT, "hop limit 1: drop, after the program", lambda seen: seen.dropped_after_ok and seen.packet[7] == 1),
    Row(_INPUT, "hop limit 2: leaves", lambda seen: seen.accepted and seen.packet[7] == 2),
    Row(_VALIDATE, "Segments Left above Last Entry + 1: drop", refused(too_many_left)),
    Row(_VALIDATE, "Segments Left of Last Entry + 1 (reduced)", accepted(lambda seen, srh: srh.segments_left == srh.last_entry + 1)),
    Row(_VALIDATE, "another routing type: drop", refused(lambda seen, srh: not srh.is_segment_routing)),
    Row(_VALIDATE, "Last Entry past HdrLen: drop", refused(last_entry_past_hdrlen)),
    Row(_VALIDATE, "an SRH longer than the packet: drop", refused(longer_than_the_packet)),
    Row(_VALIDATE, "TLVs that do not end with the SRH: drop", refused(broken_tlvs)),
    Row(_VALIDATE, "Pad1 is no TLV: drop", refused(pad1)),
    Row(_VALIDATE, "zeros are TLVs of type 0", accepted(zero_tlvs)),
    Row(_VALIDATE, "other TLVs", accepted(other_tlvs)),
    Row(_HMAC, "a right digest", accepted(signed)),
    Row(_HMAC, "a wrong digest or an unknown key: drop", refused(signed)),
    Row(_HMAC, "the flag without the TLV", accepted(lambda seen, srh: srh.has_flag and not srh.has_hmac)),
    Row(_HMAC, "the TLV without the flag", accepted(lambda seen, srh: srh.has_hmac and not srh.has_flag)),
    Row(_HMAC, "none where one is required: drop", refused(unsigned_where_required)),
    Row(_HMAC, "any where none is looked at", accepted(wrong_where_ignored)),
    Row(_STORE, "flags, tag and TLVs", lambda seen: seen.accepted and seen.gave(Op.STORE, 0)),
    Row(_STORE, "the last 8 bytes of the last segment", stored_in_the_last_segment),
    Row(_STORE, "elsewhere: EFAULT", gave(Op.STORE, -EFAULT)),
    Row(_STORE, "no SRH: EINVAL", gave(Op.STORE, -EINVAL)),
    Row(_ADJUST, "the TLVs grow", grown(1)),
    Row(_ADJUST, "the TLVs shrink", grown(-1)),
    Row(_ADJUST, "by nothing", grown(0)),
    Row(_ADJUST, "outside the TLVs, or by more than there are: EFAULT", gave(Op.ADJUST, -EFAULT)),
    Row(_ADJUST, "no SRH: EINVAL", gave(Op.ADJUST, -EINVAL)),
    Row(_ADJUST, "past what HdrLen can say: drop", past_hdrlen),
    Row(_ACTION, "End.X, then OK: routed by the destination", action("end_x", 0, OK)),
    Row(_ACTION, "End.X, then REDIRECT", action("end_x", 0, REDIRECT)),
    Row(_ACTION, "End.X, no route: ENETUNREACH", action("end_x", -ENETUNREACH)),
    Row(_ACTION, "End.X, wrong parameter: EINVAL", action("end_x", -EINVAL)),
    Row(_ACTION, "End.X, SRH left invalid: EBADMSG", action("end_x", -EBADMSG)),
    Row(_ACTION, "End.T, then OK", action("end_t", 0, OK)),
    Row(_ACTION, "End.T, then REDIRECT", action("end_t", 0, REDIRECT)),
    Row(_ACTION, "End.T, no such table: EINVAL", action("end_t", -EINVAL)),
    Row(_ACTION, "End.DT6: the inner packet leaves", inner_left),
    Row(_ACTION, "End.DT6 with segments left", decapsulated_early),
    Row(_ACTION, "End.DT6, no inner packet: EBADMSG", action("end_dt6", -EBADMSG)),
    Row(_ACTION, "End.B6, then OK", action("end_b6", 0, OK)),
    Row(_ACTION, "End.B6, then REDIRECT", action("end_b6", 0, REDIRECT)),
    Row(_ACTION, "End.B6: to the last segment, whatever Segments Left says", new_destination),
    Row(_ACTION, "End.B6, SRH refused: EINVAL", action("end_b6", -EINVAL)),
    Row(_ACTION, "End.B6, SRH left invalid: EBADMSG", action("end_b6", -EBADMSG)),
    Row(_ACTION, "End.B6.Encaps, then OK", action("end_b6_encaps", 0, OK)),
    Row(_ACTION, "End.B6.Encaps, then REDIRECT", action("end_b6_encaps", 0, REDIRECT)),
    Row(_ACTION, "End.B6.Encaps, SRH refused: EINVAL", action("end_b6_encaps", -EINVAL)),
    Row(_ACTION, "End.B6.Encaps, SRH left invalid: EBADMSG", action("end_b6_encaps", -EBADMSG)),
    Row(_ACTION, "End.B6.Encaps signs", signs),
    Row(_ACTION, "End.B6.Encaps, no such key: ENOENT", action("end_b6_encaps", -ENOENT)),
    Row(_ACTION, "any other action: EINVAL", other_action),
)


@final
@dataclass
class Table:
    """How many observations showed each rule."""

    counts: Counter[str] = field(default_factory=Counter)
    packets: int = 0
    forwarded: int = 0

    def add(self, seen: Observation) -> None:
        self.packets += 1
        self.forwarded += seen.outcome.forwarded
        self.counts.update(f"{row.source}: {row.name}" for row in ROWS if row.rule(seen))

    def missing(self) -> list[str]:
        return [row.name for row in ROWS if not self.counts[f"{row.source}: {row.name}"]]

    def lines(self) -> Iterator[str]:
        yield f"{self.packets} packets, {self.forwarded} of them forwarded"
        for row in ROWS:
            name = f"{row.source}: {row.name}"
            yield f"{self.counts[name]:6}  {name}"
