"""Loops that the verifier is not to follow iteration by iteration: which they are.

    for i in range(5000):              becomes the same with `counted_by_kernel`, where its body has branches

The kernel counts such a loop (`bpf_iter_num_next`), and its verifier follows the body until another iteration would show it nothing
new. That costs a call an iteration, and kernels before 6.4 have no such function: so it is for loops that are too much otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.rules import is_gpl_compatible
from pybpfnf.dsl.ir.walk import children
from pybpfnf.dsl.passes.verifier_work import work

_FEW = 8  # iterations that are followed one by one in any case


def with_long_loops(functions: Sequence[ir.Function], license_: str) -> list[ir.Function]:
    """The functions of a module, with the loops marked that the kernel must count, in their subprograms too: for programs that may call
    the kernel's functions, and where no lock is held."""
    if not is_gpl_compatible(license_) or not any(work(function.body).too_much for function in functions):
        return list(functions)
    counted: set[int] = set()
    for function in functions:
        _choose_inner(function.body, counted)
        _choose_largest(function, counted)
        _choose_within(function.body, counted, inside=False)
    subprograms: dict[str, ir.Subprogram] = {}

    def marked(node: Any) -> Any:
        if isinstance(node, ir.Subprogram):
            if node.name not in subprograms:
                subprograms[node.name] = _rebuilt(node, marked)
            return subprograms[node.name]
        new = _rebuilt(node, marked)
        return replace(new, counted_by_kernel=True) if id(node) in counted else new

    return [marked(function) for function in functions] if counted else list(functions)


def _choose_inner(nodes: Iterable[Any], counted: set[int]) -> None:
    """The loops that are too much by themselves, those within others before them."""
    for node in nodes:
        if not isinstance(node, ir.Locked):
            _choose_inner(_below(node), counted)
            if isinstance(node, ir.ForRange) and work((node,), counted=counted).too_much:
                counted.add(id(node))


def _choose_largest(function: ir.Function, counted: set[int]) -> None:
    """Where all of them are too much, one after the other."""
    while work(function.body, counted=counted).too_much:
        plain = list(_outermost(function.body, counted))
        if not plain:
            return
        counted.add(id(max(plain, key=lambda loop: work((loop,), counted=counted).share)))


def _choose_within(nodes: Iterable[Any], counted: set[int], *, inside: bool) -> None:
    """The loops with branches inside those that were chosen: there the verifier knows less of what they compare, and has seen nothing
    before that would end a way through them early."""
    for node in nodes:
        if isinstance(node, ir.Locked):
            continue
        if isinstance(node, ir.ForRange) and inside and node.most > _FEW and work(node.body).forks:
            counted.add(id(node))
        _choose_within(_below(node), counted, inside=inside or id(node) in counted)


def _outermost(nodes: Iterable[Any], counted: set[int]) -> Iterator[ir.ForRange]:
    """Loops that no lock and no loop but those that are chosen is around."""
    for node in nodes:
        if isinstance(node, ir.ForRange) and id(node) not in counted:
            yield node
        elif not isinstance(node, ir.Locked):
            yield from _outermost(_below(node), counted)


def _below(node: Any) -> Iterator[Any]:
    yield from children(node)
    if isinstance(node, ir.SubprogramCall):
        yield from node.subprogram.body


def _rebuilt(node: Any, change: Callable[[Any], Any]) -> Any:
    """A node, or a tuple of nodes, with what is below it changed; itself where nothing changes."""
    if isinstance(node, tuple):
        items = tuple(map(change, node))
        return items if any(new is not old for new, old in zip(items, node, strict=True)) else node
    if not is_dataclass(node) or isinstance(node, type):
        return node
    values = {field.name: getattr(node, field.name) for field in fields(node)}
    changed = {name: new for name, old in values.items() if (new := change(old)) is not old}
    return replace(node, **changed) if changed else node
