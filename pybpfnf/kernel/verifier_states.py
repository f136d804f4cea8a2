"""What a log says of a register beside the message that refuses it: the map that it points into, and what happened to it before.

6: (85) call bpf_map_lookup_elem#1    ; R0=map_value_or_null(id=1,map=flows,ks=4,vs=4)
7: (61) r0 = *(u32 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import final

from pybpfnf.records import dataclass

_REGISTER = re.compile(r"\bR(\d+)\b")
_MAP = re.compile(r"\bmap=([^,)]+)")
_STATE = re.compile(r"\bR(\d+)(?:_\w+)?=(\w+)(\([^)]*\))?")
_CALL = re.compile(r"^(\d+): \([0-9a-f]{2}\) call (?:bpf_)?(\w+)#\d+")
_ACQUIRED = re.compile(r"\balloc_insn=(\d+)")


@final
@dataclass(frozen=True, slots=True)
class Note:
    """A piece of what led to a refusal; `slot` is its instruction's, None where it has none."""

    text: str
    slot: int | None = None


def notes(lines: Iterable[str], message: str) -> tuple[Note, ...]:
    """What is known of the registers and references that the message names. `lines` are the log's."""
    found = [Note("reserved", int(acquired)) for acquired in _ACQUIRED.findall(message)]
    register = _REGISTER.search(message)
    if register is None:
        return tuple(found)
    history = _History(register[1])
    for line in lines:
        history.read(line)
    return (*found, *history.notes("'scalar'" in message))


@final
class _History:
    """Of one register: the map of its last state, and the call after which it was no packet pointer any more."""

    def __init__(self, number: str) -> None:
        self._number = number
        self._map: str | None = None
        self._was_packet = False
        self._call: Note | None = None

    def read(self, line: str) -> None:
        for number, kind, inside in _STATE.findall(line):
            if number == self._number:
                named = _MAP.search(inside)
                self._map = named[1] if named else None
                self._was_packet = self._was_packet or kind == "pkt"
        if self._was_packet and (call := _CALL.match(line)):
            self._call = Note(f"the packet may have moved at the call of {call[2]}", int(call[1]))

    def notes(self, is_scalar: bool) -> Iterable[Note]:
        if self._map is not None:
            yield Note(f"it points into map {self._map}")
        if is_scalar and self._call is not None:
            yield self._call
