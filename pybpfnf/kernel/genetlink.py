"""Families of generic netlink: their numbers, which the kernel gives out at boot (include/uapi/linux/genetlink.h)."""

from __future__ import annotations

import errno
import struct

from pybpfnf.kernel.netlink import Netlink, NetlinkError, explained
from pybpfnf.kernel.route_message import Attributes, attributes_of, encoded

NETLINK_GENERIC = 16
_GENL_ID_CTRL = 0x10
_CTRL_CMD_GETFAMILY, _CTRL_VERSION = 3, 1
_FAMILY_ID, _FAMILY_NAME = 1, 2  # CTRL_ATTR_*
_MESSAGE = struct.Struct("=BBH")  # struct genlmsghdr
_NETLINK_HEADER = 16


def family_number(netlink: Netlink, name: str) -> int | None:
    """None where the kernel has no such family."""
    payload = message(_CTRL_CMD_GETFAMILY, _CTRL_VERSION, ((_FAMILY_NAME, name.encode() + b"\0"),))
    try:
        answers = netlink.send(payload, _GENL_ID_CTRL)
    except NetlinkError as error:
        if error.errno == errno.ENOENT:
            return None
        raise explained(f"ask for the kernel's netlink family {name}", error) from None
    found = dict(attributes_of(answers[0][_NETLINK_HEADER + _MESSAGE.size :]))
    return int.from_bytes(found[_FAMILY_ID], "little")


def message(command: int, version: int, attributes: Attributes) -> bytes:
    """Without netlink's own header."""
    return _MESSAGE.pack(command, version, 0) + encoded(attributes)
