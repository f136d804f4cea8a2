"""One program that does what a script in its map says: each step a call of a seg6 helper, its result written back.

So every sequence of helper calls runs on both engines without loading a program for each.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, final

from pybpfnf.abi.codec import make
from pybpfnf.abi.forms import Insn
from pybpfnf.abi.helpers import HELPERS
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.image.model import FunctionRecord, MapSpec, ObjectImage, ProgramImage
from pybpfnf.runner import MapAccess

STEPS: Final = 4
DATA_SIZE: Final = 128  # of a step; a power of two, by which the verifier sees the bound
_STEP = struct.Struct(f"=IIII q {DATA_SIZE}s")  # op, first, second, unused; result; data
_HEAD = struct.Struct("=II")  # verdict, unused
_VALUE_SIZE = _HEAD.size + STEPS * _STEP.size
_KEY = bytes(4)
_FIRST, _SECOND, _RESULT, _DATA = 4, 8, 16, 24
_CTX, _SCRIPT = 6, 7  # registers that survive calls
_PEEKED = 255  # the largest offset to peek at


class Op(IntEnum):
    NONE = 0
    STORE = 1  # lwt_seg6_store_bytes(first, data)
    ADJUST = 2  # lwt_seg6_adjust_srh(first, second)
    ACTION = 3  # lwt_seg6_action(first, data)
    PEEK = 4  # 8 bytes of the packet at offset first, as a big-endian integer; -2 past its end
    MIX = 5  # arithmetic of 32 and 64 bits on first and second


@final
@dataclass(frozen=True, slots=True)
class Step:
    op: Op
    first: int = 0
    second: int = 0
    data: bytes = b""


@final
@dataclass(frozen=True, slots=True)
class Script:
    steps: tuple[Step, ...]
    verdict: int = 0

    def encode(self) -> bytes:
        """The map's value: every result is a number that no helper gives, so that a step not reached shows."""
        steps = [*self.steps, *[Step(Op.NONE)] * (STEPS - len(self.steps))]
        return _HEAD.pack(self.verdict, 0) + b"".join(_encode(step) for step in steps)


def store(offset: int, data: bytes) -> Step:
    return Step(Op.STORE, offset, len(data) - 1, data)


def adjust(offset: int, delta: int) -> Step:
    return Step(Op.ADJUST, offset, delta & 0xFFFFFFFF)


def action(number: int, parameter: bytes) -> Step:
    return Step(Op.ACTION, number, len(parameter) - 1, parameter)


def peek(offset: int) -> Step:
    return Step(Op.PEEK, offset)


def mix(first: int, second: int) -> Step:
    return Step(Op.MIX, first, second)


def run_script(script: Script, maps: MapAccess) -> None:
    """Give the program this script, before a packet."""
    maps.update(_KEY, script.encode())


def results(script: Script, maps: MapAccess) -> tuple[int, ...]:
    """What each step gave, after the packet; -1 for a step that was not reached."""
    value = maps.lookup(_KEY)
    assert value is not None, "an array has all its keys"
    return tuple(_STEP.unpack_from(value, _HEAD.size + index * _STEP.size)[4] for index in range(len(script.steps)))


def image() -> ObjectImage:
    """The program, `probe`, with its map, `script`."""
    insns = [*_prologue(), *(insn for index in range(STEPS) for insn in _step(_HEAD.size + index * _STEP.size)), *_epilogue()]
    program = ProgramImage("probe", "lwt_seg6local", "lwt_seg6local", tuple(insns), functions=(FunctionRecord(0, "probe", 0),))
    script = MapSpec("script", "array", 4, _VALUE_SIZE, 1)
    return ObjectImage((program,), {"script": script}, license="GPL")


def _encode(step: Step) -> bytes:
    return _STEP.pack(step.op, step.first, step.second, 0, -1, step.data)


def _prologue() -> list[Insn]:
    drop = PROGRAM_TYPES["lwt_seg6local"].verdicts["DROP"]
    return [
        make("mov64_reg", _CTX, 1),
        make("st32", 10, off=-4, imm=0),
        make("mov64_reg", 2, 10),
        make("add64_imm", 2, imm=-4),
        make("ld_map", 1, ref="script"),
        _call("map_lookup_elem"),
        make("jne64_imm", 0, off=2, imm=0),
        make("mov64_imm", 0, imm=drop),
        make("exit"),
        make("mov64_reg", _SCRIPT, 0),
    ]


