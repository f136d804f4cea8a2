"""Modules that are imported when they are first used, because their imports cost.

Compiling needs llvmlite (77 ms), the kernel's routes need pyroute2 (220 ms); running an object needs neither, and a
router may have neither. Everything else in the package imports at the top of its files.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from pybpfnf.errors import SystemLacksError

# The compiler, for who may or may not need it: `targets` and `cli`. The verbs have such a table in `pybpfnf/__init__`.
LAZY: Mapping[str, str] = {
    "compile_counting": "pybpfnf.compile",
    "compile_file": "pybpfnf.compile",
    "compile_programs": "pybpfnf.compile",
    "ir_text": "pybpfnf.compile",
    "llvm_text": "pybpfnf.compile",
    "start_llvm": "pybpfnf.llvm",
    "stop_llvm": "pybpfnf.llvm",
}


def resolve(name: str) -> Any:
    """The attribute of that name, its module imported now; KeyError for a name that is not in the table."""
    return getattr(load_module(LAZY[name]), name)


def load_module(name: str) -> ModuleType:
    """A module of ours; raises SystemLacksError where a package that it needs is not installed."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "pybpfnf"):
            raise
        raise SystemLacksError(f"this needs {package}, which is not installed", hint=f"pip install {package}") from None
