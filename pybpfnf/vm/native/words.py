"""A compiler for functions of 64-bit words: Python source in, LLVM IR out.

What machine code does around programs (`fast_path`, `fast_helpers`) is written as Python functions whose values are unsigned words of
64 bits, so that it reads beside the code that it must agree with. Arithmetic wraps, `//`, `>>` and comparisons are unsigned, `and`, `or`
and `not` are of truth; a name is a variable, a parameter, or a number that the module has. Any other construct is refused with its place.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, final

from pybpfnf.errors import InternalError
from pybpfnf.vm.native.writer import Writer

_OPERATIONS: Mapping[type, str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.FloorDiv: "udiv", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
    ast.LShift: "shl", ast.RShift: "lshr",
}  # fmt: skip
_TESTS: Mapping[type, str] = {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "ult", ast.LtE: "ule", ast.Gt: "ugt", ast.GtE: "uge"}
_WORD = (1 << 64) - 1


def compile_words(functions: Sequence[Callable[..., int]], *, elsewhere: Sequence[Callable[..., int]], kept: frozenset[str]) -> str:
    """The functions' text. `elsewhere`: what they call, and the module has from someone else. `kept`: those that stay functions; the others
    are put where they are called."""
    known = {function.__name__: len(inspect.signature(function).parameters) for function in (*functions, *elsewhere)}
    return "\n".join(_Function(function, known, function.__name__ in kept).text() for function in functions)


# ---------------------------------------------------------------------------------------- what memory is to these functions


def load8(address: int) -> int:
    raise NotImplementedError("compiled, not run")


def load16(address: int) -> int:
    """Network byte order."""
    raise NotImplementedError("compiled, not run")


def load32(address: int) -> int:
    raise NotImplementedError("compiled, not run")


def load64(address: int) -> int:
    raise NotImplementedError("compiled, not run")


def store8(address: int, value: int) -> None:
    raise NotImplementedError("compiled, not run")


def store16(address: int, value: int) -> None:
    """Network byte order."""
    raise NotImplementedError("compiled, not run")


def store32(address: int, value: int) -> None:
    raise NotImplementedError("compiled, not run")


def store64(address: int, value: int) -> None:
    raise NotImplementedError("compiled, not run")


def move(target: int, source: int, size: int) -> None:
    """`memmove`."""
    raise NotImplementedError("compiled, not run")


def clear(target: int, size: int) -> None:
    raise NotImplementedError("compiled, not run")


def same(one: int, other: int, size: int) -> int:
    """Whether `size` bytes are the same."""
    raise NotImplementedError("compiled, not run")


def run(state: int) -> int:
    """The program's own code (`emit`)."""
    raise NotImplementedError("compiled, not run")


def is_end(slot: int) -> int:
    """Whether the program ends at this slot, with a result (`emit`)."""
    raise NotImplementedError("compiled, not run")


RUNTIME = """\
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
define internal i64 @same(i64 %one, i64 %other, i64 %size) {
entry:
  br label %next
next:
  %at = phi i64 [ 0, %entry ], [ %more, %equal ]
  %end = icmp uge i64 %at, %size
  br i1 %end, label %yes, label %compare
compare:
  %a = add i64 %one, %at
  %b = add i64 %other, %at
  %pa = inttoptr i64 %a to ptr
  %pb = inttoptr i64 %b to ptr
  %x = load i8, ptr %pa
  %y = load i8, ptr %pb
  %e = icmp eq i8 %x, %y
  br i1 %e, label %equal, label %no
equal:
  %more = add i64 %at, 1
  br label %next
yes:
  ret i64 1
no:
  ret i64 0
}
"""


def _load(width: int, *, swapped: bool = False) -> Callable[[Writer, list[str]], str]:
    def give(w: Writer, operands: list[str]) -> str:
        value = w.give(f"load i{width}, ptr {w.give(f'inttoptr i64 {operands[0]} to ptr')}, align 1")
        if swapped:
            value = w.give(f"call i{width} @llvm.bswap.i{width}(i{width} {value})")
        return value if width == 64 else w.give(f"zext i{width} {value} to i64")

    return give


def _store(width: int, *, swapped: bool = False) -> Callable[[Writer, list[str]], str]:
    def give(w: Writer, operands: list[str]) -> str:
        value = operands[1] if width == 64 else w.give(f"trunc i64 {operands[1]} to i{width}")
        if swapped:
            value = w.give(f"call i{width} @llvm.bswap.i{width}(i{width} {value})")
        w.do(f"store i{width} {value}, ptr {w.give(f'inttoptr i64 {operands[0]} to ptr')}, align 1")
        return "0"

    return give


def _move(w: Writer, operands: list[str]) -> str:
    target, source = (w.give(f"inttoptr i64 {operand} to ptr") for operand in operands[:2])
    w.do(f"call void @llvm.memmove.p0.p0.i64(ptr {target}, ptr {source}, i64 {operands[2]}, i1 false)")
    return "0"


def _clear(w: Writer, operands: list[str]) -> str:
    w.do(f"call void @llvm.memset.p0.i64(ptr {w.give(f'inttoptr i64 {operands[0]} to ptr')}, i8 0, i64 {operands[1]}, i1 false)")
    return "0"


_INTRINSICS: Mapping[str, Callable[[Writer, list[str]], str]] = {
    "load8": _load(8),
    "load16": _load(16, swapped=True),
    "load32": _load(32),
    "load64": _load(64),
    "store8": _store(8),
    "store16": _store(16, swapped=True),
    "store32": _store(32),
    "store64": _store(64),
    "move": _move,
    "clear": _clear,
    "same": lambda w, operands: w.give(f"call i64 @same(i64 {operands[0]}, i64 {operands[1]}, i64 {operands[2]})"),
    "run": lambda w, operands: w.give(f"call i64 @run(ptr {w.give(f'inttoptr i64 {operands[0]} to ptr')})"),
}


