"""Functions of the kernel in the VM: numbers as the kernel's iterator counts them, and the faults of programs that the verifier refuses."""

from __future__ import annotations

import pytest

from pybpfnf.abi.kfuncs import KFUNCS
from pybpfnf.image.model import MapSpec
from pybpfnf.vm.kfuncs import EMULATED
from tests.vm.programs import PACKET, session

NO_ROOM = "bpf_iter_num_new: expected 8 aligned bytes of the stack that hold no other iterator"
NEW = "r1 = r10\nr1 += -8\ncall kfunc[bpf_iter_num_new]"
DESTROY = "r1 = r10\nr1 += -8\ncall kfunc[bpf_iter_num_destroy]"
COUNT = f"""
    {NEW}
    r7 = r0
    r6 = 0
next:
    r1 = r10
    r1 += -8
    call kfunc[bpf_iter_num_next]
    if r0 == 0 goto done
    r1 = *(s32 *)(r0 + 0)
    r6 *= 10
    r6 += r1
    goto next
done:
    {DESTROY}
"""


def answer(text: str) -> int:
    verdict = session(text).run(PACKET).verdict
    assert verdict is not None
    return verdict - (1 << 32) if verdict >> 31 else verdict


def fault(text: str) -> str:
    outcome = session(text).run(PACKET)
    assert outcome.fault is not None
    return outcome.fault.message


def test_every_function_with_a_row_is_emulated() -> None:
    assert set(EMULATED) == set(KFUNCS)


@pytest.mark.parametrize(
    ("start", "end", "seen"),
    [(0, 5, 1234), (3, 6, 345), (4, 4, 0), (-2, 2, -2099), (-0x80000000, -0x7FFFFFFF, -0x80000000), (0x7FFFFFFE, 0x7FFFFFFF, 0x7FFFFFFE)],
)
def test_an_iterator_counts_from_its_start_up_to_its_end(start: int, end: int, seen: int) -> None:
    assert answer(f"r2 = {start}\nr3 = {end}\n{COUNT}\nr0 = r6\nexit") == seen


@pytest.mark.parametrize(
    ("start", "end", "error"),
    [(5, 4, -22), (0, 1 << 23, 0), (0, (1 << 23) + 1, -7), (-0x80000000, 0x7FFFFFFF, -7)],
)
def test_what_cannot_be_counted_is_an_error(start: int, end: int, error: int) -> None:
    assert answer(f"r2 = {start}\nr3 = {end}\n{NEW}\nr6 = r0\n{DESTROY}\nr0 = r6\nexit") == error


def test_an_iterator_that_failed_counts_nothing_and_is_destroyed_too() -> None:
    assert answer(f"r2 = 5\nr3 = 4\n{COUNT}\nr0 = r6\nexit") == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"r2 = 0\nr3 = 4\n{NEW}\nr0 = 0\nexit", "an iterator is not destroyed when the program ends"),
        (f"{DESTROY}\nr0 = 0\nexit", "bpf_iter_num_destroy: expected an initialized iterator"),
        (f"r2 = 0\nr3 = 4\n{NEW}\nr2 = 0\nr3 = 4\n{NEW}\nexit", NO_ROOM),
        ("r2 = 0\nr3 = 4\nr1 = r10\nr1 += -12\ncall kfunc[bpf_iter_num_new]\nexit", NO_ROOM),
        ("call kfunc[bpf_task_acquire]\nexit", "the kernel function bpf_task_acquire is not emulated"),
        ("call kfunc#77\nexit", "the kernel function 77 is not emulated"),
    ],
)  # fmt: skip
def test_what_the_verifier_refuses_is_a_fault(text: str, message: str) -> None:
    assert fault(text) == message


def test_what_a_run_leaves_is_not_there_in_the_next() -> None:
    opened = session(f"r2 = 0\nr3 = 4\n{NEW}\nr0 = 0\nexit")
    assert [opened.run(PACKET).fault is None for _ in range(2)] == [False, False]
    again = session(f"r2 = 0\nr3 = 4\n{NEW}\n{DESTROY}\nr0 = 0\nexit")
    assert [again.run(PACKET).verdict for _ in range(2)] == [0, 0]


