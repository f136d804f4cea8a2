"""What is known of the packet after statements that may move it, or put other headers in front."""

from __future__ import annotations

from collections.abc import Iterable

from pybpfnf.backend.building.known import Packet
from pybpfnf.dsl import ir
from pybpfnf.dsl.ir.walk import reached
from pybpfnf.dsl.passes.checksums import checksum_over

# Expressions and statements that leave the packet where it is. All others are taken to put other headers in front.
_STILL = (
    ir.Const, ir.LocalRead, ir.VariableRead, ir.HeaderRead, ir.ContextRead, ir.ReceiveTime, ir.Convert, ir.Binary, ir.Unary, ir.Compare,
    ir.Logical, ir.Not, ir.Let, ir.Conditional, ir.MapRead, ir.MapGet, ir.MapContains, ir.IsNone, ir.Unwrap,
    ir.InPrefix, ir.HasHeader, ir.StructValue, ir.ArrayValue, ir.Member, ir.Item, ir.SetPlace, ir.UpdatePlace,
    ir.SegmentCount, ir.SegmentRead, ir.FindTlv, ir.NextTlv, ir.IsTlv, ir.TlvAs, ir.TlvRead, ir.TlvItem, ir.TlvLength,
    ir.Assign, ir.SetState, ir.UpdateState, ir.SetContext, ir.SetMap, ir.UpdateMap, ir.DeleteMap,
    ir.ViewAt, ir.FindHeader, ir.WireRead, ir.WireItem, ir.SetWire,
    ir.Emit, ir.Log, ir.Shown, ir.Reserve, ir.Release, ir.QueuePush, ir.QueueTake,
    ir.If, ir.ForRange, ir.Locked, ir.Break, ir.Exhausted, ir.Continue, ir.Return, ir.TailCall, ir.Assert, ir.Evaluate,
    ir.InlinedCall, ir.SubprogramCall, ir.Leave, ir.Absent, ir.Present,
)  # fmt: skip
# These move it, and leave its headers in their order. So does a write that a checksum follows, to the verifier.
_MOVING = (ir.CloneRedirect, ir.SetHeader, ir.SetTlv, ir.AppendTlv, ir.InsertTlv, ir.RemoveTlv, ir.TlvValue)
# These move it where a function may pull.
_PULLING = (ir.ViewAt, ir.FindHeader, ir.HasHeader)


def packet_after(packet: Packet, nodes: Iterable[object], *, pulls: bool) -> Packet:
    """Of what is known before, what stays true whatever of these nodes is done, subprograms that they call included.

    `pulls`: the hook's functions bring what they look for into the packet's first piece (`pulling`)."""
    for node in reached(nodes):
        if isinstance(node, ir.HelperCall) and not node.helper.changes_packet:
            continue
        if (
            (pulls and isinstance(node, _PULLING))
            or isinstance(node, _MOVING)
            or (isinstance(node, ir.SetWire) and checksum_over(node.place) is not None)
        ):
            packet = packet.moved()
        elif isinstance(node, ir.SetWire):
            packet = packet.written()
        elif not isinstance(node, _STILL):
            return packet.with_new_headers()
    return packet


def may_move(nodes: Iterable[object], *, pulls: bool) -> bool:
    """Whether one of these nodes may end what is known of the packet's memory."""
    there = Packet(data="there")
    return packet_after(there, nodes, pulls=pulls) != there
