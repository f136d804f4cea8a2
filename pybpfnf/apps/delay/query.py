"""Active probes: sent along a list of segments by a raw socket, and what comes back of them.

A two-way probe has our own address as its last segment, and is caught by a packet socket, before the host asks whether its `seg6_enabled`
lets it in. A one-way probe names a UDP socket of ours, to which the responder at the SID sends its answer.
"""

from __future__ import annotations

import math
import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import field, replace
from ipaddress import IPv6Address
from typing import Final, final

from pybpfnf.abi.headers import ETHER_TYPES, HEADERS, NEXT_HEADERS, ROUTING_TYPES, SEGMENT_SIZE, SRH_TLVS
from pybpfnf.apps.delay import protocol
from pybpfnf.apps.delay.collector import enlarge
from pybpfnf.apps.delay.protocol import DelayMeasurement, ProtocolError, Query, Reply, ReplyTo
from pybpfnf.errors import InputError, KernelError, SystemLacksError
from pybpfnf.records import dataclass
from pybpfnf.unusable import reason

_LARGEST_SRH: Final = 8 * (1 + 255)  # its length field counts 8 bytes beyond the first 8, in 8 bits (RFC 8754 section 2)
_AT_ONCE: Final = 64  # packets that are taken when the time for it is over: the next probe waits
_LARGEST: Final = 4096  # bytes that are read of a packet: its headers
_ANCILLARY: Final = 256
_SO_TIMESTAMPNS: Final = 35  # include/uapi/asm-generic/socket.h (SO_TIMESTAMPNS_OLD): when the kernel had the packet, a struct timespec
_TIMESPEC: Final = struct.Struct("@qq")
_PACKET_OUTGOING: Final = 4  # include/uapi/linux/if_packet.h


@final
@dataclass(frozen=True, slots=True)
class Probe:
    """How probes look: along `segments` (in travel order, without the way back to `source`), two-way or one-way."""

    segments: tuple[IPv6Address, ...]
    source: IPv6Address
    two_way: bool
    session: int
    hop_limit: int = 64

    def encode(self, t1: int, port: int) -> bytes:
        """The packet that leaves at T1 (nanoseconds since 1970), which for a one-way probe names our UDP port."""
        self.check()
        tlvs = self._tlvs(t1, port)
        path = self.path
        size = HEADERS["srh"].size + SEGMENT_SIZE * len(path) + len(tlvs)
        fixed = (NEXT_HEADERS["no_next_header"], size // 8 - 1, ROUTING_TYPES["srh"], len(path) - 1, len(path) - 1, 0, 0, 0)
        srh = bytes(fixed) + b"".join(each.packed for each in reversed(path)) + tlvs
        ipv6 = struct.pack(">IHBB", 6 << 28, size, NEXT_HEADERS["routing"], self.hop_limit)
        return ipv6 + self.source.packed + path[0].packed + srh

    def check(self) -> None:
        """Raises InputError for segments that no probe goes along, and for more than an SRH has room for beside the TLVs."""
        check_segments(self.segments)
        room = (_LARGEST_SRH - HEADERS["srh"].size - len(self._tlvs(0, 0))) // SEGMENT_SIZE
        if len(self.path) > room:
            raise InputError(f"an SRH has room for {room - 1} segments here, and these are {len(self.segments)}")

    def _tlvs(self, t1: int, port: int) -> bytes:
        measured = DelayMeasurement(Query.IN_BAND if self.two_way else Query.OUT_OF_BAND, self.session, t1).encode()
        if self.two_way:
            return measured
        return measured + ReplyTo(self.source, port).encode() + bytes((SRH_TLVS["padn"], 2, 0, 0))  # to a multiple of 8

    @property
    def path(self) -> tuple[IPv6Address, ...]:
        """All segments: the way back after those of a two-way probe, else the last one again, because the kernel runs no program at the
        last segment; there the probe ends."""
        return (*self.segments, self.source if self.two_way else self.segments[-1])


def check_segments(segments: Iterable[IPv6Address]) -> None:
    """Raises InputError for those that no probe goes along."""
    for each in segments:
        if each.is_multicast or each.is_link_local or each.is_unspecified:
            raise InputError(f"{each} cannot be a segment: no route leads to it", hint="a SID is a global or unique local address")


@final
@dataclass(frozen=True, slots=True)
class Answers:
    """Delays in nanoseconds in the order of their arrival; `errors` by the words of the control code; of `sent` the rest is lost."""

    sent: int
    delays: tuple[int, ...] = ()
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def lost(self) -> int:
        return self.sent - len(self.delays) - self.errors.total()

    def quantile(self, share: float) -> int:
        """The delay that this share of all is not above (nearest rank). Raises InputError where there is none."""
        if not self.delays:
            raise InputError("no probe was answered")
        ordered = sorted(self.delays)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def query(probe: Probe, *, count: int, interval: float, timeout: float) -> Answers:
    """Send `count` probes, one each `interval` seconds, and wait `timeout` seconds after the last (root). Raises SystemLacksError,
    KernelError where they cannot be sent, InputError where no probe is like that."""
    probe.check()
    with ExitStack() as stack:
        try:
            sender = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW))
            receiver = stack.enter_context(_packet_socket() if probe.two_way else _udp_socket(probe.source))
        except PermissionError:
            raise SystemLacksError("not permitted to send raw packets", hint="run as root, or with the capability CAP_NET_RAW") from None
        except OSError as error:
            raise KernelError(f"cannot listen on {probe.source}: {reason(error)}", errno=error.errno or 0) from None
        enlarge(receiver)
        exchange = _Exchange(probe, sender, receiver)
        start = time.monotonic()
        for number in range(1, count):
            exchange.send()
            exchange.listen(start + interval * number)
        exchange.send()
        exchange.listen(time.monotonic() + timeout, to_the_last=True)
    return Answers(count, tuple(exchange.delays), exchange.errors)


