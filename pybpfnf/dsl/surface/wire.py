"""TLVs as an author writes them: a class whose annotations are the fields on the wire, packed, in network byte order.

class Blob(Tlv, type=6):
    flags: u8
    value: bytes = octets(5)
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import get_annotations
from typing import Any, ClassVar, dataclass_transform, final

from pybpfnf.dsl.surface.definitions import DefinitionError, no_field_type, of_field, only_compiled
from pybpfnf.dsl.surface.scalars import value_type, wrong_default
from pybpfnf.dsl.types import ItemsType, OctetsType, TlvField, TlvLayout
from pybpfnf.types.scalars import constant_of

# Types with a meaning of their own in every SRH (RFC 8754 section 2.1), which the compiler or the kernel takes care of.
_RESERVED_TYPES: Mapping[int, str] = {
    0: "Pad1, which Linux does not accept",
    4: "PadN, which the compiler adds where it is needed",
    5: "the HMAC TLV, which signs the header and stays last",
}
_MOST_OCTETS = 255  # of a TLV's value: the length field has 8 bits
LARGEST = 4096  # bytes of a struct, and items of an array: far more than the stack has for a copy


@final
@dataclass(frozen=True, slots=True)
class Octets:
    """What `octets` gives, for the class that has the field."""

    count: int
    default: bytes | None


def octets(count: int, *, default: bytes | None = None) -> Any:
    """A field of `count` raw bytes: `value: bytes = octets(5)`."""
    if not isinstance(count, int) or not 0 < count <= _MOST_OCTETS:
        raise DefinitionError(f"octets: {count!r} is no number of bytes from 1 to {_MOST_OCTETS}", hint="write octets(5)")
    if default is not None and len(default) != count:
        raise DefinitionError(f"octets: the default has {len(default)} bytes, not {count}", hint=f"give {count} bytes")
    return Octets(count, default)


@final
@dataclass(frozen=True, slots=True)
class Items:
    """What `array` gives, for the class that has the field: so many items, or at the end of a TLV at most `most`."""

    item: object
    count: int | None
    most: int | None


def array(item: object, count: int | None = None, *, max: int | None = None) -> Any:  # noqa: A002 the word that an author writes
    """`count` items of one type: `hops: list[IPv6Address] = array(IPv6Address, 4)`.

    As the last field of a TLV, with `max`, as many as the TLV's length says: `values: list[u32] = array(u32, max=16)`.
    """
    given = [number for number in (count, max) if number is not None]
    if len(given) != 1:
        raise DefinitionError("array: it has one number of items", hint="write array(u32, 4), or array(u32, max=16) at the end of a TLV")
    if not isinstance(given[0], int) or isinstance(given[0], bool) or not 0 < given[0] <= LARGEST:
        raise DefinitionError(f"array: {given[0]!r} is no number of items", hint="write array(u32, 4)")
    return Items(item, count, max)


@dataclass_transform(kw_only_default=True, field_specifiers=(octets, array))
class Tlv:
    """Base of an author's TLVs: `class Blob(Tlv, type=6)`, its annotated names the fields (u8 to s64, IPv6Address, bool, octets(n),
    array(T, n), and at the end array(T, max=n))."""

    layout: ClassVar[TlvLayout]

    def __init_subclass__(cls, *, type: int) -> None:  # noqa: A002 the word that an author writes
        scope = sys._getframe(1)
        if not isinstance(type, int) or not 0 <= type <= _MOST_OCTETS:
            raise DefinitionError(f"TLV {cls.__name__}: {type!r} is no type from 1 to 255", hint="write `class Name(Tlv, type=6)`")
        if type in _RESERVED_TYPES:
            raise DefinitionError(f"TLV {cls.__name__}: type {type} is {_RESERVED_TYPES[type]}", hint="choose another type")
        cls.layout = _layout(cls, type, {**scope.f_globals, **scope.f_locals})

    def __init__(self, **fields: object) -> None:
        only_compiled("building a TLV")

    @property
    def type(self) -> int:
        """The type that it has in the packet."""
        only_compiled("a TLV")

    @property
    def length(self) -> int:
        """Bytes of its value in the packet."""
        only_compiled("a TLV")


def _layout(cls: type[Tlv], number: int, scope: Mapping[str, object]) -> TlvLayout:
    fields: list[TlvField] = []
    offset = 2  # after the type and length bytes
    for name, annotation in get_annotations(cls).items():
        with of_field(name):
            if fields and isinstance(fields[-1].type, ItemsType) and fields[-1].type.trailing:
                message = f"TLV {cls.__name__}: {name} comes after {fields[-1].name}, which is as long as the TLV's length makes it"
                raise DefinitionError(message, hint=f"put {fields[-1].name} last, or give it a number of items: array(T, 4)")
            field = _field(cls, name, evaluate_annotation(f"TLV {cls.__name__}", name, annotation, scope), offset)
        fields.append(field)
        offset += field.size
    if offset - 2 > _MOST_OCTETS:
        raise DefinitionError(
            f"TLV {cls.__name__}: its fields have {offset - 2} bytes, and a TLV has room for {_MOST_OCTETS}", hint="make two of it"
        )
    layout = TlvLayout(cls.__name__, number, offset, tuple(fields))
    if layout.lengths[-1] > _MOST_OCTETS and layout.trailing is not None:
        room = (_MOST_OCTETS + 2 - offset) // layout.trailing.item.size
        message = f"TLV {cls.__name__}: {layout.trailing.most} items of {fields[-1].name} do not fit the {_MOST_OCTETS} bytes of a TLV"
        raise DefinitionError(message, hint=f"write max={room} or less")
    return layout


def evaluate_annotation(owner: str, name: str, annotation: object, scope: Mapping[str, object]) -> object:
    """An annotation is text under `from __future__ import annotations`; `owner` is what has the field, in a message."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, dict(scope))
    except NameError as error:
        raise DefinitionError(f"{owner}: field {name}: {error}", code="name", hint="import or define the type before") from None
    except (TypeError, AttributeError):
        raise DefinitionError(
            f"{owner}: field {name}: {annotation} is no type", hint="write `sizes: list[u32] = array(u32, 4)`, or a type alone"
        ) from None


