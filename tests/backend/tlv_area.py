"""What an SRH's TLVs must be after a TLV was appended, worked out on bytes."""

from __future__ import annotations

from pybpfnf.testing.packets import padding


def split(area: bytes) -> list[bytes]:
    """The TLVs of an area, each whole."""
    tlvs = []
    while area:
        tlvs.append(area[: 2 + area[1]])
        area = area[2 + area[1] :]
    return tlvs


def appended(area: bytes, new: bytes) -> bytes:
    """A TLV area after a TLV was appended: before trailing padding and HMAC, padded to a multiple of 8."""
    tlvs = split(area)
    kinds = [each[0] for each in tlvs]
    hmac = kinds.index(5) if 5 in kinds else len(tlvs)
    place = hmac
    while place > 0 and kinds[place - 1] == 4:
        place -= 1
    before, after = b"".join(tlvs[:place]) + new, b"".join(tlvs[hmac:])
    return before + padding(len(before) + len(after)) + after
