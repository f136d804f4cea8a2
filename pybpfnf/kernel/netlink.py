"""Requests to the kernel's netlink families over one plain socket; the messages are pyroute2's classes.

A socket belongs to the network namespace in which it was made. pyroute2's own sockets run an event loop and hide the
kernel's explanations (NLMSGERR_ATTR_MSG), so only its message classes are used.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self, TypeAlias, final

from pybpfnf.errors import Error, KernelError, SystemLacksError

# A pyroute2 message: a dict of its header's fields and "attrs"; the package has no types.
Message: TypeAlias = Any

REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
REPLACE, EXCL, CREATE = 0x100, 0x200, 0x400
_DUMP_INTR = 0x10

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")
_ERROR, _DONE = 2, 3
_CAPPED, _ACK_TLVS = 0x100, 0x200
_MESSAGE_TEXT = 1  # NLMSGERR_ATTR_MSG
_SOL_NETLINK = 270
_CAP_ACK, _EXT_ACK, _GET_STRICT_CHK = 10, 11, 12
_BUFFER = 1 << 20


class NetlinkError(OSError):
    """The kernel's refusal: `errno`, and `text`, its explanation or ""."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(number, text or os.strerror(number))
        self.text = text


@final
class Netlink:
    """A netlink socket in the network namespace of the thread that makes it."""

    def __init__(self, family: int = socket.NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
        # Strict checking makes the kernel apply the filters of a dump, and refuse attributes that it does not know.
        for option in (_CAP_ACK, _EXT_ACK, _GET_STRICT_CHK):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._sequence = 0

    def request(self, message: Message, kind: int, flags: int = 0) -> list[bytes]:
        """Send one message; the answers before the kernel's acknowledgement, each with its header. Raises NetlinkError."""
        encoded = _encoded(message, kind, flags | REQUEST | ACK)
        return self.exchange(encoded)

    def send(self, payload: bytes, kind: int, flags: int = 0) -> list[bytes]:
        """`request` for a message that is bytes already, without the netlink header."""
        return self.exchange(_HEADER.pack(_HEADER.size + len(payload), kind, flags | REQUEST | ACK, 0, 0) + payload)

    def exchange(self, encoded: bytes) -> list[bytes]:
        """Send one encoded message that asks for an acknowledgement, with a sequence number of ours."""
        self._sequence += 1
        self._socket.send(encoded[:8] + struct.pack("=I", self._sequence) + encoded[12:])
        answers: list[bytes] = []
        while True:
            for answer in self._received():
                _, kind, flags, sequence, _ = _HEADER.unpack_from(answer)
                if sequence != self._sequence:
                    continue
                if kind in (_ERROR, _DONE):
                    _raise_refusal(answer, flags)
                    return answers
                answers.append(answer)
                if flags & _DUMP_INTR:
                    raise NetlinkError(errno.EAGAIN, "the tables changed while they were read")

    def dump(self, message: Message, kind: int) -> list[bytes]:
        """All answers to a dump request; tried again when the tables change meanwhile."""
        encoded = _encoded(message, kind, REQUEST | DUMP)
        for _ in range(10):
            try:
                return self.exchange(encoded)
            except NetlinkError as error:
                if error.errno != errno.EAGAIN:
                    raise
                self._drain()
        raise NetlinkError(errno.EAGAIN, "the tables changed while they were read, ten times")

    def _drain(self) -> None:
        """Read away the rest of a dump that was given up."""
        while any(_HEADER.unpack_from(answer)[1] not in (_ERROR, _DONE) for answer in self._received()):
            pass

    def _received(self) -> Iterator[bytes]:
        data = self._socket.recv(_BUFFER)
        while len(data) >= _HEADER.size:
            length = _HEADER.unpack_from(data)[0]
            yield data[:length]
            data = data[(length + 3) // 4 * 4 :]

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


def _encoded(message: Message, kind: int, flags: int) -> bytes:
    message["header"]["type"] = kind
    message["header"]["flags"] = flags
    message.encode()
    return bytes(message.data)


def _raise_refusal(answer: bytes, flags: int) -> None:
    number = -struct.unpack_from("=i", answer, _HEADER.size)[0]
    if number:
        raise NetlinkError(number, _explanation(answer) if flags & _ACK_TLVS else "")


def _explanation(answer: bytes) -> str:
    """The kernel's text in an extended acknowledgement; with NETLINK_CAP_ACK the request's payload is not repeated."""
    kind = _HEADER.unpack_from(answer)[1]
    position = _HEADER.size + 4 + (_HEADER.size if kind == _ERROR else 0)
    while position + _ATTRIBUTE.size <= len(answer):
        length, attribute = _ATTRIBUTE.unpack_from(answer, position)
        if length < _ATTRIBUTE.size:
            break
        if attribute == _MESSAGE_TEXT:
            return answer[position + _ATTRIBUTE.size : position + length].rstrip(b"\0").decode(errors="replace")
        position += (length + 3) // 4 * 4
    return ""


def explained(attempt: str, error: NetlinkError) -> Error:
    """What to raise when `attempt` ("add a route for fc00::1") was refused."""
    number = error.errno or 0
    if number in (errno.EPERM, errno.EACCES):
        return SystemLacksError(f"not permitted to {attempt}", hint="run as root, or with the capability CAP_NET_ADMIN")
    text = f" ({error.text})" if error.text else ""
    return KernelError(f"cannot {attempt}: {os.strerror(number)}{text}", errno=number)


def decoded(kind: Any, answer: bytes) -> Message:
    """An answer as pyroute2's message class `kind`."""
    message = kind(answer)
    message.decode()
    return message
