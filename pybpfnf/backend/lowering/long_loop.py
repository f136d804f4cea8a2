"""Loops that the kernel counts: its iterator says how often the body runs, and the verifier follows the body until it knows no less.

    call @bpf_iter_num_new(%iterator1, 0, count)
    loop:   %p = call @bpf_iter_num_next(%iterator1), at the end null
    body:   i = start + *p * step
            ...                                    what leaves the function in between destroys the iterator before (`Frame`)
    done:   call @bpf_iter_num_destroy(%iterator1)

The verifier must find an iteration that it has seen. Of what the body changes it knows nothing from the start (`hide`), so that later
iterations show it nothing more; and LLVM must see no sums over iterations, of which it would make pointers that go along (a pointer has
limits that only the body's own comparisons give).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pybpfnf.backend.building.enclosing import Loop
from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.building.hide import hide, unknown_zero
from pybpfnf.backend.building.kfuncs import ITERATOR_SIZE
from pybpfnf.backend.building.values import is_in_memory, llvm_type
from pybpfnf.backend.lowering.loop import at_head, is_constant, iterations, set_counter
from pybpfnf.backend.lowering.packet import FARTHEST, srh_slot
from pybpfnf.dsl import ir
from pybpfnf.dsl.constructs.struct import local_of, root_of
from pybpfnf.dsl.ir.walk import walk
from pybpfnf.dsl.types import ArrayType, BoolType, IntType, OctetsType, OptionalType, StructType

_Body = Callable[[Frame, tuple[ir.Stmt, ...]], None]
_WORD = 8


def lower_long_loop(frame: Frame, node: ir.ForRange, lower_body: _Body) -> None:
    w = frame.writer
    start, stop = frame.value(node.start), frame.value(node.stop)
    count = iterations(frame, node, start, stop)
    head, inside, following, done, end = (w.label(hint) for hint in ("loop", "body", "next", "done", "end"))
    changed = _changed(node.body)
    carried = [local for local in changed if local in _carried(node.body)]
    for local in carried:
        _begin_as_zero(frame, local)
    _forget(frame, changed, carried)
    iterator = frame.scratch(f"iterator{_depth(frame)}", ITERATOR_SIZE)
    number = count if is_constant(count) else w.cast("trunc", "i64", count, "i32")
    w.value(f"call i32 @bpf_iter_num_new(ptr {iterator}, i32 0, i32 {number})")
    frame.packet = at_head(frame, node.body)
    w.place(head)
    # In one place: the verifier compares the iterations where this call is.
    place = w.value(f"call ptr @bpf_iter_num_next(ptr {iterator}) noduplicate")
    with frame.loop(Loop(following, done, end, iterator, len(frame.leaves))):
        if frame.packet.srh_found:
            _bound_again(frame)
        frame.branch(w.icmp("eq", "ptr", place, "null"), done, inside)
        frame.place(inside)
        index = w.cast("zext", "i32", w.load("i32", place, 4), "i64")
        w.go_on_unless(w.icmp("uge", "i64", index, node.most), frame.never())
        _part_from_before(frame, carried)
        set_counter(frame, node, start, index)
        lower_body(frame, node.body)
    frame.place(following)
    if not w.terminated:
        frame.loop_back(head)
    frame.place(done)
    if not w.terminated:
        w.do(f"call void @bpf_iter_num_destroy(ptr {iterator})")
    lower_body(frame, node.orelse)
    frame.jump(end)
    frame.place(end)


def _depth(frame: Frame) -> int:
    return sum(loop.iterator is not None for loop in frame.loops)


def _bound_again(frame: Frame) -> None:
    """Where the SRH is, which the verifier may have forgotten: it makes what differs from one iteration to the next any number."""
    w, slot = frame.writer, srh_slot(frame)
    offset = w.barrier("i64", w.load("i64", slot))
    w.go_on_unless(w.icmp("ugt", "i64", offset, FARTHEST), frame.never())
    w.store("i64", offset, slot)


def _changed(body: tuple[ir.Stmt, ...]) -> tuple[ir.Local, ...]:
    """The locals that iterations change, in the order of the source."""
    return tuple(dict.fromkeys(local for local in map(_target, walk(body)) if local is not None))


def _target(node: object) -> ir.Local | None:
    match node:
        case ir.Assign(local) | ir.ForRange(local):
            return local
        case ir.SetPlace(place) | ir.UpdatePlace(place):
            return local_of(root_of(place))
        case _:
            return None


def _carried(body: tuple[ir.Stmt, ...]) -> frozenset[ir.Local]:
    """What an iteration may read as the one before has left it."""
    read: set[ir.Local] = set()
    written: set[ir.Local] = set()  # on every way by now
    for statement in body:
        read |= {node.local for node in walk((statement,)) if isinstance(node, ir.LocalRead)} - written
        if isinstance(statement, ir.Assign):
            written.add(statement.local)
    return frozenset(read)


def _begin_as_zero(frame: Frame, local: ir.Local) -> None:
    """LLVM must not read what was never written, and no more must the function."""
    if isinstance(local.type, IntType | BoolType):
        frame.initialize(local, llvm_type(local.type))
    elif is_in_memory(local.type):
        frame.initialize(local, f"[{_words(local.type)} x i64]")


def _words(type_: StructType | ArrayType | OctetsType | OptionalType) -> int:
    return -(-type_.size // _WORD)


def _forget(frame: Frame, changed: Iterable[ir.Local], carried: Iterable[ir.Local]) -> None:
    """Before the first iteration the verifier knows of these what it knows before all others: nothing."""
    hide(frame, changed)
    flags = [local for local in changed if isinstance(local.type, BoolType)]
    structs = [(local, local.type) for local in carried if is_in_memory(local.type)]
    if not flags and not structs:
        return
    w, zero = frame.writer, unknown_zero(frame)
    bit = w.cast("trunc", "i64", zero, "i1")
    for local in flags:
        w.store("i1", w.op("xor", "i1", w.load("i1", frame.local(local)), bit), frame.local(local))
    for local, type_ in structs:
        for word in range(_words(type_)):
            place = w.offset(frame.local(local), word * _WORD)
            w.store("i64", w.op("add", "i64", w.load("i64", place, _WORD), zero), place, _WORD)


def _part_from_before(frame: Frame, locals_: Iterable[ir.Local]) -> None:
    """LLVM must not see how these follow from what they were in the iteration before."""
    w = frame.writer
    for local in locals_:
        if isinstance(local.type, IntType):
            type_, place = llvm_type(local.type), frame.local(local)
            wide = w.load(type_, place) if local.type.width == 64 else w.cast("zext", type_, w.load(type_, place), "i64")
            opaque = w.barrier("i64", wide)
            w.store(type_, opaque if local.type.width == 64 else w.cast("trunc", "i64", opaque, type_), place)