# --------------------------------------------------------------------------------------------------------- the compiler


@final
class _Function:
    def __init__(self, function: Callable[..., int], known: Mapping[str, int], kept: bool) -> None:
        lines, self._first_line = inspect.getsourcelines(function)
        tree = ast.parse("".join(lines)).body[0]
        assert isinstance(tree, ast.FunctionDef)
        self._tree = tree
        self._globals: dict[str, Any] = function.__globals__
        self._known = known
        self._kept = kept
        self._w = Writer()

    def text(self) -> str:
        parameters = [argument.arg for argument in self._tree.args.args]
        names = {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        self._variables = sorted(names | set(parameters))
        w = self._w
        w.begin("entry")
        for name in self._variables:
            w.do(f"%{name}.at = alloca i64")
            w.do(f"store i64 {f'%{name}.given' if name in parameters else 0}, ptr %{name}.at")
        self._body(self._tree.body)
        w.do("ret i64 0")
        given = ", ".join(f"i64 %{name}.given" for name in parameters)
        how = "noinline" if self._kept else "alwaysinline"
        head = f"define {'' if self._kept else 'internal '}i64 @{self._tree.name}({given}) {how} {{"
        return "\n".join((head, *w.lines, "}"))

    def _refuse(self, node: ast.AST) -> NoReturn:
        line = self._first_line + getattr(node, "lineno", 1) - 1
        raise InternalError(f"{self._tree.name}, line {line}: {type(node).__name__} is not in the language of words")

    def _body(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        w = self._w
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                pass  # the docstring
            case ast.Expr(value=ast.Call() as call):
                self._value(call)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                w.do(f"store i64 {self._value(value)}, ptr %{name}.at")
            case ast.AugAssign(target=ast.Name(id=name), op=operation, value=value) if type(operation) in _OPERATIONS:
                old = w.give(f"load i64, ptr %{name}.at")
                w.do(f"store i64 {w.give(f'{_OPERATIONS[type(operation)]} i64 {old}, {self._value(value)}')}, ptr %{name}.at")
            case ast.Return(value=value):
                w.do(f"ret i64 {'0' if value is None else self._value(value)}")
                w.begin(w.label())  # what follows is not reached
            case ast.If():
                self._if(node)
            case ast.While():
                self._while(node)
            case _:
                self._refuse(node)

    def _if(self, node: ast.If) -> None:
        w = self._w
        yes, no, after = w.label(), w.label(), w.label()
        self._branch(node.test, yes, no)
        w.begin(yes)
        self._body(node.body)
        w.do(f"br label %{after}")
        w.begin(no)
        self._body(node.orelse)
        w.do(f"br label %{after}")
        w.begin(after)

    def _while(self, node: ast.While) -> None:
        w = self._w
        head, body, after = w.label(), w.label(), w.label()
        w.do(f"br label %{head}")
        w.begin(head)
        self._branch(node.test, body, after)
        w.begin(body)
        self._body(node.body)
        w.do(f"br label %{head}")
        w.begin(after)

    def _branch(self, node: ast.expr, yes: str, no: str) -> None:
        """Go to one of the labels; what need not be known is not worked out."""
        w = self._w
        match node:
            case ast.BoolOp(op=operation, values=values):
                for value in values[:-1]:
                    following = w.label()
                    self._branch(value, *((following, no) if isinstance(operation, ast.And) else (yes, following)))
                    w.begin(following)
                self._branch(values[-1], yes, no)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self._branch(operand, no, yes)
            case ast.Compare(left=left, ops=[operation], comparators=[right]) if type(operation) in _TESTS:
                condition = w.give(f"icmp {_TESTS[type(operation)]} i64 {self._value(left)}, {self._value(right)}")
                w.do(f"br i1 {condition}, label %{yes}, label %{no}")
            case _:
                w.do(f"br i1 {w.give(f'icmp ne i64 {self._value(node)}, 0')}, label %{yes}, label %{no}")

    def _value(self, node: ast.expr) -> str:
        w = self._w
        match node:
            case ast.Constant(value=int() as number):
                return str(number & _WORD)
            case ast.Name(id=name) if name in self._variables:
                return w.give(f"load i64, ptr %{name}.at")
            case ast.Name() | ast.Attribute():
                return str(int(eval(ast.unparse(node), self._globals)) & _WORD)  # a number that the module has
            case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _OPERATIONS:
                return w.give(f"{_OPERATIONS[type(operation)]} i64 {self._value(left)}, {self._value(right)}")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return w.give(f"sub i64 0, {self._value(operand)}")
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(node, name, [self._value(argument) for argument in arguments])
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                return self._truth(node)
        return self._refuse(node)

    def _call(self, node: ast.expr, name: str, arguments: list[str]) -> str:
        if name in _INTRINSICS:
            return _INTRINSICS[name](self._w, arguments)
        if self._known.get(name) != len(arguments):
            self._refuse(node)
        return self._w.give(f"call i64 @{name}({', '.join(f'i64 {argument}' for argument in arguments)})")

    def _truth(self, node: ast.expr) -> str:
        w = self._w
        yes, no, after = w.label(), w.label(), w.label()
        self._branch(node, yes, no)
        for label in (yes, no):
            w.begin(label)
            w.do(f"br label %{after}")
        w.begin(after)
        return w.give(f"phi i64 [ 1, %{yes} ], [ 0, %{no} ]")
