"""Devices beside the router's two, to which a program may redirect packets, and the frames that left by them."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self, final

from pybpfnf.errors import KernelError, SystemLacksError
from pybpfnf.kernel import links, netns
from pybpfnf.kernel.bpf import Fd
from pybpfnf.kernel.links import IFF_MULTICAST, IFF_NOARP, IFF_UP
from pybpfnf.kernel.netlink import Netlink
from pybpfnf.runner import Environment, Redirected

# include/uapi/linux/if_tun.h: TUNSETIFF and TUNSETIFINDEX; the modes by what an Environment calls the devices.
_SET_INTERFACE, _SET_INDEX = 0x400454CA, 0x400454DA
_MODES: Mapping[str, int] = {"ip": 0x0001, "ethernet": 0x0002}
_WITHOUT_INFORMATION = 0x1000
_LARGEST = 1 << 17
_TUN = "/dev/net/tun"


@final
class Devices:
    """Those of an Environment, in this thread's namespace; gone when it is closed."""

    def __init__(self, netlink: Netlink, environment: Environment) -> None:
        with ExitStack() as stack:
            self._ends: dict[int, Fd] = {}
            for index, kind in sorted(environment.devices.items()):
                self._ends[index] = stack.enter_context(_make(netlink, f"other{index}", index, _MODES[kind]))
            self._stack = stack.pop_all()

    def redirected(self) -> tuple[Redirected, ...]:
        """What left by them since this was asked last, device by device."""
        return tuple(Redirected(index, frame) for index, end in self._ends.items() for frame in _frames(end))

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


def _make(netlink: Netlink, name: str, index: int, mode: int) -> Fd:
    """A device that is up and silent, without addresses, neighbours and groups of its own; where its frames are read."""
    try:
        end = Fd(os.open(_TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        raise SystemLacksError(f"cannot open {_TUN}: {error.strerror}", hint="is the kernel built with CONFIG_TUN?") from None
    with ExitStack() as stack:
        stack.enter_context(end)
        try:
            fcntl.ioctl(end.number, _SET_INDEX, struct.pack("i", index))
            fcntl.ioctl(end.number, _SET_INTERFACE, struct.pack("16sH22x", name.encode(), mode | _WITHOUT_INFORMATION))
        except OSError as error:
            raise KernelError(f"cannot make the device {name}: {error.strerror}", errno=error.errno or 0) from None
        links.set_flags(netlink, index, IFF_NOARP, IFF_NOARP | IFF_MULTICAST)
        netns.set_sysctl(f"ipv6/conf/{name}/disable_ipv6", 1)
        links.set_flags(netlink, index, IFF_UP, IFF_UP)
        stack.pop_all()
    return end


def _frames(end: Fd) -> list[bytes]:
    found: list[bytes] = []
    while True:
        try:
            found.append(os.read(end.number, _LARGEST))
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return found
            raise KernelError(f"cannot read {_TUN}: {error.strerror}", errno=error.errno or 0) from None
