"""What a program may not do is a fault that says what and where; and what faults here, the kernel's verifier refuses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pytest

from pybpfnf.errors import VerifierError
from pybpfnf.image.model import LineRecord, MapSpec
from pybpfnf.kernel.load import load_program
from pybpfnf.runner import Environment, FaultKind
from pybpfnf.types.layout import SPIN_LOCK, U64, StructField, StructType
from tests.vm.programs import PACKET, array, image, runner, session


@final
@dataclass(frozen=True)
class Wrong:
    rule: str
    program: str
    kind: FaultKind
    message: str  # a part of it
    refused: bool  # by the running kernel's verifier


_CASE = re.compile(r"^\[([^]]+)\]\n(.*?)^=> (\w+)( accepted)?: ([^\n]+)$", re.MULTILINE | re.DOTALL)


def _read_wrong() -> list[Wrong]:
    text = (Path(__file__).parent / "data" / "faults.test").read_text()
    return [Wrong(match[1], match[2], FaultKind(match[3]), match[5], match[4] is None) for match in _CASE.finditer(text)]


WRONG = _read_wrong()
_PROGRAMS = MapSpec("progs", "prog_array", 4, 4, 1)
_ENTRY = StructType("entry", 16, 8, (StructField("count", 0, U64), StructField("lock", 8, SPIN_LOCK)))
_LOCKED = MapSpec("locked", "array", 4, _ENTRY.size, 1, value_type=_ENTRY)
_MAPS = (
    array("m"),
    MapSpec(".rodata", "array", 4, 4, 1, initial=bytes(4), frozen=True),
    MapSpec("r", "ringbuf", 0, 0, 4096),
    _PROGRAMS,
    _LOCKED,
)


@pytest.mark.parametrize("wrong", WRONG, ids=[wrong.rule for wrong in WRONG])
def test_a_wrong_program_faults_and_its_packet_is_dropped(wrong: Wrong) -> None:
    outcome = session(wrong.program, *_MAPS).run(PACKET)
    assert outcome.fault is not None
    assert (outcome.fault.kind, outcome.verdict, outcome.forwarded) == (wrong.kind, None, False)
    assert wrong.message in outcome.fault.message
    assert outcome.reason == f"the program faulted: {outcome.fault.message}"


@pytest.mark.kernel
@pytest.mark.parametrize("wrong", [wrong for wrong in WRONG if wrong.refused], ids=lambda wrong: wrong.rule)
def test_the_verifier_refuses_it_too(wrong: Wrong) -> None:
    built = image(wrong.program, *_MAPS)
    with pytest.raises(VerifierError), load_program(built, built.programs[0]):
        pass


def test_a_fault_names_the_instruction_and_its_source_line() -> None:
    lines = (LineRecord(0, "probe.py", 7, 5, "a = 1"), LineRecord(1, "probe.py", 8, 9, "b = a[9]"))
    built = image("r0 = 0\nr0 = *(u64 *)(r10 + 8)\nexit", lines=lines)
    fault = runner().open(built, built.programs[0], Environment()).run(PACKET).fault
    assert fault is not None
    assert (fault.file, fault.line, fault.column, fault.slot) == ("probe.py", 8, 9, 1)


def test_a_program_that_does_not_end_runs_out_of_fuel() -> None:
    outcome = session("r0 = 0\ngoto -1", environment=Environment(fuel=1000)).run(PACKET)
    assert outcome.fault is not None
    assert (outcome.fault.kind, outcome.instructions) == (FaultKind.FUEL, 1000)


def test_after_a_fault_the_next_packet_runs_as_ever() -> None:
    text = "r2 = *(u32 *)(r1 + 76)\nr3 = *(u32 *)(r1 + 80)\nr3 -= r2\nr0 = 0\nif r3 > 100 goto +1\nexit\nr0 = *(u8 *)(r2 + 4000)\nexit"
    with session(text) as running:
        assert running.run(PACKET).fault is None
        long = PACKET[:4] + (len(PACKET) - 40 + 20).to_bytes(2, "big") + PACKET[6:] + bytes(20)
        assert running.run(long).fault is not None
        assert running.run(PACKET).forwarded
