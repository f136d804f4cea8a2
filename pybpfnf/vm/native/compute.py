"""Arithmetic, byte swaps and tests as LLVM IR: the meaning of `vm.alu`, operation by operation (RFC 9669 sections 4 and 5.3).

Operands are i64; an operation of 32 bits looks at the low half and clears the high half of its result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pybpfnf.vm.native.writer import Writer

Compute = Callable[[Writer, str, str, int], str]  # operands and result of `width` bits


def alu(w: Writer, op: str, width: int, a: str, b: str) -> str:
    if op.startswith("movsx"):
        bits = op.removeprefix("movsx")
        narrow = w.give(f"trunc i64 {b} to i{bits}")
        return widened(w, w.give(f"sext i{bits} {narrow} to i{width}") if width < 64 else w.give(f"sext i{bits} {narrow} to i64"), width)
    return widened(w, _ALU[op](w, narrowed(w, a, width), narrowed(w, b, width), width), width)


def swap(w: Writer, op: str, width: int, value: str) -> str:
    low = narrowed(w, value, width)
    return widened(w, low if op == "le" else w.give(f"call i{width} @llvm.bswap.i{width}(i{width} {low})"), width)


def test(w: Writer, op: str, width: int, a: str, b: str) -> str:
    """An i1: whether the jump is taken."""
    one, other = narrowed(w, a, width), narrowed(w, b, width)
    if op == "jset":
        common = w.give(f"and i{width} {one}, {other}")
        return w.give(f"icmp ne i{width} {common}, 0")
    return w.give(f"icmp {_TESTS[op]} i{width} {one}, {other}")


def narrowed(w: Writer, value: str, width: int) -> str:
    return value if width == 64 else w.give(f"trunc i64 {value} to i{width}")


def widened(w: Writer, value: str, width: int) -> str:
    return value if width == 64 else w.give(f"zext i{width} {value} to i64")


def _plain(operation: str) -> Compute:
    return lambda w, a, b, width: w.give(f"{operation} i{width} {a}, {b}")


def _shift(operation: str) -> Compute:
    def shift(w: Writer, a: str, b: str, width: int) -> str:
        count = w.give(f"and i{width} {b}, {width - 1}")
        return w.give(f"{operation} i{width} {a}, {count}")

    return shift


def _division(operation: str, *, quotient: bool) -> Compute:
    """By 0: 0, or the dividend where the remainder is asked for. LLVM must not see a division that C has none of."""

    def divide(w: Writer, a: str, b: str, width: int) -> str:
        zero = w.give(f"icmp eq i{width} {b}, 0")
        divisor = w.give(f"select i1 {zero}, i{width} 1, i{width} {b}")
        result = w.give(f"{operation} i{width} {a}, {divisor}")
        return w.give(f"select i1 {zero}, i{width} {'0' if quotient else a}, i{width} {result}")

    return divide


def _signed_division(operation: str, *, quotient: bool) -> Compute:
    """As the unsigned one; by -1 the quotient is the negative, also of the smallest number, and the remainder 0."""
    divide = _division(operation, quotient=quotient)

    def divide_signed(w: Writer, a: str, b: str, width: int) -> str:
        minus_one = w.give(f"icmp eq i{width} {b}, -1")
        divisor = w.give(f"select i1 {minus_one}, i{width} 1, i{width} {b}")
        result = divide(w, a, divisor, width)
        negative = w.give(f"sub i{width} 0, {a}") if quotient else "0"
        return w.give(f"select i1 {minus_one}, i{width} {negative}, i{width} {result}")

    return divide_signed


_ALU: Mapping[str, Compute] = {
    "add": _plain("add"),
    "sub": _plain("sub"),
    "mul": _plain("mul"),
    "or": _plain("or"),
    "and": _plain("and"),
    "xor": _plain("xor"),
    "mov": lambda w, a, b, width: b,
    "neg": lambda w, a, b, width: w.give(f"sub i{width} 0, {a}"),
    "lsh": _shift("shl"),
    "rsh": _shift("lshr"),
    "arsh": _shift("ashr"),
    "div": _division("udiv", quotient=True),
    "mod": _division("urem", quotient=False),
    "sdiv": _signed_division("sdiv", quotient=True),
    "smod": _signed_division("srem", quotient=False),
}
_TESTS: Mapping[str, str] = {
    "jeq": "eq", "jne": "ne", "jgt": "ugt", "jge": "uge", "jlt": "ult", "jle": "ule",
    "jsgt": "sgt", "jsge": "sge", "jslt": "slt", "jsle": "sle",
}  # fmt: skip
ATOMICS: Mapping[str, Compute] = {name: _plain(name) for name in ("add", "or", "and", "xor")} | {"xchg": lambda w, a, b, width: b}
"""old memory, src -> new memory, by the operation without `fetch_`."""
