"""The two sides: a program's r0, its packet and its area of a map's value, in the VM and in the kernel."""

from __future__ import annotations

import ctypes
import errno
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import final

from pybpfnf.abi.codec import SLOT_SIZE, encode, make
from pybpfnf.abi.forms import Insn
from pybpfnf.abi.helpers import HELPERS
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.abi.text import format_insn
from pybpfnf.image.model import MapSpec, ProgramImage
from pybpfnf.kernel.attrs import ProgramLoad, TestRun
from pybpfnf.kernel.bpf import Command, Fd, bpf
from pybpfnf.kernel.maps import Map, address_of, create_map
from pybpfnf.runner import Environment
from pybpfnf.vm import Engine
from pybpfnf.vm.engines import Engines
from pybpfnf.vm.host import Host
from pybpfnf.vm.map_types import make_map
from pybpfnf.vm.memory import Region
from tests.vm.random_programs.generate import AREA, DATA_SIZE, KEYS, TABLE
from tests.vm.random_programs.tree import Tree, assemble, smaller

_AREA_WORDS = tuple(0x01234567 * (number + 1) & 0x7FFFFFFF for number in range(8))
_AREA_MAP = MapSpec(
    AREA, "array", 4, 8 + 8 * len(_AREA_WORDS), 1, initial=bytes(8) + b"".join(word.to_bytes(8, "little") for word in _AREA_WORDS)
)
_TABLE_MAP = MapSpec(TABLE, "hash", 4, 8, KEYS - 1)
_FIRST = bytes(4)
_XDP_PASS = 2
_ENVIRONMENT = Environment()


@final
@dataclass(frozen=True, slots=True)
class Answer:
    r0: int
    area: bytes
    data: bytes


Side = Callable[[tuple[Insn, ...], bytes], "Answer | str"]
"""What a program gives for these 64 bytes, or why it gives nothing."""


def in_the_vm(engine: Engine) -> Side:
    def run(insns: tuple[Insn, ...], data: bytes) -> Answer | str:
        engines = Engines(engine, None)
        memory = engines.memory
        maps = {spec.name: make_map(spec, memory, 1, 0) for spec in (_AREA_MAP, _TABLE_MAP)}
        host = Host(memory, maps, _ENVIRONMENT, None)
        packet = Region("the packet", bytearray(data))
        engines.start(ProgramImage("random", "", None, insns), host)
        result = engines.run((memory.add(packet),))
        if result.r0 is None:
            return f"fault: {result.fault.message if result.fault is not None else ''}"
        return Answer(result.r0, (maps[AREA].lookup(_FIRST) or b"")[8:], bytes(packet.data))

    return run


def _main() -> list[Insn]:
    """Empties the table and fills the area, and calls the program, which follows; its r0 goes into the map, which has room for 64 bits."""
    out = [make("ldx32", 6, 1, 0), make("ldx32", 7, 1, 4), make("mov64_reg", 2, 6), make("add64_imm", 2, imm=DATA_SIZE)]
    rest = [make("st64", 1, off=8 + 8 * number, imm=word) for number, word in enumerate(_AREA_WORDS)]
    for key in range(KEYS):
        rest += [make("st32", 10, off=-4, imm=key), make("mov64_reg", 2, 10), make("add64_imm", 2, imm=-4)]
        rest += [make("ld_map", 1, ref=TABLE), make("call", imm=HELPERS["map_delete_elem"].id)]
    end = [make("ld_map_value", 1, ref=AREA), make("stx64", 1, 0), make("mov64_imm", 0, imm=_XDP_PASS), make("exit")]
    short = [make("mov64_imm", 0, imm=0), make("exit")]
    over = sum(insn.slots for insn in (*end, *short))
    rest = [make("ld_map_value", 1, ref=AREA), *rest, make("mov64_reg", 1, 6), make("call_local", imm=over), *end]
    return [*out, make("jgt64_reg", 2, 7, sum(insn.slots for insn in rest)), *rest, *short]


class _Kernel:
    """One pair of maps for all programs. XDP, since its programs may write to the packet, and cost the least to try."""

    def __init__(self, maps: dict[str, Map]) -> None:
        self._area = maps[AREA]
        self._fds = {name: each.fd for name, each in maps.items()}
        self._main = encode(_main(), self._fds)
        self._licence = b"GPL\0"

    def run(self, insns: tuple[Insn, ...], data: bytes) -> Answer | str:
        code = self._main + encode(insns, self._fds)
        attr = ProgramLoad(
            prog_type=PROGRAM_TYPES["xdp"].id, insn_cnt=len(code) // SLOT_SIZE, insns=address_of(code), license=address_of(self._licence)
        )
        try:
            loaded = Fd(bpf(Command.PROG_LOAD, attr))
        except OSError as error:
            return self._refusal(attr, error)
        with loaded:
            out = ctypes.create_string_buffer(DATA_SIZE)
            run = TestRun(loaded.number, 0, DATA_SIZE, DATA_SIZE, address_of(data), address_of(out), 1)
            bpf(Command.PROG_TEST_RUN, run)
        assert run.retval == _XDP_PASS
        value = self._area.lookup(_FIRST) or b""
        return Answer(int.from_bytes(value[:8], sys.byteorder), value[8:], out.raw)

    @staticmethod
    def _refusal(attr: ProgramLoad, error: OSError) -> str:
        if error.errno == errno.EPERM:
            raise error
        log = ctypes.create_string_buffer(1 << 24)
        attr.log_buf, attr.log_size, attr.log_level = address_of(log), len(log), 1
        try:
            Fd(bpf(Command.PROG_LOAD, attr)).close()
        except OSError:
            return "refused: " + " / ".join(log.value.decode(errors="replace").splitlines()[-3:-1])
        return f"refused once: {error}"


@contextmanager
def in_the_kernel() -> Iterator[Side]:
    with ExitStack() as stack:
        yield _Kernel({spec.name: stack.enter_context(create_map(spec)) for spec in (_AREA_MAP, _TABLE_MAP)}).run


def differences(trees: Iterable[tuple[int, Tree]], one: Side, other: Side, *, most: int = 3) -> list[str]:
    """Reports of the programs on which the sides differ, or one gives nothing: each as small as it goes, and at most so many."""
    differing = (_report(number, _shrunk(tree, one, other), one, other) for number, tree in trees if _differ(tree, one, other))
    return list(islice(differing, most))


def _differ(tree: Tree, one: Side, other: Side) -> bool:
    insns = assemble(tree)
    answer = one(insns, tree.data)
    return isinstance(answer, str) or answer != other(insns, tree.data)


def _shrunk(tree: Tree, one: Side, other: Side) -> Tree:
    while (less := next((each for each in smaller(tree) if _differ(each, one, other)), None)) is not None:
        tree = less
    return tree


def _report(number: int, tree: Tree, one: Side, other: Side) -> str:
    insns = assemble(tree)
    listing = "\n".join(format_insn(insn) for insn in insns)
    return f"program {number}, data {tree.data.hex()}:\n{listing}\none:   {one(insns, tree.data)}\nother: {other(insns, tree.data)}"
