"""The responder: the control of `end_dm`, which answers each one-way probe by UDP to the address in its URO TLV.

A record of the function becomes an answer by one `struct` in and one out; hundreds go to the kernel in one system call.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Sequence
from ipaddress import IPv6Address, IPv6Network
from typing import Final, final

from pybpfnf.apps.delay import protocol
from pybpfnf.apps.delay.protocol import DelayMeasurement, Reply
from pybpfnf.apps.served import Served
from pybpfnf.errors import KernelError
from pybpfnf.kernel.datagrams import SOCKADDR_IN6, Batch

FUNCTION: Final = "end_dm"
RECORDS: Final = "measured"
# struct Measured of functions/delay/end_dm.py: T1, T2, session and class, port; of the SRH next header, segments left, last entry, flags,
# tag; collector; IPv6 header; segments; whether T2 is the kernel's stamp.
RECORD: Final = struct.Struct("=QQIHBBBBH16s40s256sB")
# The answer: first half of the DM TLV as two constants, session and class, T1, T2, no T3 and T4; IPv6 header; SRH; segments.
_ANSWER: Final = struct.Struct(">QIIQQ16x40sBBBBBBH256s")
_HEAD, _FORMATS = struct.unpack_from(">QI", DelayMeasurement(Reply.SUCCESS, 0, 0, response=True).encode())
_FIXED: Final = protocol.DM.size + protocol.IPV6_SIZE + protocol.SRH_SIZE

PUBLIC: Final = (IPv6Network("2000::/3"), IPv6Network("fc00::/7"))  # global and unique local addresses: what may be a collector's
BATCH: Final = 256
_SO_TIMESTAMPING: Final = 37  # include/uapi/asm-generic/socket.h (SO_TIMESTAMPING_OLD)
_RX_SOFTWARE: Final = 1 << 3  # include/uapi/linux/net_tstamp.h, SOF_TIMESTAMPING_RX_SOFTWARE
_PATIENCE: Final = 1.0  # seconds that a full socket is waited for
_REPORT: Final = 10.0  # seconds between two lines in the log
_MOST_ADDRESSES: Final = 10_000  # that are remembered: who sends probes chooses them


@final
class Responder:
    """Answers to collectors within `allowed`, from `source` (any address of ours unless given). `control` is for `serve`.

    `answered` counts answers that the kernel took, `refused` probes that name another collector, `unsent` answers that no route leads to,
    `stamped` probes whose T2 is the kernel's stamp. The kernel stamps what comes in for as long as our socket is there, unless `stamps` is
    False: that costs each packet of the machine a reading of the clock.
    """

    def __init__(self, *, source: str = "::", allowed: Sequence[IPv6Network] = PUBLIC, stamps: bool = True) -> None:
        self.answered = self.refused = self.unsent = self.stamped = 0
        self._allowed = tuple(allowed)
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._batch = Batch(BATCH, _ANSWER.size)
        self._lengths = [_ANSWER.size] * BATCH  # as the batch has them
        self._addresses: dict[tuple[bytes, int], bytes | None] = {}
        self._count = 0  # answers in the batch
        try:
            self._socket.bind((source, 0))
            if stamps:
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _RX_SOFTWARE)
        except OSError:
            self._socket.close()
            raise

    def control(self, nf: Served) -> None:
        """Answer until the function is not served any more."""
        due = time.monotonic() + _REPORT
        while nf.wait(RECORDS, _REPORT):
            for record in nf[RECORDS].octets():
                self.answer(record)
            self.flush()
            if time.monotonic() >= due:
                nf.log("answers", **self.counts())
                due += _REPORT
        for record in nf[RECORDS].octets():
            self.answer(record)
        self.flush()
        nf.log("answers", **self.counts())

    def counts(self) -> dict[str, int]:
        return {"answered": self.answered, "refused": self.refused, "unsent": self.unsent, "stamped": self.stamped}

    def answer(self, record: bytes) -> None:
        """Put the answer to a record into the batch, which is sent when it is full."""
        t1, t2, word, port, following, left, last, flags, tag, collector, ipv6, segments, stamped = RECORD.unpack_from(record)
        address = self._addresses.get((collector, port)) or self._address(collector, port)
        if address is None:
            self.refused += 1
            return
        index, count = self._count, last + 1
        batch = self._batch
        start = index * SOCKADDR_IN6.size
        batch.addresses[start : start + SOCKADDR_IN6.size] = address
        _ANSWER.pack_into(
            batch.data, index * _ANSWER.size,
            _HEAD, _FORMATS, word, t1, t2, ipv6, following, 2 * count, 4, left, last, flags, tag, segments,
        )  # fmt: skip
        length = _FIXED + 16 * count
        if self._lengths[index] != length:
            self._lengths[index] = length
            batch.set_length(index, length)
        self.stamped += stamped
        self._count += 1
        if self._count == BATCH:
            self.flush()

    def flush(self) -> None:
        """Send what is in the batch. What the kernel refuses is counted, and the next goes on."""
        first, end = 0, self._count
        self._count = 0
        while first < end:
            try:
                sent = self._batch.send(self._socket, first, end)
            except KernelError:
                self.unsent += 1
                first += 1
                continue
            if not sent and not self._writable():
                self.unsent += end - first
                return
            self.answered += sent
            first += sent

    def close(self) -> None:
        self._socket.close()

    def _writable(self) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        return bool(poll.poll(_PATIENCE * 1000))

    def _address(self, collector: bytes, port: int) -> bytes | None:
        """Its struct sockaddr_in6; None for one that is not allowed."""
        if len(self._addresses) >= _MOST_ADDRESSES:
            self._addresses.clear()
        address = IPv6Address(collector)
        found = None
        if port and not address.is_multicast and any(address in network for network in self._allowed):
            found = SOCKADDR_IN6.pack(socket.AF_INET6, socket.htons(port), 0, collector, 0)
        self._addresses[collector, port] = found
        return found
