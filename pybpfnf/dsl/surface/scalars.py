"""The scalar types as an author writes them, and what they are to the compiler.

To a type checker every width is an `int`: widths and signs are the compiler's business.
"""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import TYPE_CHECKING, TypeAlias, final

from pybpfnf.dsl.surface.definitions import DefinitionError
from pybpfnf.records import dataclass
from pybpfnf.types.layout import ADDRESS, BOOL, INT_TYPES, IntType, ValueType


@final
class Width:
    """An integer type. Called, it gives the value that the type holds: modulo 2**width, two's complement when signed.

    In a function, `u8(x)` is the one way to narrow a value.
    """

    def __init__(self, type_: IntType) -> None:
        self.type = type_
        self.__doc__ = f"An integer of {type_.width} bits, {type_.minimum} to {type_.maximum}; `{type_}(x)` keeps the low bits of x."

    def __call__(self, value: int = 0) -> int:
        return self.type.reduce(int(value))

    def __or__(self, other: None) -> WidthOrNone:
        """`u32 | None`, of a parameter or a result."""
        return WidthOrNone(self) if other is None else NotImplemented

    def __repr__(self) -> str:
        return self.type.name


@final
@dataclass(frozen=True, slots=True)
class WidthOrNone:
    """What an annotation such as `u32 | None` is to Python, which has no use for it: the compiler reads the text."""

    width: Width

    def __repr__(self) -> str:
        return f"{self.width} | None"


if TYPE_CHECKING:
    u8: TypeAlias = int
    u16: TypeAlias = int
    u32: TypeAlias = int
    u64: TypeAlias = int
    s8: TypeAlias = int
    s16: TypeAlias = int
    s32: TypeAlias = int
    s64: TypeAlias = int
else:
    u8, u16, u32, u64 = (Width(INT_TYPES[name]) for name in ("u8", "u16", "u32", "u64"))
    s8, s16, s32, s64 = (Width(INT_TYPES[name]) for name in ("s8", "s16", "s32", "s64"))


def value_type(annotation: object) -> ValueType | None:
    """The compiler's type for what an author wrote as one (`u8`, `bool`, `IPv6Address`); None for anything else."""
    if isinstance(annotation, Width):
        return annotation.type
    if annotation is bool:
        return BOOL
    if annotation is IPv6Address:
        return ADDRESS
    return None


def wrong_default(where: str, given: object, type_: ValueType) -> DefinitionError:
    """What is said of a field's default that is no constant of its type."""
    if isinstance(type_, IntType):
        code = "overflow" if isinstance(given, int) and not isinstance(given, bool) else "type"
        hint = f"give it {type_.minimum} to {type_.maximum}"
        return DefinitionError(f"{where}: the default {given!r} is no {type_}", hint=hint, code=code)
    return DefinitionError(f"{where}: the default {given!r} is no {type_}", hint=f"give it a {type_}")
