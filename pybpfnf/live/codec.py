"""Between bytes and what Python sees of them: with the author's classes where they are known, and summed over CPUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, final, runtime_checkable

from pybpfnf.errors import InputError
from pybpfnf.records import dataclass
from pybpfnf.types.layout import ArrayType, FieldType, IntType, StructType, unsigned_of
from pybpfnf.types.values import as_values, decode, encode
from pybpfnf.types.written import octets_of, value_of, written_as


@runtime_checkable
class StructClass(Protocol):
    """An author's class of structs (`dsl.surface.structs.Struct`)."""

    def of_fields(self, values: Mapping[str, Any]) -> object: ...


@final
@dataclass(frozen=True, slots=True)
class Codec:
    """Keys or values of a map: `size` bytes, `what` they are in a message, `kind` the author's class. `type` None: bytes as they are."""

    type: FieldType | None
    size: int
    what: str
    kind: object = None

    def encode(self, value: object) -> bytes:
        """Raises InputError for what is no value of the type."""
        if self.type is not None:
            return encode(self.type, value, self.what)
        if not isinstance(value, bytes) or len(value) != self.size:
            raise InputError(f"{self.what}: {value!r} is not {self.size} bytes", hint="the object does not say the type")
        return value

    def of_text(self, text: str) -> bytes:
        """The bytes of what a user writes. Raises InputError."""
        return octets_of(text, self.size, self.what) if self.type is None else self.encode(value_of(self.type, text, self.what))

    @property
    def written(self) -> str:
        """How a user writes it."""
        return f"{2 * self.size} hexadecimal digits" if self.type is None else written_as(self.type)

    def decode(self, data: bytes) -> Any:
        """The value; its Python type follows from the object's, which a type checker cannot know."""
        return data if self.type is None else self._shown(decode(self.type, data))

    def total(self, each: Sequence[bytes]) -> Any:
        """The sum of several CPUs' values, of a struct field by field, beyond a type's range too: it is for people.

        Raises InputError where something is no integer: a bool, an address, raw bytes.
        """
        without = ["these"] if self.type is None else [*_without_sum(self.type, "")]
        if without:
            names = ", ".join(name or "these" for name in without)
            raise InputError(f"{self.what}: each CPU has its own, and {names} have no sum", hint="read them with per_cpu(key)")
        assert self.type is not None
        return self._shown(_summed([decode(self.type, data) for data in each]))

    def _shown(self, decoded: Any) -> Any:
        assert self.type is not None
        if isinstance(self.type, StructType) and isinstance(self.kind, StructClass):
            return self.kind.of_fields(decoded)
        return as_values(self.type, decoded)


def codec_of(type_: FieldType | None, size: int, what: str, kind: object = None) -> Codec:
    """The codec; an unsigned integer where the object says no type and the size is one's."""
    return Codec(_authors(type_, kind) or type_ or unsigned_of(size), size, what, kind)


def _authors(type_: FieldType | None, kind: object) -> StructType | None:
    """The author's own type, where it lies in memory as the object's does: BTF does not tell an array of u8 from raw bytes."""
    layout = getattr(kind, "layout", None)
    if not isinstance(layout, StructType) or not isinstance(type_, StructType):
        return None
    return layout if _places(layout) == _places(type_) else None


def _places(struct: StructType) -> list[tuple[object, ...]]:
    return [(struct.size,), *((field.name, field.offset, field.type.size, field.bits, field.shift) for field in struct.fields)]


def _without_sum(type_: FieldType, name: str) -> list[str]:
    """The names of the parts that are no integers; "" for the whole value."""
    match type_:
        case IntType():
            return []
        case ArrayType():
            return _without_sum(type_.item, name)
        case StructType():
            parts = ((field.type, f"{name}.{field.name}" if name else field.name) for field in type_.fields)
            return [each for part, place in parts for each in _without_sum(part, place)]
        case _:
            return [name]


def _summed(each: list[Any]) -> Any:
    """The sum of equal shapes of integers: dicts of fields, and lists."""
    first = each[0]
    if isinstance(first, dict):
        return {name: _summed([value[name] for value in each]) for name in first}
    if isinstance(first, list):
        return [_summed(list(items)) for items in zip(*each, strict=True)]
    return sum(each)
