"""What a router is set to beside its routes: tunnel source, HMAC keys, sysctls."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import final

from pybpfnf.errors import InputError
from pybpfnf.runner import HmacKey
from pybpfnf.vm.router.hashing import POLICIES

_FLOWLABEL = "ipv6/seg6_flowlabel"
_HASH_POLICY = "ipv6/fib_multipath_hash_policy"
_FORWARDING = "forwarding"
KERNELS = "the kernel's has more: `pybpfnf test --runner kernel`, `pybpfnf lab up`"
_OF_DEVICES = ("seg6_enabled", "seg6_require_hmac")


@final
class Settings:
    """A new one forwards, and takes SRHs of its own addresses at each device."""

    def __init__(self) -> None:
        self.tunnel_source = IPv6Address(0)
        self.hmac_keys: dict[int, HmacKey] = {}
        self.flowlabel = 0
        self.hash_policy = 0
        self._of: dict[tuple[str, str], int] = {}

    def set_sysctl(self, name: str, value: int) -> None:
        """Raises InputError for one that this router does not have."""
        parts = name.split("/")
        if name == _FLOWLABEL:
            self.flowlabel = value
        elif name == _HASH_POLICY and value in POLICIES:
            self.hash_policy = value
        elif len(parts) == 4 and parts[:2] == ["ipv6", "conf"] and parts[3] in _OF_DEVICES:
            self._of[parts[2], parts[3]] = value
        elif parts[-1] != _FORWARDING or not value:
            known = f"net.ipv6.conf.DEVICE.{{{','.join(_OF_DEVICES)}}}, net.ipv6.seg6_flowlabel and net.ipv6.fib_multipath_hash_policy"
            raise InputError(f"this router has no sysctl net.{'.'.join(parts)}", hint=f"it has {known}; {KERNELS}")

    def seg6_enabled(self, device: str) -> bool:
        """`seg6_enabled` of all devices and of this one (net/ipv6/exthdrs.c, ipv6_srh_rcv)."""
        return all(self._of.get((each, "seg6_enabled"), 1) > 0 for each in ("all", device))

    def require_hmac(self, device: str) -> int:
        """`seg6_require_hmac` of the device that packets come in by."""
        return self._of.get((device, "seg6_require_hmac"), 0)
