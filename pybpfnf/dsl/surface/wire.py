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

from pybpfnf.dsl.surface.definitions import DefinitionError, only_compiled
from pybpfnf.dsl.surface.scalars import constant_of, value_type
from pybpfnf.dsl.types import OctetsType, TlvField, TlvLayout

# Types with a meaning of their own in every SRH (RFC 8754 section 2.1), which the compiler or the kernel takes care of.
_RESERVED_TYPES: Mapping[int, str] = {
    0: "Pad1, which Linux does not accept",
    4: "PadN, which the compiler adds where it is needed",
    5: "the HMAC TLV, which signs the header and stays last",
}
_MOST_OCTETS = 255  # of a TLV's value: the length field has 8 bits


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


@dataclass_transform(kw_only_default=True, field_specifiers=(octets,))
class Tlv:
    """Base of an author's TLVs: `class Blob(Tlv, type=6)`, its annotated names the fields (u8 to s64, IPv6Address, bool, octets(n))."""

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


def _layout(cls: type[Tlv], number: int, scope: Mapping[str, object]) -> TlvLayout:
    fields: list[TlvField] = []
    offset = 2  # after the type and length bytes
    for name, annotation in get_annotations(cls).items():
        field = _field(cls, name, evaluate_annotation(f"TLV {cls.__name__}", name, annotation, scope), offset)
        fields.append(field)
        offset += field.size
    if offset - 2 > _MOST_OCTETS:
        raise DefinitionError(
            f"TLV {cls.__name__}: its fields have {offset - 2} bytes, and a TLV has room for {_MOST_OCTETS}", hint="make two of it"
        )
    return TlvLayout(cls.__name__, number, offset, tuple(fields))


def evaluate_annotation(owner: str, name: str, annotation: object, scope: Mapping[str, object]) -> object:
    """An annotation is text under `from __future__ import annotations`; `owner` is what has the field, in a message."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, dict(scope))
    except NameError as error:
        raise DefinitionError(f"{owner}: field {name}: {error}", code="name", hint="import or define the type before") from None


def _field(cls: type[Tlv], name: str, annotation: object, offset: int) -> TlvField:
    where = f"TLV {cls.__name__}: field {name}"
    given = cls.__dict__.get(name, None)
    if annotation is bytes:
        if not isinstance(given, Octets):
            raise DefinitionError(f"{where} has no length", hint=f"write `{name}: bytes = octets(5)`")
        return TlvField(name, offset, given.count, OctetsType(given.count), given.default)
    type_ = value_type(annotation)
    if type_ is None:
        raise DefinitionError(f"{where}: {annotation!r} is no field type", hint="write one of u8 to u64, s8 to s64, IPv6Address, bytes")
    if given is None:
        return TlvField(name, offset, type_.size, type_)
    default = constant_of(given, type_)
    if default is None:
        raise DefinitionError(f"{where}: the default {given!r} is no {type_}", hint=f"give it a {type_}")
    return TlvField(name, offset, type_.size, type_, default)
