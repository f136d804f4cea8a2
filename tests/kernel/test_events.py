"""Records from programs in the kernel: ring buffers and perf rings, read as they come."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pybpfnf.errors import InputError
from pybpfnf.image.model import MapSpec
from pybpfnf.kernel.attach import attach, find
from pybpfnf.kernel.events import with_readers
from pybpfnf.kernel.load import LoadedProgram, load_program
from pybpfnf.kernel.netns import Namespace
from pybpfnf.kernel.trial import trial_run
from pybpfnf.live import Live, LiveEvents
from pybpfnf.types.layout import U32, StructField, StructType
from pybpfnf.verbs.attach import Attached
from tests.kernel.programs import image
from tests.kernel_support import run_tool

pytestmark = pytest.mark.kernel

PAIR = StructType("Pair", 8, 4, (StructField("mark", 0, U32), StructField("five", 4, U32)))
RING = MapSpec("events", "ringbuf", 0, 0, 4096, value_type=PAIR)
PERF = MapSpec("events", "perf_event_array", 4, 4, 0, value_type=PAIR)
_RECORD = "r2 = *(u32 *)(r1 + 8)\n*(u32 *)(r10 - 8) = r2\n*(u32 *)(r10 - 4) = 5\n"  # __sk_buff.mark, and 5
TO_RING = _RECORD + "r1 = map[events]\nr2 = r10\nr2 += -8\nr3 = 8\nr4 = 0\ncall ringbuf_output\nr0 = 0\nexit"
TO_PERF = (
    "r6 = r1\n"
    + _RECORD
    + "r1 = r6\nr2 = map[events]\nr3 = 0xffffffff ll\nr4 = r10\nr4 += -8\nr5 = 8\ncall perf_event_output\nr0 = 0\nexit"
)
DISCARDED = (
    _RECORD + "r7 = r2\nr1 = map[events]\nr2 = 8\nr3 = 0\ncall ringbuf_reserve\nif r0 == 0 goto out\n"
    "*(u32 *)(r0 + 0) = r7\nr1 = r0\nr2 = 0\nr7 &= 1\nif r7 == 0 goto keep\ncall ringbuf_discard\ngoto out\n"
    "keep:\ncall ringbuf_submit\nout:\nr0 = 0\nexit"
)


@pytest.fixture(autouse=True)
def _one_cpu() -> Iterator[None]:
    """A perf event array has a ring for each CPU, and records of one only are in order."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@contextmanager
def loaded(text: str, spec: MapSpec) -> Iterator[tuple[LoadedProgram, LiveEvents[Any]]]:
    """A program that runs on a test run, and what it sends."""
    whole = image(text, spec, type_name="lwt_out")
    with ExitStack() as stack:
        program = stack.enter_context(load_program(whole, whole.program()))
        yield program, Live(whole, with_readers(program.maps, stack))["events"]


def send(program: LoadedProgram, mark: int = 0, *, repeat: int = 1) -> None:
    context = bytearray(192)  # struct __sk_buff
    struct.pack_into("<I", context, 8, mark)
    trial_run(program, bytes(64), repeat=repeat, context=bytes(context))


def marks(events: LiveEvents[Any]) -> list[int]:
    return [record.mark for record in events]


@pytest.mark.parametrize(("text", "spec"), [(TO_RING, RING), (TO_PERF, PERF)], ids=["ringbuf", "perf_event_array"])
def test_records_are_there_once_and_in_order(text: str, spec: MapSpec) -> None:
    with loaded(text, spec) as (program, events):
        assert (marks(events), events.wait(0)) == ([], False)
        for mark in (7, 8, 9):
            send(program, mark)
        assert events.wait(0)
        assert marks(events) == [7, 8, 9]
        assert (marks(events), events.lost) == ([], 0)


def test_a_ring_buffer_keeps_what_came_before_its_reader() -> None:
    with loaded(TO_RING, RING) as (program, events):
        send(program, 7)
        assert marks(events) == [7]


def test_a_record_that_is_not_reached_stays_for_the_next_time() -> None:
    with loaded(TO_RING, RING) as (program, events):
        send(program, 7)
        send(program, 8)
        assert next(iter(events)).mark == 7
        assert marks(events) == [8]


def test_a_ring_goes_round_many_times() -> None:
    """A record takes 16 of 4096 bytes: positions pass the end of the ring, and no record is cut there."""
    with loaded(TO_RING, RING) as (program, events):
        for start in range(0, 1000, 100):
            for mark in range(start, start + 100):
                send(program, mark)
            assert marks(events) == list(range(start, start + 100))


def test_discarded_records_are_passed_over() -> None:
    with loaded(DISCARDED, RING) as (program, events):
        for mark in (1, 2, 3, 4):
            send(program, mark)
        assert marks(events) == [2, 4]


@pytest.mark.parametrize(("text", "spec"), [(TO_RING, RING), (TO_PERF, PERF)], ids=["ringbuf", "perf_event_array"])
def test_waiting_ends_with_a_record_or_with_the_time(text: str, spec: MapSpec) -> None:
    with loaded(text, spec) as (program, events):
        started = time.monotonic()
        assert not events.wait(0.05)
        assert time.monotonic() - started >= 0.05
        later = threading.Timer(0.1, send, (program, 7))
        later.start()
        try:
            assert events.wait(30)
            assert time.monotonic() - started < 20
        finally:
            later.join()
        assert marks(events) == [7]


def test_what_found_a_perf_ring_full_is_counted_as_lost() -> None:
    """perf says so with the next sample that there is room for. A sample of 8 bytes takes 24, of 64 pages of 4096."""
    with loaded(TO_PERF, PERF) as (program, events):
        marks(events)  # starts to read
        room = 64 * 4096 // 24
        send(program, 1, repeat=room + 100)
        assert events.lost == 0
        arrived = len(marks(events))
        assert room - 1 <= arrived <= room
        send(program, 2)
        assert marks(events) == [2]
        assert events.lost == room + 100 - arrived


def test_an_attached_program_is_read_through_its_pins(own_bpffs: Path, namespace: Namespace) -> None:
    """By another process too: what the pinned record says of types makes structs of the bytes."""
    whole = image(TO_RING, RING, type_name="lwt_out")
    run_tool("ip", "-6", "address", "add", "fc00:1::1/64", "dev", "b0", "nodad")
    attach(whole, whole.program(), "fc00:f::/64", "b0")
    with Attached(find("fc00:f::/64").open()) as nf, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("fc00:f::1", 9))
        assert nf["events"].wait(10)
        (record,) = nf["events"]
        assert (record.mark, record.five) == (0, 5)


def test_a_map_of_records_has_no_entries() -> None:
    with ExitStack() as stack:
        whole = image(TO_RING, RING, type_name="lwt_out")
        program = stack.enter_context(load_program(whole, whole.program()))
        access = with_readers(program.maps, stack)["events"]
        with pytest.raises(InputError, match="map events is a ringbuf, which has no keys"):
            access.lookup(b"")
