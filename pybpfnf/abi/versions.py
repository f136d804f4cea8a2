"""Which kernel is old enough to lack something: helpers, map types and instruction forms newer than a given version."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import final

from pybpfnf.abi.forms import Form, Insn, Kind
from pybpfnf.abi.helpers import HELPERS_BY_ID, Helper
from pybpfnf.abi.kfuncs import KFUNCS
from pybpfnf.abi.maps import MAP_TYPES
from pybpfnf.abi.programs import LWT_TYPES
from pybpfnf.errors import InputError
from pybpfnf.records import dataclass

Version = tuple[int, int]

# The kernel whose verifier and interpreter first took each version of the instruction set; version 3 is 5.1 for the 32-bit
# jumps (and 5.12 for its atomics, below).
_ISA: Mapping[int, str] = {1: "3.18", 2: "4.14", 3: "5.1", 4: "6.6"}

# Forms that came at another time than their version: name prefixes, longest first.
_FORMS: tuple[tuple[str, str], ...] = (
    ("load_acquire", "6.15"),
    ("store_release", "6.15"),
    ("atomic_add", "3.18"),
    ("atomic_", "5.12"),
    ("ld_map_value", "5.2"),
    ("ld_map_idx", "5.14"),
    ("ld_var", "5.10"),
    ("ld_func", "5.13"),
    ("call_local", "4.16"),
    ("call_kfunc", "5.13"),
    ("callx", "none"),
)


@final
@dataclass(frozen=True, slots=True)
class Newer:
    """Something that a kernel lacks. `slot`: of the first instruction that needs it, None for a map that none names."""

    what: str  # "helper ktime_get_tai_ns", "map type user_ringbuf (of `orders`)", "instruction sdiv64_reg"
    since: str
    slot: int | None


def parse_kernel(text: str) -> Version:
    """(6, 1) for "6.1" or "6.1.0-18-amd64"; raises InputError for what does not start so."""
    match = re.match(r"v?(\d+)\.(\d+)(?![\d])", text)
    if match is None:
        raise InputError(f"{text!r} is not a kernel version", hint="write it as in 6.1")
    return int(match[1]), int(match[2])


def form_since(form: Form) -> str:
    """The first kernel that takes this form; "none" for a call through a register."""
    for prefix, since in _FORMS:
        if form.name.startswith(prefix):
            return since
    return _ISA[form.isa]


def helper_since(helper: Helper, program_type: str | None = None) -> str:
    """The first kernel that lets a program of this type call the helper; without a type, a lightweight-tunnel one."""
    if helper.lwt_since is not None and (program_type is None or program_type in LWT_TYPES):
        return helper.lwt_since
    return helper.since


def newer_than(
    insns: Iterable[Insn],
    maps: Mapping[str, str],
    kernel: str,
    program_type: str | None = None,
) -> list[Newer]:
    """What a program and its maps (name to map type) need that `kernel` lacks, each named once, by the slot of its first use.

    Raises InputError when `kernel` is not a version.
    """
    limit = parse_kernel(kernel)
    found: dict[str, Newer] = {}
    for slot, what, since in _needs(insns, maps, program_type):
        if parse_kernel(since) > limit:
            found.setdefault(what, Newer(what, since, slot))
    return list(found.values())


def _needs(insns: Iterable[Insn], maps: Mapping[str, str], program_type: str | None) -> Iterator[tuple[int | None, str, str]]:
    slot = 0
    named: set[str] = set()
    for insn in insns:
        if insn.form.kind is not Kind.CALL_REG:  # the verifier refuses it whatever the kernel
            yield slot, f"instruction {insn.form.name}", form_since(insn.form)
        helper = HELPERS_BY_ID.get(insn.imm) if insn.form.kind is Kind.CALL_HELPER else None
        if helper is not None:
            yield slot, f"helper {helper.name}", helper_since(helper, program_type)
        kfunc = KFUNCS.get(insn.ref or "") if insn.form.kind is Kind.CALL_KFUNC else None
        if kfunc is not None and not kfunc.optional:
            yield slot, f"kernel function {kfunc.name}", kfunc.since
        if insn.form.kind is Kind.LOAD_IMM64 and insn.ref is not None and insn.ref in maps:
            named.add(insn.ref)
            yield slot, *_map_need(insn.ref, maps[insn.ref])
        slot += insn.slots
    for name, type_ in maps.items():
        if name not in named:
            yield None, *_map_need(name, type_)


def _map_need(name: str, type_: str) -> tuple[str, str]:
    return f"map type {type_} (of `{name}`)", MAP_TYPES[type_].since
