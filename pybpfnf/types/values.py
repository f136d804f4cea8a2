"""Values of any type as the bytes that maps and variables hold, both ways: scalars, raw bytes, arrays and structs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

from pybpfnf.errors import InputError
from pybpfnf.types.layout import U8, ArrayType, FieldType, OctetsType, StructField, StructType, shown_fields
from pybpfnf.types.scalars import decode_scalar, encode_scalar, little


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


def encode(type_: FieldType, given: object, name: str, *, exact: bool = False) -> bytes:
    """The bytes of a value: of a struct any object with its fields as attributes, or a mapping of them; of raw bytes also a
    sequence of numbers; scalars also as text.

    `exact`: nothing but what a program may write for the type (a struct is an object whose `layout` is that type).
    Raises InputError that names the field (`name` and what is below it).
    """
    match type_:
        case OctetsType():
            return _encode_octets(type_, given, name, exact)
        case ArrayType():
            return _encode_items(type_.item, type_.count, "values", given, name, exact)
        case StructType():
            return _encode_struct(type_, given, name, exact)
        case _:
            return encode_scalar(type_, given, name, exact=exact)


def decode(type_: FieldType, data: bytes) -> Any:
    """The value that bytes stand for: a scalar, bytes, a list of an array's items, or a dict of a struct's fields."""
    match type_:
        case OctetsType():
            return data[: type_.size]
        case ArrayType():
            size = type_.item.size
            return [decode(type_.item, data[start : start + size]) for start in range(0, type_.size, size)]
        case StructType():
            return {field.name: _take(data, field) for field in shown_fields(type_)}
        case _:
            return decode_scalar(type_, data)


def as_values(type_: FieldType, decoded: Any) -> Any:
    """What `decode` gave, with attributes for fields, where no class of an author is at hand."""
    match type_:
        case StructType():
            return RecordValue(type_.name, {field.name: as_values(field.type, decoded[field.name]) for field in shown_fields(type_)})
        case ArrayType():
            return [as_values(type_.item, each) for each in decoded]
        case _:
            return decoded


def _encode_octets(type_: OctetsType, given: object, name: str, exact: bool) -> bytes:
    if isinstance(given, bytes) and len(given) == type_.size:
        return given
    if exact:
        raise InputError(f"{name}: {given!r} is not {type_.size} bytes")
    return _encode_items(U8, type_.size, "bytes", given, name, exact)


def _encode_items(item: FieldType, count: int, what: str, given: object, name: str, exact: bool) -> bytes:
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != count:
        raise InputError(f"{name}: {given!r} is not {count} {what}")
    return b"".join(encode(item, each, f"{name}[{index}]", exact=exact) for index, each in enumerate(given))


def _encode_struct(struct: StructType, given: object, name: str, exact: bool) -> bytes:
    if exact and getattr(given, "layout", None) != struct:
        raise InputError(f"{name}: {given!r} is no {struct}", hint=f"write {struct}(...)")
    values = given if isinstance(given, Mapping) else getattr(given, "__dict__", {})
    fields = shown_fields(struct)
    lacking = [field.name for field in fields if field.name not in values]
    unknown = sorted(set(values) - {field.name for field in fields}) if isinstance(given, Mapping) else []
    if lacking or unknown:
        problem = f"has no {', '.join(lacking)}" if lacking else f"has {', '.join(map(str, unknown))}, which {struct.name} has not"
        raise InputError(f"{name}: {given!r} {problem}", hint=f"give a {struct.name}, or a dict of its fields")
    data = bytearray(struct.size)
    for field in fields:
        _put(data, field, values[field.name], f"{name}.{field.name}", exact)
    return bytes(data)


def _put(data: bytearray, field: StructField, given: object, name: str, exact: bool) -> None:
    encoded = encode(field.type, given, name, exact=exact)
    place = slice(field.offset, field.offset + len(encoded))
    if field.bits:
        value = int.from_bytes(encoded, "little")
        if value >> field.bits:
            raise InputError(f"{name}: {given} does not fit {field.bits} bits")
        encoded = little(int.from_bytes(data[place], "little") | value << field.shift, len(encoded))
    data[place] = encoded


def _take(data: bytes, field: StructField) -> Any:
    part = data[field.offset : field.offset + field.type.size]
    if field.bits:
        return int.from_bytes(part, "little") >> field.shift & ((1 << field.bits) - 1)
    return decode(field.type, part)
