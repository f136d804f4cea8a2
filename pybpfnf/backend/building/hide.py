"""Numbers that the verifier is not to know.

It follows each way through a program by itself, and gives up after a million instructions; two ways become one again only where it
knows the same of both. A local that constants are added to on some ways and not on others, and that is compared later, is another
number on each: 20 such `if`s are a million ways. Of a number that it does not know at all the sums are alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.values import llvm_type
from pybpfnf.dsl import ir
from pybpfnf.dsl.ir.walk import children, reached, walk
from pybpfnf.dsl.types import IntType

_MANY = 8  # assignments: 256 ways
_WALKS = (ir.AppendTlv, ir.InsertTlv, ir.RemoveTlv, ir.FindTlv, ir.NextTlv)


def hide(frame: Frame, locals_: Iterable[ir.Local]) -> None:
    """Keep from the verifier what these integers are here. To it, a number that it does not know, xor itself, is a number that it does
    not know."""
    integers = [(local, local.type) for local in locals_ if isinstance(local.type, IntType)]
    if not integers:
        return
    w, nothing = frame.writer, unknown_zero(frame)
    for local, type_ in integers:
        integer, place = llvm_type(type_), frame.local(local)
        added = nothing if type_.width == 64 else w.cast("trunc", "i64", nothing, integer)
        w.store(integer, w.op("add", integer, w.load(integer, place), added), place)


def unknown_zero(frame: Frame) -> str:
    """An i64 that is 0, of which neither LLVM nor the verifier knows anything."""
    w = frame.writer
    field = frame.function.hook.context.fields["len"]
    unknown = w.barrier("i32", w.load("i32", frame.context_field(field.offset), 4, volatile=True))
    nothing = w.cast("zext", "i32", w.op("xor", "i32", unknown, w.barrier("i32", unknown)), "i64")
    # All 64 bits: of fewer it would know how large the sum can be, which differs as the sums do.
    return w.op("or", "i64", nothing, w.op("shl", "i64", nothing, 32))


def accumulators(body: tuple[ir.Stmt, ...]) -> frozenset[ir.Local]:
    """Integers that are assigned something made of themselves in many arms of branches."""
    counted = Counter(_accumulated(body, in_arm=False))
    return frozenset(local for local, number in counted.items() if number >= _MANY)


def _accumulated(nodes: Iterable[object], *, in_arm: bool) -> Iterator[ir.Local]:
    for node in nodes:
        if isinstance(node, ir.Assign) and in_arm and isinstance(node.local.type, IntType):
            if any(isinstance(read, ir.LocalRead) and read.local == node.local for read in walk((node.value,))):
                yield node.local
        elif not isinstance(node, ir.Assign):
            yield from _accumulated(children(node), in_arm=in_arm or isinstance(node, ir.If))


def walks_often(body: Iterable[object]) -> bool:
    """Whether a function may walk over the SRH's TLVs more than once."""
    walks = 0
    for node in reached(body):
        if isinstance(node, _WALKS):
            walks += 1
        elif isinstance(node, ir.ForRange) and walks_at_all(node.body):
            return True
    return walks > 1


def walks_at_all(body: Iterable[object]) -> bool:
    """Whether it may walk over them; a subprogram that does may be called more than once."""
    return any(isinstance(node, _WALKS) for node in reached(body))


def grows(body: Iterable[object]) -> bool:
    """Whether the SRH may be longer after it than its length byte says."""
    return any(isinstance(node, ir.AppendTlv | ir.InsertTlv | ir.RemoveTlv) for node in reached(body))
