"""What instructions compute, on unsigned 64-bit integers (RFC 9669 sections 4 and 5.3): tables of small functions, no state.

An operand may have any value of 64 bits; an operation of 32 bits looks at the low half and clears the high half of its
result. Immediates arrive sign-extended to 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

U32 = 0xFFFFFFFF
U64 = 0xFFFFFFFFFFFFFFFF

Operation = Callable[[int, int], int]
Test = Callable[[int, int], bool]


def signed(value: int, width: int) -> int:
    """The two's complement value of the low `width` bits."""
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) else value


def _divide(a: int, b: int) -> int:
    return a // b if b else 0


def _modulo(a: int, b: int) -> int:
    return a % b if b else a


def _signed_divide(a: int, b: int) -> int:
    """Rounds towards zero; the one overflow (minimum by -1) wraps when the caller masks."""
    if not b:
        return 0
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _signed_modulo(a: int, b: int) -> int:
    """Has the dividend's sign."""
    if not b:
        return a
    remainder = abs(a) % abs(b)
    return -remainder if a < 0 else remainder


_UNSIGNED: Mapping[str, Operation] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _divide,
    "mod": _modulo,
    "or": lambda a, b: a | b,
    "and": lambda a, b: a & b,
    "xor": lambda a, b: a ^ b,
    "mov": lambda a, b: b,
    "neg": lambda a, b: -a,
}
_SIGNED: Mapping[str, Operation] = {"sdiv": _signed_divide, "smod": _signed_modulo}


def _alu32(operation: Operation) -> Operation:
    return lambda a, b: operation(a & U32, b & U32) & U32


def _alu64(operation: Operation) -> Operation:
    return lambda a, b: operation(a, b) & U64


def _alu_signed(operation: Operation, width: int) -> Operation:
    mask = (1 << width) - 1
    return lambda a, b: operation(signed(a, width), signed(b, width)) & mask


def _movsx(bits: int, width: int) -> Operation:
    mask = (1 << width) - 1
    return lambda a, b: signed(b, bits) & mask


# Written out for speed: without a second call for each step.
_SHIFTS: Mapping[tuple[str, int], Operation] = {
    ("lsh", 64): lambda a, b: (a << (b & 63)) & U64,
    ("rsh", 64): lambda a, b: a >> (b & 63),
    ("arsh", 64): lambda a, b: (signed(a, 64) >> (b & 63)) & U64,
    ("lsh", 32): lambda a, b: (a << (b & 31)) & U32,
    ("rsh", 32): lambda a, b: (a & U32) >> (b & 31),
    ("arsh", 32): lambda a, b: (signed(a, 32) >> (b & 31)) & U32,
}
_COMMON: Mapping[tuple[str, int], Operation] = {
    ("add", 64): lambda a, b: (a + b) & U64,
    ("sub", 64): lambda a, b: (a - b) & U64,
    ("mov", 64): lambda a, b: b & U64,
    ("mov", 32): lambda a, b: b & U32,
    ("and", 64): lambda a, b: a & b,
    ("or", 64): lambda a, b: a | b,
    ("xor", 64): lambda a, b: a ^ b,
}

ALU: dict[tuple[str, int], Operation] = {
    **{(op, 32): _alu32(operation) for op, operation in _UNSIGNED.items()},
    **{(op, 64): _alu64(operation) for op, operation in _UNSIGNED.items()},
    **{(op, width): _alu_signed(operation, width) for op, operation in _SIGNED.items() for width in (32, 64)},
    **{(f"movsx{bits}", width): _movsx(bits, width) for width in (32, 64) for bits in (8, 16, 32) if bits < width},
    **_SHIFTS,
    **_COMMON,
}
"""dst, operand -> dst, by `Form.op` and `Form.width`. `mov` and `movsx` ignore the first, `neg` the second."""


def swap_bytes(value: int, width: int) -> int:
    size = width // 8
    return int.from_bytes((value & ((1 << width) - 1)).to_bytes(size, "little"), "big")


SWAPS: dict[str, Operation] = {
    "le": lambda value, width: value & ((1 << width) - 1),  # this VM is little-endian: only the truncation is left
    "be": swap_bytes,
    "bswap": swap_bytes,
}
"""value, width -> value, zero-extended."""

_TESTS: Mapping[str, Test] = {
    "jeq": lambda a, b: a == b,
    "jne": lambda a, b: a != b,
    "jgt": lambda a, b: a > b,
    "jge": lambda a, b: a >= b,
    "jlt": lambda a, b: a < b,
    "jle": lambda a, b: a <= b,
    "jset": lambda a, b: a & b != 0,
}
_SIGNED_TESTS = {"jsgt": "jgt", "jsge": "jge", "jslt": "jlt", "jsle": "jle"}


def _test32(test: Test) -> Test:
    return lambda a, b: test(a & U32, b & U32)


def _test_signed(test: Test, width: int) -> Test:
    return lambda a, b: test(signed(a, width), signed(b, width))


TESTS: dict[tuple[str, int], Test] = {
    **{(op, 64): test for op, test in _TESTS.items()},
    **{(op, 32): _test32(test) for op, test in _TESTS.items()},
    **{(op, width): _test_signed(_TESTS[unsigned], width) for op, unsigned in _SIGNED_TESTS.items() for width in (32, 64)},
}
"""dst, operand -> whether the jump is taken, by `Form.op` and `Form.width`."""

ATOMICS: dict[str, Operation] = {
    "add": lambda old, operand: old + operand,
    "or": lambda old, operand: old | operand,
    "and": lambda old, operand: old & operand,
    "xor": lambda old, operand: old ^ operand,
    "xchg": lambda old, operand: operand,
}
"""old memory, src -> new memory, by the operation without `fetch_`; the caller truncates to the width."""
