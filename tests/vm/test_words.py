"""The language of words: functions of 64-bit words give in machine code what Python gives, reduced to 64 bits."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from random import Random

import pytest

from pybpfnf.errors import InternalError
from pybpfnf.vm.native.jit import compile_module
from pybpfnf.vm.native.words import RUNTIME, clear, compile_words, load8, load16, load64, move, same, store8

ONCE = True  # see conftest
WORD = (1 << 64) - 1
LIMIT = 7
_DECLARED = "\n".join(f"declare i{width} @llvm.bswap.i{width}(i{width})" for width in (16, 32, 64))


def arithmetic(state: int) -> int:
    a = load64(state)
    b = load64(state + 8)
    c = (a * 3 + b) ^ (a >> 5)
    c -= b << 2
    return (c & 0xFFFF_FFFF_FFFF) | (a // 10)


def choices(state: int) -> int:
    a = load64(state)
    b = load64(state + 8)
    if (a < b and not (a & 1)) or b == LIMIT:
        return 1 + (a >= b)
    elif a > b or a != b:
        return 11
    return 12


def loops(state: int) -> int:
    total = 0
    at = 0
    while at < LIMIT:
        if at == 3:
            total += 100
        total = total * 5 + at
        at += 1
    return total + (-at)


def memory(state: int) -> int:
    store8(state + 16, 0xAB)
    move(state + 17, state, 8)
    clear(state + 25, 2)
    return load16(state + 16) + same(state, state + 17, 8) * 0x10000 + load8(state + 25)


def python_of(function: Callable[[int], int], a: int, b: int) -> int:
    """What Python makes of it, with memory of its own."""
    data = bytearray(a.to_bytes(8, "little") + b.to_bytes(8, "little") + bytes(16))
    names = {
        "load64": lambda at: int.from_bytes(data[at : at + 8], "little"),
        "load16": lambda at: int.from_bytes(data[at : at + 2], "big"),
        "load8": lambda at: data[at],
        "store8": lambda at, value: data.__setitem__(at, value),
        "move": lambda to, at, size: data.__setitem__(slice(to, to + size), data[at : at + size]),
        "clear": lambda at, size: data.__setitem__(slice(at, at + size), bytes(size)),
        "same": lambda one, other, size: data[one : one + size] == data[other : other + size],
    }
    globals_before = {name: globals()[name] for name in names}
    globals().update(names)
    try:
        return int(function(0)) & WORD
    finally:
        globals().update(globals_before)


@pytest.mark.parametrize("function", [arithmetic, choices, loops, memory], ids=lambda function: function.__name__)
def test_machine_code_gives_what_python_gives(function: Callable[[int], int]) -> None:
    text = "\n".join((_DECLARED, RUNTIME, compile_words((function,), elsewhere=(), kept=frozenset({function.__name__}))))
    compiled = compile_module(text).function(function.__name__)
    random = Random(1)
    for _ in range(200):
        a, b = (random.choice((random.getrandbits(64), random.randrange(10), LIMIT, WORD)) for _ in range(2))
        state = (ctypes.c_uint64 * 4)(a, b)
        assert compiled(ctypes.addressof(state)) & WORD == python_of(function, a, b), (a, b)


def with_a_range(state: int) -> int:
    for at in range(3):
        state += at
    return state


def test_what_is_not_in_the_language_is_refused_with_its_line() -> None:
    with pytest.raises(InternalError, match=r"with_a_range, line \d+: For is not in the language of words"):
        compile_words((with_a_range,), elsewhere=(), kept=frozenset())
