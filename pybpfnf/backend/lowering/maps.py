"""Maps: look-ups, stores, read-modify-writes. A missing key and a full map are fault exits, unless the language says otherwise."""

from __future__ import annotations

from collections.abc import Callable

from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.values import literal, llvm_type
from pybpfnf.backend.lowering.arithmetic import combine, resize
from pybpfnf.backend.lowering.memory import atomic_update, is_atomic, load_value, store_value
from pybpfnf.backend.lowering.structs import constant_buffer, copy
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.intervals import interval_of
from pybpfnf.dsl.types import U32, IntType, StoredType, StructType, ValueType
from pybpfnf.errors import InternalError
from pybpfnf.types.layout import lock_field

_ANY, _NO_EXIST = 0, 1  # BPF_ANY, BPF_NOEXIST (include/uapi/linux/bpf.h)
_OUT_OF_RANGE, _MISSING, _FULL = "index out of range", "no such key", "the map is full"


def lower_map_read(frame: Frame, node: ir.MapRead) -> str:
    key = frame.value(node.key)
    value_type = node.map.value
    if isinstance(value_type, StructType):
        return _entry_or_new(frame, node.map, key, node.key)
    if node.map.default is None:
        return load_value(frame, _entry(frame, node.map, key, node.key), value_type)
    result = frame.writer.slot(llvm_type(node.type))
    frame.writer.store(llvm_type(node.type), literal(node.map.default), result)  # here: this may stand in a loop
    _when_there(frame, node.map, key, node.key, lambda entry: _keep(frame, result, value_type, entry))
    return frame.writer.load(llvm_type(node.type), result)


def lower_map_get(frame: Frame, node: ir.MapGet) -> str:
    """The optional `{ i1, value }`; its value is zero where the key is missing."""
    key = frame.value(node.key)
    value_type = node.map.value
    if isinstance(value_type, StructType):
        return _look_up(frame, node.map, key)  # a hash: arrays have no `get`
    w, inner, optional = frame.writer, llvm_type(node.type.inner), llvm_type(node.type)
    there, result = w.slot("i1"), w.slot(inner)
    w.store("i1", "false", there)
    w.store(inner, 0, result)

    def keep(entry: str) -> None:
        w.store("i1", "true", there)
        _keep(frame, result, value_type, entry)

    _when_there(frame, node.map, key, node.key, keep)
    flag, value = w.load("i1", there), w.load(inner, result)
    flagged = w.value(f"insertvalue {optional} poison, i1 {flag}, 0")
    return w.value(f"insertvalue {optional} {flagged}, {inner} {value}, 1")


def map_contains(frame: Frame, node: ir.MapContains) -> str:
    """An i1 that comes of a null check: for a branch, not for arithmetic."""
    key = frame.value(node.key)
    w = frame.writer
    there = w.slot("i1")
    w.store("i1", "false", there)
    _when_there(frame, node.map, key, node.key, lambda _: w.store("i1", "true", there))
    return w.load("i1", there)


def lower_set_map(frame: Frame, node: ir.SetMap) -> None:
    value = frame.value(node.value)  # Python evaluates the right side first
    key = frame.value(node.key)
    if _is_array(node.map) and lock_field(node.map.value) is not None:
        # The kernel writes around the lock, which programs must not touch.
        index = _index(frame, node.map, key, node.key, frame.fault(_OUT_OF_RANGE))
        status = _update(frame, node.map, index, value, _ANY)
        frame.fault_if(frame.writer.icmp("ne", "i64", status, 0), _OUT_OF_RANGE)
    elif _is_array(node.map):
        _store(frame, _entry(frame, node.map, key, node.key), node.map.value, value)
    else:
        status = _update(frame, node.map, key, value, _ANY)
        frame.fault_if(frame.writer.icmp("ne", "i64", status, 0), _FULL)


def lower_update_map(frame: Frame, node: ir.UpdateMap) -> None:
    key = frame.value(node.key)
    type_ = node.map.value
    if not isinstance(type_, IntType):
        raise InternalError(f"{node.op.value}= on a map of {type_}")
    if _is_array(node.map) or node.map.default is None:
        entry = _entry(frame, node.map, key, node.key)  # before the right side, as in Python: a missing one is the first to fault
        value = frame.value(node.value)
    else:
        value = frame.value(node.value)
        entry = _entry_or_new(frame, node.map, key, node.key)
    if is_atomic(node.op, type_) and not node.map.row.per_cpu:
        atomic_update(frame, entry, node.op, type_, value)
    else:
        old = load_value(frame, entry, type_)
        store_value(frame, entry, type_, combine(frame, node.op, type_, old, value, node.value.type))


def lower_delete_map(frame: Frame, node: ir.DeleteMap) -> None:
    slot = _in_memory(frame, "key", node.map.key, frame.value(node.key))
    status = frame.call("map_delete_elem", f"ptr @{node.map.name}", f"ptr {slot}")
    frame.fault_if(frame.writer.icmp("ne", "i64", status, 0), _MISSING)


