"""`pkt.received`: the time stamp of the kernel's own structure behind the context, struct sk_buff.

%p = call @bpf_cast_to_kern_ctx(%ctx)      null where the kernel has no such function, by our loader
stamp = *(u64 *)(%p + offset)              the verifier knows the structure's members, and lets all of them be read
"""

from __future__ import annotations

from pybpfnf.backend.building.frame import CONTEXT, Frame
from pybpfnf.dsl import ir


def lower_receive_time(frame: Frame, node: ir.ReceiveTime) -> str:
    w = frame.writer
    offset = frame.value(node.offset)
    result = w.slot("i64")
    w.store("i64", 0, result)
    there, end = w.label("stamp"), w.label("end")
    structure = w.value(f"call ptr @bpf_cast_to_kern_ctx(ptr {CONTEXT})")
    frame.branch(w.icmp("eq", "ptr", structure, "null"), end, there)
    frame.place(there)
    place = w.value(f"getelementptr i8, ptr {structure}, i64 {offset}")
    w.store("i64", w.load("i64", place, 8, volatile=True), result)
    frame.jump(end)
    frame.place(end)
    return w.load("i64", result)