FROM_SKB = "r6 = r1\nr2 = 0\nr3 = r10\nr3 += -16\ncall kfunc[bpf_dynptr_from_skb]\n"
SIZE = "r1 = r10\nr1 += -16\ncall kfunc[bpf_dynptr_size]\nexit"
RESERVE = "r1 = map[ring]\nr2 = 8\nr3 = 0\nr4 = r10\nr4 += -16\ncall ringbuf_reserve_dynptr\n"
SUBMIT = "r1 = r10\nr1 += -16\nr2 = 0\ncall ringbuf_submit_dynptr\n"
RING = MapSpec("ring", "ringbuf", 0, 0, 4096)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{SIZE}", "bpf_dynptr_size: expected an initialized dynptr"),
        (f"{FROM_SKB}*(u8 *)(r10 - 9) = 1\n{SIZE}", "bpf_dynptr_size: expected an initialized dynptr"),
        (f"{RESERVE}r0 = 0\nexit", "a ring buffer record is neither submitted nor discarded"),
        (f"{RESERVE}{RESERVE}r0 = 0\nexit", "ringbuf_reserve_dynptr: a dynamic pointer to a reserved record would be overwritten"),
        (f"{RESERVE}{SUBMIT}{SUBMIT}r0 = 0\nexit", "ringbuf_submit_dynptr: expected an initialized dynptr"),
        (f"{FROM_SKB}{SUBMIT}r0 = 0\nexit", "a dynamic pointer that stands for no reserved record is given back"),
        ("r2 = 0\nr3 = r10\nr3 += -12\ncall kfunc[bpf_dynptr_from_skb]\nexit",
         "bpf_dynptr_from_skb: expected 16 aligned bytes of the stack"),
        ("r1 = r10\nr1 += -8\n*(u64 *)(r1 + 0) = 0\nr2 = 8\nr3 = 0\nr4 = r10\nr4 += -24\ncall dynptr_from_mem\nexit",
         "dynptr_from_mem: expected a map's value"),
    ],
)  # fmt: skip
def test_a_dynamic_pointer_that_the_verifier_refuses_is_a_fault(text: str, message: str) -> None:
    outcome = session(text, RING).run(PACKET)
    assert outcome.fault is not None
    assert outcome.fault.message == message


def test_a_record_that_there_was_no_room_for_is_given_back_too() -> None:
    text = RESERVE.replace("r2 = 8", "r2 = 5000")
    outcome = session(f"{text}r0 = 0\nexit", RING).run(PACKET)
    assert outcome.fault is not None
    assert outcome.fault.message == "a ring buffer record is neither submitted nor discarded"
    assert session(f"{text}r7 = r0\n{SUBMIT}r0 = r7\nexit", RING).run(PACKET).verdict == -22 & 0xFFFFFFFF


TIMED = MapSpec("timed", "array", 4, 24, 1)
START = """
    *(u32 *)(r10 - 4) = 0
    r1 = map[timed]
    r2 = r10
    r2 += -4
    call map_lookup_elem
    if r0 == 0 goto out
    r6 = r0
    r6 += 8
    r1 = r6
    r2 = map[timed]
    r3 = 1
    call timer_init
    r1 = r6
    r2 = func[expired]
    call timer_set_callback
    r1 = r6
    r2 = 500000
    r3 = 0
    call timer_start
out:
    r0 = 0
    exit
expired:
"""


def test_a_timer_that_starts_itself_without_end_is_a_fault() -> None:
    opened = session(f"{START}r1 = r3\nr1 += 8\nr2 = 0\nr3 = 0\ncall timer_start\nr0 = 0\nexit", TIMED)
    opened.run(PACKET)
    late = opened.advance(2_000_000)
    assert late is not None
    assert late.message == "more than 10000 times a timer's function was called without end"


def test_a_fault_in_a_timers_function_is_that_of_the_packet_before_which_it_is_called() -> None:
    opened = session(f"{START}r0 = *(u64 *)(r3 + 24)\nexit", TIMED)
    faults = [opened.run(PACKET).fault for _ in range(4)]
    assert [fault is not None for fault in faults] == [False, True, True, True]
    assert faults[1] is not None
    assert "offset 24" in faults[1].message
