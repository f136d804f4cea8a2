"""Hypothesis strategies for SRv6 packets, one for each kind of packet that the kernel treats in a way of its own.

`KINDS` is the list; a kind's name is the rule. Every packet is for `SID`, on the router that `ENVIRONMENT` describes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, Final, TypeAlias, final

from hypothesis import strategies as st

from pybpfnf.abi.headers import SRH_FLAGS, SRH_TLVS
from pybpfnf.runner import Environment, HmacKey
from pybpfnf.testing import packets
from pybpfnf.testing.packets import Extension, Hmac, Payload, Tlv

Packets: TypeAlias = st.SearchStrategy[bytes]
Fields: TypeAlias = dict[str, Any]  # keyword arguments of `packets.srv6`

SID: Final = "fc00:a::1"
KEYS: Final = {1: HmacKey("sha1", b"a key of the first router"), 2: HmacKey("sha256", b"a key of the second")}
UNREACHABLE: Final = "fc00:dead::"
ENVIRONMENT: Final = Environment(sid=IPv6Address(SID), hmac_keys=KEYS, unreachable=(f"{UNREACHABLE}/32",))

_HOPS = [f"fc00:c::{number:x}" for number in range(1, 9)]
_LAST_KEY_ID = 0xFFFFFFFF


@final
@dataclass(frozen=True, slots=True)
class Kind:
    """Packets that one rule of the kernel applies to. `accepted`: a program that returns OK lets them all leave."""

    name: str
    packets: Packets
    accepted: bool


# ---------------------------------------------------------------------------------------------------------- parts

hops = st.sampled_from(_HOPS)
tlv_types = st.integers(1, 255).filter(lambda number: number not in (SRH_TLVS["padn"], SRH_TLVS["hmac"]))
tlvs = st.builds(Tlv, tlv_types, st.binary(max_size=24))
tlv_lists = st.lists(tlvs, min_size=1, max_size=4)
udp_payloads = st.builds(packets.udp, st.binary(max_size=40), source_port=st.integers(1, 65535))


@st.composite
def segment_lists(draw: st.DrawFn, minimum: int = 2, maximum: int = 5) -> tuple[list[str], int]:
    """Segments in wire order and a Segments Left of at least 1 that names `SID`."""
    segments = draw(st.lists(hops, min_size=minimum, max_size=maximum))
    left = draw(st.integers(1, len(segments) - 1))
    segments[left] = SID
    return segments, left


@st.composite
def fields(draw: st.DrawFn, /, **fixed: st.SearchStrategy[Any]) -> Fields:
    """What `packets.srv6` takes for an ordinary packet, some of it as `fixed` says."""
    segments, left = draw(segment_lists())
    drawn: Fields = {
        "segments": segments,
        "segments_left": left,
        "tag": draw(st.sampled_from([0, 1, 0x00FF, 0xFFFE, 0xFFFF]) | st.integers(0, 0xFFFF)),
        "flags": draw(st.sampled_from([0, 0, 0x20, 0xF7])),
        "payload": draw(udp_payloads),
        "hop_limit": draw(st.sampled_from([2, 3, 64, 255])),
        "traffic_class": draw(st.sampled_from([0, 0x1C, 0xFF])),
        "flow_label": draw(st.integers(0, 0xFFFFF)),
    }
    return drawn | {name: draw(strategy) for name, strategy in fixed.items()}


def with_fields(**fixed: st.SearchStrategy[Any]) -> Packets:
    return fields(**fixed).map(lambda drawn: packets.srv6(**drawn))


_SKIPPED_OPTION = 0x1E  # not assigned, and its high bits say to skip it (RFC 8200 section 4.2)
_DROPPED_OPTION = 0x5E  # likewise, and its high bits say to drop the packet


@st.composite
def extensions(draw: st.DrawFn, numbers: Sequence[int]) -> list[Extension]:
    """Options headers of these numbers, each with an option that a node may skip, or with padding alone."""
    build = {0: packets.hop_by_hop, 60: packets.destination_options}
    values = [draw(st.none() | st.binary(max_size=20)) for _ in numbers]
    options = [b"" if value is None else bytes((_SKIPPED_OPTION, len(value))) + value for value in values]
    return [build[number](option) for number, option in zip(numbers, options, strict=True)]


def hmacs(*, digest: st.SearchStrategy[bytes | None] | None = None, key_id: int | None = None) -> st.SearchStrategy[Hmac]:
    ids = st.sampled_from(sorted(KEYS))
    right = st.none() if digest is None else digest
    return st.builds(lambda number, value: Hmac(number if key_id is None else key_id, KEYS[number], value), ids, right)


def areas(*parts: bytes) -> st.SearchStrategy[bytes]:
    """One of these TLV areas, raw."""
    return st.sampled_from(parts)


def _raw(tlv: Tlv) -> bytes:
    return tlv.encode()


# ------------------------------------------------------------------------------------------------- whole packets


@st.composite
def reduced(draw: st.DrawFn) -> bytes:
    """RFC 8986 section 4.16.1: the SID is in the destination alone, Segments Left is one more than Last Entry."""
    segments = draw(st.lists(hops, min_size=1, max_size=5))
    return packets.srv6(**draw(fields()) | {"segments": segments, "segments_left": len(segments), "destination": SID})


@st.composite
def to_the_sid_again(draw: st.DrawFn) -> bytes:
    """The next segment is the SID too, once or twice."""
    again = draw(st.integers(1, 2))
    segments = [*draw(st.lists(hops, min_size=1, max_size=2)), *[SID] * again, SID]
    return packets.srv6(**draw(fields()) | {"segments": segments, "segments_left": len(segments) - 1})


@st.composite
def second_routing_header(draw: st.DrawFn) -> bytes:
    """A used-up SRH stands before one with segments left: the kernel's search skips the first."""
    used = packets.srh(draw(st.lists(hops, min_size=1, max_size=2)), segments_left=0)
    return packets.srv6(**draw(fields()) | {"options": [used]})


