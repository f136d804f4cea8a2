"""Each form's meaning: golden results that the kernel computed, in the VM and (marked kernel) in the running kernel."""

from __future__ import annotations

import platform
import struct

import pytest

from pybpfnf.abi.forms import FORMS, Insn
from pybpfnf.abi.text import parse
from pybpfnf.abi.versions import newer_than
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.kernel.load import load_program
from pybpfnf.kernel.trial import trial_run
from pybpfnf.vm import Engine, run_program
from tests.vm.cases import NOT_PURE, PACKET, Case, programs, read_cases, write_cases

_OUT = MapSpec("out", "array", 4, 8, 1)


# The program is a subprogram that is given the packet, and whose r0 goes into a map: the kernel's own return value has only 32 bits.
_MAIN = parse(f"""
r6 = *(u32 *)(r1 + 0)
r7 = *(u32 *)(r1 + 4)
r1 = r6
r1 += {len(PACKET)}
r0 = 0
if r1 > r7 goto end
r1 = r6
r2 = {len(PACKET)}
call case
r1 = map[out]+0
*(u64 *)(r1 + 0) = r0
end:
r0 = 2
exit
case:
exit
""")[:-1]


def _in_the_kernel(insns: tuple[Insn, ...]) -> int:
    program = ProgramImage("case", "xdp", "xdp", (*_MAIN, *insns))
    with load_program(ObjectImage((program,), {"out": _OUT}, license="GPL"), program) as loaded:
        trial_run(loaded, PACKET)
        value = loaded.maps["out"].lookup(bytes(4))
    assert value is not None
    return int(struct.unpack("<Q", value)[0])


@pytest.fixture(scope="module")
def cases(request: pytest.FixtureRequest) -> list[Case]:
    if request.config.getoption("--update-data"):
        write_cases([Case(form, text, _in_the_kernel(Case(form, text, 0).insns)) for form, text in programs()])
    return read_cases()


def test_the_vm_computes_what_the_kernel_did(cases: list[Case], engine: Engine) -> None:
    results = [(case, run_program(case.insns, memory=PACKET, engine=engine)) for case in cases]
    assert [(case.form, case.program, hex(case.r0), result) for case, result in results if result.r0 != case.r0] == []


@pytest.mark.kernel
def test_the_running_kernel_computes_it_too(cases: list[Case]) -> None:
    known = [case for case in cases if not newer_than(case.insns, {}, platform.release())]
    assert len(known) > 500
    wrong = [(case.form, case.program, hex(case.r0)) for case in known if _in_the_kernel(case.insns) != case.r0]
    assert wrong == []


def test_every_form_has_cases(cases: list[Case]) -> None:
    assert {case.form for case in cases} == set(FORMS) - NOT_PURE


def test_the_cases_are_those_of_the_makers(cases: list[Case]) -> None:
    assert [(case.form, case.program) for case in cases] == list(programs())
