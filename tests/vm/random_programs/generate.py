"""Makes trees. The program that number N of seed S is depends on nothing else.

Registers: r8 points to 64 bytes of a map's value; r9 of the first function to 64 bytes of packet, of the others to 8 bytes of
its caller's stack; the rest hold numbers at all times. Each function keeps 64 bytes of stack written, and 16 more
for keys and values of maps. What the verifier would refuse (a constant zero divisor, atomics on packets, unaligned
stack) is not made; what it follows way by way (branches, loops) is made sparingly.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import final

from pybpfnf.abi.codec import make
from pybpfnf.abi.forms import FORMS, Form, Insn, Kind
from pybpfnf.abi.helpers import HELPERS
from pybpfnf.abi.versions import newer_than
from tests.vm.random_programs.tree import COUNTER, Block, Call, Function, If, Loop, Node, Straight, Tree

DATA_SIZE = 64
AREA, TABLE = "area", "table"
KEYS = 4  # one more than the table has room for
_AREA_REGISTER, _DATA_REGISTER, _FRAME = 8, 9, 10
_KEY, _VALUE = -72, -80  # of r10

_NUMBERS = (0, 1, 2, 7, 31, 32, 63, 64, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32)
_EDGES = tuple(sorted({number & 0xFFFFFFFFFFFFFFFF for each in (*_NUMBERS, 1 << 63) for number in (each, -each, each - 1)}))
_SMALL_EDGES = tuple(sorted({number for each in _NUMBERS[:15] for number in (each, -each)} | {-0x80000000}))

_made = cache(make)
"""For instructions that occur again and again."""

# Where a 32-bit cmpxchg finds what it compares with, Linux 6.18 on x86 leaves the high half of r0 as it was, if the verifier gave up the
# way on which that half is read, as one like another. RFC 9669 section 5.3 has it zero-extended, as the VM does.
_CMPXCHG32, _CLEAR_HIGH_HALF = FORMS["atomic_cmpxchg32"], make("mov32_reg", 0, 0)


def _forms(*kinds: Kind) -> tuple[Form, ...]:
    """Those that the running kernel knows."""
    return tuple(form for form in FORMS.values() if form.kind in kinds and not newer_than([make(form.name)], {}, platform.release()))


_COMPUTE, _JUMPS = _forms(Kind.ALU, Kind.SWAP), _forms(Kind.JUMP)
_ACCESS, _ATOMICS = _forms(Kind.LOAD, Kind.STORE_REG, Kind.STORE_IMM), _forms(Kind.ATOMIC)
_LONG = bool(_forms(Kind.GOTO)[1:])


@final
@dataclass(frozen=True, slots=True)
class _Target:
    """Memory that a function may use: from `low` to `high` of a register."""

    register: int
    low: int
    high: int
    aligned: bool = True
    atomic: bool = True


_STACK = _Target(_FRAME, -64, 0)
_AREA = _Target(_AREA_REGISTER, 0, 64, aligned=False)
_DATA = _Target(_DATA_REGISTER, 0, DATA_SIZE, aligned=False, atomic=False)
_CALLERS = _Target(_DATA_REGISTER, 0, 8)


class _Maker:
    def __init__(self, random: Random, number: int, functions: int) -> None:
        self._random, self._number, self._functions = random, number, functions
        self._targets = (_STACK, _AREA, _CALLERS if number else _DATA)
        self._branches = 0  # since the verifier may follow each of them both ways
        self._in_loop = False

    def function(self) -> Function:
        return Function(tuple(self._prologue()), self._block(self._random.randint(3, 9)))

    def _prologue(self) -> list[Insn]:
        given = (1, 2, 3) if self._number else (1,)
        out = [_made("mov64_reg", _DATA_REGISTER, given[-1]), _made("ld_map_value", _AREA_REGISTER, imm=8 << 32, ref=AREA)]
        out += [self._constant(register) for register in range(COUNTER + 1) if register not in given or register == given[-1]]
        return out + [_made("stx64", _FRAME, self._source(), at) for at in range(-64, 0, 8)]

    def _block(self, size: int) -> Block:
        return tuple(self._node() for _ in range(size))

    def _node(self) -> Node:
        choice = self._random.random()
        if choice < 0.12 and self._branches < 5:
            return self._branch()
        if choice < 0.16 and not self._in_loop:
            return self._loop()
        if choice < 0.20 and self._number + 1 < self._functions and not self._in_loop:
            return self._call()
        if choice < 0.24:
            return Straight(tuple(self._map_operation()))
        if choice < 0.55:
            return Straight((self._compute(),))
        insn = self._access(_ATOMICS) if choice < 0.68 else self._access(_ACCESS)
        return Straight((insn, _CLEAR_HIGH_HALF) if insn.form is _CMPXCHG32 else (insn,))

    # ------------------------------------------------------------------------------------------------ control

    def _branch(self) -> If:
        self._branches += 2 if self._in_loop else 1
        random = self._random
        form = random.choice(_JUMPS)
        jump = make(form.name, self._source(), self._source(), imm=self._immediate())
        otherwise = self._block(random.randint(1, 3)) if random.random() < 0.6 else ()
        return If(jump, self._block(random.randint(1, 3)), otherwise, _LONG and random.random() < 0.3)

    def _loop(self) -> Loop:
        self._in_loop = True
        body = self._block(self._random.randint(1, 4))
        self._in_loop = False
        return Loop(self._random.randint(1, 3), body, _LONG and self._random.random() < 0.3)

    def _call(self) -> Call:
        random = self._random
        arguments = [_made("mov64_reg", register, self._source()) for register in (1, 2)]
        place = [_made("mov64_reg", 3, _FRAME), _made("add64_imm", 3, imm=-8 * random.randint(1, 8))]
        return Call(random.randrange(self._number + 1, self._functions), (*arguments, *place), tuple(self._refill()))

    def _refill(self) -> list[Insn]:
        """After a call, r1 to r5 have no value."""
        return [_made("mov64_reg", each, 0) if self._random.random() < 0.3 else self._constant(each) for each in range(1, 6)]

    # -------------------------------------------------------------------------------------------- computation

    def _source(self) -> int:
        return self._random.randrange(COUNTER + 1)

    def _destination(self) -> int:
        return self._random.randrange(COUNTER if self._in_loop else COUNTER + 1)

    def _constant(self, register: int) -> Insn:
        random = self._random
        return make("lddw", register, imm=random.choice(_EDGES) if random.random() < 0.5 else random.getrandbits(64))

    def _immediate(self) -> int:
        random = self._random
        return random.choice(_SMALL_EDGES) if random.random() < 0.6 else random.getrandbits(32) - (1 << 31)

    def _compute(self) -> Insn:
        form = self._random.choice(_COMPUTE)
        immediate = self._immediate()
        if form.op in ("lsh", "rsh", "arsh"):
            immediate = self._random.randrange(form.width)
        return make(form.name, self._destination(), self._source(), imm=immediate or 1)

    # ------------------------------------------------------------------------------------------------- memory

    def _access(self, forms: tuple[Form, ...]) -> Insn:
        random = self._random
        form = random.choice(forms)
        target = random.choice(self._targets)
        fetches = form.kind is Kind.ATOMIC and (form.op.startswith("fetch_") or form.op in ("xchg", "cmpxchg"))
        if fetches:
            target = (
                _AREA  # what it finds on the stack, Linux 6.18's verifier takes for a constant of all ways that lead there (docs/vm.md)
            )
        elif form.kind is Kind.ATOMIC and not target.atomic:
            target = _STACK
        size = form.width // 8
        aligned = target.aligned or form.kind is Kind.ATOMIC
        offset = random.randrange(target.low, target.high - size + 1, size if aligned else 1)
        if form.kind is Kind.LOAD or form.op == "load_acquire":
            return _made(form.name, self._destination(), target.register, offset)
        source = self._destination() if fetches else self._source()
        return make(form.name, target.register, source, offset, self._immediate())

    def _map_operation(self) -> list[Insn]:
        random = self._random
        out = [_made("st32", _FRAME, off=_KEY, imm=random.randrange(KEYS))]
        out += [_made("stx64", _FRAME, self._source(), _VALUE), _made("mov64_imm", 4, imm=random.choice((0, 0, 1, 2, 3)))]
        for register, place in ((2, _KEY), (3, _VALUE)):
            out += [_made("mov64_reg", register, _FRAME), _made("add64_imm", register, imm=place)]
        helper = random.choice(("map_lookup_elem", "map_update_elem", "map_update_elem", "map_delete_elem"))
        out += [_made("ld_map", 1, ref=TABLE), _made("call", imm=HELPERS[helper].id)]
        if helper == "map_lookup_elem":
            out += self._value()
        return out + self._refill()

    def _value(self) -> list[Insn]:
        """Of the key that was found: read, and half of the time changed through the pointer before."""
        change = [_made("atomic_add64", 0, random_register)] if (random_register := self._random.choice((0, 6, 7))) else []
        read = [*change, _made("ldx64", 0, 0, 0), _made("ja", off=1)]
        return [_made("jeq64_imm", 0, off=len(read), imm=0), *read, make("mov64_imm", 0, imm=self._immediate())]


def generate(seed: int, number: int) -> Tree:
    random = Random(seed << 32 | number)
    count = random.choice((1, 1, 2, 3))
    functions = tuple(_Maker(random, each, count).function() for each in range(count))
    return Tree(functions, random.randbytes(DATA_SIZE))
