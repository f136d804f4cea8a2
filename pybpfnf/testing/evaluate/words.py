"""Lines that a function logs, with Python's own format()."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.dsl.types import AddressType, BoolType, IntType, VerdictType
from pybpfnf.testing.evaluate.run import Run


def _log(run: Run, node: ir.Log) -> None:
    run.log.append("".join(part if isinstance(part, str) else _shown(run, part) for part in node.parts))


def _shown(run: Run, part: ir.Shown) -> str:
    value = run.value(part.value)
    match part.value.type:
        case IntType():
            align, zeros = ("<" if part.left else ""), ("0" if part.zeros else "")
            spec = f"{align}{part.sign}{'#' if part.prefix else ''}{zeros}{part.width or ''}{part.hexadecimal or 'd'}"
            return format(value, spec)
        case BoolType():
            return str(bool(value))
        case VerdictType():
            return run.verdicts.get(value, "?")
        case AddressType():
            return IPv6Address(value).exploded
    raise AssertionError(f"a line with a value of type {part.value.type}")


STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {ir.Log: _log}
