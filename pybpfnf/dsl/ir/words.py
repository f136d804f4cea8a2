"""What a function says in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from pybpfnf.diagnostics import Span
from pybpfnf.records import dataclass

if TYPE_CHECKING:
    from pybpfnf.dsl.ir.expressions import Expr


@final
@dataclass(frozen=True, slots=True)
class Shown:
    """An integer, bool, verdict or address in a line; an integer as Python's format() shows it with these: `sign` "", "+" or " ",
    `hexadecimal` "", "x" or "X", `prefix` as `#` asks for it, at least `width` characters, filled with zeros or blanks, the blanks
    behind where it is `left`."""

    value: Expr
    sign: str = ""
    hexadecimal: str = ""
    prefix: bool = False
    width: int = 0
    zeros: bool = False
    left: bool = False


@final
@dataclass(frozen=True, slots=True)
class Log:
    """Write a line to the kernel's trace: printable ASCII, and values."""

    parts: tuple[str | Shown, ...]
    span: Span
