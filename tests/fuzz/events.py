"""Random uses of ring buffers: records emitted whole, asked about, and reserved and filled in place. One production."""

from __future__ import annotations

from pybpfnf.dsl.types import S64, U16, U64
from tests.fuzz import structs
from tests.fuzz.expressions import placed, typed
from tests.fuzz.leaving import leave
from tests.fuzz.scope import Scope

# Nine of the wide records fit, so that a loop finds the ring full.
DECLARATIONS = """\
class Wide(Struct):
    number: s64
    first: u16 = 7
    filling: list[u64] = array(u64, 48)


FORTY_EIGHT = (3,) * 48
ring = RingBuf(Record, 4096)
wide = RingBuf(Wide, 4096)


"""
_INDENT = "    "


def uses(scope: Scope, depth: int) -> list[str]:
    return scope.random.choice((_emit, _ask, _reserve, _reserve, _reserve_wide))(scope)


def _emit(scope: Scope) -> list[str]:
    record = scope.random.choice((structs.made(scope), "records[0]", "records[1]"))
    return [f"ring.emit({record})"]


def _ask(scope: Scope) -> list[str]:
    wide = f"Wide(number={placed(scope, S64, 2)}, first={placed(scope, U16, 1)}, filling=FORTY_EIGHT)"
    return [f"if {scope.random.choice(('', 'not '))}wide.try_emit({wide}):", f"{_INDENT}pkt.mark = 6"]


def _reserve(scope: Scope) -> list[str]:
    name = scope.fresh("record")
    body = [line for _ in range(scope.random.randint(1, 4)) for line in structs.change(scope, name, shared=False)]
    body += scope.random.choice(([f"records[0] = {name}"], [f"ring.emit({name})"], []))
    return _asked(scope, "ring", name, body)


def _reserve_wide(scope: Scope) -> list[str]:
    name = scope.fresh("record")
    body = [
        f"{name}.number = {placed(scope, S64, 2)}",
        f"{name}.filling[{typed(scope, U16, 1)} % 50] = {placed(scope, U64, 2)}",  # two of fifty are out of range
    ]
    return _asked(scope, "wide", name, body)


def _asked(scope: Scope, ring: str, name: str, body: list[str]) -> list[str]:
    """The record is released on every path; what faults in the body discards it."""
    submit, discard = f"{ring}.submit({name})", f"{ring}.discard({name})"
    end = scope.random.choice(
        (
            [submit],
            [discard],
            ["if pkt.srh.tag > 9:", f"{_INDENT}{discard}", "else:", f"{_INDENT}{submit}"],
            ["if pkt.srh.tag > 9:", f"{_INDENT}{discard}", f"{_INDENT}{leave(scope)}", submit],
        )
    )
    start = f"{name} = {ring}.reserve()"
    if scope.chance(2):
        return [start, f"if {name} is not None:", *(_INDENT + line for line in (*body, *end))]
    return [start, f"if {name} is None:", f"{_INDENT}{leave(scope)}", *body, *end]
