"""Values as a user writes them on a command line, by their types: `10`, `0x0a`, `true`, `fc00::1`, `6162`, `[1,2]`, `packets=1,mark=6162`.

A struct's fields are `FIELD=VALUE` with commas between; inside another value a struct stands in braces. Raw bytes are hexadecimal digits.
"""

from __future__ import annotations

from collections.abc import Iterator

from pybpfnf.errors import InputError
from pybpfnf.types.layout import AddressType, ArrayType, BoolType, FieldType, IntType, OctetsType, StructType

_OPENING, _CLOSING = "[{", "]}"


def value_of(type_: FieldType, text: str, name: str) -> object:
    """What `types.values.encode` takes for that text. Raises InputError that names what is set (`name`) and how it is written."""
    match type_:
        case StructType():
            return _fields(type_, _without("{}", text), name)
        case ArrayType():
            return [value_of(type_.item, each, f"{name}[{index}]") for index, each in enumerate(_parts(_without("[]", text)))]
        case OctetsType():
            return octets_of(text, type_.size, name)
        case _:
            return text


def octets_of(text: str, size: int, name: str) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = None
    if data is None or len(data) != size:
        raise InputError(f"{name}: {text!r} is not {2 * size} hexadecimal digits ({size} bytes)")
    return data


def written_as(type_: FieldType) -> str:
    """How a value is written, for a hint: `a u32`, `an IPv6 address`, `packets=u32,mark=HEX`."""
    match type_:
        case IntType():
            return f"a {type_}"
        case BoolType():
            return "true or false"
        case AddressType():
            return "an IPv6 address"
        case OctetsType():
            return f"{2 * type_.size} hexadecimal digits"
        case ArrayType():
            return f"[...] of {type_.count} values, each {written_as(type_.item)}"
        case StructType():
            return ",".join(f"{field.name}={_placeholder(field.type)}" for field in type_.fields)


def _placeholder(type_: FieldType) -> str:
    match type_:
        case StructType():
            return "{" + written_as(type_) + "}"
        case ArrayType():
            return f"[{_placeholder(type_.item)},...]"
        case OctetsType():
            return "HEX"
        case _:
            return str(type_)


def _fields(struct: StructType, text: str, name: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for part in _parts(text):
        field_name, equals, value = part.partition("=")
        field = struct.field(field_name.strip())
        if not equals or field is None or field.name in found:
            problem = "is given twice" if field is not None and equals else f"is no FIELD=VALUE of {struct.name}"
            raise InputError(f"{name}: {part!r} {problem}", hint=f"write {written_as(struct)}")
        found[field.name] = value_of(field.type, value.strip(), f"{name}.{field.name}")
    lacking = [field.name for field in struct.fields if field.name not in found]
    if lacking:
        raise InputError(f"{name}: {text!r} has no {', '.join(lacking)}", hint=f"write {written_as(struct)}")
    return found


def _without(brackets: str, text: str) -> str:
    text = text.strip()
    return text[1:-1] if text[:1] == brackets[0] and text[-1:] == brackets[1] else text


def _parts(text: str) -> Iterator[str]:
    """What stands between commas that are in no brackets; nothing for an empty text."""
    depth, start = 0, 0
    for at, character in enumerate(text):
        depth += (character in _OPENING) - (character in _CLOSING)
        if character == "," and depth == 0:
            yield text[start:at].strip()
            start = at + 1
    if text.strip():
        yield text[start:].strip()
