"""Right functions made odd: a few changes to their syntax trees, each of which Python's own parser still takes.

What comes of it may be right or wrong; the compiler has to know which.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import TypeAlias

# What a beginner, or a program that writes programs, might put anywhere.
_ODD = """\
None, ..., True, -1, 0, 1 << 40, 1 << 70, 3.5, 2j, 'text', b'bytes', f'{pkt.mark}', (), (1, 2), [], [1], {}, {1: 2},
{1}, *pkt, pkt, pkt.srh, pkt.ipv6, pkt.mark, pkt.len, pkt.ipv6.source, pkt.srh.tag, pkt.nothing, pkt.srh.append,
pkt.end_t, helpers, helpers.loop, OK, DROP, REROUTE, Verdict, u8, u8(pkt.mark), s64(3), u8(u8(u8(1))), min(pkt.mark, 3),
max(1), abs(-1), len((1, 2)), range(3), print(1), open, lambda: 1, [x for x in range(3)], (yield), (n := 3), not pkt,
-pkt.mark, ~pkt.mark, pkt.mark ** 2, pkt.mark / 2, pkt.mark @ 2, pkt.mark // 0, pkt.mark if pkt.mark else 1, pkt.mark is
None, pkt.srh is None, None is None, 1 < 2 < pkt.mark, pkt.mark in (1, 2), 1 in pkt, pkt[0], pkt[0:1], monotonic(),
monotonic(1), pkt.end_t(table=254), pkt.end_x(nexthop=1), pkt.srh.find(int), pkt.srh.tag.low, IPv6Address('::1'),
IPv6Address(1), Prefix('fc00::/16'), Srh(path=[]), Srh(path=[pkt.ipv6.source]), type(pkt), nothing, nothing.at.all(),
__import__('os'), f, f(pkt), pkt(pkt)
"""
_STATEMENTS = """\
pass
return
return OK
return None
break
continue
raise ValueError
assert pkt.mark
assert pkt.mark == 1, 'text'
del pkt
del pkt.mark
global nothing
import os
x: u8
x: nothing = 3
x = y = 3
x, y = 1, 2
x, y = y, x
x = x
x += 1
pkt.mark += 1
pkt.mark @= 1
pkt.len = 3
pkt = 3
pkt.srh.tag += pkt.mark
pkt.mark, pkt.mark = 1, 2
pkt.srh.append(3)
(x, y), z = 1, 2
for i in range(3): pass
for i in range(pkt.mark): pkt.mark = i
for i in range(0, 255, 16): break
for pkt in range(3): pass
for x in pkt.srh: continue
while pkt.mark: pass
while True: break
with pkt as x: pass
try: pass
finally: pass
match pkt.mark:
    case 1 | 2: pass
    case [x]: pass
    case {'a': 1}: pass
    case x if x > 3: return DROP
