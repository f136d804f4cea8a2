"""Every node below a function of the IR, and what is used there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import TypeVar, get_args

from pybpfnf.dsl import ir

_NODES: tuple[type, ...] = (*get_args(ir.Expr), *get_args(ir.Stmt), ir.TlvValue, ir.SrhValue, ir.Shown)


def children(node: object) -> Iterator[object]:
    """The nodes directly below a node, in the order of its fields."""
    assert is_dataclass(node)
    for field in fields(node):
        yield from _nodes(getattr(node, field.name))


def _nodes(value: object) -> Iterator[object]:
    if isinstance(value, _NODES):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


def walk(nodes: Iterable[object]) -> Iterator[object]:
    """These nodes and all below them, each before what is below it."""
    for node in nodes:
        yield node
        yield from walk(children(node))


def reached(nodes: Iterable[object]) -> Iterator[object]:
    """As `walk`, and what is in the subprograms that are called there; a subprogram once for each call."""
    for node in walk(nodes):
        yield node
        if isinstance(node, ir.SubprogramCall):
            yield from reached(node.subprogram.body)


def called_subprograms(functions: Iterable[ir.Function | ir.Subprogram]) -> tuple[ir.Subprogram, ...]:
    """The subprograms that functions call, each after those that it calls itself."""
    found: dict[str, ir.Subprogram] = {}
    for function in functions:
        for node in walk(function.body):
            if isinstance(node, ir.SubprogramCall) and node.subprogram.name not in found:
                found |= {inner.name: inner for inner in called_subprograms((node.subprogram,)) if inner.name not in found}
                found[node.subprogram.name] = node.subprogram
    return tuple(found.values())


def used_names(functions: Iterable[ir.Function | ir.Subprogram]) -> tuple[tuple[ir.Map, ...], tuple[ir.Variable, ...]]:
    """The maps and variables that functions use, in the order of first use."""
    bodies = tuple(functions)
    return _used(bodies, ir.Map), _used(bodies, ir.Config, ir.State)


def used_queues(functions: Iterable[ir.Function | ir.Subprogram]) -> tuple[ir.Queue, ...]:
    """The queues and stacks that functions use, in the order of first use."""
    return _used(functions, ir.Queue)


def used_programs(functions: Iterable[ir.Function | ir.Subprogram]) -> tuple[ir.ProgArray, ...]:
    """The program arrays that functions go on in, in the order of first use."""
    return _used(functions, ir.ProgArray)


def used_events(functions: Iterable[ir.Function | ir.Subprogram]) -> tuple[ir.EventBuffer, ...]:
    """The ring buffers and perf event arrays that functions use, in the order of first use."""
    return _used(functions, ir.EventBuffer)


_Named = TypeVar("_Named", ir.Map, ir.Variable, ir.Queue, ir.ProgArray, ir.EventBuffer)


def _used(functions: Iterable[ir.Function | ir.Subprogram], *kinds: type[_Named]) -> tuple[_Named, ...]:
    """What any field of any node names of these kinds: so that no node can be forgotten here."""
    found: dict[str, _Named] = {}
    for function in functions:
        for node in walk(function.body):
            assert is_dataclass(node)
            for thing in (getattr(node, field.name) for field in fields(node)):
                if isinstance(thing, kinds):
                    found.setdefault(thing.name, thing)
    return tuple(found.values())
