"""Sequences of operations on one map, by a program that reads them from another map, and by user space: on VM and kernel.

One program a map type does what its script says, so that any sequence runs without loading another. A step is five words: the
operation, the key (its first bytes), the value, the flags, and room for the result.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias, final

from pybpfnf.abi.maps import BPF_F_NO_PREALLOC, MAP_TYPES
from pybpfnf.abi.text import parse
from pybpfnf.errors import KernelError
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.kernel.load import load_program
from pybpfnf.kernel.trial import trial_run
from pybpfnf.runner import Environment, MapAccess, QueueAccess
from pybpfnf.testing import packets
from pybpfnf.vm import Engine, VmRunner

MOST_STEPS = 16
_STEP = struct.Struct("<Q8sQQq")
_PACKET = packets.ipv6("fc00:c::2", payload=packets.udp())
_FRAME = bytes(12) + b"\x86\xdd" + _PACKET
_VALUE_SIZE = 8
ABSENT = -1
"""What a look-up gives where there is nothing; no test stores it."""


class Op(IntEnum):
    UPDATE = 1
    LOOKUP = 2
    DELETE = 3
    PUSH = 4
    POP = 5
    PEEK = 6
    ADD = 7  # to the value itself, through the pointer that a look-up gives
    OTHER_CPU = 8  # look the key up as the CPU `flags` has it


@final
@dataclass(frozen=True, slots=True)
class Step:
    op: Op
    key: bytes = b""
    value: int = 0
    flags: int = 0


_Texts: TypeAlias = Mapping[Op, str]
_VALUE_OR_ABSENT = "if r0 == 0 goto absent{n}\nr0 = *(u64 *)(r0 + 0)\ngoto done\nabsent{n}:\nr0 = -1\ngoto done\n"
_TEXTS: _Texts = {
    Op.UPDATE: "r2 = r7\nr2 += 8\nr3 = r7\nr3 += 16\nr4 = *(u64 *)(r7 + 24)\ncall map_update_elem\ngoto done\n",
    Op.LOOKUP: "r2 = r7\nr2 += 8\ncall map_lookup_elem\n" + _VALUE_OR_ABSENT.format(n=2),
    Op.DELETE: "r2 = r7\nr2 += 8\ncall map_delete_elem\ngoto done\n",
    Op.PUSH: "r2 = r7\nr2 += 16\nr3 = *(u64 *)(r7 + 24)\ncall map_push_elem\ngoto done\n",
    Op.POP: "r2 = r10\nr2 += -8\ncall map_pop_elem\ngoto taken\n",
    Op.PEEK: "r2 = r10\nr2 += -8\ncall map_peek_elem\ngoto taken\n",
    Op.ADD: "r2 = r7\nr2 += 8\ncall map_lookup_elem\nif r0 == 0 goto absent7\nr1 = *(u64 *)(r7 + 16)\n"
    "lock *(u64 *)(r0 + 0) += r1\nr0 = *(u64 *)(r0 + 0)\ngoto done\nabsent7:\nr0 = -1\ngoto done\n",
    Op.OTHER_CPU: "r2 = r7\nr2 += 8\nr3 = *(u64 *)(r7 + 24)\ncall map_lookup_percpu_elem\n" + _VALUE_OR_ABSENT.format(n=8),
}
_KEYED = (Op.UPDATE, Op.LOOKUP, Op.DELETE, Op.ADD)
_TAKEN = "taken:\nif r0 != 0 goto done\nr0 = *(u64 *)(r10 - 8)\ngoto done\n"


def map_spec(type_name: str, max_entries: int) -> MapSpec:
    row = MAP_TYPES[type_name]
    key_size = row.fixed_key_size if row.fixed_key_size is not None else 8
    return MapSpec("tried", type_name, key_size, _VALUE_SIZE, max_entries, flags=row.flags & BPF_F_NO_PREALLOC)


def operations(type_name: str) -> tuple[Op, ...]:
    """Those that programs may do to a map of that type."""
    row = MAP_TYPES[type_name]
    if not row.has_keys:
        return (Op.PUSH, Op.POP, Op.PEEK)
    return (*_KEYED, Op.OTHER_CPU) if row.per_cpu else _KEYED


def _image(spec: MapSpec) -> ObjectImage:
    known = operations(spec.type)
    choose = "".join(f"if r8 == {op.value} goto op{op.value}\n" for op in known)
    bodies = "".join(f"op{op.value}:\nr1 = map[tried]\n{_TEXTS[op]}" for op in known)
    text = f"""
    r6 = 0
    next:
    r7 = r6
    r7 *= {_STEP.size}
    r1 = map[script]+0
    r1 += r7
    r7 = r1
    *(u64 *)(r10 - 8) = 0
    r8 = *(u64 *)(r7 + 0)
    {choose}
    goto end
    {bodies}
    {_TAKEN if Op.POP in known else ""}
    done:
    *(u64 *)(r7 + 32) = r0
    r6 += 1
    if r6 < {MOST_STEPS} goto next
    end:
    r0 = 0
    exit
    """
    program = ProgramImage("script", "lwt_xmit", "lwt_xmit", parse(text))
    script = MapSpec("script", "array", 4, _STEP.size * MOST_STEPS, 1)
    return ObjectImage((program,), {"tried": spec, "script": script}, "GPL")


@final
@dataclass(frozen=True)
class Tried:
    """One map, somewhere, and the program that works on it."""

    map: MapAccess
    script: MapAccess
    run: Callable[[], None]

    def by_program(self, steps: Sequence[Step]) -> list[int]:
        """The result of each step: 0, the value, ABSENT, or a negative error number."""
        filled = b"".join(_STEP.pack(step.op, step.key.ljust(8, b"\0"), step.value, step.flags, 0) for step in steps)
        self.script.update(bytes(4), filled.ljust(_STEP.size * MOST_STEPS, b"\0"))
        self.run()
        after = self.script.lookup(bytes(4)) or b""
        results = [result for *_, result in _STEP.iter_unpack(after[: _STEP.size * len(steps)])]
        # An error number is an int in C, and its high half is left as it was.
        return [result - (1 << 32) if 0xFFFFF000 <= result <= 0xFFFFFFFF else result for result in results]

    def by_user_space(self, steps: Sequence[Step]) -> list[int]:
        """The same, of what user space can do; a value of several CPUs is that of the first."""
        return [_BY_USER_SPACE[step.op](self.map, step) for step in steps]

    def empty(self) -> None:
        if not self.map.spec.key_size:
            while _queue(self.map).take() is not None:
                pass
        for key in tuple(self.map.keys()):
            if MAP_TYPES[self.map.spec.type].indexed:
                self.map.update(key, bytes(self.map.value_size))
            else:
                self.map.delete(key)


def _queue(map_: MapAccess) -> QueueAccess:
    assert isinstance(map_, QueueAccess)
    return map_


def _update(map_: MapAccess, step: Step) -> int:
    value = step.value.to_bytes(_VALUE_SIZE, "little") * (map_.value_size // _VALUE_SIZE)
    try:
        map_.update(step.key[: map_.spec.key_size], value, step.flags)
    except KernelError as error:
        return -(error.errno or 0)
    return 0


def _lookup(map_: MapAccess, step: Step) -> int:
    value = map_.lookup(step.key[: map_.spec.key_size])
    return ABSENT if value is None else int.from_bytes(value[:_VALUE_SIZE], "little", signed=True)


def _delete(map_: MapAccess, step: Step) -> int:
    try:
        return 0 if map_.delete(step.key[: map_.spec.key_size]) else -errno.ENOENT
    except KernelError as error:
        return -(error.errno or 0)


def _pop(map_: MapAccess, step: Step) -> int:
    value = _queue(map_).take()
    return -errno.ENOENT if value is None else int.from_bytes(value, "little", signed=True)


def _peek(map_: MapAccess, step: Step) -> int:
    value = _lookup(map_, step)
    return -errno.ENOENT if value == ABSENT else value


_BY_USER_SPACE: Mapping[Op, Callable[[MapAccess, Step], int]] = {
    Op.UPDATE: _update,
    Op.LOOKUP: _lookup,
    Op.DELETE: _delete,
    Op.PUSH: _update,
    Op.POP: _pop,
    Op.PEEK: _peek,
}


def user_space_can(steps: Sequence[Step]) -> bool:
    return all(step.op in _BY_USER_SPACE for step in steps)


@contextmanager
def in_the_vm(spec: MapSpec, engine: Engine) -> Iterator[Tried]:
    image = _image(spec)
    with VmRunner(engine=engine).open(image, image.program(), Environment()) as session:
        yield Tried(session.maps["tried"], session.maps["script"], lambda: _check(session.run(_PACKET).verdict))


@contextmanager
def in_the_kernel(spec: MapSpec) -> Iterator[Tried]:
    """On CPU 0, as in the VM: a program's copy of a value is its CPU's."""
    image = _image(spec)
    with on_cpu_0(), load_program(image, image.program()) as loaded:
        yield Tried(loaded.maps["tried"], loaded.maps["script"], lambda: _check(trial_run(loaded, _FRAME).value))


@contextmanager
def on_cpu_0() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _check(verdict: int | None) -> None:
    assert verdict == 0
