"""Ring buffers and perf events to the letter (kernel/bpf/ringbuf.c, kernel/trace/bpf_trace.c, net/core/filter.c): engines and kernel.

Each case is a program whose helpers' answers are put into a map, one after the other.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import E2BIG, EAGAIN, EFAULT, EINVAL, ENOENT, EOPNOTSUPP, errorcode
from typing import TypeAlias

import pytest

from pybpfnf.abi.text import parse
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.kernel.load import load_program
from pybpfnf.kernel.trial import trial_run
from pybpfnf.runner import Environment, Runner, Session
from pybpfnf.testing import packets
from pybpfnf.vm import Engine, VmRunner
from tests.conformance.map_scripts import on_cpu_0

PACKET = packets.ipv6("fc00:c::2", payload=packets.udp())
SIZE = 4096
MOST = 24
SRV6 = packets.srv6(["fc00:c::2", "fc00:a::1"])
OUT = MapSpec("out", "array", 4, 8 * MOST, 1)
RING = MapSpec("ring", "ringbuf", 0, 0, SIZE)
PERF = MapSpec("perf", "perf_event_array", 4, 4, 4)
CURRENT_CPU = 0xFFFFFFFF

Run: TypeAlias = Callable[[str, int], list[int]]


@contextmanager
def vm(image: ObjectImage, engine: Engine) -> Iterator[Callable[[], bytes]]:
    with VmRunner(engine=engine).open(image, image.program(), Environment(cpus=2)) as session:

        def run() -> bytes:
            assert session.run(PACKET).verdict == 0
            return session.maps["out"].lookup(bytes(4)) or b""

        yield run


@contextmanager
def kernel(image: ObjectImage) -> Iterator[Callable[[], bytes]]:
    with on_cpu_0(), load_program(image, image.program()) as loaded:

        def run() -> bytes:
            assert trial_run(loaded, bytes(12) + b"\x86\xdd" + PACKET).value == 0
            return loaded.maps["out"].lookup(bytes(4)) or b""

        yield run


@pytest.fixture(params=["reference", "compiled", pytest.param("kernel", marks=pytest.mark.kernel)])
def run(request: pytest.FixtureRequest) -> Run:
    """The answers that a program has put into the map, as signed numbers."""

    def answers(text: str, count: int) -> list[int]:
        program = ProgramImage("ring", "lwt_xmit", "lwt_xmit", parse(f"r6 = r1\n{text}r0 = 0\nexit"))
        image = ObjectImage((program,), {spec.name: spec for spec in (OUT, RING, PERF)}, "GPL")
        with kernel(image) if request.param == "kernel" else vm(image, Engine(request.param)) as go:
            words = (ctypes.c_int64 * MOST).from_buffer_copy(go())
        # An error number is an int in C, and its high half is left as it was.
        return [value - (1 << 32) if 0xFFFFF000 <= value <= 0xFFFFFFFF else value for value in words[:count]]

    return answers


def put(index: int) -> str:
    return f"r1 = map[out]+{8 * index}\n*(u64 *)(r1 + 0) = r0\n"


def query(what: int) -> str:
    return f"r1 = map[ring]\nr2 = {what}\ncall ringbuf_query\n"


def reserve(size: int, flags: int = 0) -> str:
    return f"r1 = map[ring]\nr2 = {size}\nr3 = {flags}\ncall ringbuf_reserve\n"


def finish(register: int, helper: str, flags: int = 0) -> str:
    return f"r1 = r{register}\nr2 = {flags}\ncall ringbuf_{helper}\n"


def output(size: int, flags: int = 0) -> str:
    zeros = "".join(f"*(u64 *)(r10 - {at}) = 0\n" for at in range(8, size + 8, 8))
    return f"{zeros}r1 = map[ring]\nr2 = r10\nr2 += -{-(-size // 8) * 8}\nr3 = {size}\nr4 = {flags} ll\ncall ringbuf_output\n"


AVAILABLE, RING_SIZE, CONSUMER, PRODUCER = range(4)


def queries(first: int) -> str:
    return "".join(query(what) + put(first + what) for what in range(4))


def test_an_empty_ring_answers_each_question(run: Run) -> None:
    text = queries(0) + query(4) + put(4) + query(0xFFFFFFFF) + put(5)
    assert run(text, 6) == [0, SIZE, 0, 0, 0, 0]


def test_a_reserved_record_counts_as_available_and_moves_the_producer(run: Run) -> None:
    text = reserve(20) + "r7 = r0\nif r7 == 0 goto end\n" + queries(0) + finish(7, "submit") + queries(4) + "end:\n"
    assert run(text, 8) == [32, SIZE, 0, 32] * 2


def test_records_behind_one_that_is_reserved_are_written_and_wait(run: Run) -> None:
    text = reserve(8) + "r7 = r0\nif r7 == 0 goto end\n" + output(16) + put(0) + queries(1) + finish(7, "discard") + queries(5) + "end:\n"
    assert run(text, 9) == [0, 40, SIZE, 0, 40, 40, SIZE, 0, 40]


def test_a_discarded_record_takes_its_room_until_it_is_read(run: Run) -> None:
    text = reserve(SIZE - 16) + "r7 = r0\nif r7 == 0 goto end\n" + finish(7, "discard") + queries(0) + output(8) + put(4) + "end:\n"
    assert run(text, 5) == [SIZE - 8, SIZE, 0, SIZE - 8, -EAGAIN]


@pytest.mark.parametrize(
    ("size", "fits"),
    [(0, True), (1, True), (SIZE - 16, True), (SIZE - 15, False), (SIZE - 8, False), (SIZE, False), (1 << 20, False), (0x3FFFFFFF, False)],
)
def test_a_record_with_its_header_is_smaller_than_the_ring(run: Run, size: int, fits: bool) -> None:
    text = reserve(size) + "r7 = r0\nr0 = 0\nif r7 == 0 goto none\n" + finish(7, "submit") + "r0 = 1\nnone:\n" + put(0)
    assert run(text, 1) == [int(fits)]


@pytest.mark.parametrize("flags", [1, 2, 4, 0x40000000])
def test_a_record_is_reserved_without_flags(run: Run, flags: int) -> None:
    text = reserve(8, flags) + "r7 = r0\nr0 = 0\nif r7 == 0 goto none\n" + finish(7, "submit") + "r0 = 1\nnone:\n" + put(0) + queries(1)
    assert run(text, 5) == [0, 0, SIZE, 0, 0]


@pytest.mark.parametrize(("flags", "answer"), [(0, 0), (1, 0), (2, 0), (3, 0), (4, -EINVAL), (1 << 32, -EINVAL), (1 << 63, -EINVAL)])
def test_output_takes_the_two_flags_about_waking(run: Run, flags: int, answer: int) -> None:
    assert run(output(8, flags) + put(0), 1) == [answer]


@pytest.mark.parametrize("helper", ["submit", "discard"])
@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4, 0x7FFFFFFF])
def test_a_record_is_finished_with_any_flags(run: Run, helper: str, flags: int) -> None:
    text = reserve(8) + "r7 = r0\nif r7 == 0 goto end\n" + finish(7, helper, flags) + queries(0) + "end:\n"
    assert run(text, 4) == [16, SIZE, 0, 16]


def test_a_ring_is_full_when_one_byte_would_be_left(run: Run) -> None:
    text = "".join(output(248) + put(number) for number in range(17)) + query(AVAILABLE) + put(17)
    assert run(text, 18) == [0] * 15 + [-EAGAIN, -EAGAIN, 15 * 256]


def test_two_records_are_reserved_and_finished_in_any_order(run: Run) -> None:
    text = reserve(8) + "r7 = r0\nif r7 == 0 goto end\n" + reserve(24) + "r8 = r0\nif r8 == 0 goto one\n" + queries(0)
    text += finish(8, "submit") + queries(4) + "one:\n" + finish(7, "submit") + queries(8) + "end:\n"
    assert run(text, 12) == [48, SIZE, 0, 48] * 3


# ---------------------------------------------------------------------------------------------------- dynamic pointers


def reserve_dynptr(size: int, flags: int = 0) -> str:
    return f"r1 = map[ring]\nr2 = {size}\nr3 = {flags}\nr4 = r10\nr4 += -16\ncall ringbuf_reserve_dynptr\n"


def finish_dynptr(helper: str) -> str:
    return f"r1 = r10\nr1 += -16\nr2 = 0\ncall ringbuf_{helper}_dynptr\n"


@pytest.mark.parametrize("helper", ["submit", "discard"])
@pytest.mark.parametrize(
    ("size", "flags", "answer", "taken"),
    [(20, 0, 0, 32), (0, 0, 0, 8), (SIZE - 16, 0, 0, SIZE - 8), (SIZE - 15, 0, -EINVAL, 0), (8, 1, -EINVAL, 0), (1 << 24, 0, -E2BIG, 0)],
)
def test_a_dynamic_record_is_reserved_and_finished_whatever_the_answer(
    run: Run, helper: str, size: int, flags: int, answer: int, taken: int
) -> None:
    text = reserve_dynptr(size, flags) + put(0) + finish_dynptr(helper) + queries(1)
    assert run(text, 5) == [answer, taken, SIZE, 0, taken]


# --------------------------------------------------------------------------------------------------------- perf events


def sample(flags: int, size: int = 8) -> str:
    zeros = "*(u64 *)(r10 - 8) = 0\n"
    return f"{zeros}r1 = r6\nr2 = map[perf]\nr3 = {flags} ll\nr4 = r10\nr4 += -8\nr5 = {size}\ncall perf_event_output\n"


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        (4, -E2BIG),  # the array has four
        (0xFFFFFFFE, -E2BIG),
        (3, -ENOENT),  # nobody reads there
        (len(PACKET) + 1 << 32 | CURRENT_CPU, -EFAULT),  # more of the packet than there is
        (0xFFFFF << 32 | CURRENT_CPU, -EFAULT),
        (1 << 52 | CURRENT_CPU, -EINVAL),
        (1 << 63 | CURRENT_CPU, -EINVAL),
    ],
)
def test_a_sample_that_goes_nowhere_says_why(run: Run, flags: int, answer: int) -> None:
    assert run(sample(flags) + put(0), 1) == [answer]


# ------------------------------------------------------------------------------------------------------- with a reader


def _signed(data: bytes | None) -> list[int]:
    assert data is not None
    values = [int.from_bytes(data[at : at + 8], "little", signed=True) for at in range(0, len(data), 8)]
    return [value - (1 << 32) if 0xFFFFF000 <= value <= 0xFFFFFFFF else value for value in values]


def _opened(runner: Runner, text: str, *maps: MapSpec) -> Session:
    program = ProgramImage("read", "lwt_seg6local", "lwt_seg6local", parse(f"r6 = r1\n{text}r0 = 0\nexit"))
    image = ObjectImage((program,), {spec.name: spec for spec in (OUT, *maps)}, "GPL")
    return runner.open(image, program, Environment())


def test_the_reader_moves_its_position_past_records_that_were_given_up_too(runner: Runner) -> None:
    """From packet to packet, so often that the records go round the ring."""
    text = queries(0) + output(200) + reserve(1000) + "r7 = r0\nif r7 == 0 goto end\n" + queries(4) + finish(7, "discard") + "end:\n"
    with _opened(runner, text, RING) as session:
        for number in range(10):
            at = number * (208 + 1008)
            assert session.run(SRV6).verdict == 0
            assert _signed(session.maps["out"].lookup(bytes(4)))[:8] == [0, SIZE, at, at, 1216, SIZE, at, at + 1216]


@pytest.mark.parametrize(("flags", "answer"), [(CURRENT_CPU, 0), (0, 0), (1, -EOPNOTSUPP), (40 << 32, 0), (1 << 40, -EFAULT)])
def test_a_sample_goes_to_the_cpu_that_it_is_on_alone(runner: Runner, flags: int, answer: int) -> None:
    with _opened(runner, sample(flags) + put(0), MapSpec("perf", "perf_event_array", 4, 4, 0)) as session:
        events = session.run(SRV6).events
        assert _signed(session.maps["out"].lookup(bytes(4)))[:1] == [answer], errorcode.get(-answer)
        assert len(events) == (answer == 0)
