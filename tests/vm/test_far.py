"""Control that one short golden program cannot show: calls through every register, and jumps farther than 16 bits reach."""

from __future__ import annotations

import platform

import pytest

from pybpfnf.abi.codec import make
from pybpfnf.abi.forms import Insn
from pybpfnf.abi.text import parse
from pybpfnf.abi.versions import newer_than
from pybpfnf.runner import FaultKind
from pybpfnf.vm import Engine, run_program
from tests.abi.bpf import try_load

FAR = 33_000  # more instructions than the 16 bits of an offset can jump over
_XDP = 6


@pytest.mark.parametrize("register", range(10))
def test_a_call_through_a_register_reaches_the_function_whose_address_it_holds(register: int, engine: Engine) -> None:
    """Not RFC 9669's: what clang makes of function pointers, and what the public suite asks for. The function gets r1 to r5, the caller
    has r6 to r9 as before."""
    preserved = 6 if register != 6 else 7
    text = f"r{preserved} = 700\nr1 = 30\nr2 = 12\nr{register} = func[f]\ncallx r{register}\nr0 += r{preserved}\nexit\nf:\n"
    body = "r0 = 1\nexit" if register in (1, 2) else "r0 = r1\nr0 += r2\nexit"
    assert run_program(parse(text + body), engine=engine).r0 == 700 + (1 if register in (1, 2) else 42)


@pytest.mark.parametrize("register", range(10))
def test_a_call_through_a_register_reaches_the_helper_whose_number_it_holds(register: int, engine: Engine) -> None:
    result = run_program(parse(f"r{register} = 8\ncallx r{register}\nexit"), engine=engine)  # get_smp_processor_id
    assert (result.r0, result.fault) == (0, None)


@pytest.mark.parametrize(
    ("before", "register", "message"),
    [
        ("r1 = 0", 1, "there is no helper 0"),
        ("r3 = -1", 3, "is a number and no pointer"),
        ("r0 = 0", 10, "callx: the stack is no function"),
        ("r0 = 0", 7, "r7 is read before anything was written to it"),
    ],
)
def test_a_call_to_no_function_is_a_fault(before: str, register: int, message: str, engine: Engine) -> None:
    fault = run_program(parse(f"{before}\ncallx r{register}\nexit"), engine=engine).fault
    assert fault is not None
    assert message in fault.message


@pytest.mark.kernel
@pytest.mark.parametrize("register", range(10))
def test_the_kernel_takes_no_call_through_a_register(register: int) -> None:
    assert try_load(_XDP, parse(f"r{register} = func[f]\ncallx r{register}\nr0 = 2\nexit\nf:\nr0 = 1\nexit")) is not None


def far_and_back() -> list[Insn]:
    """r0 = 7 by a jump over all of the filling, and one back to the exit in front of it. The filling is led to by a jump never taken."""
    filling = [make("mov64_imm", 1, imm=1)] * FAR
    start = [make("mov64_imm", 0, imm=5), make("jeq64_imm", 0, off=2, imm=6), make("jal", imm=FAR + 1), make("exit")]
    return [*start, *filling, make("add64_imm", 0, imm=2), make("jal", imm=-FAR - 3)]


def test_a_long_jump_reaches_farther_than_16_bits_both_ways(engine: Engine) -> None:
    result = run_program(far_and_back(), engine=engine)
    assert (result.r0, result.instructions) == (7, 6)


@pytest.mark.kernel
def test_the_kernel_takes_long_jumps_where_its_version_has_them() -> None:
    if newer_than([make("jal")], {}, platform.release()):
        pytest.skip(f"Linux {platform.release()} has no long jumps")
    assert try_load(_XDP, far_and_back()) is None


def test_a_jump_farther_than_the_program_is_a_fault(engine: Engine) -> None:
    fault = run_program([make("jal", imm=FAR), make("exit")], engine=engine).fault
    assert fault is not None
    assert (fault.kind, fault.message) == (FaultKind.INSTRUCTION, f"a jump to slot {FAR + 1}, outside the program")
