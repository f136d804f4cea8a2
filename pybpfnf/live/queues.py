"""Live queues and stacks: values without keys (kernel/bpf/queue_stack_maps.c)."""

from __future__ import annotations

import errno
from typing import Generic, TypeVar, final

from pybpfnf.abi.maps import BPF_ANY, BPF_EXIST
from pybpfnf.errors import KernelError
from pybpfnf.live.codec import codec_of
from pybpfnf.runner import QueueAccess

V = TypeVar("V")
_NO_KEY = b""


@final
class LiveQueue(Generic[V]):
    """A live queue or stack: `q.push(v)`, `q.pop()`, `q.peek()`. bpf(2) tells neither how many values there are nor what follows the
    next one, so there is no `len` and no iteration; programs push and pop meanwhile."""

    def __init__(self, access: QueueAccess, value_class: object = None) -> None:
        self.spec = access.spec
        self._access = access
        self._values = codec_of(self.spec.value_type, self.spec.value_size, f"map {self.spec.name}, value", value_class)

    def push(self, value: V, *, drop_oldest: bool = False) -> None:
        """Put a value in. Where the map is full: a KernelError with E2BIG, or with `drop_oldest` its oldest value is gone."""
        data = self._values.encode(value)
        try:
            self._access.update(_NO_KEY, data, BPF_EXIST if drop_oldest else BPF_ANY)
        except KernelError as error:
            if error.errno != errno.E2BIG:
                raise
            message = f"map {self.spec.name} is full: it holds {self.spec.max_entries} values"
            raise KernelError(message, errno=errno.E2BIG, hint="pop one before, or push with drop_oldest=True") from None

    def pop(self) -> V:
        """Take the next value: of a queue the oldest, of a stack the newest. Raises IndexError where there is none."""
        return self._decoded(self._access.take())

    def peek(self) -> V:
        """The next value, which stays. Raises IndexError where there is none."""
        return self._decoded(self._access.lookup(_NO_KEY))

    def _decoded(self, data: bytes | None) -> V:
        if data is None:
            raise IndexError(f"map {self.spec.name} is empty")
        value: V = self._values.decode(data)
        return value
