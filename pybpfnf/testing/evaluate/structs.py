"""Structs and the places in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.testing.evaluate.operators import operate
from pybpfnf.testing.evaluate.run import Look, Run, faulting
from pybpfnf.testing.model_structs import own, read, read_field, write, write_field


def _struct_value(run: Run, node: ir.StructValue) -> Look:
    made = own(bytes(node.type.size))
    for field, value in node.values:
        write_field(made, field, value if isinstance(value, bytes) else run.value(value))
    return made


def _array_value(run: Run, node: ir.ArrayValue) -> Look:
    made = own(bytes(node.type.size))
    for index, value in enumerate(node.items):
        write(made[index * node.type.item.size :], node.type.item, value if isinstance(value, bytes) else run.value(value))
    return made


def _place(run: Run, node: ir.Place) -> Look:
    return _read_place(node, _window(run, node))


def _read_place(node: ir.Place, window: memoryview) -> Look:
    return read_field(window, node.field) if isinstance(node, ir.Member) else read(window, node.type)


def _window(run: Run, node: ir.Place) -> memoryview:
    """What a field is in; where an item begins."""
    base: memoryview = run.value(node.base)
    if isinstance(node, ir.Member):
        return base
    index = run.value(node.index)
    assert hasattr(node.type, "size")
    with faulting(node.span):
        start = range(0, len(base), node.type.size)[index if index >= 0 else len(base)]
    return base[start:]


def _set_place(run: Run, node: ir.SetPlace) -> None:
    value = run.value(node.value)  # before the place, as in Python
    value = bytes(value) if isinstance(value, memoryview) else value  # the place may be part of it
    _write_place(node.place, _window(run, node.place), value)


def _update_place(run: Run, node: ir.UpdatePlace) -> None:
    window = _window(run, node.place)
    old: Any = _read_place(node.place, window)
    _write_place(node.place, window, operate(node.op, node.place.type, old, run.value(node.value), node.span))


def _write_place(place: ir.Place, window: memoryview, value: Look) -> None:
    if isinstance(place, ir.Member):
        write_field(window, place.field, value)
    else:
        write(window, place.type, value)


EXPRESSIONS: Mapping[type, Callable[[Run, Any], Look]] = {
    ir.StructValue: _struct_value,
    ir.ArrayValue: _array_value,
    ir.Member: _place,
    ir.Item: _place,
}

STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {
    ir.SetPlace: _set_place,
    ir.UpdatePlace: _update_place,
}
