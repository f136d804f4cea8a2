"""Rules that look at names and licenses alone: what may be a symbol of an object, and what a license allows."""

from __future__ import annotations

import re

from pybpfnf.abi.kfuncs import KFUNCS
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.image.meta import PREFIX

# What BTF and the kernel take as a name (kernel/bpf/btf.c, btf_name_valid_identifier), which ends within KSYM_NAME_LEN of
# include/linux/kallsyms.h: 128 before Linux 6.1.
_LONGEST = 127
_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

# Sections that the object has besides the programs' own: a symbol of such a name makes LLVM give up.
_SECTIONS = frozenset({"license", "version", "maps", "prog"})
# LLVM knows these functions, and takes one of that name for its own.
_LIBRARY = frozenset({"memcpy", "memmove", "memset", "memcmp", "bcmp"})
# Licenses that count as GPL for a program (include/linux/license.h, license_is_gpl_compatible).
_GPL_LICENSES = frozenset({"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"})


def symbol_problem(name: str) -> str | None:
    """Why a program, map, queue, event buffer or variable cannot have this name, as a message; None where it can."""
    if name.startswith(PREFIX):
        return f"`{name}` is reserved: names with {PREFIX} are the compiler's"
    if _SYMBOL.fullmatch(name) is None:
        return f"`{name}` cannot be a name in an object: the kernel takes ASCII letters, digits and underscores"
    if len(name) > _LONGEST:
        return f"`{name[:16]}...` has {len(name)} letters, and the kernel takes names of at most {_LONGEST}"
    if name in _SECTIONS or name in _LIBRARY or name in KFUNCS or any(name in row.sections for row in PROGRAM_TYPES.values()):
        return f"`{name}` is reserved: an object has a section or a function of that name"
    return None


def is_gpl_compatible(license: str) -> bool:  # noqa: A002 as in the object
    """Whether helpers that are GPL-only may be called under it."""
    return license in _GPL_LICENSES
