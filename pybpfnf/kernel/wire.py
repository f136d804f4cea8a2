"""Packets into a device and out of another; what the link layer and the hop change is put back here, and nowhere else."""

from __future__ import annotations

import errno
import socket
import struct
from contextlib import ExitStack
from types import TracebackType
from typing import Self, final

from pybpfnf.errors import InputError, InternalError, KernelError, SystemLacksError
from pybpfnf.kernel.offload import PLAIN, Offload

_ETH_P_ALL, _ETH_P_IP, _ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
_VERSIONS = {_ETH_P_IP: 4, _ETH_P_IPV6: 6}
_HOP_LIMIT = 7  # offset in the IPv6 header
_IPV4_HEADER, _IPV6_HEADER = 20, 40
_TTL, _CHECKSUM = 8, slice(10, 12)  # in the IPv4 header
_LARGEST = 1 << 17
_SOL_PACKET, _PACKET_VNET_HDR = 263, 15
_PATIENCE = 5.0  # seconds for a packet that takes microseconds; only a broken kernel needs them


@final
class Wire:
    """What goes into `into` (the far end of the router's incoming device) and comes out at `out_of`.

    `flush`, with a number of NUMBER_SIZE bytes at its end, is a packet that certainly crosses the router, on the same path
    in the same order: when it has come out, what was sent before it has come out as well, or was dropped. So a drop is
    seen without waiting.
    """

    NUMBER_SIZE = 8

    def __init__(self, into: str, out_of: str, mac: str, flush: bytes, mark: int, offload: Offload | None = None) -> None:
        self._addresses = bytes.fromhex(mac.replace(":", "")) + bytes(6)
        self._flush = flush
        self._offload = offload
        self._runs = 0
        with ExitStack() as stack:
            self._sender = stack.enter_context(packet_socket(socket.SOCK_RAW))
            self._receiver = stack.enter_context(packet_socket(socket.SOCK_DGRAM))
            self._sender.bind((into, 0))
            self._sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("=I", mark))
            if offload is not None:
                self._sender.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
            self._receiver.bind((out_of, _ETH_P_ALL))
            self._receiver.settimeout(_PATIENCE)
            stack.pop_all()

    def cross(self, packet: bytes, ether_type: int = _ETH_P_IPV6) -> list[bytes]:
        """Send a packet; what came out, each from its IP header on."""
        self._runs += 1
        flush = self._flush + self._runs.to_bytes(self.NUMBER_SIZE, "big")
        said, plain = (b"", b"") if self._offload is None else (self._offload(packet), PLAIN)
        self._send(said, packet, ether_type)
        self._send(plain, flush, _ETH_P_IPV6)
        arrived: list[bytes] = []
        while True:
            protocol, received = self._receive()
            if hop_put_back(received) == flush:
                return arrived
            # A frame that calls its packet what it is not is dropped by whoever receives it.
            if _VERSIONS.get(protocol) == received[0] >> 4:
                arrived.append(received)

    def _send(self, said: bytes, packet: bytes, ether_type: int) -> None:
        try:
            self._sender.send(said + self._addresses + ether_type.to_bytes(2, "big") + packet)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise InputError(f"a packet of {len(packet)} bytes is larger than the device takes") from None
            raise KernelError(f"cannot send a packet: {error.strerror}", errno=error.errno or 0) from None

    def _receive(self) -> tuple[int, bytes]:
        """The next packet, with its EtherType."""
        try:
            packet, address = self._receiver.recvfrom(_LARGEST)
            return address[1], packet
        except TimeoutError:
            raise InternalError("the packet that marks the end of a run did not cross the router") from None

    def close(self) -> None:
        self._sender.close()
        self._receiver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


def packet_socket(kind: int) -> socket.socket:
    try:
        return socket.socket(socket.AF_PACKET, kind | socket.SOCK_CLOEXEC, 0)
    except PermissionError:
        raise SystemLacksError("not permitted to open a packet socket", hint="run as root, or with the capability CAP_NET_RAW") from None


def hop_put_back(packet: bytes) -> bytes:
    """The packet as it was before forwarding took one off its hop limit (ip6_forward, net/ipv6/ip6_output.c), or off its TTL, with
    the checksum mended (ip_decrease_ttl, include/net/ip.h)."""
    if len(packet) >= _IPV4_HEADER and packet[0] >> 4 == 4:
        before = bytearray(packet)
        before[_TTL] = (packet[_TTL] + 1) & 0xFF
        word = int.from_bytes(packet[_CHECKSUM], "little")
        before[_CHECKSUM] = (word - 1 if word else 0xFFFE).to_bytes(2, "little")
        return bytes(before)
    if len(packet) < _IPV6_HEADER:
        return packet
    return packet[:_HOP_LIMIT] + bytes([(packet[_HOP_LIMIT] + 1) & 0xFF]) + packet[_HOP_LIMIT + 1 :]
