"""Writes to a part of a header by a name that does not say whose checksum covers it.

    hop = datagram.first          `datagram` is of a class whose number says that it is UDP's
    hop.port = 7                  refused: which checksum is to follow stands in the path `datagram.first.port`

A local, or a parameter, may stand for such a part on one way to the write and for another on the next, so whatever it is anywhere given
counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.ir.walk import walk
from pybpfnf.dsl.passes.checksums import checksum_over
from pybpfnf.dsl.types import HeaderType, OptionalType, PacketViewType

Owner: TypeAlias = str
"""The function that a local is one of: a subprogram's name, or "" for the program."""
Wholes: TypeAlias = dict[tuple[Owner, ir.Local], str]


def check_parts(function: ir.Function) -> Iterator[tuple[Span, str, str]]:
    """Each such write below a program: its place, what is wrong, and what to do."""
    bodies = dict(_bodies("", function.body))
    wholes: Wholes = {}
    while _note(bodies, wholes):
        pass
    for owner, body in bodies.items():
        for node in walk(body):
            if not isinstance(node, ir.SetWire) or checksum_over(node.place) is not None:
                continue
            root = _root(node.place)
            whole = wholes.get((owner, root.local)) if isinstance(root, ir.LocalRead) else None
            if whole is not None and isinstance(root, ir.LocalRead):
                message = f"`{root.local.name}` stands for a part of a {whole}, whose checksum would not follow a write to it"
                yield node.span, message, f"write it by its whole path, from the view of the {whole} on"


def _bodies(owner: Owner, body: tuple[ir.Stmt, ...]) -> Iterator[tuple[Owner, tuple[ir.Stmt, ...]]]:
    yield owner, body
    for node in walk(body):
        if isinstance(node, ir.SubprogramCall):
            yield from _bodies(node.subprogram.name, node.subprogram.body)


def _note(bodies: dict[Owner, tuple[ir.Stmt, ...]], wholes: Wholes) -> bool:
    """Go over all that locals and parameters are given; whether that said anything new."""
    before = len(wholes)
    for owner, body in bodies.items():
        for node in walk(body):
            if isinstance(node, ir.Assign):
                _give(wholes, (owner, node.local), owner, node.value)
            elif isinstance(node, ir.SubprogramCall):
                for parameter, value in node.arguments:
                    _give(wholes, (node.subprogram.name, parameter), owner, value)
    return len(wholes) > before


def _give(wholes: Wholes, to: tuple[Owner, ir.Local], owner: Owner, value: ir.Expr) -> None:
    for each in _values(value):
        whole = _whole(wholes, owner, each)
        if whole is not None:
            wholes.setdefault(to, whole)


def _values(value: ir.Expr) -> Iterator[ir.Expr]:
    """What a value can be."""
    match value:
        case ir.Conditional():
            yield from _values(value.then)
            yield from _values(value.orelse)
        case ir.Unwrap() | ir.Present():
            yield from _values(value.operand)
        case _:
            yield value


def _whole(wholes: Wholes, owner: Owner, part: ir.Expr) -> str | None:
    """The class that a part of a header is covered by, where its own does not say so."""
    type_ = part.type.inner if isinstance(part.type, OptionalType) else part.type
    if not isinstance(type_, PacketViewType):
        return None
    if isinstance(part, ir.WireRead | ir.WireItem):
        covered = checksum_over(part)
        if covered is not None:
            view = covered.header.type.inner if isinstance(covered.header.type, OptionalType) else covered.header.type
            assert isinstance(view, PacketViewType)
            assert isinstance(view.of, HeaderType)
            return str(view.of)
    root = _root(part)
    return wholes.get((owner, root.local)) if isinstance(root, ir.LocalRead) else None


def _root(place: ir.Expr) -> ir.Expr:
    while isinstance(place, ir.WireRead | ir.WireItem | ir.Unwrap):
        place = place.operand if isinstance(place, ir.Unwrap) else place.base
    return place