@st.composite
def spent_and_wrong(draw: st.DrawFn) -> bytes:
    """As above, and the used-up SRH is one that the kernel would not take: nobody has looked at it when a function meets it."""
    hop = draw(st.lists(hops, min_size=1, max_size=2))
    overrun = packets.srh(hop, segments_left=0, tlvs=draw(_TOO_LONG), fill=False)
    beyond = packets.srh(hop, segments_left=0, last_entry=draw(st.integers(len(hop) + 1, 255)))
    return packets.srv6(**draw(fields()) | {"options": [draw(st.sampled_from([overrun, beyond]))]})


@st.composite
def inner_packets(draw: st.DrawFn) -> Payload:
    """An IPv6 packet inside, with an SRH of its own or without."""
    upper = draw(udp_payloads)
    if draw(st.booleans()):
        return packets.inner(packets.ipv6(draw(hops), payload=upper, source="fd00::2"))
    segments = draw(st.lists(hops, min_size=2, max_size=3))
    return packets.inner(packets.srv6(segments, payload=upper, source="fd00::2", tlvs=draw(st.just(()) | tlv_lists)))


@st.composite
def without_srh(draw: st.DrawFn) -> bytes:
    upper = draw(udp_payloads | inner_packets())
    options = draw(extensions([]) | extensions([60]))
    return packets.ipv6(SID, payload=upper, extensions=options)


@st.composite
def truncated(draw: st.DrawFn) -> bytes:
    """The packet ends before its payload length says."""
    drawn = draw(fields())
    whole = packets.srv6(**drawn)
    return whole[: draw(st.integers(40, len(whole) - 1))]


@st.composite
def shorter_than_carried(draw: st.DrawFn) -> bytes:
    """Bytes after the end that the payload length says: the kernel cuts them off."""
    return packets.srv6(**draw(fields())) + draw(st.binary(min_size=1, max_size=16))


@st.composite
def srh_past_the_packet(draw: st.DrawFn) -> bytes:
    """The payload length is right, and the SRH says that it goes on behind it."""
    drawn = draw(fields()) | {"payload": Payload(59, b"")}
    return packets.srv6(**drawn, header_length=2 * len(drawn["segments"]) + draw(st.integers(1, 200)))


@st.composite
def wrong_header_length(draw: st.DrawFn) -> bytes:
    """HdrLen counts other bytes than Last Entry and the TLVs: too few for the segments, or a part of the payload too."""
    drawn = draw(fields()) | {"payload": packets.udp(b"\xff" * 64)}
    right = 2 * len(drawn["segments"])
    return packets.srv6(**drawn, header_length=right + draw(st.sampled_from([-2, -1, 1, 2])))


