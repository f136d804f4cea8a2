"""Loops: `for` over a range, `break`, `continue`. Those that the kernel counts are in `long_loop`.

The number of iterations is computed before the first, and an index counts them from 0: the verifier follows each iteration with
the index as a constant, so a bound on their number is all that it needs, and the index is never far from what it started as.
"""

from __future__ import annotations

from collections.abc import Callable

from pybpfnf.backend.building.effects import packet_after
from pybpfnf.backend.building.enclosing import Loop
from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.hide import hide
from pybpfnf.backend.building.known import Packet
from pybpfnf.backend.building.pulling import can_pull
from pybpfnf.backend.building.values import llvm_type
from pybpfnf.backend.lowering.arithmetic import resize
from pybpfnf.dsl import ir
from pybpfnf.dsl.ir.walk import walk
from pybpfnf.dsl.types import IntType
from pybpfnf.errors import InternalError

_Body = Callable[[Frame, tuple[ir.Stmt, ...]], None]

# LLVM may write out loops of so few iterations, where it finds that they become shorter.
_MOST_UNROLLED = 4


def lower_for_range(frame: Frame, node: ir.ForRange, lower_body: _Body) -> None:
    w = frame.writer
    start, stop = frame.value(node.start), frame.value(node.stop)
    count = iterations(frame, node, start, stop)
    index = w.slot("i64")
    w.store("i64", 0, index)
    head, inside, following, done, end = (w.label(hint) for hint in ("loop", "body", "next", "done", "end"))
    frame.packet = at_head(frame, node.body)
    if node.most > _MOST_UNROLLED:
        # Else the verifier would tell each way through the iterations apart by what they add up to from here.
        hide(frame, dict.fromkeys(each.local for each in walk(node.body) if isinstance(each, ir.Assign)))
    w.place(head)
    frame.branch(w.icmp("uge", "i64", w.load("i64", index), count), done, inside)
    frame.place(inside)
    set_counter(frame, node, start, w.load("i64", index))
    with frame.loop(Loop(following, done, end)):
        lower_body(frame, node.body)
    frame.place(following)
    if not w.terminated:
        before = w.load("i64", index)
        # Hidden where the count is not constant: LLVM would compute what the loop adds up to in integers that are too wide for it.
        w.store("i64", w.op("add", "i64", before if is_constant(count) else w.barrier("i64", before), 1), index)
        frame.loop_back(head, rolled=node.most > _MOST_UNROLLED)
    frame.place(done)
    lower_body(frame, node.orelse)
    frame.jump(end)
    frame.place(end)


def is_constant(value: str) -> bool:
    return not value.startswith("%")


def iterations(frame: Frame, node: ir.ForRange, start: str, stop: str) -> str:
    """How often the body runs, an i64: a number, or a register that the verifier knows to be at most `node.most`."""
    if is_constant(start) and is_constant(stop):
        return str(len(range(int(start), int(stop), node.step)))
    w = frame.writer
    low, high = (start, stop) if node.step > 0 else (stop, start)
    assert isinstance(node.stop.type, IntType)
    runs = w.icmp("slt" if node.stop.type.signed else "ult", "i64", low, high)
    count = w.op("sub", "i64", high, low)
    if abs(node.step) > 1:
        count = w.op("add", "i64", w.op("udiv", "i64", w.op("sub", "i64", count, 1), abs(node.step)), 1)
    count = w.barrier("i64", w.select(runs, "i64", count, 0))
    w.go_on_unless(w.icmp("ugt", "i64", count, node.most), frame.never())
    return count


def set_counter(frame: Frame, node: ir.ForRange, start: str, index: str) -> None:
    w = frame.writer
    offset = index if node.step == 1 else w.op("mul", "i64", index, node.step)
    value = offset if start == "0" else w.op("add", "i64", offset, start)
    if not isinstance(node.local.type, IntType):
        raise InternalError(f"a loop that counts in {node.local.type}")
    w.store(llvm_type(node.local.type), resize(frame, value, node.start.type, node.local.type), frame.local(node.local))


def at_head(frame: Frame, body: tuple[ir.Stmt, ...]) -> Packet:
    """What is known of the packet at the start of each iteration: of what is known before the first, what the body leaves true."""
    packet = frame.packet.without_views(node.local for node in walk(body) if isinstance(node, ir.Assign | ir.Let))
    return packet_after(packet, body, pulls=can_pull(frame.function))


def lower_break(frame: Frame, node: ir.Break) -> None:
    frame.unlock_in_loop()
    frame.end_loop()
    frame.jump(frame.loops[-1].end)


def lower_exhausted(frame: Frame, node: ir.Exhausted) -> None:
    frame.unlock_in_loop()
    frame.jump(frame.loops[-1].done)


def lower_continue(frame: Frame, node: ir.Continue) -> None:
    frame.unlock_in_loop()
    frame.jump(frame.loops[-1].following)
