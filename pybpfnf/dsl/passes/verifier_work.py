"""How much of a function with loops the kernel's verifier has to follow: each iteration by itself, but for loops that the kernel counts.

It gives up after 8,192 branches that it has yet to go back to, and after a million instructions (kernel/bpf/verifier.c,
BPF_COMPLEXITY_LIMIT_JMP_SEQ and BPF_COMPLEXITY_LIMIT_INSNS), going over an instruction again for each way that leads there. The
limits here are half of what was seen to be accepted of loops in loops with look-ups and branches in them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import final

from pybpfnf.diagnostics import Diagnostic
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.rules import is_gpl_compatible
from pybpfnf.dsl.building.scope import ModuleScope
from pybpfnf.dsl.ir.walk import children
from pybpfnf.dsl.types import ADDRESS
from pybpfnf.records import dataclass

_MOST_FORKS = 4096
_MOST_STEPS = 200_000  # nodes of the IR, of two or three instructions each
# How often the verifier goes over the body of a loop that the kernel counts: as it comes to it first, again with what the body has
# changed unknown, and so for what only shows then.
_ROUNDS = 8
# What a function may do for one packet, whatever the verifier would take: some milliseconds, in which the CPU does nothing else.
_MOST_DONE = 4_000_000
_ALL = 1 << 64
_LOWER = "lower the bound, as in `range(min(n, 16))`, or do less in the body"

# Branches whose outcome the verifier does not know, at most, for one node.
FORKS: Mapping[type, int] = {
    **dict.fromkeys((ir.Binary, ir.InPrefix, ir.Logical, ir.Conditional, ir.If, ir.ForRange, ir.Assert), 1),
    **dict.fromkeys((ir.MapRead, ir.MapGet, ir.MapContains, ir.SetMap, ir.DeleteMap, ir.QueuePush, ir.QueueTake, ir.Emit), 1),
    **dict.fromkeys((ir.StructValue, ir.ArrayValue, ir.Member, ir.Item, ir.SetPlace, ir.UpdatePlace), 1),
    **dict.fromkeys((ir.HelperCall, ir.PushEncap, ir.Redirect, ir.CloneRedirect, ir.HasHeader, ir.SegmentCount, ir.SegmentRead), 1),
    **dict.fromkeys((ir.TlvValue, ir.SrhValue, ir.IsTlv, ir.TlvRead, ir.TlvItem, ir.TlvLength, ir.SetTlv), 1),
    **dict.fromkeys((ir.ViewAt, ir.WireItem, ir.SetWire), 1),
    **dict.fromkeys((ir.Const, ir.LocalRead, ir.VariableRead, ir.ContextRead, ir.ReceiveTime, ir.Convert, ir.Unary, ir.Not, ir.Let), 0),
    **dict.fromkeys((ir.Unwrap, ir.IsNone), 0),
    **dict.fromkeys(
        (ir.Assign, ir.SetState, ir.UpdateState, ir.SetContext, ir.Evaluate, ir.Break, ir.Exhausted, ir.Continue, ir.Return, ir.TailCall), 0
    ),
    **dict.fromkeys((ir.InlinedCall, ir.SubprogramCall, ir.Leave, ir.Absent, ir.Present), 0),
    **dict.fromkeys((ir.HeaderRead, ir.SetHeader, ir.Seg6ActionCall), 4),
    ir.Compare: 0,  # counted at the branch that it decides
    ir.Locked: 0,
    ir.Reserve: 0,  # counted where it is asked about
    ir.Release: 0,
    ir.Log: 0,
    ir.Shown: 0,
    ir.UpdateMap: 3,
    ir.AppendTlv: 128,  # walks over the TLVs, and over the padding
    ir.InsertTlv: 136,
    ir.RemoveTlv: 136,
    ir.FindTlv: 128,
    ir.NextTlv: 5,
    ir.TlvAs: 0,
    ir.FindHeader: 32,  # a walk over at most 8 headers
    ir.WireRead: 0,
}
_DIVISIONS = (ir.BinaryOp.FLOORDIV, ir.BinaryOp.MOD, ir.BinaryOp.LSHIFT, ir.BinaryOp.RSHIFT)


@final
@dataclass(frozen=True, slots=True)
class Work:
    forks: int = 0
    steps: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.forks + other.forks, self.steps + other.steps)

    def times(self, count: int) -> Work:
        return Work(self.forks * count, self.steps * count)

    @property
    def share(self) -> float:
        """Of what is not yet too much."""
        return max(self.forks / _MOST_FORKS, self.steps / _MOST_STEPS)

    @property
    def too_much(self) -> bool:
        return self.forks > _MOST_FORKS or self.steps > _MOST_STEPS


def check_work(function: ir.Function | ir.Subprogram, license_: str, scope: ModuleScope) -> list[Diagnostic]:
    """A diagnostic for each loop that is too much by itself; where only all of them are, one for the last."""
    loops = list(_outermost(function.body))
    endless = [loop for loop, _ in loops if work((loop,), rounds=_ALL).steps > _MOST_DONE]
    if endless:
        message = "the loop can take too long for one packet"
        return [scope.file(loop.span).diagnostic("unbounded", message, loop.span, _LOWER) for loop in endless]
    found = [(loop, locked) for loop, locked in loops if work((loop,)).too_much]
    if not found and loops and work(function.body).too_much:
        found = loops[-1:]
    return [
        scope.file(loop.span).diagnostic("unbounded", _message(loop), loop.span, _hint(is_gpl_compatible(license_), locked))
        for loop, locked in found
    ]


def _message(loop: ir.ForRange) -> str:
    if loop.counted_by_kernel:
        return "the kernel would have to follow too much: the body has more branches than it goes through"
    return "the kernel would have to follow too much: it goes through each iteration by itself"


def _hint(gpl: bool, locked: bool) -> str:
    if locked:
        return f"{_LOWER}, or do it without the lock: the kernel counts no loop while one is held"
    return _LOWER if gpl else f'{_LOWER}, or write `license="GPL"`: the kernel can count long loops of GPL programs'


def _outermost(nodes: Iterable[object], locked: bool = False) -> Iterator[tuple[ir.ForRange, bool]]:
    """Each with whether a lock is held around it."""
    for node in nodes:
        if isinstance(node, ir.ForRange):
            yield node, locked
        else:
            yield from _outermost(children(node), locked or isinstance(node, ir.Locked))


def _leaving(body: tuple[ir.Stmt, ...]) -> Iterator[tuple[ir.Stmt, ...]]:
    """The arms in a loop's body that end in leaving it."""
    for statement in body:
        if isinstance(statement, ir.If):
            for arm in (statement.then, statement.orelse):
                if arm and isinstance(arm[-1], ir.Return | ir.TailCall | ir.Break):
                    yield arm
                else:
                    yield from _leaving(arm)


