"""Structs in maps: their layout, read from BTF, and values as the bytes that they take, both ways.

A type is a scalar's name (a row of `values.SCALARS`), a Record or an ArrayOf; everything is in the host's order, as in C.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, final

from pybpfnf.errors import InputError
from pybpfnf.image.btf import Btf, Kind, Type
from pybpfnf.image.scalars import scalar_name
from pybpfnf.image.values import SCALARS, format_value, parse_value
from pybpfnf.records import dataclass

_BYTE = "u8"
_OFFSET_BITS = 24  # with a struct's flag set, a member's offset is in the low bits of its word and a bit field's width above
_MOST_NESTED = 16


@final
@dataclass(frozen=True, slots=True)
class ArrayOf:
    item: ElementType
    count: int


@final
@dataclass(frozen=True, slots=True)
class RecordField:
    """At byte `offset`; a bit field has `bits` bits of the integer there, from bit `shift`."""

    name: str
    offset: int
    type: ElementType
    bits: int = 0
    shift: int = 0


@final
@dataclass(frozen=True, slots=True)
class Record:
    """A struct: `size` bytes, of which those without a field are zero."""

    name: str
    size: int
    fields: tuple[RecordField, ...]


ElementType: TypeAlias = str | ArrayOf | Record


@final
class RecordValue:
    """A struct's values as attributes, where no class of an author is at hand."""

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)
        self.__name = name

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self.__name} has no field {name!r}: it has {', '.join(self._fields())}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordValue) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(self._fields().items()))

    def __repr__(self) -> str:
        return f"{self.__name}({', '.join(f'{name}={value!r}' for name, value in self._fields().items())})"

    def _fields(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_RecordValue__")}


# ------------------------------------------------------------------------------------------------------------- bytes


def size_of(type_: ElementType) -> int:
    """Bytes that a value takes."""
    match type_:
        case str():
            return SCALARS[type_].size
        case ArrayOf(item, count):
            return size_of(item) * count
        case Record():
            return type_.size


def encode(type_: ElementType, given: object, name: str) -> bytes:
    """The bytes of a value: of a struct any object with its fields as attributes, or a mapping of them; bytes for an array of u8.

    Raises InputError that names the field (`name` and what is below it).
    """
    match type_:
        case str():
            return parse_value(type_, given, name)
        case ArrayOf():
            return _encode_array(type_, given, name)
        case Record():
            return _encode_record(type_, given, name)


def _encode_array(array: ArrayOf, given: object, name: str) -> bytes:
    if isinstance(given, bytes) and array.item == _BYTE and len(given) == array.count:
        return given
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != array.count:
        what = "bytes" if array.item == _BYTE else "values"
        raise InputError(f"{name}: {given!r} is not {array.count} {what}")
    return b"".join(encode(array.item, item, f"{name}[{index}]") for index, item in enumerate(given))


def _encode_record(record: Record, given: object, name: str) -> bytes:
    values = given if isinstance(given, Mapping) else _attributes(given)
    lacking = [field.name for field in record.fields if field.name not in values]
    unknown = sorted(set(values) - {field.name for field in record.fields}) if isinstance(given, Mapping) else []
    if lacking or unknown:
        problem = f"has no {', '.join(lacking)}" if lacking else f"has {', '.join(map(str, unknown))}, which {record.name} has not"
        raise InputError(f"{name}: {given!r} {problem}", hint=f"give a {record.name}, or a dict of its fields")
    data = bytearray(record.size)
    for field in record.fields:
        _put(data, field, values[field.name], f"{name}.{field.name}")
    return bytes(data)


def _attributes(given: object) -> Mapping[str, object]:
    return getattr(given, "__dict__", {})


def _put(data: bytearray, field: RecordField, given: object, name: str) -> None:
    encoded = encode(field.type, given, name)
    place = slice(field.offset, field.offset + len(encoded))
    if field.bits:
        value = int.from_bytes(encoded, "little")
        if value >> field.bits:
            raise InputError(f"{name}: {given} does not fit {field.bits} bits")
        encoded = (int.from_bytes(data[place], "little") | value << field.shift).to_bytes(len(encoded), "little")
    data[place] = encoded


def decode(type_: ElementType, data: bytes) -> Any:
    """The value that bytes stand for: a scalar, bytes for an array of u8, a list, or a dict of a struct's fields."""
    match type_:
        case str():
            return format_value(type_, data)
        case ArrayOf(item, count) if item == _BYTE:
            return data[:count]
        case ArrayOf(item, count):
            size = size_of(item)
            return [decode(item, data[start : start + size]) for start in range(0, size * count, size)]
        case Record():
            return {field.name: _take(data, field) for field in type_.fields}


def _take(data: bytes, field: RecordField) -> Any:
    part = data[field.offset : field.offset + size_of(field.type)]
    if field.bits:
        return int.from_bytes(part, "little") >> field.shift & ((1 << field.bits) - 1)
    return decode(field.type, part)


def as_values(type_: ElementType, decoded: Any) -> Any:
    """What `decode` gave, with attributes for fields, where no class of an author is at hand."""
    match type_:
        case Record():
            return RecordValue(type_.name, {field.name: as_values(field.type, decoded[field.name]) for field in type_.fields})
        case ArrayOf(item, _) if item != _BYTE:
            return [as_values(item, each) for each in decoded]
        case _:
            return decoded


# --------------------------------------------------------------------------------------------------------------- BTF


def read_type(btf: Btf, number: int, depth: int = 0) -> ElementType | None:
    """The type that BTF describes; None where it holds something that is no value here: pointers, unions, floats."""
    scalar = scalar_name(btf, number)
    if scalar is not None or depth > _MOST_NESTED:
        return scalar
    found = btf.strip(number)
    if found.kind is Kind.ARRAY:
        item = read_type(btf, found.trailer[0], depth + 1)
        return None if item is None else ArrayOf(item, found.trailer[2])
    if found.kind is not Kind.STRUCT or not found.name:
        return None
    fields = tuple(_fields(btf, found, depth + 1))
    return None if None in fields else Record(found.name, found.value, tuple(field for field in fields if field is not None))


def _fields(btf: Btf, found: Type, depth: int) -> Iterator[RecordField | None]:
    for name_offset, number, place in found.entries():
        type_ = read_type(btf, number, depth)
        bits, at = (place >> _OFFSET_BITS, place & ((1 << _OFFSET_BITS) - 1)) if found.flag else (0, place)
        if type_ is None or (bits and not isinstance(type_, str)):
            yield None
            continue
        unit = size_of(type_) * 8 if bits else 8
        shift = at % unit
        yield RecordField(btf.string(name_offset), (at - shift) // 8, type_, bits, shift)
