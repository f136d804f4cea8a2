"""Tail calls, and the program arrays that they go through."""

from __future__ import annotations

from pybpfnf.abi.maps import MAP_TYPES
from pybpfnf.backend.building.debuginfo import DebugInfo
from pybpfnf.backend.building.frame import CONTEXT, Frame
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import S32, IntType

_NO_PROGRAM = "no program to go on in, or more than 33 tail calls"  # MAX_TAIL_CALL_CNT, include/linux/bpf.h
_KEY_SIZE = 4
_INDEX_BITS = 32  # of the helper's index: it does not see the rest


def lower_tail_call(frame: Frame, node: ir.TailCall) -> None:
    """The helper comes back only where there was nothing to go on in."""
    index = frame.value(node.index)
    type_ = node.index.type
    assert isinstance(type_, IntType)
    frame.end_loops()  # the kernel takes no tail call with an iterator that is not destroyed
    with frame.outside_loops():
        _go_on(frame, node, index, type_)


def _go_on(frame: Frame, node: ir.TailCall, index: str, type_: IntType) -> None:
    w, none = frame.writer, frame.fault(_NO_PROGRAM)
    if type_.width < _INDEX_BITS:
        index = w.cast("sext" if type_.signed else "zext", f"i{type_.width}", index, f"i{_INDEX_BITS}")
    elif type_.width > _INDEX_BITS:
        frame.leave_if(w.icmp("uge", "i64", index, node.array.size), none)
        index = w.cast("trunc", "i64", index, f"i{_INDEX_BITS}")
    # One call for two arrays would be "tail_call abusing map_ptr" (kernel/bpf/verifier.c, record_func_map).
    w.keep_apart()
    frame.call_void("tail_call", f"ptr {CONTEXT}", f"ptr @{node.array.name}", f"i32 {index}")
    w.keep_apart()
    frame.jump(none)


def define_programs(array: ir.ProgArray, debug: DebugInfo) -> str:
    """libbpf's form: `values`, an array without a length of pointers to functions, behind the members; what relocations put into
    it are the slots (tools/lib/bpf/libbpf.c, bpf_object__collect_map_relos)."""
    number = debug.type_of(S32)
    members = [
        ("type", debug.pointer_to(debug.array_of(number, 32, MAP_TYPES["prog_array"].id)), 64),
        ("max_entries", debug.pointer_to(debug.array_of(number, 32, array.size)), 64),
        ("key_size", debug.pointer_to(debug.array_of(number, 32, _KEY_SIZE)), 64),  # no type: the kernel takes none
        ("values", debug.array_of(debug.pointer_to(debug.function()), 64, 0), 0),
    ]
    filled = dict(array.slots)
    values = [f"ptr @{filled[slot]}" if slot in filled else "ptr null" for slot in range(max(filled, default=-1) + 1)]
    fixed = ", ".join(["ptr null"] * (len(members) - 1))
    type_ = f"{{ {', '.join(['ptr'] * (len(members) - 1))}, [{len(values)} x ptr] }}"
    initial = f"{{ {fixed}, [{len(values)} x ptr] [{', '.join(values)}] }}"
    variable = debug.variable(array.name, debug.structure("", members))
    return f'@{array.name} = dso_local global {type_} {initial}, section ".maps", align 8, !dbg {variable}'
