"""Sockets of a namespace's node, for what experiments send and receive there. The thread is in the node when they are opened."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

from pybpfnf.errors import InputError, KernelError
from pybpfnf.lab.either import PATIENCE
from pybpfnf.unusable import reason

_LARGEST = 1 << 16


def send_packet(packet: bytes) -> None:
    """A packet from its IPv6 header on (an IPPROTO_RAW socket, ipv6(7)); raises KernelError where the node cannot send it."""
    destination = socket.inet_ntop(socket.AF_INET6, packet[24:40])
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW) as sender:
        try:
            sender.sendto(packet, (destination, 0))
        except OSError as error:
            raise KernelError(f"cannot send a packet to {destination}: {reason(error)}", errno=error.errno or 0) from None


@final
class SocketInbox:
    def __init__(self, receiver: socket.socket) -> None:
        self._receiver = receiver

    def take(self, patience: float = PATIENCE) -> bytes | None:
        self._receiver.settimeout(patience)
        try:
            return self._receiver.recv(_LARGEST)
        except TimeoutError:
            return None


@contextmanager
def inbox_at(port: int) -> Iterator[SocketInbox]:
    """Raises InputError for a port that is taken."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as receiver:
        try:
            receiver.bind(("::", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise InputError(f"somebody listens at port {port} already") from None
            raise
        yield SocketInbox(receiver)