# ----------------------------------------------------------------------------------------------------------- entries


def _is_array(map_: ir.Map) -> bool:
    return map_.row.indexed


def _entry(frame: Frame, map_: ir.Map, key: str, node: ir.Expr) -> str:
    """A pointer to the value of a key that must be there. An array's value stays where it is, so it is looked up once."""
    known = (map_.name, key)
    if known in frame.entries:
        return frame.entries[known]
    w = frame.writer
    elsewhere = frame.never() if _in_range(map_, node) else frame.fault(_OUT_OF_RANGE if _is_array(map_) else _MISSING)
    index = _index(frame, map_, key, node, elsewhere)
    entry = _look_up(frame, map_, index)
    w.go_on_unless(w.icmp("eq", "ptr", entry, "null"), elsewhere)
    if _is_array(map_) and isinstance(node, ir.Const):
        frame.entries = {**frame.entries, known: entry}
    return entry


def _entry_or_new(frame: Frame, map_: ir.Map, key: str, node: ir.Expr) -> str:
    """A pointer to the value of a key of a hash, which is made from the default when it is missing."""
    if map_.default is None:
        return _entry(frame, map_, key, node)
    w = frame.writer
    result, there, missing = w.slot("ptr"), w.label("there"), w.label("missing")
    entry = _look_up(frame, map_, key)
    w.store("ptr", entry, result)
    w.branch(w.icmp("eq", "ptr", entry, "null"), missing, there)
    w.place(missing)
    # When another CPU has made it in between, this fails and the look-up finds that one.
    value = literal(map_.default)
    if isinstance(map_.value, StructType):
        assert isinstance(map_.default, bytes)
        value = constant_buffer(frame, map_.default)
    _update(frame, map_, key, value, _NO_EXIST)
    entry = _look_up(frame, map_, key)
    w.store("ptr", entry, result)
    frame.fault_if(w.icmp("eq", "ptr", entry, "null"), _FULL)
    w.place(there)
    return w.load("ptr", result)


def _when_there(frame: Frame, map_: ir.Map, key: str, node: ir.Expr, then: Callable[[str], None]) -> None:
    """Emit `then` for the pointer to the value, on the way where the key is there; both ways meet afterwards."""
    w = frame.writer
    end = w.label("looked")
    entry = _look_up(frame, map_, _index(frame, map_, key, node, end))
    w.go_on_unless(w.icmp("eq", "ptr", entry, "null"), end)
    then(entry)
    w.place(end)


def _keep(frame: Frame, slot: str, type_: ValueType, entry: str) -> None:
    frame.writer.store(llvm_type(type_), load_value(frame, entry, type_), slot)


def _in_range(map_: ir.Map, node: ir.Expr) -> bool:
    """Whether an array's index is proven to be one: then no fault exit is made, though the verifier still wants a check."""
    if not _is_array(map_):
        return False
    values = interval_of(node)
    return values.low >= 0 and values.high < map_.max_entries


def _index(frame: Frame, map_: ir.Map, key: str, node: ir.Expr, elsewhere: str) -> str:
    """The key as the map takes it. An index wider than the map's u32 keys, or signed, is compared before it is cut."""
    if not _is_array(map_) or node.type == U32 or not isinstance(node.type, IntType):
        return key
    w, type_ = frame.writer, node.type
    if type_.maximum >= map_.max_entries or type_.signed:
        w.go_on_unless(w.icmp("uge", f"i{type_.width}", key, map_.max_entries), elsewhere)
    return resize(frame, key, type_, U32)


def _look_up(frame: Frame, map_: ir.Map, key: str) -> str:
    """bpf_map_lookup_elem: a pointer to the value, null when the key is missing."""
    slot = _in_memory(frame, "key", map_.key, key)
    return frame.call("map_lookup_elem", f"ptr @{map_.name}", f"ptr {slot}", result="ptr")


def _update(frame: Frame, map_: ir.Map, key: str, value: str, flags: int) -> str:
    key_slot = _in_memory(frame, "key", map_.key, key)
    value_slot = _in_memory(frame, "buffer", map_.value, value)
    return frame.call("map_update_elem", f"ptr @{map_.name}", f"ptr {key_slot}", f"ptr {value_slot}", f"i64 {flags}")


def _store(frame: Frame, pointer: str, type_: StoredType, value: str) -> None:
    if isinstance(type_, StructType):
        copy(frame, value, pointer, type_.size, type_.alignment)
    else:
        store_value(frame, pointer, type_, value)


def _in_memory(frame: Frame, name: str, type_: StoredType, value: str) -> str:
    if isinstance(type_, StructType):
        return value  # a pointer to it already
    slot = frame.scratch(name, type_.size)
    store_value(frame, slot, type_, value)
    return slot
