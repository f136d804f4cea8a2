"""How subprograms are called: what goes in which register, and what goes through memory of the caller.

BPF gives a call five registers, and one for the result. A subprogram takes, as far as it uses them, the context, one pointer to memory on
the caller's stack, and its parameters; the memory has what does not fit in a register:

    what the SRH has grown by    8 bytes, changed in place, where any function of the module changes TLVs
    the result                   where r0 says instead whether the subprogram came to a fault
    parameters                   addresses, look-ups that can miss, structs; and those for which no register is left
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from pybpfnf.backend.building.values import is_in_memory, llvm_type
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import AddressType, OptionalType, Type
from pybpfnf.records import dataclass

REGISTERS = 5  # r1 to r5 (Documentation/bpf/classic_vs_extended.rst)
_WORD = 8


@final
@dataclass(frozen=True, slots=True)
class Convention:
    """How one subprogram is called. `registers`: the parameters in registers, after the context and the memory where it has those;
    `stored`: where in the memory the others are. `growth`, `result`: where those are in it, None where they are not.

    `faults`: r0 is 0 where it came back, and 1 where it came to a fault, which is counted by then.
    """

    symbol: str
    context: bool
    faults: bool
    gives: Type | None
    registers: tuple[ir.Local, ...]
    stored: Mapping[ir.Local, int]
    growth: int | None
    result: int | None
    size: int  # of the memory, 0 where there is none

    @property
    def returned(self) -> str:
        """The type of r0."""
        if self.faults:
            return "i32"
        return "void" if self.gives is None or self.result is not None else register_type(self.gives)

    @property
    def holds_pointers(self) -> bool:
        """Whether the memory has pointers in it: views of entries."""
        through = [*(local.type for local in self.stored), *([self.gives] if self.gives is not None and self.result is not None else [])]
        return any(not is_wide(type_) and register_type(type_) == "ptr" for type_ in through)

    @property
    def parameter_types(self) -> tuple[str, ...]:
        """Of the registers, in order."""
        return (
            *(("ptr",) if self.context else ()),
            *(("ptr",) if self.size else ()),
            *(register_type(local.type) for local in self.registers),
        )


def convention(symbol: str, parameters: Sequence[ir.Local], gives: Type | None, *, context: bool, faults: bool, growth: bool) -> Convention:
    """`context`, `faults`, `growth`: whether the body uses the context, can come to a fault, asks or changes what the SRH has grown by."""
    through_memory = gives is not None and (faults or is_wide(gives))
    narrow = [local for local in parameters if not is_wide(local.type)]
    free = REGISTERS - context
    if growth or through_memory or len(narrow) < len(parameters) or len(narrow) > free:
        free -= 1
    # Pointers first: memory that has one in it is on the stack, whatever else is in it.
    first = sorted(narrow, key=lambda local: register_type(local.type) != "ptr")[:free]
    registers = tuple(local for local in narrow if local in first)
    size = growth_at = 0
    if growth:
        size = _WORD
    result = size
    if gives is not None and through_memory:
        size += room_of(gives)
    stored = {}
    for local in parameters:
        if local not in registers:
            stored[local] = size
            size += room_of(local.type)
    return Convention(
        symbol,
        context,
        faults,
        gives,
        registers,
        stored,
        growth_at if growth else None,
        result if through_memory else None,
        size,
    )


def is_wide(type_: Type) -> bool:
    """Whether a value goes through memory, whatever registers are free."""
    return is_in_memory(type_) or _is_pair(type_) or isinstance(type_, AddressType)


def _is_pair(type_: Type) -> bool:
    """A look-up that says by a flag whether it found something."""
    return isinstance(type_, OptionalType) and llvm_type(type_).startswith("{")


def register_type(type_: Type) -> str:
    """What is less than 32 bits wide is filled up with zeros."""
    llvm = llvm_type(type_)
    return llvm if llvm in ("ptr", "i64") else "i32"


def room_of(type_: Type) -> int:
    """Bytes in memory, whole words."""
    if isinstance(type_, OptionalType) and _is_pair(type_):
        return _WORD + room_of(type_.inner)
    if is_in_memory(type_):
        return -(-type_.size // _WORD) * _WORD
    return 2 * _WORD if isinstance(type_, AddressType) else _WORD
