"""`log(f"...")`: the text and the values of a line, as the kernel's trace takes them (kernel/bpf/helpers.c, bpf_bprintf_prepare)."""

from __future__ import annotations

import ast
import re

from pybpfnf.dsl import ir
from pybpfnf.dsl.building.arguments import Parameter, bind
from pybpfnf.dsl.building.builder import Builder
from pybpfnf.dsl.building.operands import describe, present, settle
from pybpfnf.dsl.building.values import POISON, Choice, Constant, Effect, Literal, Poison, Typed, Value
from pybpfnf.dsl.constructs.events import may_call
from pybpfnf.dsl.types import ADDRESS, BOOL, S64, U32, VERDICT, IntType

FEW = 3  # values that bpf_trace_printk takes; more go through bpf_trace_vprintk
MOST_VALUES = 12  # MAX_BPRINTF_VARARGS
LONGEST_TEXT = 512  # of a line of 1,023 characters (MAX_BPRINTF_BUF), of which the values need the rest
_WIDEST = 40
_SPEC = re.compile(r"(?P<align>[<>]?)(?P<sign>[+ ]?)(?P<prefix>#?)(?P<zeros>0?)(?P<width>\d*)(?P<kind>[dxX]?)", re.ASCII)
_PLAIN, _STR, _REPR = -1, ord("s"), ord("r")


def build_log(b: Builder, node: ast.Call) -> Value:
    bound = bind(b, node, (Parameter("text"),), b.text(node.func))
    if bound is None:
        return POISON
    parts = _parts(b, bound["text"])
    if parts is None:
        return POISON
    values = _values(parts)
    if not may_call(b, "trace_printk" if values <= FEW else "trace_vprintk", node):
        return POISON
    if values > MOST_VALUES:
        return b.error("overflow", f"a line takes {MOST_VALUES} values, and this has {values}", bound["text"], "write two lines")
    if sum(len(part) for part in parts if isinstance(part, str)) > LONGEST_TEXT:
        return b.error("overflow", f"a line takes {LONGEST_TEXT} characters of text", bound["text"], "write two lines")
    return Effect((ir.Log(parts, b.span(node)),))


def _values(parts: tuple[str | ir.Shown, ...]) -> int:
    """The values that the helper gets: a letter or digit right after an address or a name is one too (`backend.lower_log`)."""
    pairs = zip(parts, (*parts, "")[1:], strict=True)
    named = (after for part, after in pairs if isinstance(part, ir.Shown) and not isinstance(part.value.type, IntType))
    glued = sum(_starts_with_letter(after) for after in named)
    return sum(isinstance(part, ir.Shown) for part in parts) + glued


def _starts_with_letter(part: str | ir.Shown) -> bool:
    return part[:1].isalnum() if isinstance(part, str) else part.prefix


def _parts(b: Builder, node: ast.expr) -> tuple[str | ir.Shown, ...] | None:
    """What the line is made of, neighbouring texts joined; None where it is wrong, and that was reported."""
    if isinstance(node, ast.JoinedStr):
        found = [_part(b, piece) for piece in node.values]
    else:
        value = b.expr(node)
        if not isinstance(value, Constant) or not isinstance(value.value, str):
            if not isinstance(value, Poison):
                b.error("type", f"`log` takes text, and `{b.text(node)}` is {describe(value)}", node, f'write `log(f"{{{b.text(node)}}}")`')
            return None
        found = [value.value]
    joined: list[str | ir.Shown] = []
    for part in found:
        if part is None:
            return None
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined) if _is_printable(b, joined, node) else None


def _is_printable(b: Builder, parts: list[str | ir.Shown], node: ast.expr) -> bool:
    odd = next((character for part in parts if isinstance(part, str) for character in part if not " " <= character <= "~"), None)
    if odd is None:
        return True
    hint = "each `log` is a line of its own" if odd in "\n\r" else "write it in ASCII"
    b.error("type", f"the kernel's trace takes printable ASCII, and {odd!r} is not", node, hint)
    return False