def work(nodes: Iterable[object], *, rounds: int = _ROUNDS, counted: Container[int] = ()) -> Work:
    """What there is to follow; `rounds`: how often the body of a loop that the kernel counts, at most; `counted`: the `id` of loops that
    are to be such."""
    return sum((_of(node, rounds, counted) for node in nodes), Work())


def _of(node: object, rounds: int, counted: Container[int]) -> Work:
    def below(nodes: Iterable[object]) -> Work:
        return work(nodes, rounds=rounds, counted=counted)

    if isinstance(node, ir.ForRange):
        constant = isinstance(node.start, ir.Const) and isinstance(node.stop, ir.Const)
        each = below(node.body) + Work(0 if constant else 1, 4)
        # What leaves the loop is followed from each iteration too, but the next one does not come after it.
        each = Work(each.forks - sum(below(arm).forks for arm in _leaving(node.body)) // 2, each.steps)
        times = min(rounds, node.most) if node.counted_by_kernel or id(node) in counted else node.most
        return each.times(times) + below((node.start, node.stop, *node.orelse))
    called = below(node.subprogram.body) if isinstance(node, ir.SubprogramCall) else Work()  # followed anew for each call
    return Work(_forks(node), 1) + below(children(node)) + called


def _forks(node: object) -> int:
    if isinstance(node, ir.Binary):
        return int(node.op in _DIVISIONS)
    if isinstance(node, ir.SetHeader) and node.value.type == ADDRESS:
        return FORKS[ir.FindHeader]  # of the header whose checksum has the address
    return FORKS[type(node)]
