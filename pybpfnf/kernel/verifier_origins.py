"""Where the values come from that a refusal names by their registers: the instructions of the log that made them, with their source
lines, in which the variables have their names.

    ; data = pkt.data @ probe.py:13
    0: (61) r2 = *(u32 *)(r1 +76)
    ; tag = data[5] @ probe.py:14
    1: (bf) r3 = r2
    2: (71) r0 = *(u8 *)(r3 +5)
    R3 offset is outside of the packet          R3 is a copy of what instruction 0 made, for `data = pkt.data`

A copy, and what is put on the stack and taken back, has the origin of the original. The log has the way that the verifier went, and says
where it goes on at a branch (kernel/bpf/verifier.c, print_verifier_state).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import TypeAlias, TypeVar, final

from pybpfnf.records import dataclass

Chain: TypeAlias = tuple[int, ...]
"""The slots that made a value, the last one last: of its original, of each change and of each copy."""

Values: TypeAlias = dict[str, Chain]

_LONGEST = 16  # of a chain: loops go on for ever
_REGISTER = re.compile(r"\bR(\d+)\b")
_INSN = re.compile(r"^(\d+): \([0-9a-f]{2}\) ([^;]*)")
_BRANCH = re.compile(r"^from (\d+) to \d+:")
_COPIED = re.compile(r"^[rw](\d+) = [rw](\d+)$")
_FILLED = re.compile(r"^r(\d+) = \*\(u64 \*\)\(r10 ([+-]\d+)\)")
_STORED = re.compile(r"^(?:lock )?\*\(u(\d+) \*\)\(r(\d+) ([+-]\d+)\) (?:\S*)= (?:r(\d+)$)?")
_MADE = re.compile(r"^[rw](\d+) = ")
_ADDED = re.compile(r"^r(\d+) \+= (-?\d+)$")
_CHANGED = re.compile(r"^[rw](\d+) \S+= ")
_CALLED, _RETURNED = "callee:", "to caller at "
_ARGUMENTS = frozenset("12345")
_FRAME_POINTER = "10"
_SLOT = 8  # bytes of a place on the stack
_STACK_SIZE = 512  # MAX_BPF_STACK (include/linux/filter.h)


def origins(lines: Iterable[str], message: str) -> Mapping[str, Chain]:
    """The chains of the registers that a message names, by the registers' names ("R3"). `lines` are the log's."""
    named = dict.fromkeys(_REGISTER.findall(message))
    if not named:
        return {}
    walk = _Walk()
    for line in lines:
        walk.read(line)
    return {f"R{number}": chain for number in named if (chain := walk.values.get(number))}


@final
class _Walk:
    """`values`: the chains by register ("3"), and by place on the stack ("-16"), of the function that the verifier is in. `_pointers`:
    which registers point into its stack, and where."""

    def __init__(self) -> None:
        self.values: Values = {}
        self._pointers: dict[str, int] = {_FRAME_POINTER: 0}
        self._last: re.Match[str] | None = None
        self._callers: list[tuple[Values, dict[str, int]]] = []
        self._seen: dict[int, _State] = {}  # after an instruction from which the verifier goes two ways

    def read(self, line: str) -> None:
        if insn := _INSN.match(line):
            self._execute_last()
            self._last = insn
            return
        if not line.startswith((_CALLED, _RETURNED)) and not _BRANCH.match(line):
            return
        self._execute_last()
        if line.startswith(_CALLED):
            arguments = {number: chain for number, chain in self.values.items() if number in _ARGUMENTS}
            if any(number in _ARGUMENTS for number in self._pointers):
                self._forget(-_STACK_SIZE, 0)  # it may write anywhere from there
            self._callers.append((_without_arguments(self.values), _without_arguments(self._pointers)))
            self.values, self._pointers = arguments, {_FRAME_POINTER: 0}
        elif line.startswith(_RETURNED) and self._callers:
            result = self.values.get("0", ())
            values, self._pointers = self._callers.pop()
            self.values = {**values, "0": result}
        elif branch := _BRANCH.match(line):
            state = self._seen.get(int(branch[1]), _State())
            self.values, self._pointers, self._callers = dict(state.values), dict(state.pointers), list(state.callers)

    def _execute_last(self) -> None:
        """The instruction that was read last: only once there is a next, since that is not the one which was refused."""
        if self._last is None:
            return
        slot, text = int(self._last[1]), self._last[2].strip()
        self._last = None
        self._point(text)
        values = self.values
        if copied := _COPIED.match(text):
            values[copied[1]] = _longer(values.get(copied[2], ()), slot)
        elif filled := _FILLED.match(text):
            values[filled[1]] = _longer(values.get(filled[2], ()), slot)
        elif stored := _STORED.match(text):
            self._store(slot, stored)
        elif made := _MADE.match(text):
            values[made[1]] = (slot,)
        elif changed := _CHANGED.match(text):
            values[changed[1]] = _longer(values.get(changed[1], ()), slot)
        elif text.startswith("call ") and not text.startswith("call pc"):
            self._forget_what_is_written()
            self.values = {**_without_arguments(values), "0": (slot,)}
            self._pointers = _without_arguments(self._pointers)
        elif text.startswith(("if ", "may_goto")):
            self._seen[slot] = _State(dict(values), dict(self._pointers), tuple(self._callers))

    def _point(self, text: str) -> None:
        """What the instruction does to pointers into the stack."""
        if copied := _COPIED.match(text):
            if copied[2] in self._pointers:
                self._pointers[copied[1]] = self._pointers[copied[2]]
            else:
                self._pointers.pop(copied[1], None)
        elif (added := _ADDED.match(text)) and added[1] in self._pointers:
            self._pointers[added[1]] += int(added[2])
        elif (made := _MADE.match(text)) or (made := _CHANGED.match(text)):
            self._pointers.pop(made[1], None)

    def _store(self, slot: int, stored: re.Match[str]) -> None:
        """A register of 64 bits keeps its origin on the stack; any other store there ends one."""
        width, base, offset, register = stored.groups()
        if base not in self._pointers:
            return
        at, size = self._pointers[base] + int(offset), int(width) // 8
        self._forget(at - _SLOT + 1, at + size)
        if size == _SLOT and register in self.values:
            self.values[str(at)] = _longer(self.values[register], slot)

    def _forget_what_is_written(self) -> None:
        """A helper writes what its arguments point to, if anything, from there on."""
        written = [at for number, at in self._pointers.items() if number in _ARGUMENTS]
        if written:
            self._forget(min(written) - _SLOT + 1, 0)

    def _forget(self, first: int, end: int) -> None:
        for place in [place for place in self.values if place.startswith("-") and first <= int(place) < end]:
            del self.values[place]


@final
@dataclass(frozen=True, slots=True)
class _State:
    values: Values = field(default_factory=dict)
    pointers: Mapping[str, int] = field(default_factory=dict)
    callers: tuple[tuple[Values, dict[str, int]], ...] = ()


V = TypeVar("V")


def _without_arguments(values: Mapping[str, V]) -> dict[str, V]:
    """After a call, which leaves r1 to r5 without a value."""
    return {number: value for number, value in values.items() if number not in _ARGUMENTS}


def _longer(chain: Chain, slot: int) -> Chain:
    return (*chain, slot)[-_LONGEST:]
