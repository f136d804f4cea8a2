"""Maps that carry records, as who reads them meets them."""

from __future__ import annotations

from pybpfnf.image.model import MapSpec
from pybpfnf.runner import MOST_UNREAD
from pybpfnf.vm.events import PerfEventArray
from pybpfnf.vm.memory import Memory


def test_of_more_records_than_are_kept_the_oldest_are_lost_and_counted() -> None:
    """A run of many packets whose records nobody takes does not grow without end."""
    array = PerfEventArray(MapSpec("events", "perf_event_array", 4, 4, 2), Memory(), 2, 0)
    for number in range(MOST_UNREAD + 3):
        array.output(number.to_bytes(4, "little"))
        array.read_records()
    assert (array.gather(), array.lost, array.take_record()) == (MOST_UNREAD, 3, bytes([3, 0, 0, 0]))
