"""Names that are imported when they are first used, because their imports cost: the one table, and the one resolver.

Compiling needs llvmlite (77 ms), the kernel's routes need pyroute2 (220 ms); running an object needs neither, and a
router may have neither. Everything else in the package imports at the top of its files.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from pybpfnf.errors import SystemLacksError

# name: module that has it. Used by `pybpfnf.__getattr__` (the verbs) and by `targets` and `cli` (the compiler).
LAZY: Mapping[str, str] = {
    "build": "pybpfnf.verbs.build",
    "read": "pybpfnf.verbs.read",
    "run": "pybpfnf.verbs.run",
    "simulate": "pybpfnf.verbs.run",
    "load": "pybpfnf.verbs.load",
    "attach": "pybpfnf.verbs.attach",
    "detach": "pybpfnf.verbs.attach",
    "attached": "pybpfnf.verbs.attach",
    "status": "pybpfnf.verbs.attach",
    "compile_file": "pybpfnf.compile",
    "compile_programs": "pybpfnf.compile",
    "ir_text": "pybpfnf.compile",
    "llvm_text": "pybpfnf.compile",
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
