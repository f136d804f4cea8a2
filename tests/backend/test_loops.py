"""Loops count as Python's `range` does, in the VM and past the kernel's verifier."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backend.engine import Engine
from tests.dsl.cases import compile_text, function

STATES = "".join(f"S_{name} = State({name})\n" for name in ("u8", "s8", "u16", "s64", "u64"))
SEEN = "seen = Array(s64, 300)\nlast = State(s64, initial=-99)\ncount = State(u32)\n"
NOTE = "    seen[count] = s64(i)\n    count += 1\n    last = s64(i)\n"


def values(ends: str, directory: Path, **states: int) -> list[int]:
    """What `for i in range(ends)` counts, and what i is at the end."""
    body = f"global count, last\nfor i in range({ends}):\n{NOTE}return OK"
    with Engine(compile_text(function(body, before=STATES + SEEN), directory)) as engine:
        engine.set(**states)
        assert engine.fault() is None
        number = engine.get("count")
        assert isinstance(number, int)
        seen = [engine.maps["seen"].lookup(index.to_bytes(4, "little")) for index in range(number)]
        found = [int.from_bytes(value or b"", "little", signed=True) for value in seen]
        assert engine.get("last") == (found[-1] if found else -99)
        return found


@pytest.mark.parametrize("ends", ["0", "1", "4", "5", "300", "3, 7", "7, 3", "7, 3, -1", "-3, 8, 3", "8, -3, -3", "0, 10, 100", "5, 5, -1"])
def test_a_range_of_constants(ends: str, tmp_path: Path) -> None:
    assert values(ends, tmp_path) == list(eval(f"range({ends})"))


@pytest.mark.parametrize("stop", [0, 1, 7, 255])
def test_a_u8_bounds_a_loop(stop: int, tmp_path: Path) -> None:
    assert values("S_u8", tmp_path, S_u8=stop) == list(range(stop))


@pytest.mark.parametrize("start", [0, 1, 5, 255])
@pytest.mark.parametrize("step", [-1, -2, -7, -255, -300])
def test_a_loop_counts_down_to_zero(start: int, step: int, tmp_path: Path) -> None:
    assert values(f"S_u8, -1, {step}", tmp_path, S_u8=start) == list(range(start, -1, step))


@pytest.mark.parametrize("value", [-128, -5, 0, 3, 127])
def test_a_negative_stop_is_no_iteration(value: int, tmp_path: Path) -> None:
    assert values("S_s8", tmp_path, S_s8=value) == list(range(value))
    assert values("S_s8, 4", tmp_path, S_s8=value) == list(range(value, 4))


@pytest.mark.parametrize("value", [0, 15, 16, 1000, 65535])
def test_min_a_mask_and_a_remainder_bound_a_loop(value: int, tmp_path: Path) -> None:
    assert values("min(S_u16, 16)", tmp_path, S_u16=value) == list(range(min(value, 16)))
    assert values("S_u16 & 15", tmp_path, S_u16=value) == list(range(value & 15))
    assert values("S_u16 % 10, 20, 3", tmp_path, S_u16=value) == list(range(value % 10, 20, 3))


def test_a_range_at_the_end_of_64_bits(tmp_path: Path) -> None:
    body = "global count\nfor i in range(max(S_u64, 18446744073709551608), 18446744073709551615, 2):\n    count += 1\nreturn OK"
    with Engine(compile_text(function(body, before=STATES + SEEN), tmp_path)) as engine:
        engine.run()
        assert engine.get("count") == 4


def run(body: str, directory: Path) -> int:
    """`count` after the body."""
    with Engine(compile_text(function(f"global count\n{body}\nreturn OK", before=STATES + SEEN), directory)) as engine:
        assert engine.fault() is None
        found = engine.get("count")
        assert isinstance(found, int)
        return found


def test_break_leaves_the_innermost_loop_past_its_else(tmp_path: Path) -> None:
    inner = "    for j in range(5):\n        if j == 2:\n            break\n        count += 1\n    else:\n        count += 100"
    assert run(f"for i in range(3):\n{inner}", tmp_path) == 6


def test_else_runs_after_the_last_iteration_and_after_none(tmp_path: Path) -> None:
    assert run("for i in range(3):\n    count += 1\nelse:\n    count += 10", tmp_path) == 13
    assert run("for i in range(0):\n    pass\nelse:\n    count += 100", tmp_path) == 100


def test_continue_goes_on_with_the_next_value(tmp_path: Path) -> None:
    assert run("for i in range(10):\n    if i % 3 == 0:\n        continue\n    count += 1", tmp_path) == 6


def test_what_the_body_assigns_to_the_counter_does_not_change_the_iterations(tmp_path: Path) -> None:
    assert run("for i in range(5):\n    i = 100\n    count += 1", tmp_path) == 5


def test_a_range_is_computed_once(tmp_path: Path) -> None:
    assert run("n = pkt.srh.tag & 3\nfor i in range(n):\n    n = 9\n    count += 1", tmp_path) == 3


def test_a_sum_over_an_unknown_number_of_iterations_stays_in_64_bits(tmp_path: Path) -> None:
    """LLVM would make a multiplication of more bits out of it, and die."""
    body = "total: u64 = 0\nfor i in range(pkt.srh.tag & 7):\n    total += u64(i) * i\ncount = u32(total)"
    assert run(body, tmp_path) == sum(i * i for i in range(7))


def test_a_return_in_a_loop_ends_the_function(tmp_path: Path) -> None:
    assert run("for i in range(10):\n    count += 1\n    if i == 3:\n        return DROP", tmp_path) == 4


def test_a_fault_in_a_loop_leaves_with_on_fault(tmp_path: Path) -> None:
    source = function("for i in range(10):\n    pkt.mark = u32(1 // (3 - s64(i)))\nreturn OK")
    with Engine(compile_text(source, tmp_path)) as engine:
        assert engine.fault() == "division by zero"


def test_an_index_proven_in_range_has_no_fault_exit(tmp_path: Path) -> None:
    source = function("for i in range(4):\n    a[i] += 1\n    a[3 - i] += 1\nreturn OK", before="a = Array(u32, 4)\n")
    with Engine(compile_text(source, tmp_path)) as engine:
        assert engine.image.faults is None
