"""The Segment Routing Header as the kernel checks it: shape (net/ipv6/seg6.c) and HMAC (net/ipv6/seg6_hmac.c).

Functions read an SRH at an offset of a buffer. The kernel's pointers may run past a broken one; bytes past the end read as zero here.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
from collections.abc import Mapping

from pybpfnf.abi.headers import HEADERS, ROUTING_TYPES, SEGMENT_SIZE, SRH_FLAGS, SRH_TLVS
from pybpfnf.runner import HmacKey
from pybpfnf.vm import ipv6
from pybpfnf.vm.ipv6 import Drop

_ROW = HEADERS["srh"]
FIXED_SIZE = _ROW.size
FLAGS = _ROW.fields["flags"].offset
_HDRLEN, _TYPE, _SEGMENTS_LEFT, _LAST_ENTRY = (
    _ROW.fields[name].offset for name in ("hdr_ext_len", "routing_type", "segments_left", "last_entry")
)
_HMAC_FIXED, _DIGEST_SIZE = HEADERS["hmac_tlv"].size, 32
_HMAC_SIZE = _HMAC_FIXED + _DIGEST_SIZE
_MAX_HMAC_TEXT = 256  # SEG6_HMAC_RING_SIZE


def byte(data: bytes | bytearray, offset: int) -> int:
    return data[offset] if 0 <= offset < len(data) else 0


def segments_left(data: bytes | bytearray, at: int) -> int:
    return byte(data, at + _SEGMENTS_LEFT)


def last_entry(data: bytes | bytearray, at: int) -> int:
    return byte(data, at + _LAST_ENTRY)


def length(data: bytes | bytearray, at: int) -> int:
    """The whole header in bytes, as its HdrLen says."""
    return (byte(data, at + _HDRLEN) + 1) * 8


def set_hdrlen(data: bytearray, at: int, value: int) -> None:
    """The byte as C stores it: the low 8 bits."""
    data[at + _HDRLEN] = value & 0xFF


def segment_offset(at: int, index: int) -> int:
    return at + FIXED_SIZE + index * SEGMENT_SIZE


def has_hmac_flag(data: bytes | bytearray, at: int) -> bool:
    return bool(byte(data, at + FLAGS) & SRH_FLAGS["hmac"])


def why_invalid(data: bytes | bytearray, at: int, size: int, *, reduced: bool) -> str | None:
    """`seg6_validate_srh`: what is wrong with the SRH of `size` bytes, None where it is valid.

    `reduced` allows one segment left more than there are entries (the first is in the IPv6 header alone). TLVs are
    walked as type, length, value without exception: Linux does not know RFC 8754's one-byte Pad1.
    """
    last, left = last_entry(data, at), segments_left(data, at)
    if byte(data, at + _TYPE) != ROUTING_TYPES["srh"]:
        return f"the routing type is {byte(data, at + _TYPE)}, not 4"
    if length(data, at) != size:
        return f"its HdrLen says {length(data, at)} bytes, not {size}"
    if not reduced and left > last:
        return f"segments_left is {left}, past last_entry {last}"
    if last > byte(data, at + _HDRLEN) // 2 - 1:
        return f"last_entry is {last}, more than its length has room for"
    if left > last + 1:
        return f"segments_left is {left}, past last_entry {last}"
    return _why_tlvs_invalid(data, segment_offset(at, last + 1), at + size)


def _why_tlvs_invalid(data: bytes | bytearray, offset: int, end: int) -> str | None:
    while offset < end:
        if end - offset < 2:
            return "a TLV of one byte"
        offset += 2 + byte(data, offset + 1)
    return None if offset == end else "a TLV runs past its end"


def get_srh(packet: bytes | bytearray) -> int:
    """`seg6_get_srh` with IP6_FH_F_SKIP_RH: the offset of the first SRH with segments left, or Drop."""
    at = ipv6.find_header(packet, ipv6.ROUTING, skip_exhausted_routing=True)
    if at < 0:
        raise Drop("seg6_get_srh: no routing header with segments left")
    if at + FIXED_SIZE > len(packet) or at + length(packet, at) > len(packet):
        raise Drop("seg6_get_srh: the SRH runs past the packet")
    why = why_invalid(packet, at, length(packet, at), reduced=True)
    if why is not None:
        raise Drop(f"seg6_validate_srh: {why}")
    return at


# ------------------------------------------------------------------------------------------------------- HMAC


def hmac_tlv(data: bytes | bytearray, at: int) -> int | None:
    """`seg6_get_tlv_hmac`: the offset of the HMAC TLV, which must be the header's last 40 bytes and announced by the H flag."""
    if byte(data, at + _HDRLEN) < (last_entry(data, at) + 1) * 2 + 5 or not has_hmac_flag(data, at):
        return None
    offset = at + length(data, at) - _HMAC_SIZE
    if byte(data, offset) != SRH_TLVS["hmac"] or byte(data, offset + 1) != _HMAC_SIZE - 2:
        return None
    return offset