def _field(cls: type[Tlv], name: str, annotation: object, offset: int) -> TlvField:
    where = f"TLV {cls.__name__}: field {name}"
    if name in ("type", "length"):
        raise DefinitionError(f"{where}: every TLV has a {name} of its own", code="name", hint="choose another name")
    given = cls.__dict__.get(name, None)
    if annotation is bytes:
        if not isinstance(given, Octets):
            raise DefinitionError(f"{where} has no length", hint=f"write `{name}: bytes = octets(5)`")
        return TlvField(name, offset, given.count, OctetsType(given.count), given.default)
    if isinstance(given, Items):
        return TlvField(name, offset, *_items(given, where))
    type_ = value_type(annotation)
    if type_ is None:
        raise no_field_type(where, annotation, "one of u8 to u64, s8 to s64, IPv6Address, bytes, array(T, n)")
    if given is None:
        return TlvField(name, offset, type_.size, type_)
    default = constant_of(given, type_)
    if default is None:
        raise wrong_default(where, given, type_)
    return TlvField(name, offset, type_.size, type_, default)


def _items(given: Items, where: str) -> tuple[int, ItemsType]:
    """The bytes that are always there, and the type."""
    item = value_type(given.item)
    if item is None:
        raise DefinitionError(f"{where}: {given.item!r} is no type of items", hint="write array(u32, 4), of u8 to u64, bool, IPv6Address")
    if given.most is not None:
        return 0, ItemsType(item, given.most, trailing=True)
    assert given.count is not None
    return given.count * item.size, ItemsType(item, given.count, trailing=False)