def _part(b: Builder, piece: ast.expr) -> str | ir.Shown | None:
    if isinstance(piece, ast.Constant):
        return str(piece.value)
    assert isinstance(piece, ast.FormattedValue)
    value = present(b, b.expr(piece.value), piece.value)
    spec = _spec(b, piece)
    if spec is None or isinstance(value, Poison):
        return None
    match value:
        case Literal(number, unknown=False):
            return format(number, spec) if _is_integers(b, spec, piece, signed=False) else None
        case Constant(str() as text) if not spec:
            return text
        case Literal() | Choice():
            return _integer(b, settle(b, value, S64, piece.value), spec, piece)
        case Typed(expr) if isinstance(expr.type, IntType):
            return _integer(b, expr, spec, piece)
        case Typed(expr) if expr.type in (BOOL, VERDICT, ADDRESS):
            return _named(b, expr, spec, piece)
        case _:
            hint = "log its fields, one by one" if isinstance(value, Typed) else "log integers, bools, verdicts and addresses"
            b.error("type", f"`log` does not show `{b.text(piece.value)}`, which is {describe(value)}", piece.value, hint)
            return None


def _spec(b: Builder, piece: ast.FormattedValue) -> str | None:
    """What is after the colon; None where it is no constant, and that was reported."""
    if piece.conversion not in (_PLAIN, _STR, _REPR):
        b.error("unsupported", "`!a` is not part of the language", piece.value, "leave it out")
        return None
    if piece.format_spec is None:
        return ""
    assert isinstance(piece.format_spec, ast.JoinedStr)
    texts = [part.value for part in piece.format_spec.values if isinstance(part, ast.Constant)]
    if len(texts) == len(piece.format_spec.values):
        return "".join(map(str, texts))
    b.error("unsupported", "a width that is computed is not part of the language", piece.value, "write it as a number: `{x:8}`")
    return None


def _named(b: Builder, expr: ir.Expr, spec: str, piece: ast.FormattedValue) -> ir.Shown | None:
    if spec:
        b.error("type", f"{describe(Typed(expr))} is shown as it is, without `:{spec}`", piece.value, f"write `{{{b.text(piece.value)}}}`")
        return None
    return ir.Shown(expr)


def _integer(b: Builder, expr: ir.Expr, spec: str, piece: ast.FormattedValue) -> ir.Shown | None:
    type_ = expr.type
    assert isinstance(type_, IntType)
    if not _is_integers(b, spec, piece, signed=type_.signed):
        return None
    match = _SPEC.fullmatch(spec)
    assert match is not None
    kind, sign = match["kind"], match["sign"]
    if sign and not type_.signed:
        text = b.text(piece.value)
        if type_.width > U32.width:
            b.error("type", f"the kernel shows no sign of `{text}`, which is {type_}", piece.value, f"write `+{{{text}}}`")
            return None
        expr = ir.Convert(expr, S64, expr.span)
    hexadecimal = kind if kind != "d" else ""
    width = int(match["width"] or 0)
    return ir.Shown(expr, sign, hexadecimal, bool(match["prefix"]), width, bool(match["zeros"]), match["align"] == "<")


def _is_integers(b: Builder, spec: str, piece: ast.FormattedValue, *, signed: bool) -> bool:
    """Whether the kernel shows an integer so; reported where not."""
    match, text = _SPEC.fullmatch(spec), b.text(piece.value)
    if match is None:
        b.error("unsupported", f"the kernel does not show integers as `:{spec}`", piece.value, "it knows d, x, X, #, +, a width, 0 and <")
    elif match["kind"] in ("x", "X") and signed:
        b.error("sign", f"hexadecimal is for unsigned integers, and `{text}` is signed", piece.value, f"write `{{u64({text}):{spec}}}`")
    elif match["prefix"] and (match["kind"] not in ("x", "X") or (match["width"] and not match["zeros"])):
        hint = f"write `{{{text}:#x}}`, or with zeros `{{{text}:#010x}}`"
        b.error("unsupported", f"the kernel does not show integers as `:{spec}`", piece.value, hint)
    elif match["sign"] and match["kind"] in ("x", "X"):
        b.error("unsupported", f"the kernel does not show integers as `:{spec}`", piece.value, f"leave out the `{match['sign']}`")
    elif match["align"] == "<" and match["zeros"]:
        b.error("unsupported", "zeros stand before a number", piece.value, f"write `{{{text}:0{match['width']}}}`")
    elif int(match["width"] or 0) > _WIDEST:
        b.error("overflow", f"a width is at most {_WIDEST}", piece.value, "write a smaller one")
    else:
        return True
    return False
