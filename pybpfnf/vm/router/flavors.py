"""The flavors of End and End.X that Linux 6.18 has: PSP (RFC 8986 section 4.16.1) and NEXT-C-SID (RFC 9800 section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping

from pybpfnf.abi.headers import NEXT_HEADERS
from pybpfnf.vm import ipv6, srh
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.skb import Skb

PSP, NEXT_CSID = "psp", "next-csid"
DONE: Mapping[str, frozenset[str]] = {"End": frozenset({PSP, NEXT_CSID}), "End.X": frozenset({NEXT_CSID})}
"""By action; Linux refuses others of these two, and takes no notice of any of other actions."""

_BLOCK, _NODE = 4, 2  # bytes of SEG6_LOCAL_LCBLOCK_DBITS and SEG6_LOCAL_LCNODE_FN_DBITS, which a route leaves as they are
_DESTINATION = 24
_BEFORE_SRH_ALONE = frozenset({NEXT_HEADERS["fragment"], NEXT_HEADERS["ah"]})


def shift_csid(skb: Skb) -> bool:
    """`seg6_next_csid_advance_arg`: the next compressed SID of the destination, behind its block; False where there is none."""
    after = slice(_DESTINATION + _BLOCK + _NODE, _DESTINATION + 16)
    rest = bytes(skb.data[after])
    if not any(rest):
        return False
    skb.data[_DESTINATION + _BLOCK : _DESTINATION + 16] = rest + bytes(_NODE)
    return True


def pop_srh(skb: Skb, at: int) -> None:
    """`seg6_pop_srh`: the packet without its SRH; Drop where another header stands where none may."""
    size, following = srh.length(skb.data, at), skb.data[at]
    if at < skb.transport < at + size:
        raise Drop("seg6_pop_srh: the transport header is inside the SRH")
    place = _next_header_before(skb)
    del skb.data[at : at + size]
    if skb.transport > at:
        skb.transport -= size
    skb.data[place] = following
    skb.data[4:6] = (len(skb.data) - ipv6.IPV6_SIZE & 0xFFFF).to_bytes(2, "big")


def _next_header_before(skb: Skb) -> int:
    """Where the header in front says that a routing header follows."""
    place, offset = 6, ipv6.IPV6_SIZE
    while skb.data[place] != ipv6.ROUTING:
        if skb.data[place] in _BEFORE_SRH_ALONE:
            raise Drop("seg6_pop_srh: a fragment or authentication header in front of the SRH")
        place, offset = offset, offset + ipv6.header_length(skb.data[place], skb.data[offset + 1])
    return place
