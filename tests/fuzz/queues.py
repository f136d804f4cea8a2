"""Random uses of a queue of integers and a stack of structs, which live from packet to packet. One production."""

from __future__ import annotations

from pybpfnf.dsl.types import S32
from tests.fuzz import structs
from tests.fuzz.expressions import placed
from tests.fuzz.scope import Scope

DECLARATIONS = """\
pending = Queue(s32, 3)
done = Stack(Record, 2)


"""
_INDENT = "    "


def uses(scope: Scope, depth: int) -> list[str]:
    return scope.random.choice((_push, _take, _push_struct, _take_struct))(scope)


def _drop_oldest(scope: Scope) -> str:
    return scope.random.choice(("", ", drop_oldest=True", ", drop_oldest=True", ", drop_oldest=False"))


def _verb(scope: Scope) -> str:
    return scope.random.choice(("pop", "pop", "peek"))


def _push(scope: Scope) -> list[str]:
    return [f"pending.push({placed(scope, S32, 2)}{_drop_oldest(scope)})"]


def _take(scope: Scope) -> list[str]:
    name = scope.fresh("taken")
    lines = [f"{name} = pending.{_verb(scope)}()", f"if {name} is None:", f"{_INDENT}{name} = {placed(scope, S32, 1)}"]
    scope.locals[name] = S32
    return lines


def _push_struct(scope: Scope) -> list[str]:
    record = scope.random.choice((structs.made(scope), "records[0]", "records[1]"))
    return [f"done.push({record}{_drop_oldest(scope)})"]


def _take_struct(scope: Scope) -> list[str]:
    name = scope.fresh("taken")
    body = [line for _ in range(scope.random.randint(1, 3)) for line in structs.change(scope, name, shared=False)]
    body += scope.random.choice(([f"records[0] = {name}"], [f"done.push({name}, drop_oldest=True)"], [f"records[1].total += {name}.total"]))
    return [f"{name} = done.{_verb(scope)}()", f"if {name} is not None:", *(_INDENT + line for line in body)]
