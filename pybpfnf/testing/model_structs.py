"""Structs as a function sees them: a window on bytes, in a map's entry or of its own. Fields are in the host's order.

A view and a struct of its own are both a `memoryview`: the one on the entry's bytes, the other on a copy.
"""

from __future__ import annotations

from pybpfnf.dsl.types import ArrayType, IntType, OctetsType, OptionalType, StructField, StructType, Type


def is_whole(type_: Type) -> bool:
    """Whether a value of the type is a window on bytes, not a number or an address."""
    return isinstance(type_, StructType | ArrayType | OctetsType)


def is_own(type_: Type) -> bool:
    """Whether a place of the type has bytes of its own, which assigning to it copies; of a struct that may be None too."""
    return is_whole(type_.inner if isinstance(type_, OptionalType) else type_)


def own(data: bytes | bytearray | memoryview) -> memoryview:
    """A copy that belongs to nothing else."""
    return memoryview(bytearray(data))


def read(window: memoryview, type_: Type) -> int | bytes | memoryview:
    """What the first bytes of a window hold: the window itself for what has fields or items."""
    assert hasattr(type_, "size")
    part = window[: type_.size]
    if is_whole(type_):
        return part
    if str(type_) == "IPv6Address":
        return bytes(part)
    return int.from_bytes(part, "little", signed=isinstance(type_, IntType) and type_.signed)


def write(window: memoryview, type_: Type, value: int | bytes | memoryview) -> None:
    assert hasattr(type_, "size")
    data = (value & (1 << 8 * type_.size) - 1).to_bytes(type_.size, "little") if isinstance(value, int) else bytes(value)
    window[: type_.size] = data


def read_field(window: memoryview, field: StructField) -> int | bytes | memoryview:
    value = read(window[field.offset :], field.type)
    return value if not field.bits or not isinstance(value, int) else value >> field.shift & _mask(field)


def write_field(window: memoryview, field: StructField, value: int | bytes | memoryview) -> None:
    place = window[field.offset :]
    if field.bits:
        unit = read(place, field.type)
        assert isinstance(unit, int)
        assert isinstance(value, int)
        value = unit & ~(_mask(field) << field.shift) | (value & _mask(field)) << field.shift
    write(place, field.type, value)


def _mask(field: StructField) -> int:
    return (1 << field.bits) - 1
