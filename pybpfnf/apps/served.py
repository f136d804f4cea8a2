"""What a function's `control(nf)` is given: its maps and variables, its records as they come, a log, and when to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, final, overload

from pybpfnf.apps.log import Log
from pybpfnf.image.model import ObjectImage
from pybpfnf.live import Live, LiveEvents
from pybpfnf.runner import MapAccess

if TYPE_CHECKING:
    from pybpfnf.dsl.surface.events import PerfEventArray, RingBuf
    from pybpfnf.dsl.surface.structs import Struct

R = TypeVar("R", bound="Struct")
_LONGEST_NAP = 0.1  # seconds without a look at the flag that says to stop


class Source(Protocol):
    """Where records come from: packets of the kernel, or those of a capture."""

    def wait(self, events: LiveEvents[Any], seconds: float | None) -> bool:
        """Wait for records at most so long; False once there will be no more."""
        ...


@final
class Served(Live):
    """A function that is served: `nf[RATIO] = 5`, `for record in nf.feed(events)`, `nf.log("slow", path=path)`."""

    def __init__(self, image: ObjectImage, maps: Mapping[str, MapAccess], source: Source, log: Log) -> None:
        super().__init__(image, maps)
        self._source = source
        self.log = log

    @overload
    def feed(self, events: RingBuf[R] | PerfEventArray[R]) -> Iterator[R]: ...
    @overload
    def feed(self, events: str) -> Iterator[Any]: ...
    def feed(self, events: RingBuf[Any] | PerfEventArray[Any] | str) -> Iterator[Any]:
        """The records of a map as they come, until the function is not served any more; those too that came before it ended."""
        shown: LiveEvents[Any] = self[events]
        while self._source.wait(shown, None):
            yield from shown
        yield from shown

    def wait(self, events: RingBuf[Any] | PerfEventArray[Any] | str, seconds: float) -> bool:
        """Wait for records at most so long; whether the function is still served. For a control that does something besides:

        while nf.wait(events, 1.0):
            for record in nf[events]:
                ...
        """
        shown: LiveEvents[Any] = self[events]
        return self._source.wait(shown, seconds)


@final
class OfKernel:
    """Records of packets that cross a real route."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped

    def wait(self, events: LiveEvents[Any], seconds: float | None) -> bool:
        left = seconds
        while not self._stopped():
            nap = _LONGEST_NAP if left is None else min(_LONGEST_NAP, left)
            if events.wait(nap):
                return True
            if left is not None:
                left -= nap
                if left <= 0:
                    return True
        return False


@final
class OfCapture:
    """Records of packets that are run one after the other, each when the control has dealt with those before."""

    def __init__(self, run_next: Callable[[], bool], stopped: Callable[[], bool]) -> None:
        self._run_next = run_next
        self._stopped = stopped

    def wait(self, events: LiveEvents[Any], seconds: float | None) -> bool:
        """Runs packets until one has sent a record; no time passes."""
        while not self._stopped() and self._run_next():
            if events.wait(0):
                return True
        return False
