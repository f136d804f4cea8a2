"""Programs that clang built, which call functions of the kernel and are called back: on the VM they find what they find in the kernel."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pybpfnf import image
from pybpfnf.image.model import ObjectImage
from pybpfnf.runner import Environment, Outcome, Runner, Session
from pybpfnf.testing.packets import srv6, udp
from pybpfnf.vm import VmRunner, VmSession
from tests.conformance.running import SID, packet

# Each source as it was compiled once and committed, and as clang compiles it here:
#     clang -O2 -g -target bpf -mcpu=v3 -fdebug-compilation-dir=. -c values.c -o values.o && llvm-strip -g values.o
FOREIGN = Path(__file__).parent / "foreign"
_SLOTS = 32
AROUND = Environment(sid=SID)
PACKET = packet(tag=7)
LARGE = srv6(segments=["fc00:3::3", str(SID)], payload=udp(bytes(5000)))  # more than a page: the kernel keeps less in one piece


def committed(name: str) -> bytes:
    return (FOREIGN / f"{name}.o").read_bytes()


def compiled(name: str) -> bytes:
    clang = shutil.which("clang") or shutil.which("clang-14")
    if clang is None:
        pytest.skip("clang is not installed")
    command = [clang, "-O2", "-w", "-g", "-target", "bpf", "-mcpu=v3", "-fdebug-compilation-dir=.", "-c", f"{name}.c", "-o", "-"]
    return subprocess.run(command, cwd=FOREIGN, check=True, capture_output=True).stdout


ORIGINS = pytest.mark.parametrize("origin", [committed, compiled])


def found(
    runner: Runner, built: ObjectImage, program: str, environment: Environment = AROUND, sent: bytes = PACKET
) -> tuple[Outcome, list[int]]:
    """What the program did, and left in the map `out`."""
    with runner.open(built, built.program(program), environment) as session:
        outcome = session.run(sent)
        return outcome, slots_of(session)


def slots_of(session: Session) -> list[int]:
    slots = [session.maps["out"].lookup(slot.to_bytes(4, "little")) or b"" for slot in range(_SLOTS)]
    return [int.from_bytes(slot, "little", signed=True) for slot in slots]


EINVAL, E2BIG, ERANGE, EBUSY, EDEADLK = -22, -7, -34, -16, -35
LENGTH = len(PACKET)
FIRST_WORD = 0x01040411  # of the SRH: next header UDP, 64 bytes more, type 4, one segment left
EXPECTED = {
    "dynptr_to_a_value": [
        0, 24, 0, 0, 0x0011223344556677, E2BIG, E2BIG, EINVAL, 0, 0, 12, 0, 0x0011223355667788, EINVAL, ERANGE, 24, 0x77, 9, 0, 0, 77,
        EINVAL, EINVAL, 2, EINVAL & 0xFFFFFFFF, EINVAL, EINVAL, EINVAL, EINVAL, 1,
    ],
    "dynptr_to_a_packet": [0, LENGTH, 1, 0, FIRST_WORD, E2BIG, E2BIG, 0x2B3F, 0, 3, EINVAL, 0, 0, 4, EINVAL, 1, 1],
    "dynptr_that_writes": [0, LENGTH, 0, 0, FIRST_WORD, E2BIG, E2BIG, 0x2B3F, 0, 3, 0, E2BIG, EINVAL, 0, 0, 0, 1],
    "dynptr_to_a_record": [0, LENGTH & 0x7F, 0, E2BIG, 0, 0, EINVAL, 1, EINVAL, E2BIG],
    "called_back": [
        10, 45010, 5, 0, E2BIG & 0xFFFFFFFF, EINVAL, 6, 15006, 3, 90003, 4, 4, 96011, EINVAL, sum(range(3, 300)), EINVAL, 0,
    ],
}  # fmt: skip
PROGRAMS = {
    "dynptr_to_a_value": "values",
    "dynptr_to_a_packet": "packets",
    "dynptr_that_writes": "packets",
    "dynptr_to_a_record": "records",
    "called_back": "callbacks",
}


@ORIGINS
@pytest.mark.parametrize("program", PROGRAMS)
def test_both_engines_find_the_same(runner: Runner, origin: Callable[[str], bytes], program: str) -> None:
    outcome, slots = found(runner, image.read(origin(PROGRAMS[program])), program)
    assert (outcome.fault, outcome.verdict) == (None, 0)
    expected = EXPECTED[program]
    assert slots == expected + [0] * (_SLOTS - len(expected))


def test_a_dynamic_pointer_writes_the_packet(runner: Runner) -> None:
    outcome, _ = found(runner, image.read(committed("packets")), "dynptr_that_writes")
    assert outcome.packet is not None
    assert (outcome.packet[2], outcome.packet[7]) == (0x5A, 99)


@pytest.mark.parametrize("program", ["dynptr_to_a_packet", "dynptr_that_writes"])
def test_of_a_packet_in_pieces_a_slice_may_be_a_copy(runner: Runner, program: str) -> None:
    outcome, slots = found(runner, image.read(committed("packets")), program, replace(AROUND, linear=60), LARGE)
    assert outcome.packet is not None
    assert (slots[1], slots[9], slots[16]) == (len(LARGE), 1 << 16 | 3, 0)


def test_records_reserved_by_a_dynamic_pointer_come_in_their_size(runner: Runner) -> None:
    outcome, _ = found(runner, image.read(committed("records")), "dynptr_to_a_record")
    (event,) = outcome.events
    assert (event.map, len(event.data), event.data[-8:].hex()) == ("records", LENGTH & 0x7F, "0807060504030201")


def passed(session: Session, nanoseconds: int) -> None:
    """Let so much time pass: the VM's clock stands still by itself."""
    if isinstance(session, VmSession):
        assert session.advance(nanoseconds) is None
    else:
        time.sleep(nanoseconds / 1e9)


@ORIGINS
def test_a_timer_calls_when_its_time_has_come(runner: Runner, origin: Callable[[str], bytes]) -> None:
    built = image.read(origin("timers"))
    with runner.open(built, built.program(), AROUND) as session:
        assert session.run(PACKET).fault is None
        early = slots_of(session)
        passed(session, 100_000_000)
        late = slots_of(session)
    assert early[:16] == [EINVAL, EINVAL, EINVAL, EINVAL, 0, EBUSY, EINVAL, 0, EINVAL, 0, 0, 0, 0, 1, 0, EINVAL]
    assert late[16:19] == [1, 3, EDEADLK]


def test_a_timer_calls_at_its_time_and_not_before() -> None:
    built = image.read(committed("timers"))
    with VmRunner().open(built, built.program(), AROUND) as session:
        session.run(PACKET)
        calls = []
        for nanoseconds in (999_999, 1, 999_999, 2_000_000, 10_000_000):
            passed(session, nanoseconds)
            calls.append(slots_of(session)[17])
        assert calls == [0, 1, 1, 3, 3]
