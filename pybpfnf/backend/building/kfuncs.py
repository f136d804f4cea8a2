"""The kernel's own functions that a module calls, declared with their types as the kernel has them: libbpf compares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pybpfnf.backend.building.debuginfo import DebugInfo
from pybpfnf.dsl import ir
from pybpfnf.dsl.ir.walk import walk
from pybpfnf.dsl.types import S32

ITERATOR_SIZE = 8  # bytes: struct bpf_iter_num, include/uapi/linux/bpf.h


def declare_kfuncs(module: ir.Module, debug: DebugInfo) -> Iterator[str]:
    """Those that the module needs, loops' before others."""
    bodies = [each.body for each in module.functions] + [each.body for each in module.subprograms]
    nodes: list[Any] = [node for body in bodies for node in walk(body)]
    if any(isinstance(node, ir.ForRange) and node.counted_by_kernel for node in nodes):
        number = debug.type_of(S32)
        iterator = debug.pointer_to(debug.opaque_structure("bpf_iter_num", ITERATOR_SIZE))
        yield _declared(debug, "bpf_iter_num_new", ("i32", number), (("ptr", iterator), ("i32", number), ("i32", number)))
        yield _declared(debug, "bpf_iter_num_next", ("ptr", debug.pointer_to(number)), (("ptr", iterator),))
        yield _declared(debug, "bpf_iter_num_destroy", ("void", None), (("ptr", iterator),))
    if any(isinstance(node, ir.ReceiveTime) for node in nodes):
        anything = debug.pointer_to("null")
        yield _declared(debug, "bpf_cast_to_kern_ctx", ("ptr", anything), (("ptr", anything),))


def _declared(debug: DebugInfo, name: str, result: tuple[str, str | None], parameters: tuple[tuple[str, str], ...]) -> str:
    """Of the result and each parameter LLVM's type and that of the debug metadata."""
    types = debug.external(name, result[1], [type_ for _, type_ in parameters])
    return f'declare !dbg {types} {result[0]} @{name}({", ".join(type_ for type_, _ in parameters)}) nounwind section ".ksyms"'
