"""The router's own SRv6 settings, over generic netlink: the tunnel source and the HMAC keys of a namespace (net/ipv6/seg6.c)."""

from __future__ import annotations

import errno
from ipaddress import IPv6Address
from typing import Any

from pyroute2.netlink import genlmsg

from pybpfnf.errors import InputError, SystemLacksError
from pybpfnf.kernel.genetlink import NETLINK_GENERIC, family_number
from pybpfnf.kernel.netlink import Netlink, NetlinkError, explained
from pybpfnf.runner import HmacKey

_SETHMAC, _SET_TUNSRC = 1, 3  # SEG6_CMD_*
_VERSION = 1
_ALGORITHMS = {"sha1": 1, "sha256": 2}  # SEG6_HMAC_ALGO_*


class _Seg6Message(genlmsg):  # type: ignore[misc]
    nla_map = (
        ("SEG6_ATTR_UNSPEC", "none"),
        ("SEG6_ATTR_DST", "ip6addr"),
        ("SEG6_ATTR_DSTLEN", "int32"),
        ("SEG6_ATTR_HMACKEYID", "uint32"),
        ("SEG6_ATTR_SECRET", "cdata"),
        ("SEG6_ATTR_SECRETLEN", "uint8"),
        ("SEG6_ATTR_ALGID", "uint8"),
        ("SEG6_ATTR_HMACINFO", "none"),
    )


def set_tunnel_source(address: IPv6Address) -> None:
    """The source of encapsulated packets, as `ip sr tunsrc set`; `::` means the outgoing device's address."""
    _request(_SET_TUNSRC, [("SEG6_ATTR_DST", str(address))], f"set the tunnel source {address}")


def set_hmac_key(number: int, key: HmacKey) -> None:
    """An HMAC key, as `ip sr hmac set`; it takes the place of one with that number."""
    if not 0 < number < 1 << 32:
        raise InputError(f"HMAC key {number}: the number has 32 bits and is not 0")
    attributes = [
        ("SEG6_ATTR_HMACKEYID", number),
        ("SEG6_ATTR_SECRETLEN", len(key.secret)),
        ("SEG6_ATTR_ALGID", _ALGORITHMS[key.algorithm]),
        ("SEG6_ATTR_SECRET", key.secret),
    ]
    _request(_SETHMAC, attributes, f"set the HMAC key {number}")


def _request(command: int, attributes: list[tuple[str, object]], attempt: str) -> None:
    with Netlink(NETLINK_GENERIC) as netlink:
        family = _family(netlink)
        try:
            netlink.request(_message(_Seg6Message, command, attributes), family)
        except NetlinkError as error:
            if error.errno == errno.EOPNOTSUPP:
                raise SystemLacksError(f"cannot {attempt}: this kernel lacks CONFIG_IPV6_SEG6_HMAC") from None
            raise explained(attempt, error) from None


def _family(netlink: Netlink) -> int:
    found = family_number(netlink, "SEG6")
    if found is None:
        raise SystemLacksError("this kernel has no SRv6 (CONFIG_IPV6_SEG6_LWTUNNEL)")
    return found


def _message(kind: Any, command: int, attributes: list[tuple[str, object]]) -> Any:
    message = kind()
    message["cmd"], message["version"] = command, _VERSION
    message["attrs"] = attributes
    return message
