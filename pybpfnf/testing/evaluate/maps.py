"""Look-ups and changes of maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.testing.evaluate.operators import operate
from pybpfnf.testing.evaluate.run import Look, Run, faulting, stored_copy
from pybpfnf.testing.model_maps import TrieContents, stored


def key_of(run: Run, node: ir.Expr) -> Look:
    """A key's value: of a struct its bytes, which do not change afterwards."""
    key = run.value(node)
    return bytes(key) if isinstance(key, memoryview) else key


def _map_read(run: Run, node: ir.MapRead) -> Look:
    key = key_of(run, node.key)
    with faulting(node.span):
        return stored(run.maps[node.map.name], node.map, key)


def _map_get(run: Run, node: ir.MapGet) -> Look:
    return run.maps[node.map.name].get(key_of(run, node.key))


def _map_contains(run: Run, node: ir.MapContains) -> Look:
    return int(key_of(run, node.key) in run.maps[node.map.name])


def _set_map(run: Run, node: ir.SetMap) -> None:
    value = stored_copy(run.value(node.value))  # before the key, as in Python
    key = key_of(run, node.key)
    with faulting(node.span):
        run.maps[node.map.name][key] = value


def _update_map(run: Run, node: ir.UpdateMap) -> None:
    key = key_of(run, node.key)
    contents = run.maps[node.map.name]
    with faulting(node.span):
        old: Any = stored(contents, node.map, key)
    new = operate(node.op, node.map.value, old, run.value(node.value), node.span)
    with faulting(node.span):
        contents[contents.match(key) if isinstance(contents, TrieContents) else key] = new


def _delete_map(run: Run, node: ir.DeleteMap) -> None:
    key = key_of(run, node.key)
    with faulting(node.span):
        del run.maps[node.map.name][key]


EXPRESSIONS: Mapping[type, Callable[[Run, Any], Look]] = {
    ir.MapRead: _map_read,
    ir.MapGet: _map_get,
    ir.MapContains: _map_contains,
}

STATEMENTS: Mapping[type, Callable[[Run, Any], int | None]] = {
    ir.SetMap: _set_map,
    ir.UpdateMap: _update_map,
    ir.DeleteMap: _delete_map,
}
