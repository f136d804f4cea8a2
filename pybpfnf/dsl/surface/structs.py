"""Structs as an author writes them: values and keys of maps, laid out as a C compiler does on the host.

class Path(Struct):
    sid: IPv6Address
    weight: u32
    credit: u32 = 0

In ordinary Python a struct is a plain object with these fields; in a function `paths[i]` is a view of the entry.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import get_annotations
from typing import Any, ClassVar, Self, TypeGuard, dataclass_transform, final

from pybpfnf.dsl.surface.definitions import DefinitionError, no_field_type, of_field
from pybpfnf.dsl.surface.locks import SpinLock
from pybpfnf.dsl.surface.scalars import value_type, wrong_default
from pybpfnf.dsl.surface.wire import LARGEST, Items, Octets, array, evaluate_annotation, octets
from pybpfnf.errors import InputError
from pybpfnf.types.layout import (
    SPIN_LOCK,
    ArrayType,
    FieldType,
    IntType,
    OctetsType,
    StoredType,
    StructField,
    StructType,
    field_alignment,
    is_lock,
    lock_field,
    shown_fields,
)
from pybpfnf.types.scalars import constant_of
from pybpfnf.types.values import encode


@final
@dataclass(frozen=True, slots=True)
class BitsOf:
    width: int
    default: int | None


def bits(width: int, *, default: int | None = None) -> Any:
    """A bit field of `width` bits in an unsigned integer: `session: u32 = bits(24)`."""
    if not isinstance(width, int) or isinstance(width, bool) or not 0 < width <= 64:
        raise DefinitionError(f"bits: {width!r} is no number of bits", hint="write bits(24)")
    return BitsOf(width, default)


@dataclass_transform(kw_only_default=True, field_specifiers=(bits, octets, array))
class Struct:
    """Base of an author's structs: `class Path(Struct)`, its annotated names the fields: u8 to s64, bool, IPv6Address, another
    Struct, `octets(n)`, `array(T, n)`, `bits(n)`. Laid out as in C, gaps are zero."""

    layout: ClassVar[StructType]
    _defaults: ClassVar[Mapping[str, object]]
    _structs: ClassVar[Mapping[str, type[Struct]]]  # of the fields that are structs, or arrays of structs

    def __init_subclass__(cls) -> None:
        scope = sys._getframe(1)
        given = {name: cls.__dict__[name] for name in get_annotations(cls) if name in cls.__dict__}
        cls._defaults = {name: default for name, value in given.items() if (default := _python_default(value)) is not None}
        names = {**scope.f_globals, **scope.f_locals}
        cls._structs = _structs(cls, names)
        cls.layout = _layout(cls, names)

    def __init__(self, **values: object) -> None:
        names = [field.name for field in shown_fields(self.layout)]
        unknown = [name for name in values if name not in names]
        if unknown:
            raise TypeError(f"{type(self).__name__} has no field {unknown[0]!r}: it has {', '.join(names)}")
        for name in names:
            if name not in values and name not in self._defaults:
                raise TypeError(f"{type(self).__name__} needs {name}")
            setattr(self, name, values.get(name, self._defaults.get(name)))
        pack(self)  # a value that a field cannot have is refused here

    @classmethod
    def of_fields(cls, values: Mapping[str, Any]) -> Self:
        """The struct with these fields, those of structs within given as mappings too: what is read from a map. The values are not
        looked at: a sum over CPUs may be more than a field holds."""
        made = cls.__new__(cls)
        for name, value in values.items():
            setattr(made, name, cls._of_field(name, value))
        return made

    @classmethod
    def _of_field(cls, name: str, value: Any) -> object:
        kind = cls._structs.get(name)
        if kind is None:
            return value
        return kind.of_fields(value) if isinstance(value, Mapping) else [kind.of_fields(item) for item in value]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(pack(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


def _structs(cls: type[Struct], scope: Mapping[str, object]) -> Mapping[str, type[Struct]]:
    owner = f"struct {cls.__name__}"
    found = {}
    for name, annotation in get_annotations(cls).items():
        given = cls.__dict__.get(name)
        with of_field(name):
            kind = given.item if isinstance(given, Items) else evaluate_annotation(owner, name, annotation, scope)
        if is_struct(kind):
            found[name] = kind
    return found


def _python_default(given: object) -> object:
    """What an instance has where nothing is given; None: it must be given."""
    if isinstance(given, Octets | BitsOf):
        return given.default
    return None if isinstance(given, Items | SpinLock) else given


def pack(value: Struct) -> bytes:
    """The bytes of a struct, as they lie in a map. Raises InputError for a value that its field cannot have."""
    return encode(value.layout, value, type(value).__name__, exact=True)


def stored_type(annotation: object) -> StoredType | None:
    """The compiler's type for what an author gives as a map's key or value; None for anything else."""
    return annotation.layout if is_struct(annotation) else value_type(annotation)


def is_struct(thing: object) -> TypeGuard[type[Struct]]:
    return isinstance(thing, type) and issubclass(thing, Struct) and thing is not Struct


# ------------------------------------------------------------------------------------------------------------- layout


def _layout(cls: type[Struct], scope: Mapping[str, object]) -> StructType:
    fields: list[StructField] = []
    end = 0  # in bits
    for name, annotation in get_annotations(cls).items():
        with of_field(name):
            field, end = _field(cls, name, annotation, scope, end)
        fields.append(field)
    if not fields:
        raise DefinitionError(f"struct {cls.__name__} has no fields", hint="write its fields below: `credit: u32`")
    _check_locks(cls.__name__, fields)
    alignment = max(field_alignment(field.type) for field in fields)
    size = -(-end // (alignment * 8)) * alignment
    if size > LARGEST:
        raise DefinitionError(f"struct {cls.__name__} has {size} bytes, and the most is {LARGEST}", hint="make two of it")
    return StructType(cls.__name__, size, alignment, tuple(fields))


def _field(cls: type[Struct], name: str, annotation: object, scope: Mapping[str, object], end: int) -> tuple[StructField, int]:
    """The field after the `end` bits before it, and where it ends."""
    owner = f"struct {cls.__name__}"
    if name in vars(Struct) or name in get_annotations(Struct):
        raise DefinitionError(f"{owner}: every struct has a {name} of its own", code="name", hint="choose another name for the field")
    given = cls.__dict__.get(name)
    if isinstance(given, SpinLock):
        given = None
        delattr(cls, name)
    type_ = _field_type(evaluate_annotation(owner, name, annotation, scope), given, f"{owner}: field {name}")
    field = _placed(name, type_, given, end, f"{owner}: field {name}")
    if isinstance(given, Octets | BitsOf | Items):
        delattr(cls, name)
    return field, field.offset * 8 + (field.shift + field.bits if field.bits else type_.size * 8)


def _check_locks(name: str, fields: list[StructField]) -> None:
    """The kernel takes one lock, in the value itself (kernel/bpf/btf.c, btf_parse_fields)."""
    if sum(is_lock(field.type) for field in fields) > 1:
        raise DefinitionError(f"struct {name} has two locks, and the kernel takes one", hint="make two maps of it")
    for field in fields:
        inner = field.type.item if isinstance(field.type, ArrayType) else field.type
        if lock_field(inner) is not None or (is_lock(inner) and inner is not field.type):
            message = f"struct {name}: field {field.name} has a lock inside, and the kernel takes it in the value itself alone"
            with of_field(field.name):
                raise DefinitionError(message, hint=f"give {name} the lock")


def _field_type(annotation: object, given: object, where: str) -> FieldType:
    if isinstance(given, Octets):
        return OctetsType(given.count)
    if isinstance(given, Items):
        if given.count is None:
            raise DefinitionError(f"{where} has no number of items: only a TLV ends in an array of any length", hint="write array(u32, 4)")
        return ArrayType(_plain_type(given.item, where), given.count)
    if annotation is bytes:
        raise DefinitionError(f"{where} has no length", hint="write `bytes = octets(5)`")
    type_ = _plain_type(annotation, where)
    if isinstance(given, BitsOf) and (not isinstance(type_, IntType) or type_.signed or given.width > type_.width):
        raise DefinitionError(f"{where}: {given.width} bits of {type_} are no bit field", hint="write `u32 = bits(24)`")
    return type_


def _plain_type(annotation: object, where: str) -> FieldType:
    if annotation is SpinLock:
        return SPIN_LOCK
    type_ = stored_type(annotation)
    if type_ is None:
        known = "one of u8 to u64, s8 to s64, bool, IPv6Address, a Struct, octets(n), array(T, n), bits(n)"
        raise no_field_type(where, annotation, known)
    return type_


def _placed(name: str, type_: FieldType, given: object, end: int, where: str) -> StructField:
    """The field after the `end` bits before it. A bit field stays in one integer of its type, as in C on little-endian hosts."""
    default = bytes(type_.size) if is_lock(type_) else _default(type_, given, where)
    if isinstance(given, BitsOf):
        unit = type_.size * 8
        start = end if end // unit == (end + given.width - 1) // unit else -(-end // unit) * unit
        return StructField(name, start // unit * type_.size, type_, given.width, start % unit, default)
    alignment = field_alignment(type_)
    return StructField(name, -(-end // (alignment * 8)) * alignment, type_, default=default)


def _default(type_: FieldType, given: object, where: str) -> int | bytes | None:
    if given is None or isinstance(given, Items):
        return None
    if isinstance(given, Octets):
        return given.default
    if isinstance(given, BitsOf):
        if given.default is not None and given.default >> given.width:
            raise DefinitionError(f"{where}: {given.default} does not fit {given.width} bits", code="overflow", hint="give less")
        return given.default
    if isinstance(type_, StructType):
        return _struct_default(type_, given, where)
    if isinstance(type_, OctetsType | ArrayType):
        return None
    default = constant_of(given, type_)
    if default is None:
        raise wrong_default(where, given, type_)
    return default


def _struct_default(type_: StructType, given: object, where: str) -> bytes:
    if not isinstance(given, Struct) or given.layout != type_:
        raise DefinitionError(f"{where}: the default {given!r} is no {type_}", hint=f"give it a {type_}")
    try:
        return pack(given)
    except InputError as error:
        raise DefinitionError(f"{where}: {error.message}", hint=f"give it a {type_}") from None
