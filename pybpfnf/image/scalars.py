"""C types that are scalars of the language, by what BTF says of them."""

from __future__ import annotations

from pybpfnf.image.btf import ENCODING_BOOL, ENCODING_SIGNED, Btf, Kind

_WIDTHS = {1: 8, 2: 16, 4: 32, 8: 64}


def scalar_name(btf: Btf, number: int) -> str | None:
    """The language's spelling of a type: "u8" to "s64", "bool", "IPv6Address" for struct in6_addr; None for any other."""
    found = btf.strip(number)
    if found.kind is Kind.STRUCT and found.name == "in6_addr" and found.value == 16:
        return "IPv6Address"
    if found.kind is not Kind.INT or found.value not in _WIDTHS:
        return None
    encoding, width = found.trailer[0] >> 24 & 0xF, found.trailer[0] & 0xFF
    if width != _WIDTHS[found.value]:
        return None  # a bit field's base type
    if encoding & ENCODING_BOOL:
        return "bool" if found.value == 1 else None
    return f"{'s' if encoding & ENCODING_SIGNED else 'u'}{width}"