@st.composite
def last_entry_too_large(draw: st.DrawFn) -> bytes:
    drawn = draw(fields())
    return packets.srv6(**drawn, last_entry=len(drawn["segments"]) + draw(st.integers(0, 250)))


@st.composite
def last_entry_small(draw: st.DrawFn) -> bytes:
    """Last Entry leaves a segment out, which then stands where TLVs do; it parses as one TLV by its bytes."""
    drawn = draw(fields(tlvs=tlv_lists)) | {"segments": [draw(hops), SID, "604::"], "segments_left": 1}
    return packets.srv6(**drawn, last_entry=1)


@st.composite
def too_many_segments_left(draw: st.DrawFn) -> bytes:
    drawn = draw(fields())
    return packets.srv6(**drawn | {"segments_left": len(drawn["segments"]) + draw(st.integers(1, 200)), "destination": SID})


@st.composite
def used_up(draw: st.DrawFn) -> bytes:
    payload = draw(udp_payloads | inner_packets())
    segments = [SID, *draw(st.lists(hops, max_size=3))]
    return packets.srv6(segments, segments_left=0, payload=payload)


@st.composite
def near_the_longest(draw: st.DrawFn) -> bytes:
    """An SRH so long that few or no bytes can be added before HdrLen, eight bits of 8-byte units, is full."""
    drawn = draw(fields())
    room = 255 * 8 - 16 * len(drawn["segments"]) - draw(st.sampled_from([0, 8, 16, 24, 32]))
    parts = b"".join(_raw(packets.pad(256)) for _ in range(room // 256))
    if draw(st.booleans()):  # no trailing padding: an author's TLVs last
        parts = b"".join(_raw(Tlv(9, bytes(254))) for _ in range(room // 256))
        return packets.srv6(**drawn, tlvs=parts + _raw(Tlv(9, bytes(room % 256 - 2))) if room % 256 else parts)
    return packets.srv6(**drawn, tlvs=parts + _raw(packets.pad(room % 256)) if room % 256 else parts)


@st.composite
def many_tlvs(draw: st.DrawFn) -> bytes:
    """More TLVs than a bounded walk may reach."""
    count = draw(st.integers(9, 60))
    return packets.srv6(**draw(fields()), tlvs=[Tlv(9, bytes(draw(st.integers(0, 4)))) for _ in range(count)])


@st.composite
def next_hop_unreachable(draw: st.DrawFn) -> bytes:
    drawn = draw(fields())
    drawn["segments"][drawn["segments_left"] - 1] = f"{UNREACHABLE}{draw(st.integers(1, 9))}"
    return packets.srv6(**drawn)


@st.composite
def changed(draw: st.DrawFn, whole: Packets) -> bytes:
    """One to three bytes of an accepted packet's headers are other ones; addresses stay."""
    packet = bytearray(draw(whole))
    places = [*range(8), *range(40, 48), *range(128, len(packet))]
    values = st.sampled_from([0, 1, 2, 4, 5, 6, 8, 43, 44, 51, 59, 60, 255]) | st.integers(0, 255)
    for _ in range(draw(st.integers(1, 3))):
        packet[draw(st.sampled_from(places))] = draw(values)
    return bytes(packet)


_PAYLOADS = st.one_of(
    st.builds(packets.tcp, st.binary(max_size=20)),
    st.builds(packets.icmpv6_echo, st.binary(max_size=20)),
    st.just(Payload(59, b"")),  # no next header
    inner_packets(),
)
_TLV = Tlv(9, b"abcdef").encode()
_TOO_LONG = areas(b"\x09\x07" + bytes(6), b"\x09\xff" + bytes(14), _TLV + b"\x09\x07" + bytes(6))
_PAD1 = areas(b"\x09\x05" + bytes(5) + b"\0", b"\0\x09\x05" + bytes(5))
_EXACT = st.sampled_from([[Tlv(9, bytes(6))], [Tlv(9, bytes(14)), Tlv(10, bytes(6))]])
_PADDING = st.sampled_from([8, 16, 24]).map(lambda size: [packets.pad(size)])

# The kernel takes hop-by-hop options seriously: padding of at most 7 bytes, zeros in it, options within their header.
_REFUSED_OPTIONS = st.sampled_from(
    [bytes((1, 6)) + bytes(6), b"\x01\x01\x01", bytes((_DROPPED_OPTION, 0)), bytes((_SKIPPED_OPTION, 9)), bytes(8)]
)

_NONE = st.none()
_MAYBE_TLVS = st.just(()) | tlv_lists
_RIGHT = hmacs()
_WRONG = hmacs(digest=st.binary(min_size=32, max_size=32))
_UNKNOWN = st.sampled_from([0, 3, _LAST_KEY_ID]).flatmap(lambda number: hmacs(key_id=number))

_ACCEPTED: Mapping[str, Packets] = {
    "an_ordinary_packet": with_fields(),
    "one_to_five_segments_reduced": reduced(),
    "tlvs": with_fields(tlvs=tlv_lists),
    "tlvs_that_need_no_padding": with_fields(tlvs=_EXACT),
    "padding_alone": with_fields(tlvs=_PADDING),
    "padding_in_the_middle": with_fields(tlvs=tlvs.map(lambda tlv: [packets.pad(4), tlv])),
    "zero_tlvs": with_fields(tlvs=areas(bytes(8), bytes(16), _TLV + bytes(8))),
    "many_tlvs": many_tlvs(),
    "near_the_longest_srh": near_the_longest(),
    "hmac": with_fields(hmac=_RIGHT, flags=_NONE),
    "hmac_after_tlvs": with_fields(hmac=_RIGHT, flags=_NONE, tlvs=tlv_lists),
    "hmac_flag_without_tlv": with_fields(flags=st.just(SRH_FLAGS["hmac"]), tlvs=_MAYBE_TLVS),
    "hmac_tlv_without_flag": with_fields(hmac=_WRONG, flags=st.just(0)),
    "hop_by_hop_options": with_fields(options=extensions([0])),
    "destination_options": with_fields(options=extensions([60])),
    "both_options": with_fields(options=extensions([0, 60]) | extensions([0, 60, 60])),
    "more_options_than_a_search_follows": with_fields(options=extensions([60] * 6)),
    "hop_by_hop_options_and_hmac": with_fields(options=extensions([0]), hmac=_RIGHT, flags=_NONE),
    "destination_options_and_hmac": with_fields(options=extensions([60]), hmac=_RIGHT | _WRONG, flags=_NONE),
    "other_payloads": with_fields(payload=_PAYLOADS, tlvs=_MAYBE_TLVS),
    "to_the_sid_again": to_the_sid_again(),
    "second_routing_header": second_routing_header(),
    "bytes_after_the_end": shorter_than_carried(),
    "last_entry_small": last_entry_small(),
}
_REFUSED: Mapping[str, Packets] = {
    "no_srh": without_srh(),
    "segments_left_zero": used_up(),
    "segments_left_too_large": too_many_segments_left(),
    "another_routing_type": with_fields(routing_type=st.sampled_from([0, 2, 3, 5, 253])),
    "header_length_wrong": wrong_header_length(),
    "srh_past_the_packet": srh_past_the_packet(),
    "last_entry_too_large": last_entry_too_large(),
    "truncated": truncated(),
    "payload_length_too_large": with_fields(payload_length=st.integers(2000, 65535)),
    "second_after_a_wrong_routing_header": spent_and_wrong(),
    "tlv_overruns": with_fields(tlvs=_TOO_LONG, fill=st.just(False)),
    "one_byte_padding": with_fields(tlvs=_PAD1, fill=st.just(False)),
    "hop_by_hop_options_refused": with_fields(options=_REFUSED_OPTIONS.map(lambda options: [packets.hop_by_hop(options)])),
    "hmac_wrong_digest": with_fields(hmac=_WRONG, flags=_NONE),
    "hmac_unknown_key": with_fields(hmac=_UNKNOWN, flags=_NONE),
    "hop_limit_one": with_fields(hop_limit=st.sampled_from([0, 1])),
    "next_segment_unreachable": next_hop_unreachable(),
}

_CHANGED = changed(st.one_of(list(_ACCEPTED.values())))

KINDS: Final[Mapping[str, Kind]] = {
    **{name: Kind(name, packets, True) for name, packets in _ACCEPTED.items()},
    **{name: Kind(name, packets, False) for name, packets in _REFUSED.items()},
    "any_byte_changed": Kind("any_byte_changed", _CHANGED, False),
}
