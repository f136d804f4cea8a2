"""`pkt.srh.segments`: the segment list, in the order of the wire (RFC 8754 section 2: Segment List[0] is the last of the path)."""

from __future__ import annotations

import ast

from pybpfnf.abi.headers import MOST_SEGMENTS
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.hooks import HOOKS
from pybpfnf.dsl.building.values import POISON, Poison, Typed, Value
from pybpfnf.dsl.constructs.index import build_index


def build_segment(b: Builder, node: ast.Subscript) -> Value:
    """`srh.segments[i]`."""
    index = build_index(b, node, MOST_SEGMENTS)
    if isinstance(index, Poison):
        return POISON
    return Typed(ir.SegmentRead(index, b.span(node), in_range=_is_active(b, index)))


def _is_active(b: Builder, index: ir.Expr) -> bool:
    """Whether the index is segments_left, where the kernel has seen that it is at most last_entry (net/ipv6/seg6.c, seg6_validate_srh,
    and one less since: net/ipv6/seg6_local.c, advance_nextseg)."""
    is_left = isinstance(index, ir.HeaderRead) and index.field.name == "segments_left"
    return is_left and "srh" in HOOKS[b.hook.name].always


def store_segment(b: Builder, target: ast.Subscript) -> None:
    b.error("read-only", f"{b.hook.name} cannot write segments", target, "the kernel's helpers write flags, tag and TLVs of an SRH alone")
