"""Headers as an author writes them: classes whose annotations are the fields on the wire, packed, in network byte order.

class Vxlan(Header):
    flags: u8
    reserved: u32 = bits(24)
    vni: u32 = bits(24)
    zero: u8
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import get_annotations
from typing import ClassVar, TypeGuard, dataclass_transform, final

from pybpfnf.dsl.surface.definitions import DefinitionError, no_field_type, of_field, only_compiled
from pybpfnf.dsl.surface.scalars import value_type
from pybpfnf.dsl.surface.structs import BitsOf, bits
from pybpfnf.dsl.surface.wire import Items, Octets, array, evaluate_annotation, octets
from pybpfnf.dsl.types import HeaderType, IntType, OctetsType, ValueType, WireArrayType, WireField, WireType

_LARGEST = 4096  # bytes: far more than any header has
_WIDEST = 8  # bytes that a bit field may touch: a register's


@dataclass_transform(kw_only_default=True, field_specifiers=(bits, octets, array))
class Header:
    """Base of an author's headers: `class Udp(Header, number=17)`, its annotated names the fields in the order of the wire: u8 to s64,
    bool, IPv6Address, another Header, `octets(n)`, `array(T, n)`, and `bits(n)`, the high bits of a byte first. `number`: its Next
    Header value (IANA protocol numbers), by which `pkt.find` finds it.
    """

    layout: ClassVar[HeaderType]

    def __init_subclass__(cls, *, number: int | None = None) -> None:
        scope = sys._getframe(1)
        if number is not None and (not isinstance(number, int) or not 0 <= number <= 255):
            raise DefinitionError(f"header {cls.__name__}: {number!r} is no Next Header value", hint="write `class Udp(Header, number=17)`")
        cls.layout = _layout(cls, number, {**scope.f_globals, **scope.f_locals})

    def __init__(self, **fields: object) -> None:
        only_compiled("a header")


def is_header(thing: object) -> TypeGuard[type[Header]]:
    return isinstance(thing, type) and issubclass(thing, Header) and thing is not Header


@final
@dataclass(slots=True)
class _Wire:
    """The fields so far, and the bit where the next one begins."""

    owner: str
    fields: list[WireField]
    end: int = 0

    def add(self, name: str, type_: WireType, width: int) -> None:
        """`width`: of a bit field, else 0."""
        first, last = self.end // 8, (self.end + (width or 8) - 1) // 8
        if width:
            size = last - first + 1
            if size > _WIDEST:
                raise DefinitionError(f"{self.owner}: field {name} lies in {size} bytes, and {_WIDEST} is the most", hint="make two of it")
            shift = size * 8 - (self.end - first * 8) - width
            self.fields.append(WireField(name, first, type_, size, width, shift))
            self.end += width
            return
        if self.end % 8:
            missing = 8 - self.end % 8
            hint = f"write the {missing} bits before it: `reserved: u8 = bits({missing})`"
            raise DefinitionError(f"{self.owner}: field {name} begins inside a byte", hint=hint)
        self.fields.append(WireField(name, first, type_, type_.size))
        self.end += type_.size * 8


def _layout(cls: type[Header], number: int | None, scope: Mapping[str, object]) -> HeaderType:
    owner = f"header {cls.__name__}"
    wire = _Wire(owner, [])
    for name, annotation in get_annotations(cls).items():
        given = cls.__dict__.get(name)
        with of_field(name):
            type_ = _field_type(evaluate_annotation(owner, name, annotation, scope), given, f"{owner}: field {name}")
            wire.add(name, type_, given.width if isinstance(given, BitsOf) else 0)
        if given is not None:
            delattr(cls, name)
    if not wire.fields:
        raise DefinitionError(f"{owner} has no fields", hint="write its fields below: `source: u16`")
    if wire.end % 8:
        raise DefinitionError(f"{owner} ends inside a byte", hint=f"write the {8 - wire.end % 8} bits that are missing")
    if wire.end // 8 > _LARGEST:
        raise DefinitionError(f"{owner} has {wire.end // 8} bytes, and the most is {_LARGEST}", hint="make two of it")
    return HeaderType(cls.__name__, wire.end // 8, tuple(wire.fields), number)


def _field_type(annotation: object, given: object, where: str) -> WireType:
    match given:
        case Octets(count=count, default=None):
            return OctetsType(count)
        case Items(count=None):
            raise DefinitionError(f"{where} has no number of items: only a TLV ends in an array of any length", hint="write array(u32, 4)")
        case Items(item=item, count=int() as count):
            return WireArrayType(_plain_type(item, where), count)
        case BitsOf(width=width, default=None):
            type_ = _plain_type(annotation, where)
            if not isinstance(type_, IntType) or type_.signed or width > type_.width:
                raise DefinitionError(f"{where}: {width} bits of {type_} are no bit field", hint="write `u32 = bits(24)`")
            return type_
        case None if annotation is bytes:
            raise DefinitionError(f"{where} has no length", hint="write `bytes = octets(5)`")
        case None:
            return _plain_type(annotation, where)
        case _:
            raise DefinitionError(f"{where} has a default, and a header is read from the packet", hint="leave the default out")


def _plain_type(annotation: object, where: str) -> ValueType | HeaderType:
    type_ = annotation.layout if is_header(annotation) else value_type(annotation)
    if type_ is None:
        known = "one of u8 to u64, s8 to s64, bool, IPv6Address, a Header, octets(n), array(T, n), bits(n)"
        raise no_field_type(where, annotation, known)
    return type_
