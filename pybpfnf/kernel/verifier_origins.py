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
from typing import TypeAlias, final

Chain: TypeAlias = tuple[int, ...]
"""The slots that made a value, the last one last: of its original, of each change and of each copy."""

Values: TypeAlias = dict[str, Chain]

_LONGEST = 16  # of a chain: loops go on for ever
_REGISTER = re.compile(r"\bR(\d+)\b")
_INSN = re.compile(r"^(\d+): \([0-9a-f]{2}\) ([^;]*)")
_BRANCH = re.compile(r"^from (\d+) to \d+:")
_COPIED = re.compile(r"^[rw](\d+) = [rw](\d+)\b")
_FILLED = re.compile(r"^r(\d+) = \*\(u64 \*\)\(r10 ([+-]\d+)\)")
_SPILLED = re.compile(r"^\*\(u64 \*\)\(r10 ([+-]\d+)\) = r(\d+)")
_MADE = re.compile(r"^[rw](\d+) = ")
_CHANGED = re.compile(r"^[rw](\d+) \S+= ")
_CALLED, _RETURNED = "callee:", "to caller at "
_ARGUMENTS = frozenset("12345")


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
    """`values`: the chains by register ("3"), and by place on the stack ("-16"), of the function that the verifier is in."""

    def __init__(self) -> None:
        self.values: Values = {}
        self._last: re.Match[str] | None = None
        self._callers: list[Values] = []
        self._seen: dict[int, tuple[Values, list[Values]]] = {}  # after an instruction from which the verifier goes two ways

    def read(self, line: str) -> None:
        if insn := _INSN.match(line):
            self._execute_last()
            self._last = insn
            return
        if not line.startswith((_CALLED, _RETURNED)) and not _BRANCH.match(line):
            return
        self._execute_last()
        if line.startswith(_CALLED):
            self._callers.append(self.values)
            self.values = {number: chain for number, chain in self.values.items() if number in _ARGUMENTS}
        elif line.startswith(_RETURNED) and self._callers:
            result = self.values.get("0", ())
            self.values = {**_without_arguments(self._callers.pop()), "0": result}
        elif branch := _BRANCH.match(line):
            values, callers = self._seen.get(int(branch[1]), ({}, []))
            self.values, self._callers = dict(values), list(callers)

    def _execute_last(self) -> None:
        """The instruction that was read last: only once there is a next, since that is not the one which was refused."""
        if self._last is None:
            return
        slot, text, values = int(self._last[1]), self._last[2].strip(), self.values
        self._last = None
        if copied := _COPIED.match(text):
            values[copied[1]] = _longer(values.get(copied[2], ()), slot)
        elif filled := _FILLED.match(text):
            values[filled[1]] = _longer(values.get(filled[2], ()), slot)
        elif spilled := _SPILLED.match(text):
            values[spilled[1]] = _longer(values.get(spilled[2], ()), slot)
        elif made := _MADE.match(text):
            values[made[1]] = (slot,)
        elif changed := _CHANGED.match(text):
            values[changed[1]] = _longer(values.get(changed[1], ()), slot)
        elif text.startswith("call ") and not text.startswith("call pc"):
            self.values = {**_without_arguments(values), "0": (slot,)}
        elif text.startswith(("if ", "may_goto")):
            self._seen[slot] = (dict(values), list(self._callers))


def _without_arguments(values: Values) -> Values:
    """After a call, which leaves r1 to r5 without a value."""
    return {number: chain for number, chain in values.items() if number not in _ARGUMENTS}


def _longer(chain: Chain, slot: int) -> Chain:
    return (*chain, slot)[-_LONGEST:]