def hmac_key_id(data: bytes | bytearray, tlv: int) -> int:
    return int.from_bytes(data[tlv + 4 : tlv + 8], "big")


def hmac_digest(data: bytes | bytearray, at: int, source: bytes, key_id: int, key: HmacKey) -> bytes | None:
    """`seg6_hmac_compute`: 32 bytes, short digests padded with zeros; None where there are more segments than the kernel's buffer holds."""
    last = last_entry(data, at)
    segments = bytes(data[segment_offset(at, 0) : segment_offset(at, last + 1)])
    text = source + bytes((last, byte(data, at + FLAGS))) + key_id.to_bytes(4, "big") + segments
    if len(text) >= _MAX_HMAC_TEXT:
        return None
    return hmac.new(key.secret, text, getattr(hashlib, key.algorithm)).digest().ljust(_DIGEST_SIZE, b"\0")


def check_hmac(packet: bytes | bytearray, transport: int, require: int, keys: Mapping[int, HmacKey]) -> None:
    """`seg6_hmac_validate_skb`: Drop where the policy `seg6_require_hmac` is not met.

    It takes the header at the *transport* offset for the SRH, and that is the first one after the IPv6 header and its
    hop-by-hop options: behind destination options it looks at those.
    """
    tlv = hmac_tlv(packet, transport)
    if require < 0 or (require == 0 and tlv is None):
        return
    if tlv is None:
        raise Drop("seg6_hmac_validate_skb: seg6_require_hmac asks for an HMAC, and there is none")
    key_id = hmac_key_id(packet, tlv)
    key = keys.get(key_id)
    if key is None:
        raise Drop(f"seg6_hmac_validate_skb: there is no HMAC key {key_id}")
    digest = hmac_digest(packet, transport, bytes(packet[8:24]), key_id, key)
    if digest != bytes(packet[tlv + _HMAC_FIXED : tlv + _HMAC_SIZE]):
        raise Drop("seg6_hmac_validate_skb: the HMAC is wrong")


def push_hmac(packet: bytearray, at: int, keys: Mapping[int, HmacKey]) -> int:
    """`seg6_push_hmac`: fill in the digest of an SRH with the H flag; 0 or a negative error number."""
    tlv = hmac_tlv(packet, at)
    if tlv is None:
        return -errno.EINVAL
    key = keys.get(hmac_key_id(packet, tlv))
    if key is None:
        return -errno.ENOENT
    packet[tlv + _HMAC_FIXED : tlv + _HMAC_SIZE] = bytes(_DIGEST_SIZE)
    digest = hmac_digest(packet, at, bytes(packet[8:24]), hmac_key_id(packet, tlv), key)
    if digest is None:
        return -errno.EMSGSIZE
    packet[tlv + _HMAC_FIXED : tlv + _HMAC_SIZE] = digest
    return 0
