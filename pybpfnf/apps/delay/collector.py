"""The collector: takes the answers of responders, and keeps what they say of each path.

A datagram in the form that responders send is read by one `struct`; any other goes the long way, through `protocol`, and is counted with
the reason why it is refused. So a rate of a hundred thousand a second leaves most of a core to spare.
"""

from __future__ import annotations

import select
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, final

from pybpfnf.apps.delay import protocol
from pybpfnf.apps.delay.paths import Path, PathKey, Paths
from pybpfnf.apps.delay.protocol import Answer, ProtocolError, Reply
from pybpfnf.kernel.datagrams import Batch

BATCH: Final = 512  # datagrams a system call
LARGEST: Final = 2304  # bytes that are read of one: DM, IPv6 header and the longest SRH
SOCKET_BUFFER: Final = 1 << 26  # bytes asked for: about a second of 100,000 datagrams, while Python is at something else or has no core
_SO_RCVBUFFORCE: Final = 33  # include/uapi/asm-generic/socket.h: beyond net.core.rmem_max, for root

# Type to control code and reserved as one number; formats to reserved; session and class; T1 and T2 as seconds and nanoseconds; T3, T4.
_FAST: Final = struct.Struct(">QIIIIII16s")
_USUAL, _FORMATS = struct.unpack_from(">QI", protocol.DelayMeasurement(Reply.SUCCESS, 0, 0, response=True).encode())
_IPV6, _SRH = protocol.DM.size, protocol.DM.size + protocol.IPV6_SIZE
_NOT_TAKEN: Final = bytes(16)
_SECOND: Final = protocol.SECOND


@final
class Collector:
    """What has been heard: `paths`, and `refused` with how often for which reason."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.received = 0
        self.refused: Counter[str] = Counter()
        self._known: dict[tuple[int, bytes], Path] = {}
        self._batch = Batch(BATCH, LARGEST)

    def take(self, datagram: bytes) -> None:
        """One datagram, however it came."""
        self.received += 1
        self._take_slowly(datagram)

    def receive(self, sock: socket.socket) -> int:
        """What waits in a UDP socket, at most BATCH datagrams; how many. Does not wait."""
        lengths = self._batch.receive(sock)
        self.received += len(lengths)
        data, known, unpack = self._batch.data, self._known, _FAST.unpack_from
        at = 0
        for length in lengths:
            if _SRH < length <= LARGEST:
                head, formats, word, s1, n1, s2, n2, rest = unpack(data, at)
                if (
                    head == _USUAL
                    and formats == _FORMATS
                    and s1
                    and s2
                    and n1 < _SECOND
                    and n2 < _SECOND
                    and rest == _NOT_TAKEN
                    and data[at + _IPV6] >> 4 == 6
                ):
                    path = known.get((word, bytes(data[at + _SRH : at + length])))
                    if path is not None:
                        path.add((s2 - s1) * _SECOND + n2 - n1)
                        at += LARGEST
                        continue
            self._take_slowly(bytes(data[at : at + min(length, LARGEST)]), cut_off=length > LARGEST)
            at += LARGEST
        return len(lengths)

    def drain(self, sock: socket.socket, most: int = 64 * BATCH) -> None:
        """Take what waits in a socket, as often as there is more, up to so many: between two things that take long."""
        taken = BATCH
        while taken == BATCH and most > 0:
            taken = self.receive(sock)
            most -= taken

    def _take_slowly(self, datagram: bytes, *, cut_off: bool = False) -> None:
        """By the whole rules; a path that is found so is known from now on."""
        if cut_off:
            self.refused["longer than any answer"] += 1
            return
        try:
            answer = protocol.parse_answer(datagram)
            path = self._path(answer)
        except ProtocolError as error:
            self.refused[error.kind] += 1
            return
        path.add(answer.delay)
        self._known[_word(datagram), datagram[_SRH:]] = path

    def _path(self, answer: Answer) -> Path:
        """Whose sample it is. Raises ProtocolError where it is none."""
        measurement = answer.measurement
        if measurement.control != Reply.SUCCESS:
            raise ProtocolError(f"an answer that says {Reply(measurement.control).name.lower().replace('_', ' ')}")
        if measurement.t1 == 0 or measurement.t2 == 0:
            raise ProtocolError("a time is missing")
        path = self.paths.get(PathKey(measurement.session, answer.path))
        if path is None:
            raise ProtocolError("too many paths")
        return path


def _word(datagram: bytes) -> int:
    return int.from_bytes(datagram[12:16], "big")


def enlarge(sock: socket.socket) -> None:
    """Give what comes in a large buffer, where the kernel gives one."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, SOCKET_BUFFER)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)


def open_socket(address: str, port: int) -> socket.socket:
    """A UDP socket for answers, with a large buffer. Raises OSError."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        sock.bind((address, port))
        enlarge(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def collect(collector: Collector, sock: socket.socket, stopped: Callable[[], bool], *, every: float = 0.1) -> Iterator[None]:
    """Receive until `stopped` says so; gives its caller a turn every so many seconds, and after each batch."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    while not stopped():
        if poll.poll(every * 1000):
            collector.receive(sock)
        yield
