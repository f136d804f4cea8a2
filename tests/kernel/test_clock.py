"""How far CLOCK_TAI is ahead, from readings of both clocks."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pybpfnf.kernel.clock import tai_offset

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


def clocks(monkeypatch: pytest.MonkeyPatch, *readings: int) -> Iterator[int]:
    """CLOCK_REALTIME, CLOCK_TAI, CLOCK_REALTIME, as often as they are read."""
    left = iter(readings)
    monkeypatch.setattr(time, "clock_gettime_ns", lambda clock: next(left))
    return left


@pytest.mark.parametrize("offset", [0, 1, 37, 38])
@pytest.mark.parametrize("between", [0, 40, SECOND // 20])
def test_the_offset_is_whole_seconds_whatever_passes_between_the_readings(
    monkeypatch: pytest.MonkeyPatch, offset: int, between: int
) -> None:
    clocks(monkeypatch, NOW, NOW + offset * SECOND + between, NOW + between + 100)
    assert tai_offset() == offset * SECOND


@pytest.mark.parametrize("between", [SECOND, -SECOND])
def test_readings_that_another_process_or_a_set_clock_came_between_are_made_again(monkeypatch: pytest.MonkeyPatch, between: int) -> None:
    left = clocks(monkeypatch, NOW, NOW + 38 * SECOND, NOW + between, NOW, NOW + 37 * SECOND, NOW + 50)
    assert tai_offset() == 37 * SECOND
    assert next(left, None) is None


def test_this_machines_offset_is_between_none_and_a_minute() -> None:
    assert 0 <= tai_offset() <= 60 * SECOND
