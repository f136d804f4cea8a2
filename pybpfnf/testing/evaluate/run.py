"""One packet on its way through a function: its locals, and what Python raises as a fault of the function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from pybpfnf.abi.headers import ETHER_TYPES, HEADERS
from pybpfnf.abi.programs import PacketRights, ProgramType
from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.runner import Environment, Fault, FaultKind, Redirected
from pybpfnf.testing.model_events import Sent, Slot
from pybpfnf.testing.model_maps import Contents, Value
from pybpfnf.testing.model_packet import ModelPacket, PacketError
from pybpfnf.testing.model_structs import own

Look: TypeAlias = Any
"""A Value, or None for a look-up that missed."""


@final
class FaultError(Exception):
    """The function leaves with its on_fault verdict."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.fault = Fault(FaultKind.EXIT, message, span.file, span.line, span.column, callers=span.callers)


RAISED: Mapping[type[Exception], str] = {
    ZeroDivisionError: "division by zero",
    IndexError: "index out of range",
    KeyError: "no such key",
    OverflowError: "the map is full",
    ValueError: "negative shift count",
}
"""What the function's own operations raise, and what the fault is called."""


@contextmanager
def faulting(span: Span) -> Iterator[None]:
    """What Python raises in the one operation within is a fault at `span`."""
    try:
        yield
    except PacketError as error:
        raise FaultError(str(error), span) from None
    except tuple(RAISED) as error:
        raise FaultError(RAISED[type(error)], span) from None


@final
@dataclass(frozen=True, slots=True)
class Meanings:
    """What each node class means: one function each."""

    expressions: Mapping[type, Callable[[Run, Any], Look]]
    statements: Mapping[type, Callable[[Run, Any], int | None]]


@final
class Run:
    """One packet going through a function. `maps` and `variables` outlive it."""

    def __init__(
        self,
        meanings: Meanings,
        environment: Environment,
        packet: ModelPacket,
        maps: dict[str, Contents],
        variables: dict[str, Value],
        sent: Mapping[str, Sent],
        hook: ProgramType,
    ) -> None:
        self._meanings = meanings
        self.maps = maps
        self.variables = variables
        self.environment = environment
        self.packet = packet
        self.locals: dict[ir.Local, Look] = {}
        self.writes_packet = hook.packet is PacketRights.READ_WRITE
        self.verdicts = {number: name for name, number in hook.verdicts.items()}
        self.log: list[str] = []
        self.tail_calls = 0
        self.redirected: list[Redirected] = []
        self.sent = sent  # records, by the name of their buffer
        self.slots: dict[ir.Local, Slot | None] = {}  # of the locals that have a reserved record
        self.context: dict[str, int] = {
            "mark": environment.mark,
            "ifindex": environment.ifindex,
            "ingress_ifindex": environment.ifindex,
            "priority": 0,
            "protocol": ETHER_TYPES["ipv4" if packet.has(HEADERS["ipv4"]) else "ipv6"],
            "vlan_proto": 0,
        }

    def value(self, node: ir.Expr) -> Any:
        return self._meanings.expressions[type(node)](self, node)

    @contextmanager
    def in_function(self, given: dict[ir.Local, Look]) -> Iterator[None]:
        """What is done within has locals of its own, the given ones at first."""
        locals_, slots = self.locals, self.slots
        self.locals, self.slots = given, {}
        try:
            yield
        finally:
            self.locals, self.slots = locals_, slots

    def block(self, body: tuple[ir.Stmt, ...]) -> int | None:
        """The verdict, when a statement returned; None at the end."""
        for statement in body:
            verdict = self._meanings.statements[type(statement)](self, statement)
            if verdict is not None:
                return verdict
        return None


def stored_copy(value: Look) -> Look:
    """What is stored: a struct is copied."""
    return own(value) if isinstance(value, memoryview) else value
