"""Live ring buffers and perf event arrays: the records that programs send."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar, final

from pybpfnf.live.codec import codec_of
from pybpfnf.runner import EventAccess

R = TypeVar("R")


@final
class LiveEvents(Generic[R]):
    """The records of a ring buffer or perf event array: `for record in nf[events]` gives what is there now, and takes it.

    Records are the author's structs; `bytes` where the object does not say their type. Those of a ring buffer come in the order in
    which they were reserved, those of a perf event array in order for each CPU.
    """

    def __init__(self, access: EventAccess, value_class: object = None) -> None:
        self.spec = access.spec
        self._access = access
        type_ = self.spec.value_type
        self._records = codec_of(type_, 0 if type_ is None else type_.size, f"map {self.spec.name}, record", value_class)

    def __iter__(self) -> Iterator[R]:
        """The records that have arrived by now; one that is not reached stays for the next time."""
        return (record for record, _ in self.samples())

    def samples(self) -> Iterator[tuple[R, bytes]]:
        """As iteration, each with the bytes after its record: of a perf event the start of the packet, and up to 7 bytes of any
        value, as perf rounds sizes up."""
        return (self._sample(data) for data in self.octets())

    def octets(self) -> Iterator[bytes]:
        """As iteration, each record as the bytes that the program sent, for a reader of many."""
        for _ in range(self._access.gather()):
            data = self._access.take_record()
            if data is not None:
                yield data

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until there is a record, at most `timeout` seconds; whether there is one. Nothing arrives in the VM meanwhile, where
        it returns at once."""
        return self._access.wait(timeout)

    @property
    def lost(self) -> int:
        """Records that found a perf ring full, since it is read and as far as perf has told, and the oldest of more than 65,536 that
        nobody took. A ring buffer loses none: it tells the function that it is full."""
        return self._access.lost

    def _sample(self, data: bytes) -> tuple[Any, bytes]:
        size = self._records.size or len(data)
        return self._records.decode(data[:size]), data[size:]
