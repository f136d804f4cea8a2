"""One direction of a link does to frames what `lab.topology` says, in its order, to the nanosecond."""

from __future__ import annotations

import pytest

from pybpfnf.lab.direction import Wire, seed_of
from pybpfnf.lab.topology import Bytes, Direction, Packets

MS = 10**6


def arrivals(direction: Direction, offers: list[tuple[int, int]], seed: str = "0/a-b/0") -> list[int | None]:
    wire = Wire(direction, seed)
    return [wire.offer(at, size) for at, size in offers]


def test_a_frame_arrives_after_the_delay() -> None:
    assert arrivals(Direction(5 * MS), [(0, 100), (7, 1500)]) == [5 * MS, 5 * MS + 7]


def test_frames_are_sent_one_after_the_other_at_the_rate() -> None:
    # 1,000 bytes at 8 Mbit/s: 1 ms each; the third comes when the line is free again.
    direction = Direction(5 * MS, rate=8_000_000)
    assert arrivals(direction, [(0, 1000), (0, 1000), (4 * MS, 1000)]) == [6 * MS, 7 * MS, 10 * MS]


def test_a_part_of_a_nanosecond_counts_as_a_whole_one() -> None:
    assert arrivals(Direction(rate=3_000_000_000), [(0, 1)]) == [3]


@pytest.mark.parametrize("queue", [Packets(2), Bytes(2500)])
def test_what_finds_the_queue_full_is_dropped_and_counted(queue: Packets | Bytes) -> None:
    wire = Wire(Direction(rate=8_000_000, queue=queue), "0")
    assert [wire.offer(0, 1000) for _ in range(3)] == [MS, 2 * MS, None]
    assert wire.offer(MS, 1000) == 3 * MS  # the first has been sent
    assert (wire.full, wire.lost) == (1, 0)


def test_a_direction_without_a_rate_has_no_queue() -> None:
    assert None not in arrivals(Direction(MS, queue=Packets(1)), [(0, 1500)] * 100)


def test_jitter_is_on_both_sides_of_the_delay_and_never_more_than_it_says() -> None:
    found = arrivals(Direction(5 * MS, 2 * MS, reorder=True), [(each * 100 * MS, 100) for each in range(1000)])
    delays = [at - each * 100 * MS for each, at in enumerate(found) if at is not None]
    assert 3 * MS <= min(delays) < 3.1 * MS
    assert 6.9 * MS < max(delays) <= 7 * MS
    assert abs(sum(delays) / 1000 - 5 * MS) < 0.1 * MS


def test_jitter_changes_the_order_only_where_that_is_allowed() -> None:
    offers = [(each * MS // 10, 100) for each in range(200)]
    in_order = [at for at in arrivals(Direction(5 * MS, 2 * MS), offers) if at is not None]
    mixed = [at for at in arrivals(Direction(5 * MS, 2 * MS, reorder=True), offers) if at is not None]
    assert in_order == sorted(in_order)
    assert mixed != sorted(mixed)


def test_frames_are_lost_as_often_as_it_says() -> None:
    wire = Wire(Direction(loss=0.1), "0/a-b/0")
    lost = [wire.offer(0, 100) for _ in range(10_000)].count(None)
    assert wire.lost == lost
    assert 850 < lost < 1150


def test_what_is_lost_takes_no_place_in_the_queue() -> None:
    assert set(arrivals(Direction(loss=1.0, rate=8, queue=Packets(1)), [(0, 1000)] * 10)) == {None}


def test_chance_is_the_same_for_the_same_seed_and_another_for_another_direction() -> None:
    direction, offers = Direction(5 * MS, MS, loss=0.2), [(each * 10 * MS, 100) for each in range(50)]
    assert arrivals(direction, offers, seed_of(7, "a-b", 0)) == arrivals(direction, offers, seed_of(7, "a-b", 0))
    assert arrivals(direction, offers, seed_of(7, "a-b", 0)) != arrivals(direction, offers, seed_of(7, "a-b", 1))
    assert arrivals(direction, offers, seed_of(7, "a-b", 0)) != arrivals(direction, offers, seed_of(8, "a-b", 0))
