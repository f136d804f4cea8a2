"""Offloads of a device, over generic netlink (Documentation/networking/ethtool-netlink.rst, FEATURES_SET)."""

from __future__ import annotations

import struct

from pybpfnf.errors import SystemLacksError
from pybpfnf.kernel.genetlink import NETLINK_GENERIC, family_number, message
from pybpfnf.kernel.netlink import Netlink, NetlinkError, explained
from pybpfnf.kernel.route_message import Attributes, encoded

BLURRING = (
    "tx-checksum-ip-generic",
    "tx-checksum-sctp",
    "tx-scatter-gather",
    "tx-generic-segmentation",
    "rx-gro",
    "tx-vlan-hw-insert",
    "tx-vlan-stag-hw-insert",
)
"""With these off a frame is what a wire would carry: one packet, its checksum complete, its tag in it. Without checksums and
scattered data the kernel turns every kind of segmentation off (net/core/dev.c, netdev_fix_features)."""

_FEATURES_SET, _VERSION = 12, 1  # ETHTOOL_MSG_FEATURES_SET
_HEADER, _WANTED = 1, 3  # ETHTOOL_A_FEATURES_*
_HEADER_DEV_INDEX, _BITSET_BITS, _BITS_BIT, _BIT_NAME = 1, 3, 1, 2
_NESTED = 0x8000  # NLA_F_NESTED


def turn_off(index: int, features: tuple[str, ...] = BLURRING) -> None:
    """Of a device of this thread's namespace."""
    bits = encoded(tuple((_BITS_BIT | _NESTED, encoded(((_BIT_NAME, name.encode() + b"\0"),))) for name in features))
    attributes: Attributes = (
        (_HEADER | _NESTED, encoded(((_HEADER_DEV_INDEX, struct.pack("=I", index)),))),
        (_WANTED | _NESTED, encoded(((_BITSET_BITS | _NESTED, bits),))),
    )
    with Netlink(NETLINK_GENERIC) as netlink:
        family = family_number(netlink, "ethtool")
        if family is None:
            raise SystemLacksError("this kernel does not take ethtool's requests over netlink (CONFIG_ETHTOOL_NETLINK, Linux 5.6)")
        try:
            netlink.send(message(_FEATURES_SET, _VERSION, attributes), family)
        except NetlinkError as error:
            raise explained(f"turn off the offloads of device {index}", error) from None
