"""Hypothesis strategies for helper calls: a packet and a script for `probe`, one kind for each rule of the seg6 helpers.

Offsets are from the IPv6 header; the SRH of these packets is at 40.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, TypeAlias, final

from hypothesis import strategies as st

from pybpfnf.abi.headers import SEGMENT_SIZE
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.abi.seg6 import ACTIONS
from pybpfnf.testing import packets
from pybpfnf.testing.packets import Hmac
from tests.conformance import generator
from tests.conformance.generator import ENVIRONMENT, KEYS, SID, UNREACHABLE
from tests.conformance.probe import STEPS, Script, Step, action, adjust, mix, peek, store

SRH: Final = 40
FIXED: Final = 8  # bytes of an SRH before its segments
OK, DROP, REDIRECT = (PROGRAM_TYPES["lwt_seg6local"].verdicts[name] for name in ("OK", "DROP", "REDIRECT"))
MISSING_TABLE: Final = 4321
assert MISSING_TABLE not in ENVIRONMENT.tables


@final
@dataclass(frozen=True, slots=True)
class Probe:
    """A packet for the probe program, with what it shall do."""

    packet: bytes
    script: Script


Probes: TypeAlias = st.SearchStrategy[Probe]
_verdicts = st.sampled_from([OK, OK, OK, DROP, REDIRECT])


def _padn(size: int) -> bytes:
    return packets.pad(size).encode()


@st.composite
def probes(draw: st.DrawFn, steps: st.SearchStrategy[list[Step]], *, area: int = 8, verdict: st.SearchStrategy[int] | None = None) -> Probe:
    """A packet of three segments and a TLV area of `area` bytes; `steps` may be drawn for exactly that."""
    drawn = draw(generator.fields()) | {"segments": ["fc00:c::1", "fc00:c::2", SID], "segments_left": 2}
    packet = packets.srv6(**drawn, tlvs=[packets.pad(area)] if area else ())
    return Probe(packet, Script(tuple(draw(steps)), draw(st.just(OK) if verdict is None else verdict)))


SEGMENTS_END: Final = SRH + FIXED + 3 * SEGMENT_SIZE  # of the packets of `probes`: where their TLVs begin
SRH_END: Final = SEGMENTS_END + 8


def _steps(*steps: Step | st.SearchStrategy[Step]) -> st.SearchStrategy[list[Step]]:
    return st.tuples(*(step if isinstance(step, st.SearchStrategy) else st.just(step) for step in steps)).map(list)


def _stores(offsets: st.SearchStrategy[int], sizes: st.SearchStrategy[int]) -> st.SearchStrategy[Step]:
    return st.tuples(offsets, sizes).flatmap(
        lambda pair: st.binary(min_size=pair[1], max_size=pair[1]).map(lambda data: store(pair[0], data))
    )


def _srh(segments: list[str], **fields: int | bytes | Hmac | None) -> bytes:
    """A whole SRH as the parameter of B6 and B6_ENCAPS; its Next Header byte is the kernel's business."""
    return b"\0" + packets.srh(segments, **fields).body  # type: ignore[arg-type]  # fields of several types


def _end(name: str, parameter: bytes) -> Step:
    return action(ACTIONS[name].number, parameter)


