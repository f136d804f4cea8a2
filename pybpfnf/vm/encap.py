"""`bpf_lwt_push_encap`, quirks included (net/core/filter.c, net/core/lwt_bpf.c, Linux 6.18)."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from pybpfnf.abi.headers import HEADERS
from pybpfnf.abi.seg6 import ENCAP_TYPES
from pybpfnf.vm import ip, ipv4, srh
from pybpfnf.vm.alu import U32
from pybpfnf.vm.host import Host
from pybpfnf.vm.seg6_helpers import encapsulate, insert_inline, push_seg6
from pybpfnf.vm.skb import Skb

_MAX_HEADROOM = 256  # LWT_BPF_MAX_HEADROOM


def lwt_push_encap(host: Host, skb: Skb, kind: int, header: bytes, size: int) -> int:
    assert host.program_type is not None
    push = _PUSHES[host.program_type.name].get(kind & U32)
    return -errno.EINVAL if push is None else push(host, skb, header)


def _push_seg6(host: Host, skb: Skb, header: bytes) -> int:
    """An outer IPv6 header and the SRH, around whatever the packet is."""
    return push_seg6(host, skb, header, encapsulate)


def _push_inline(host: Host, skb: Skb, header: bytes) -> int:
    """The SRH after the IPv6 header. It is checked first, then whether the packet is one of IPv6."""
    if skb.protocol != ip.ETH_P_IPV6 and srh.why_invalid(header, 0, len(header), reduced=False) is None:
        return -errno.EBADMSG
    return push_seg6(host, skb, header, insert_inline)


def _push_ip(host: Host, skb: Skb, header: bytes) -> int:
    """`bpf_lwt_push_ip_encap`: the header in front, as it is; only an IPv4 checksum of zero is filled in, no length."""
    if not HEADERS["ipv4"].size <= len(header) <= _MAX_HEADROOM:
        return -errno.EINVAL
    version, least = header[0] >> 4, (header[0] & 15) * 4
    if version not in (4, 6) or len(header) < (least if version == 4 else HEADERS["ipv6"].size):
        return -errno.EINVAL
    pushed = bytearray(header)
    if version == 4 and not any(pushed[10:12]):
        pushed[10:12] = ipv4.checksum(pushed[:least]).to_bytes(2, "big")
    skb.push(bytes(pushed))
    skb.transport += len(pushed)
    skb.protocol = ip.ETH_P_IP if version == 4 else ip.ETH_P_IPV6
    skb.encapsulation = True
    return 0


_Push = Callable[[Host, Skb, bytes], int]
_PUSHES: Mapping[str, Mapping[int, _Push]] = {
    "lwt_in": {ENCAP_TYPES["seg6"]: _push_seg6, ENCAP_TYPES["seg6_inline"]: _push_inline, ENCAP_TYPES["ip"]: _push_ip},
    "lwt_xmit": {ENCAP_TYPES["ip"]: _push_ip},
}
"""By program type and encapsulation type."""
