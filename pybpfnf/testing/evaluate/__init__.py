"""The meaning of a function, worked out in Python: the third opinion beside the VM and the kernel.

A function of the typed IR is evaluated node by node, with Python's own operators on Python's integers, each result reduced
to its node's type; what Python raises becomes the function's on_fault verdict and the fault's place. One function a node
class, in the module for its kind, found in `EXPRESSIONS` and `STATEMENTS`; what maps and packets are is in `model_maps` and `model_packet`.

Nothing here is shared with `backend`, `vm` or `kernel`: where they disagree with this, one of the two is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

from pybpfnf.dsl import ir
from pybpfnf.errors import InputError
from pybpfnf.runner import Environment, Fault, Redirected
from pybpfnf.testing.evaluate import (
    calls,
    events,
    expressions,
    locks,
    maps,
    packets,
    queues,
    redirects,
    statements,
    structs,
    tails,
    tlvs,
    views,
    words,
)
from pybpfnf.testing.evaluate.run import RAISED, FaultError, Look, Meanings, Run
from pybpfnf.testing.evaluate.tails import TailCallError
from pybpfnf.testing.model_events import Sent
from pybpfnf.testing.model_maps import Contents, QueueContents, Value, empty_map
from pybpfnf.testing.model_packet import ModelPacket

__all__ = ["EXPRESSIONS", "NOT_EVALUATED", "RAISED", "STATEMENTS", "Evaluation", "Evaluator"]

EXPRESSIONS: Mapping[type, Callable[[Run, Any], Look]] = {
    **expressions.EXPRESSIONS,
    **events.EXPRESSIONS,
    **queues.EXPRESSIONS,
    **maps.EXPRESSIONS,
    **structs.EXPRESSIONS,
    **packets.EXPRESSIONS,
    **tlvs.EXPRESSIONS,
    **views.EXPRESSIONS,
    **calls.EXPRESSIONS,
    **redirects.EXPRESSIONS,
}

STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {
    **statements.STATEMENTS,
    **events.STATEMENTS,
    **queues.STATEMENTS,
    **maps.STATEMENTS,
    **structs.STATEMENTS,
    **packets.STATEMENTS,
    **words.STATEMENTS,
    **tlvs.STATEMENTS,
    **views.STATEMENTS,
    **calls.STATEMENTS,
    **tails.STATEMENTS,
    **locks.STATEMENTS,
}

NOT_EVALUATED: Mapping[type, str] = {
    ir.PushEncap: "what an encapsulation leads to is the router's: its routes, and its own addresses",
    ir.Seg6ActionCall: "what an action does is the router's: its routes, and the headers that it adds and takes off",
}
"""Node classes without a meaning of their own in the language, and why."""

_MEANINGS = Meanings(EXPRESSIONS, STATEMENTS)


@final
@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a function does with one packet; `packet` as it leaves the function, whatever the verdict."""

    verdict: int
    packet: bytes
    mark: int
    fault: Fault | None = None
    events: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)  # records by the name of their buffer
    log: tuple[str, ...] = ()
    redirected: tuple[Redirected, ...] = ()  # as handed to the devices


@final
class Evaluator:
    """One program with its maps and variables, which live from packet to packet and may be changed in between.

    `variables` has Config and State by name, `maps` a list for each array (of the one CPU that runs), a HashContents for each hash,
    a QueueContents for each queue.
    """

    def __init__(self, module: ir.Module, function: ir.Function, environment: Environment, config: Mapping[str, int | bytes] | None = None):
        given = config or {}
        self.function = function
        self._functions = {each.name: each for each in module.functions}
        self._buffers = module.events
        self.environment = environment
        self.maps: dict[str, Contents] = {map_.name: empty_map(map_) for map_ in module.maps}
        self.maps |= {queue.name: QueueContents(queue) for queue in module.queues}
        self.variables: dict[str, Value] = {variable.name: _initial(variable, given) for variable in module.variables}
        self.variables[ir.TAI_OFFSET.name] = environment.tai_offset

    def run(self, packet: bytes) -> Evaluation:
        """Evaluate on one packet, given as the function finds it: at the hook the next segment is the destination already."""
        sent = {buffer.name: Sent(buffer) for buffer in self._buffers}
        run = Run(_MEANINGS, self.environment, ModelPacket(packet), self.maps, self.variables, sent, self.function.hook)
        verdict, fault = self._finish(run)
        events = {name: each.records for name, each in sent.items()}
        return Evaluation(verdict, run.packet.encode(), run.context["mark"], fault, events, tuple(run.log), tuple(run.redirected))

    def _finish(self, run: Run) -> tuple[int, Fault | None]:
        """The verdict, of the function or of the last of those that it goes on in, each with locals of its own."""
        function = self.function
        while True:
            try:
                verdict = run.block(function.body)
            except FaultError as error:
                return function.on_fault, error.fault
            except TailCallError as call:
                function = self._functions[call.program]
                run.locals, run.slots = {}, {}
            else:
                assert verdict is not None  # every path ends in a return
                return verdict, None


def _initial(variable: ir.Variable, given: Mapping[str, int | bytes]) -> Value:
    value = variable.initial if isinstance(variable, ir.State) else given.get(variable.name, variable.default)
    if value is None:
        raise InputError(f"{variable.name} needs a value")
    return value