def _table(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _address(text: str) -> bytes:
    return IPv6Address(text).packed


END_X = st.just(_end("end_x", _address("fc00:c::7")))
END_X_NOWHERE = _end("end_x", _address(f"{UNREACHABLE}7"))
END_T = st.sampled_from([254, 0]).map(lambda table: _end("end_t", _table(table)))
END_T_MISSING = st.just(_end("end_t", _table(MISSING_TABLE)))
END_T_WRONG = st.just(_end("end_t", bytes(3)))
END_DT6 = st.sampled_from([254, 0]).map(lambda table: _end("end_dt6", _table(table)))

_segments = st.lists(generator.hops, min_size=1, max_size=3)


@st.composite
def new_srhs(draw: st.DrawFn) -> bytes:
    """An SRH that End.B6 takes: Segments Left at most Last Entry, TLVs or none."""
    segments = draw(_segments)
    tlvs = b"" if len(segments) > 2 or draw(st.booleans()) else _padn(8)
    return _srh(segments, segments_left=draw(st.integers(0, len(segments) - 1)), tlvs=tlvs, tag=draw(st.integers(0, 0xFFFF)))


@st.composite
def refused_srhs(draw: st.DrawFn) -> bytes:
    """An SRH that End.B6 refuses: too many segments left, a length that is not its own, another type, a broken TLV."""
    segments = draw(st.lists(generator.hops, min_size=1, max_size=2))
    right = _srh(segments)
    return draw(
        st.sampled_from(
            [
                _srh(segments, segments_left=len(segments)),
                right + bytes(8),
                right[:-8],
                _srh(segments, routing_type=3),
                _srh(segments, tlvs=b"\x09\x07" + bytes(6)),
            ]
        )
    )


@st.composite
def signing_srhs(draw: st.DrawFn, key_ids: st.SearchStrategy[int]) -> bytes:
    """An SRH whose HMAC the kernel computes, or cannot."""
    key_id = draw(key_ids)
    return _srh(draw(st.lists(generator.hops, min_size=1, max_size=2)), hmac=Hmac(key_id, KEYS.get(key_id, KEYS[1]), bytes(32)))


@st.composite
def with_inner(draw: st.DrawFn, steps: st.SearchStrategy[list[Step]], *, verdict: st.SearchStrategy[int] | None = None) -> Probe:
    """A packet with an IPv6 packet inside, which has an SRH or not, and segments left or not."""
    segments = draw(st.sampled_from([["fc00:c::1", SID], ["fc00:c::1", "fc00:c::2", SID]]))
    drawn = draw(generator.fields()) | {
        "segments": segments,
        "segments_left": len(segments) - 1,
        "payload": draw(generator.inner_packets()),
    }
    return Probe(packets.srv6(**drawn), Script(tuple(draw(steps)), draw(st.just(REDIRECT) if verdict is None else verdict)))


@st.composite
def anything(draw: st.DrawFn) -> Probe:
    """Any packet that is let in, any steps in any order, any verdict: what the kinds above did not think of."""
    kind = draw(st.sampled_from([kind for kind in generator.KINDS.values() if kind.accepted]))
    steps = draw(st.lists(st.one_of(_ANY_STEPS), min_size=1, max_size=STEPS))
    return Probe(draw(kind.packets), Script(tuple(steps), draw(_verdicts)))


_any_offset = st.integers(SRH - 4, SRH_END + 4)
_grown = st.sampled_from([8, 16, 24])
_B6 = new_srhs().map(lambda srh: _end("end_b6", srh))
_B6_ENCAPS = new_srhs().map(lambda srh: _end("end_b6_encaps", srh))
_deltas = st.sampled_from([-16, -8, -4, 0, 2, 4, 8, 16, 24])
_ANY_STEPS: Final[tuple[st.SearchStrategy[Step], ...]] = (
    _stores(st.integers(SRH - 8, SRH_END + 40), st.integers(1, 24)),
    _stores(st.sampled_from([SRH + 5, SRH + 6]), st.integers(1, 2)),
    st.builds(adjust, st.integers(SRH, SRH_END + 40), _deltas),
    st.builds(adjust, st.sampled_from([SRH + FIXED + SEGMENT_SIZE * count for count in range(1, 6)]), _deltas),
    st.builds(action, st.integers(0, 17), st.binary(min_size=1, max_size=40)),
    st.builds(peek, st.integers(0, 255)),
    END_X,
    END_T,
    END_DT6,
    _B6,
    _B6_ENCAPS,
)
_fix = st.builds(lambda size: [adjust(SRH_END, size), store(SRH_END, _padn(size))], _grown)

_words = st.sampled_from([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]) | st.integers(0, 0xFFFFFFFF)
_HALVES = st.sampled_from([[4], [4, 4], [12], [2, 6], [1]])
# HdrLen of these packets is 7, and 255 at most: 1,984 bytes are the most that it can say; at 2,048 it is 7 again.
_MUCH = st.sampled_from([1960, 1984, 2048])
_TOO_MUCH = st.sampled_from([1992, 2000, 40000])
_WRONG_SIZES = st.sampled_from([("end_x", 15), ("end_x", 4), ("end_t", 5), ("end_t", 2), ("end_dt6", 8)])
_NO_ACTIONS = st.sampled_from([0, 1, 4, 5, 6, 8, 11, 12, 15, 16, 17, 255])
_UNSIGNED = signing_srhs(st.just(99))
_REDIRECT = st.just(REDIRECT)

PROBES: Final[Mapping[str, Probes]] = {
    "the_destination_is_advanced_first": probes(_steps(peek(32), peek(SRH))),
    "arithmetic": probes(_steps(st.builds(mix, _words, _words), st.builds(mix, _words, _words))),
    "every_verdict": probes(st.just([]), verdict=st.sampled_from([0, 1, 2, 3, 7, 128, 255, 0xFFFFFFFF])),
    "store_flags_and_tag": probes(_steps(_stores(st.integers(SRH + 5, SRH + 7), st.integers(1, 3)))),
    "store_anywhere": probes(_steps(_stores(_any_offset, st.integers(1, 24)))),
    "store_in_the_last_segment": probes(_steps(_stores(st.integers(SEGMENTS_END - 9, SEGMENTS_END - 1), st.integers(1, 16)))),
    "store_tlvs": probes(_steps(store(SEGMENTS_END, _padn(8)), _stores(st.just(SEGMENTS_END + 2), st.integers(1, 7)))),
    "store_a_broken_tlv": probes(_steps(_stores(st.just(SEGMENTS_END), st.just(2)))),
    "grow": probes(_fix),
    "grow_in_the_middle": probes(_grown.map(lambda size: [adjust(SEGMENTS_END, size), store(SEGMENTS_END, _padn(size))])),
    "hdrlen_follows_only_at_validation": probes(_steps(adjust(SRH_END, 8), peek(SRH), END_X, peek(SRH))),
    "payload_length_follows_at_once": probes(_steps(adjust(SRH_END, 8), peek(0))),
    "grow_with_zeros": probes(_grown.map(lambda size: [adjust(SRH_END, size)])),
    "grow_by_half_a_unit": probes(_HALVES.map(lambda sizes: [adjust(SRH_END, size) for size in sizes])),
    "grow_much": probes(_MUCH.map(lambda size: [adjust(SRH_END, size)])),
    "grow_too_much": probes(_TOO_MUCH.map(lambda size: [adjust(SRH_END, size)])),
    "shrink": probes(_steps(adjust(SEGMENTS_END, -8)), area=8),
    "shrink_part": probes(_steps(adjust(SEGMENTS_END + 8, -8), store(SEGMENTS_END, _padn(8))), area=16),
    "shrink_too_far": probes(st.sampled_from([-9, -16, -1000]).map(lambda delta: [adjust(SEGMENTS_END, delta)])),
    "adjust_anywhere": probes(st.builds(lambda offset, delta: [adjust(offset, delta)], _any_offset, st.sampled_from([-8, 0, 8]))),
    "adjust_nothing": probes(_steps(adjust(SRH_END, 0))),
    "end_x": probes(_steps(END_X), verdict=_verdicts),
    "end_x_taken": probes(_steps(END_X), verdict=_REDIRECT),
    "end_x_unreachable": probes(_steps(END_X_NOWHERE), verdict=_verdicts),
    "end_t": probes(_steps(END_T), verdict=_verdicts),
    "end_t_taken": probes(_steps(END_T), verdict=_REDIRECT),
    "end_t_missing_table": probes(_steps(END_T_MISSING), verdict=_verdicts),
    "wrong_parameter_size": probes(_WRONG_SIZES.map(lambda row: [_end(row[0], bytes(row[1]))])),
    "unknown_action": probes(_NO_ACTIONS.map(lambda number: [action(number, bytes(16))])),
    "action_on_a_broken_srh": probes(_steps(adjust(SRH_END, 4), END_X | END_T_MISSING | END_T_WRONG)),
    "action_validates_the_srh": probes(_steps(adjust(SRH_END, 8), END_X), verdict=_verdicts),
    "end_dt6": with_inner(_steps(END_DT6), verdict=_verdicts),
    "end_dt6_then_the_outer_is_gone": with_inner(_steps(END_DT6, adjust(SRH_END, 8), store(SRH + 6, b"\0\1"), END_X)),
    "end_dt6_then_encapsulate": with_inner(_steps(END_DT6, _B6_ENCAPS)),
    "end_dt6_without_inner_packet": probes(_steps(END_DT6), verdict=_verdicts),
    "end_b6": probes(_steps(_B6), verdict=_verdicts),
    "end_b6_encaps": probes(_steps(_B6_ENCAPS), verdict=_verdicts),
    "end_b6_refused": probes(_steps(refused_srhs().map(lambda srh: _end("end_b6", srh))), verdict=_verdicts),
    "end_b6_encaps_refused": probes(_steps(refused_srhs().map(lambda srh: _end("end_b6_encaps", srh))), verdict=_verdicts),
    "end_b6_on_a_broken_srh": probes(_steps(adjust(SRH_END, 4), _B6 | _B6_ENCAPS)),
    # The new SRH is where the packet's own was, so the same offset is the new one's tag.
    "after_end_b6_the_helpers_edit_the_new_srh": probes(_steps(_B6 | _B6_ENCAPS, store(SRH + 6, b"\xab\xcd"), peek(32)), verdict=_REDIRECT),
    "end_b6_encaps_signs": probes(_steps(signing_srhs(st.sampled_from(sorted(KEYS))).map(lambda srh: _end("end_b6_encaps", srh)))),
    # The helper fails after it pushed the outer header, whose payload length stays what the memory was: none may leave.
    "end_b6_encaps_unknown_key": probes(_steps(_UNSIGNED.map(lambda srh: _end("end_b6_encaps", srh))), verdict=st.just(DROP)),
    "anything": anything(),
    "redirect_without_action": probes(st.just([]), verdict=_REDIRECT),
}  # fmt: skip
