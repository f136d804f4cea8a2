"""Frames of a device as they come and go: a packet socket whose receive queue is memory shared with the kernel (packet(7), PACKET_RX_RING;
Documentation/networking/packet_mmap.rst; TPACKET_V2).
"""

from __future__ import annotations

import errno
import mmap
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self, final

from pybpfnf.kernel.wire import packet_socket

_SOL_PACKET = 263
_RX_RING, _STATISTICS, _VERSION, _QDISC_BYPASS, _IGNORE_OUTGOING = 5, 6, 10, 20, 23
_TPACKET_V2 = 1
_ETH_P_ALL = 0x0003
_STATUS_KERNEL, _STATUS_USER, _STATUS_VLAN_VALID = 0, 1, 1 << 4
_HEADER = struct.Struct("=IIIHHIIHH")  # struct tpacket2_hdr
_ROOM = 128  # for that header, the socket address behind it, and what aligns the frame
_ETHERNET = 14
_VLAN = 4
_FRAMES, _MOST = 512, 8 << 20  # of a ring: so many frames, unless they are so large that these would be more bytes
_BLOCK = 1 << 17  # bytes, unless a frame is larger
_SECOND = 10**9


@final
class PacketRing:
    """What arrives at a device of this thread's namespace, with the time at which it did, and a way to send; what is sent is not seen."""

    def __init__(self, device: str, mtu: int) -> None:
        self.device = device
        self._frame_size = 1 << (mtu + _ETHERNET + _VLAN + _ROOM - 1).bit_length()
        size = min(_FRAMES * self._frame_size, _MOST)
        self._frames = size // self._frame_size
        self._next = 0
        with ExitStack() as stack:
            self.socket = stack.enter_context(packet_socket(socket.SOCK_RAW))
            self._set(_VERSION, _TPACKET_V2)
            self._set(_IGNORE_OUTGOING, 1)
            self._set(_QDISC_BYPASS, 1)
            block = max(_BLOCK, self._frame_size)
            self.socket.setsockopt(_SOL_PACKET, _RX_RING, struct.pack("=IIII", block, size // block, self._frame_size, self._frames))
            self._memory = stack.enter_context(mmap.mmap(self.socket.fileno(), size))
            self.socket.bind((device, _ETH_P_ALL))
            stack.pop_all()

    def _set(self, option: int, value: int) -> None:
        self.socket.setsockopt(_SOL_PACKET, option, value)

    def take(self, most: int) -> Iterator[tuple[int, bytes]]:
        """What waits, up to so many: when each arrived (CLOCK_REALTIME, nanoseconds), and the frame from its Ethernet header on."""
        memory, size = self._memory, self._frame_size
        for _ in range(most):
            at = self._next * size
            status, _, length, start, _, seconds, nanoseconds, tag, protocol = _HEADER.unpack_from(memory, at)
            if not status & _STATUS_USER:
                return
            frame = memory[at + start : at + start + length]
            if status & _STATUS_VLAN_VALID:
                frame = frame[:12] + struct.pack("!HH", protocol, tag) + frame[12:]
            memory[at : at + 4] = bytes(4)  # the kernel's again
            self._next = (self._next + 1) % self._frames
            yield seconds * _SECOND + nanoseconds, frame

    def send(self, frame: bytes) -> bool:
        """Whether the device took it: one that is down does not, nor one whose queue is full."""
        try:
            self.socket.send(frame)
        except OSError as error:
            if error.errno not in (errno.ENETDOWN, errno.ENOBUFS, errno.ENXIO, errno.EMSGSIZE):
                raise
            return False
        return True

    def overruns(self) -> int:
        """Frames that found the ring full since this was asked last."""
        _, drops = struct.unpack("=II", self.socket.getsockopt(_SOL_PACKET, _STATISTICS, 8))
        return int(drops)

    def close(self) -> None:
        self._memory.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()
