"""Kernel functions by name: their numbers are ids of types in the running kernel's own BTF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from pybpfnf.abi.codec import make
from pybpfnf.abi.forms import Insn, Kind
from pybpfnf.abi.kfuncs import KFUNCS
from pybpfnf.errors import SystemLacksError
from pybpfnf.image.model import ProgramImage
from pybpfnf.kernel import vmlinux

_NO_RESULT = make("mov64_imm", dst=0, imm=0)


def kfunc_ids(names: Sequence[str]) -> Mapping[str, int]:
    """The number of each; raises SystemLacksError for one that this kernel does not have, and where it says nothing
    of its functions."""
    if not names:
        return {}
    found = _functions(frozenset(names))
    for name in names:
        if name not in found:
            row = KFUNCS.get(name)
            since = "none that is known has it" if row is None else f"Linux {row.since} is the first that has it"
            raise SystemLacksError(f"this kernel has no function {name} for programs to call: {since}")
    return found


def without_absent(program: ProgramImage) -> ProgramImage:
    """The program with a 0 in place of each call of an optional function (`Kfunc.optional`) that this kernel does not have."""
    optional = [name for name in program.kfunc_names if name in KFUNCS and KFUNCS[name].optional]
    found = _functions(frozenset(optional)) if optional else {}
    absent = {name for name in optional if name not in found}
    if not absent:
        return program
    return replace(program, insns=tuple(_NO_RESULT if _calls(insn, absent) else insn for insn in program.insns))


def _calls(insn: Insn, names: set[str]) -> bool:
    return insn.form.kind is Kind.CALL_KFUNC and insn.ref in names


@cache
def _functions(names: frozenset[str]) -> Mapping[str, int]:
    return vmlinux.functions(names)