def own_address(destination: IPv6Address) -> IPv6Address:
    """The address that packets from here to a destination come from. Raises KernelError where no route leads there."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((str(destination), 9))  # no packet is sent
        except OSError as error:
            raise KernelError(f"no route leads to {destination}: {reason(error)}", errno=error.errno or 0) from None
        return IPv6Address(sock.getsockname()[0].partition("%")[0])


def is_own(address: IPv6Address) -> bool:
    """Whether an address is this host's: a socket can have it."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((str(address), 0))
        except OSError:
            return False
        return not address.is_unspecified


@final
class _Exchange:
    """Probes and answers between two sockets."""

    def __init__(self, probe: Probe, sender: socket.socket, receiver: socket.socket) -> None:
        self.delays: list[int] = []
        self.errors: Counter[str] = Counter()
        self._probe, self._sender, self._receiver = probe, sender, receiver
        self._port = 0 if probe.two_way else int(receiver.getsockname()[1])
        self._waiting: set[int] = set()  # T1 of each probe that has no answer
        self._poll = select.poll()
        self._poll.register(receiver, select.POLLIN)

    def send(self) -> None:
        first = str(self._probe.path[0])
        t1 = time.time_ns()
        self._waiting.add(t1)
        try:
            self._sender.sendto(self._probe.encode(t1, self._port), (first, 0))
        except OSError as error:
            raise KernelError(f"cannot send a probe to {first}: {reason(error)}", errno=error.errno or 0) from None

    def listen(self, until: float, *, to_the_last: bool = False) -> None:
        """Take answers until that time (time.monotonic), or `to_the_last` until no probe is without one."""
        late = 0
        while self._waiting or not to_the_last:
            left = max(0.0, until - time.monotonic())
            late += not left
            if late > _AT_ONCE or not self._poll.poll(left * 1000):
                return
            found = self._answer()
            # One that nobody waits for is another's, or came twice.
            if found is None or found.session != self._probe.session or not found.response or found.t1 not in self._waiting:
                continue
            self._waiting.remove(found.t1)
            if found.control == Reply.SUCCESS:
                self.delays.append(protocol.two_way_delay(found) if self._probe.two_way else found.t2 - found.t1)
            else:
                self.errors[Reply(found.control).name.lower().replace("_", " ")] += 1

    def _answer(self) -> DelayMeasurement | None:
        """What has come, where it is an answer."""
        data, ancillary, _, address = self._receiver.recvmsg(_LARGEST, _ANCILLARY)
        try:
            if not self._probe.two_way:
                return protocol.parse_answer(data).measurement
            if address[2] == _PACKET_OUTGOING:
                return None
            return replace(protocol.measurement_in(data, self._probe.source), t4=_received(ancillary))
        except ProtocolError:
            return None


def _received(ancillary: list[tuple[int, int, bytes]]) -> int:
    """When the kernel had the packet; the time now where it does not say."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds * protocol.SECOND + nanoseconds)
    return time.time_ns()


def _packet_socket() -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETHER_TYPES["ipv6"]))
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return sock


def _udp_socket(address: IPv6Address) -> socket.socket:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        sock.bind((str(address), 0))
    except OSError:
        sock.close()
        raise
    return sock