def _epilogue() -> list[Insn]:
    return [make("ldx32", 0, _SCRIPT), make("exit")]


def _step(base: int) -> list[Insn]:
    """Compare the step's op with each, run that one's code, store r0 as the result."""
    bodies = {Op.STORE: _store(base), Op.ADJUST: _adjust(base), Op.ACTION: _action(base), Op.PEEK: _peek(base), Op.MIX: _mix(base)}
    code: list[Insn] = []
    for op, body in reversed(bodies.items()):
        leave = [make("ja", off=len(code))] if code else []
        code = [make("jne64_imm", 1, off=len(body) + len(leave), imm=op), *body, *leave, *code]
    # The verifier asks for r0 to be defined on the path that matches no op.
    code = [make("mov64_imm", 0, imm=-1), *code, make("stx64", _SCRIPT, 0, off=base + _RESULT)]
    return [make("ldx32", 1, _SCRIPT, off=base), make("jeq64_imm", 1, off=len(code), imm=Op.NONE), *code]


def _store(base: int) -> list[Insn]:
    return [make("mov64_reg", 1, _CTX), make("ldx32", 2, _SCRIPT, off=base + _FIRST), *_data(base), _call("lwt_seg6_store_bytes")]


def _adjust(base: int) -> list[Insn]:
    load = make("ldx32", 3, _SCRIPT, off=base + _SECOND)
    return [make("mov64_reg", 1, _CTX), make("ldx32", 2, _SCRIPT, off=base + _FIRST), load, _call("lwt_seg6_adjust_srh")]


def _action(base: int) -> list[Insn]:
    return [make("mov64_reg", 1, _CTX), make("ldx32", 2, _SCRIPT, off=base + _FIRST), *_data(base), _call("lwt_seg6_action")]


def _peek(base: int) -> list[Insn]:
    fields = PROGRAM_TYPES["lwt_seg6local"].context.fields
    return [
        make("ldx32", 2, _CTX, off=fields["data"].offset),
        make("ldx32", 3, _CTX, off=fields["data_end"].offset),
        make("ldx32", 4, _SCRIPT, off=base + _FIRST),
        make("and64_imm", 4, imm=_PEEKED),
        make("add64_reg", 2, 4),
        make("mov64_reg", 4, 2),
        make("add64_imm", 4, imm=8),
        make("mov64_imm", 0, imm=-2),
        make("jgt64_reg", 4, 3, off=2),
        make("ldx64", 0, 2),
        make("be64", 0),
    ]


def _mix(base: int) -> list[Insn]:
    """both = second << 32 | first; result = u32(both + second) ^ be32(both) << 13 ^ (both s>> 7)."""
    return [
        make("ldx32", 0, _SCRIPT, off=base + _FIRST),
        make("ldx32", 2, _SCRIPT, off=base + _SECOND),
        make("mov64_reg", 3, 2),
        make("lsh64_imm", 3, imm=32),
        make("or64_reg", 0, 3),
        make("mov64_reg", 3, 0),
        make("add32_reg", 3, 2),
        make("mov64_reg", 4, 0),
        make("be32", 4),
        make("lsh64_imm", 4, imm=13),
        make("arsh64_imm", 0, imm=7),
        make("xor64_reg", 0, 3),
        make("xor64_reg", 0, 4),
    ]


def _data(base: int) -> list[Insn]:
    """r3, r4: the step's data and its length, which stands in `second` less one."""
    return [
        make("mov64_reg", 3, _SCRIPT),
        make("add64_imm", 3, imm=base + _DATA),
        make("ldx32", 4, _SCRIPT, off=base + _SECOND),
        make("and64_imm", 4, imm=DATA_SIZE - 1),
        make("add64_imm", 4, imm=1),
    ]


def _call(helper: str) -> Insn:
    return make("call", imm=HELPERS[helper].id)
