"""The language's types, from what BTF says of C types."""

from __future__ import annotations

from collections.abc import Iterator

from pybpfnf.image.btf import ENCODING_BOOL, ENCODING_SIGNED, Btf, Kind, Type
from pybpfnf.types.layout import ADDRESS, BOOL, INT_TYPES, U8, ArrayType, FieldType, IntType, OctetsType, StructField, StructType, ValueType
from pybpfnf.types.layout import field_alignment as alignment_of

_WIDTHS = {1: 8, 2: 16, 4: 32, 8: 64}
_OFFSET_BITS = 24  # with a struct's flag set, a member's offset is in the low bits of its word and a bit field's width above
_MOST_NESTED = 16


def read_scalar(btf: Btf, number: int) -> ValueType | None:
    """u8 to s64, bool, IPv6Address for struct in6_addr; None for any other."""
    found = btf.strip(number)
    if found.kind is Kind.STRUCT and found.name == "in6_addr" and found.value == ADDRESS.size:
        return ADDRESS
    if found.kind is not Kind.INT or found.value not in _WIDTHS:
        return None
    encoding, width = found.trailer[0] >> 24 & 0xF, found.trailer[0] & 0xFF
    if width != _WIDTHS[found.value]:
        return None  # a bit field's base type
    if encoding & ENCODING_BOOL:
        return BOOL if found.value == BOOL.size else None
    return INT_TYPES[f"{'s' if encoding & ENCODING_SIGNED else 'u'}{width}"]


def read_type(btf: Btf, number: int, depth: int = 0) -> FieldType | None:
    """The type that BTF describes, an array of u8 as raw bytes; None where it holds something that is no value here: pointers,
    unions, floats."""
    scalar = read_scalar(btf, number)
    if scalar is not None or depth > _MOST_NESTED:
        return scalar
    found = btf.strip(number)
    if found.kind is Kind.ARRAY:
        return _read_array(btf, found, depth)
    if found.kind is not Kind.STRUCT or not found.name:
        return None
    fields = tuple(_fields(btf, found, depth + 1))
    return None if None in fields else _struct(found, tuple(field for field in fields if field is not None))


def _read_array(btf: Btf, found: Type, depth: int) -> FieldType | None:
    item, count = read_type(btf, found.trailer[0], depth + 1), found.trailer[2]
    if item is None:
        return None
    return OctetsType(count) if item == U8 else ArrayType(item, count)


def _struct(found: Type, fields: tuple[StructField, ...]) -> StructType:
    """A packed struct, whose fields are not where C puts them, has alignment 1."""
    alignment = max((alignment_of(field.type) for field in fields), default=1)
    natural = found.value % alignment == 0 and all(field.offset % alignment_of(field.type) == 0 for field in fields)
    return StructType(found.name, found.value, alignment if natural else 1, fields)


def _fields(btf: Btf, found: Type, depth: int) -> Iterator[StructField | None]:
    for name_offset, number, place in found.entries():
        type_ = read_type(btf, number, depth)
        bits, at = (place >> _OFFSET_BITS, place & ((1 << _OFFSET_BITS) - 1)) if found.flag else (0, place)
        if type_ is None or (bits and not isinstance(type_, IntType)):
            yield None
            continue
        unit = type_.size * 8 if bits else 8
        shift = at % unit
        yield StructField(btf.string(name_offset), (at - shift) // 8, type_, bits, shift)
