"""Packets into a device and out of another; what the link layer and the hop change is put back here, and nowhere else."""

from __future__ import annotations

import errno
import socket
import struct
from contextlib import ExitStack
from types import TracebackType
from typing import Self, final

from pybpfnf.errors import InputError, InternalError, KernelError, SystemLacksError

_ETH_P_IPV6 = 0x86DD
_HOP_LIMIT = 7  # offset in the IPv6 header
_IPV6_HEADER = 40
_LARGEST = 1 << 17
_PATIENCE = 5.0  # seconds for a packet that takes microseconds; only a broken kernel needs them


@final
class Wire:
    """What goes into `into` (the far end of the router's incoming device) and comes out at `out_of`.

    `flush`, with a number of NUMBER_SIZE bytes at its end, is a packet that certainly crosses the router, on the same path
    in the same order: when it has come out, what was sent before it has come out as well, or was dropped. So a drop is
    seen without waiting.
    """

    NUMBER_SIZE = 8

    def __init__(self, into: str, out_of: str, mac: str, flush: bytes, mark: int) -> None:
        self._ethernet = bytes.fromhex(mac.replace(":", "")) + bytes(6) + _ETH_P_IPV6.to_bytes(2, "big")
        self._flush = flush
        self._runs = 0
        with ExitStack() as stack:
            self._sender = stack.enter_context(_packet_socket(socket.SOCK_RAW))
            self._receiver = stack.enter_context(_packet_socket(socket.SOCK_DGRAM))
            self._sender.bind((into, 0))
            self._sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("=I", mark))
            self._receiver.bind((out_of, _ETH_P_IPV6))
            self._receiver.settimeout(_PATIENCE)
            stack.pop_all()

    def cross(self, packet: bytes) -> list[bytes]:
        """Send a packet; what came out, each from its IPv6 header on and with the hop limit that it had before its last hop."""
        self._runs += 1
        flush = self._flush + self._runs.to_bytes(self.NUMBER_SIZE, "big")
        self._send(packet)
        self._send(flush)
        arrived: list[bytes] = []
        while (received := self._receive()) != flush:
            arrived.append(received)
        return arrived

    def _send(self, packet: bytes) -> None:
        try:
            self._sender.send(self._ethernet + packet)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise InputError(f"a packet of {len(packet)} bytes is larger than the device takes") from None
            raise KernelError(f"cannot send a packet: {error.strerror}", errno=error.errno or 0) from None

    def _receive(self) -> bytes:
        try:
            return hop_put_back(self._receiver.recv(_LARGEST))
        except TimeoutError:
            raise InternalError("the packet that marks the end of a run did not cross the router") from None

    def close(self) -> None:
        self._sender.close()
        self._receiver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


def _packet_socket(kind: int) -> socket.socket:
    try:
        return socket.socket(socket.AF_PACKET, kind | socket.SOCK_CLOEXEC, 0)
    except PermissionError:
        raise SystemLacksError("not permitted to open a packet socket", hint="run as root, or with the capability CAP_NET_RAW") from None


def hop_put_back(packet: bytes) -> bytes:
    """The packet as it was before forwarding took one off its hop limit (ip6_forward, net/ipv6/ip6_output.c)."""
    if len(packet) < _IPV6_HEADER:
        return packet
    return packet[:_HOP_LIMIT] + bytes([(packet[_HOP_LIMIT] + 1) & 0xFF]) + packet[_HOP_LIMIT + 1 :]
