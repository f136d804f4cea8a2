"""TLVs of an SRH, as files write them and as they lie on the wire.

Ingr, Egr, Opaq and NSH are those of draft-ietf-6man-segment-routing-header-07 (sections 3.1.1 to 3.1.6), with flags and reserved bytes of
zero; Pad is PadN and HMAC as in RFC 8754 section 2.1. Any other is `{TYPE: VALUE}`, the value in hexadecimal digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address
from typing import final

from pybpfnf.abi.headers import SRH_TLVS
from pybpfnf.records import dataclass
from pybpfnf.testing.seg.cursor import Cursor, wildcard
from pybpfnf.testing.seg.model import Tlv

_LONGEST = 255
_DIGEST_SIZE = 32


@final
@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a TLV of a type: what follows the name and the colon, and back; `write` gives None for a value that this form
    cannot say."""

    type: int
    read: Callable[[Cursor], bytes]
    write: Callable[[bytes], str | None]


def read_tlv(cursor: Cursor, sent: bool) -> Tlv:
    """What stands between the braces; raises SegError."""
    if cursor.take(r"[Tt]ype\s*:\s*") is not None:
        return _generic(cursor, sent, r"[Vv]alue\s*:\s*", "`Value:`")
    if cursor.sees(r"\d"):
        return _generic(cursor, sent, ":", "`:`")
    name = cursor.expect(r"[A-Za-z]+", "a TLV's name or its type")
    if name not in FORMS:
        names = ", ".join(FORMS)
        raise cursor.error(f"no TLV `{name}`", start=cursor.at - len(name), hint=f"there are {names}, and {{TYPE: HEX}} for any other")
    cursor.expect(":", "`:`")
    return Tlv(FORMS[name].type, None if wildcard(cursor, sent) else FORMS[name].read(cursor))


def tlv_text(tlv: Tlv) -> str:
    """As a file writes it."""
    if tlv.value is None:
        return f"{{{tlv.type}: *}}"
    for name, form in FORMS.items():
        said = form.write(tlv.value) if form.type == tlv.type else None
        if said is not None:
            return f"{{{name}: {said}}}"
    return f"{{{tlv.type}: {tlv.value.hex()}}}"


def _generic(cursor: Cursor, sent: bool, divider: str, what: str) -> Tlv:
    kind = _small(cursor, "a TLV's type")
    cursor.expect(divider, what)
    return Tlv(kind, None if wildcard(cursor, sent) else _hex(cursor, least=0))


def _small(cursor: Cursor, what: str) -> int:
    text = cursor.expect(r"\d+", what)
    if int(text) > _LONGEST:
        raise cursor.error(f"{what} is {text}, and goes up to {_LONGEST}", code="seg-value", start=cursor.at - len(text))
    return int(text)


def _hex(cursor: Cursor, *, least: int = 1, exact: int | None = None, before: int = 0) -> bytes:
    """Hexadecimal digits: at least so many bytes, or exactly; `before` bytes of the value stand before them."""
    found = cursor.take(r"\w*")
    text = "" if found is None else found[0]
    start = cursor.at - len(text)
    if len(text) % 2 or not all(letter in "0123456789abcdefABCDEF" for letter in text):
        raise cursor.error(
            f"`{text}` is not bytes in hexadecimal digits", code="seg-value", start=start, hint="two digits a byte, nothing between"
        )
    data = bytes.fromhex(text)
    if exact is not None and len(data) != exact:
        raise cursor.error(f"this TLV holds {exact} bytes, and these are {len(data)}", code="seg-value", start=start)
    if not least <= len(data) <= _LONGEST - before:
        raise cursor.error(f"a TLV's value has up to {_LONGEST} bytes, and this one {len(data) + before}", code="seg-value", start=start)
    return data


# ------------------------------------------------------------------------------------------------------------- forms


def _read_address(cursor: Cursor) -> bytes:
    return bytes(2) + cursor.address().packed


def _write_address(value: bytes) -> str | None:
    return str(IPv6Address(value[2:])) if len(value) == 18 and not any(value[:2]) else None


def _read_opaque(cursor: Cursor) -> bytes:
    return bytes(2) + _hex(cursor, exact=16)


def _write_opaque(value: bytes) -> str | None:
    return value[2:].hex() if len(value) == 18 and not any(value[:2]) else None


def _read_nsh(cursor: Cursor) -> bytes:
    return bytes(1) + _hex(cursor, before=1)


def _write_nsh(value: bytes) -> str | None:
    return value[1:].hex() if len(value) > 1 and not value[0] else None


def _read_pad(cursor: Cursor) -> bytes:
    return bytes(_small(cursor, "the length of a padding"))


def _write_pad(value: bytes) -> str | None:
    return None if any(value) else str(len(value))


def _read_hmac(cursor: Cursor) -> bytes:
    text = cursor.expect(r"\d+", "the number of an HMAC key")
    if int(text) >= 1 << 32:
        raise cursor.error(f"the number of an HMAC key has 32 bits, and {text} more", code="seg-value", start=cursor.at - len(text))
    cursor.expect(",", "`,` and the HMAC")
    return bytes(2) + int(text).to_bytes(4, "big") + _hex(cursor, exact=_DIGEST_SIZE)


def _write_hmac(value: bytes) -> str | None:
    if len(value) != 6 + _DIGEST_SIZE or any(value[:2]):
        return None
    return f"{int.from_bytes(value[2:6], 'big')}, {value[6:].hex()}"


FORMS: Mapping[str, Form] = {
    "Ingr": Form(SRH_TLVS["ingress"], _read_address, _write_address),
    "Egr": Form(SRH_TLVS["egress"], _read_address, _write_address),
    "Opaq": Form(SRH_TLVS["opaque"], _read_opaque, _write_opaque),
    "Pad": Form(SRH_TLVS["padn"], _read_pad, _write_pad),
    "NSH": Form(SRH_TLVS["nsh"], _read_nsh, _write_nsh),
    "HMAC": Form(SRH_TLVS["hmac"], _read_hmac, _write_hmac),
}
"""By the names that files use."""
