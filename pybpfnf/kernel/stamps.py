"""The kernel's time stamps on packets as they come in (sk_buff's `tstamp`): it makes them while any socket of the machine asks."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

# include/uapi/asm-generic/socket.h; include/uapi/linux/net_tstamp.h
_SO_TIMESTAMPING = 37
_RX_SOFTWARE, _SOFTWARE = 1 << 3, 1 << 4


@contextmanager
def receive_stamps() -> Iterator[None]:
    """Within the block packets have stamps, on every device and in every namespace; from a moment after its beginning, since the
    kernel changes its code for that in the background (net/core/dev.c, net_enable_timestamp)."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
        asking.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _RX_SOFTWARE | _SOFTWARE)
        yield
