"""A program on either runner, its maps with the language's types, and packets for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address
from typing import Final, TypeAlias

from pybpfnf import Program, backend, image
from pybpfnf.dsl import compile_module, ir
from pybpfnf.live import Live
from pybpfnf.runner import Environment, Outcome, Runner, Session
from pybpfnf.testing.packets import srv6

SOURCE: Final = IPv6Address("fd00::1")
SID: Final = IPv6Address("fc00:2::2")

Run: TypeAlias = Callable[[bytes], Outcome]


@contextmanager
def running(runner: Runner, program: Program) -> Iterator[tuple[Live, Run]]:
    """The program's maps, and what runs it."""
    with running_module(runner, compile_module([program])) as opened:
        yield opened


@contextmanager
def running_module(runner: Runner, module: ir.Module) -> Iterator[tuple[Live, Run]]:
    """The same of a module with one program."""
    with opened_module(runner, module) as session:
        yield Live(session.image, session.maps), session.run


def opened_module(runner: Runner, module: ir.Module) -> Session:
    """The same as a session, whose maps are bytes."""
    built = image.read(backend.build(module))
    return runner.open(built, built.program(), Environment(sid=SID))


def packet(tag: int = 0, flags: int = 0, next_hop: str = "fc00:3::3") -> bytes:
    """A packet from SOURCE for SID; what is not said is zero."""
    return srv6(segments=[next_hop, str(SID)], tag=tag, flags=flags)


def fault_of(outcome: Outcome) -> str | None:
    """What the function said when it left by a fault exit."""
    return None if outcome.fault is None else outcome.fault.message