def g(x): return x
class C: pass
async def g(): await x
"""


def _statements() -> list[ast.stmt]:
    """The table above, statement by statement; those that stand in loops alone come from one."""
    text = _STATEMENTS.replace("\nbreak\n", "\n").replace("\ncontinue\n", "\n")
    return [*ast.parse(text).body, ast.Break(), ast.Continue()]


def _expressions() -> list[ast.expr]:
    (whole,) = ast.parse(f"({_ODD.strip()})").body
    assert isinstance(whole, ast.Expr)
    assert isinstance(whole.value, ast.Tuple)
    return whole.value.elts


ODD_EXPRESSIONS = _expressions()
ODD_STATEMENTS = _statements()
_OPERATORS: Sequence[type[ast.operator]] = (
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.FloorDiv,
    ast.Mod,
    ast.Pow,
    ast.LShift,
    ast.RShift,
    ast.BitOr,
    ast.MatMult,
)
_COMPARISONS: Sequence[type[ast.cmpop]] = (ast.Eq, ast.NotEq, ast.Lt, ast.GtE, ast.Is, ast.IsNot, ast.In, ast.NotIn)

Change: TypeAlias = Callable[[Random, ast.FunctionDef], None]


def mutated(source: str, random: Random, changes: int) -> str:
    """The module with some changes in its functions. Raises SyntaxError where the result is no Python."""
    tree = ast.parse(source)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]
    for _ in range(changes):
        random.choice(_CHANGES)(random, random.choice(functions))
    text = ast.unparse(ast.fix_missing_locations(tree))
    compile(text, "mutated.py", "exec")
    return text


def _blocks(function: ast.FunctionDef) -> list[list[ast.stmt]]:
    """Every list of statements in the function, none of them empty."""
    fields = [value for node in ast.walk(function) for _, value in ast.iter_fields(node)]
    return [value for value in fields if isinstance(value, list) and value and isinstance(value[0], ast.stmt)]


def _holes(function: ast.FunctionDef) -> Iterator[tuple[ast.AST, str, int | None, ast.expr]]:
    """Every place in the body that holds an expression: its node, field, index where the field is a list, and what is there."""
    for statement in function.body:
        for node in ast.walk(statement):
            for name, value in ast.iter_fields(node):
                if isinstance(value, ast.expr):
                    yield node, name, None, value
                elif isinstance(value, list):
                    yield from ((node, name, index, item) for index, item in enumerate(value) if isinstance(item, ast.expr))


def _put(node: ast.AST, name: str, index: int | None, value: ast.expr) -> None:
    if index is None:
        setattr(node, name, value)
    else:
        getattr(node, name)[index] = value


def _replace_expression(random: Random, function: ast.FunctionDef) -> None:
    holes = list(_holes(function))
    if holes:
        node, name, index, _ = random.choice(holes)
        others = [copy.deepcopy(found) for _, _, _, found in holes] if random.random() < 0.5 else ODD_EXPRESSIONS
        _put(node, name, index, _loaded(copy.deepcopy(random.choice(others))))


def _loaded(value: ast.expr) -> ast.expr:
    for node in ast.walk(value):
        if hasattr(node, "ctx"):
            node.ctx = ast.Load()
    return value


def _wrap_expression(random: Random, function: ast.FunctionDef) -> None:
    holes = [hole for hole in _holes(function) if not isinstance(getattr(hole[3], "ctx", None), ast.Store | ast.Del)]
    if not holes:
        return
    node, name, index, value = random.choice(holes)
    other = copy.deepcopy(random.choice(ODD_EXPRESSIONS))
    wrapped: Sequence[ast.expr] = (
        ast.BinOp(value, random.choice(_OPERATORS)(), other),
        ast.Compare(value, [random.choice(_COMPARISONS)()], [other]),
        ast.UnaryOp(random.choice((ast.Not, ast.USub, ast.UAdd, ast.Invert))(), value),
        ast.BoolOp(random.choice((ast.And, ast.Or))(), [value, other]),
        ast.IfExp(other, value, value),
        ast.Call(value, [other], []),
        ast.Call(ast.Name("u16", ast.Load()), [value], []),
        ast.Attribute(value, random.choice(("tag", "get", "value", "srh")), ast.Load()),
        ast.Subscript(value, other, ast.Load()),
        ast.Tuple([value, other], ast.Load()),
        ast.Starred(value, ast.Load()),
    )
    _put(node, name, index, random.choice(wrapped))


def _insert_statement(random: Random, function: ast.FunctionDef) -> None:
    block = random.choice(_blocks(function))
    block.insert(random.randint(0, len(block)), copy.deepcopy(random.choice(ODD_STATEMENTS)))


def _move_statement(random: Random, function: ast.FunctionDef) -> None:
    blocks = _blocks(function)
    source, target = random.choice(blocks), random.choice(blocks)
    moved = random.choice(source)
    if random.random() < 0.5 and len(source) > 1:
        source.remove(moved)
    target.insert(random.randint(0, len(target)), copy.deepcopy(moved))


def _drop_statement(random: Random, function: ast.FunctionDef) -> None:
    block = random.choice(_blocks(function))
    if len(block) > 1:
        block.pop(random.randrange(len(block)))


def _wrap_statement(random: Random, function: ast.FunctionDef) -> None:
    block = random.choice(_blocks(function))
    index = random.randrange(len(block))
    test = copy.deepcopy(random.choice(ODD_EXPRESSIONS))
    body = [block[index]]
    three = ast.Call(ast.Name("range", ast.Load()), [ast.Constant(3)], [])
    block[index] = random.choice(
        (
            ast.If(test, body, []),
            ast.If(test, [ast.Pass()], body),
            ast.For(ast.Name("i", ast.Store()), three, body, []),
            ast.For(ast.Name("i", ast.Store()), three, [ast.Break()], body),
            ast.Match(test, [ast.match_case(ast.MatchAs(None, None), None, body)]),
            ast.While(test, body, []),
        )
    )


_CHANGES: Sequence[Change] = (
    _replace_expression, _replace_expression, _wrap_expression, _wrap_expression,
    _insert_statement, _move_statement, _drop_statement, _wrap_statement,
)  # fmt: skip
