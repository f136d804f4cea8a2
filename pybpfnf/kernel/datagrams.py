"""UDP datagrams by the batch: recvmmsg(2) and sendmmsg(2), which Python's sockets lack. One system call for hundreds of datagrams.

Buffers, addresses and headers are made once; a batch costs Python nothing a datagram.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from ctypes import POINTER, Structure, c_int, c_uint, c_uint32, c_void_p
from typing import Final, final

from pybpfnf.errors import KernelError
from pybpfnf.kernel.libc import LIBC

MSG_DONTWAIT: Final = 0x40
# struct sockaddr_in6: family, port in network order, flow label, address, scope.
SOCKADDR_IN6: Final = struct.Struct("=HHI16sI")
_RETRY: Final = frozenset({errno.EAGAIN, errno.EINTR})


class _Iovec(Structure):
    _fields_ = (("base", c_void_p), ("length", ctypes.c_size_t))


class _Msghdr(Structure):
    _fields_ = (
        ("name", c_void_p),
        ("namelen", c_uint32),
        ("iov", POINTER(_Iovec)),
        ("iovlen", ctypes.c_size_t),
        ("control", c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", c_int),
    )


class _Mmsghdr(Structure):
    _fields_ = (("header", _Msghdr), ("length", c_uint))


_RECEIVE = LIBC.recvmmsg
_RECEIVE.argtypes = (c_int, c_void_p, c_uint, c_int, c_void_p)
_SEND = LIBC.sendmmsg
_SEND.argtypes = (c_int, c_void_p, c_uint, c_int)


@final
class Batch:
    """Room for `count` datagrams of at most `size` bytes: datagram i is at `data[i * size]`. A longer one is cut off, and its length is
    `size` + 1 or more (MSG_TRUNC)."""

    def __init__(self, count: int, size: int) -> None:
        self.count, self.size = count, size
        self._buffer = (ctypes.c_char * (count * size))()
        self._names = (ctypes.c_char * (count * SOCKADDR_IN6.size))()
        self._iovecs = (_Iovec * count)()
        self._headers = (_Mmsghdr * count)()
        self.data = memoryview(self._buffer).cast("B")
        self.addresses = memoryview(self._names).cast("B")  # of each datagram a struct sockaddr_in6
        self._lengths = memoryview(self._headers).cast("B").cast("I")  # a u32 each half word of a header
        self._sizes = memoryview(self._iovecs).cast("B").cast("Q")  # an address and a length of each
        self._stride = ctypes.sizeof(_Mmsghdr) // 4
        self._length_at = _Mmsghdr.length.offset // 4
        buffer, names = ctypes.addressof(self._buffer), ctypes.addressof(self._names)
        for index in range(count):
            self._iovecs[index] = _Iovec(buffer + index * size, size)
            header = self._headers[index].header
            header.name, header.namelen = names + index * SOCKADDR_IN6.size, SOCKADDR_IN6.size
            header.iov, header.iovlen = ctypes.pointer(self._iovecs[index]), 1

    def receive(self, sock: socket.socket) -> list[int]:
        """The lengths of the datagrams that have come, at most `count`; empty where none is there. Raises KernelError."""
        got = _RECEIVE(sock.fileno(), self._headers, self.count, MSG_DONTWAIT | socket.MSG_TRUNC, None)
        if got < 0:
            self._check("receive datagrams")
            return []
        return self._lengths[self._length_at : got * self._stride : self._stride].tolist()

    def set_length(self, index: int, length: int) -> None:
        """How many bytes of a datagram are sent; `size` until this says otherwise."""
        self._sizes[2 * index + 1] = length

    def send(self, sock: socket.socket, first: int, end: int) -> int:
        """Send the datagrams `first` to `end` - 1 to their addresses; how many the kernel has taken, 0 where its buffer is full. Raises
        KernelError for what it says of the first one."""
        start = ctypes.addressof(self._headers) + first * ctypes.sizeof(_Mmsghdr)
        sent: int = _SEND(sock.fileno(), start, end - first, MSG_DONTWAIT)
        if sent < 0:
            self._check("send datagrams")
            return 0
        return sent

    def _check(self, attempt: str) -> None:
        number = ctypes.get_errno()
        if number not in _RETRY:
            raise KernelError(f"cannot {attempt}: {os.strerror(number)}", errno=number)
