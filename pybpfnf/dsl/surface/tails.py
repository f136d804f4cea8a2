"""Arrays of programs to go on in, as an author writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, final

from pybpfnf.dsl.surface.definitions import DefinitionError, birthplace, only_compiled
from pybpfnf.dsl.surface.packets import Verdict
from pybpfnf.dsl.surface.programs import Hook, HookProgram, Program, lwt_in, lwt_out, lwt_xmit, seg6local
from pybpfnf.dsl.surface.stores import checked_size

P = TypeVar("P")

_HOOKS: dict[type, Hook[Any]] = {hook.packet: hook for hook in (seg6local, lwt_in, lwt_out, lwt_xmit)}


@final
class ProgArray(Generic[P]):
    """`ProgArray(packet type, size)`: `size` slots for network functions of one hook, the one whose packet that is.

    `NEXT[0] = function` at module level puts one in. `return NEXT[i](pkt)` in a function goes on in the one of slot i, and does
    not come back; where the slot is empty it is a fault.
    """

    kind = "prog_array"  # a row of abi.maps

    def __init__(self, packet: type[P], size: int) -> None:
        owner = type(self).__name__
        if packet not in _HOOKS:
            names = ", ".join(each.__name__ for each in _HOOKS)
            raise DefinitionError(f"{owner}: {packet!r} is no hook's packet", hint=f"write one of {names}")
        self.packet = packet
        self.hook = _HOOKS[packet]
        self.size = checked_size(size, owner)
        self.programs: dict[int, Program] = {}
        self._birthplace = birthplace()

    @property
    def name(self) -> str | None:
        """The name in the module that made it; None where it has none."""
        return self._birthplace.name_of(self)

    def __getitem__(self, index: int) -> Callable[[P], Verdict]:
        only_compiled("a tail call")

    def __setitem__(self, index: int, program: HookProgram[P]) -> None:
        """At module level: the program of a slot, there from load on."""
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < self.size:
            hint = f"write a number from 0 to {self.size - 1}"
            raise DefinitionError(f"ProgArray: {index!r} is none of its {self.size} slots", code="overflow", hint=hint)
        if not isinstance(program, Program):
            raise DefinitionError(f"ProgArray: {program!r} is no network function", hint=f"write {self.hook!r} above its `def`")
        if program.hook is not self.hook:
            message = f"ProgArray: {program.name} is a program of {program.hook!r}, and the slots are for {self.hook!r}"
            raise DefinitionError(message, code="not-here", hint=f"put programs of {self.hook!r} in it")
        if index in self.programs:
            message = f"ProgArray: slot {index} has {self.programs[index].name} already"
            raise DefinitionError(message, code="name", hint="give each program a slot of its own")
        self.programs[index] = program

    def __repr__(self) -> str:
        return f"<ProgArray({self.packet.__name__}, {self.size}) {self.name or 'without a name'}>"
