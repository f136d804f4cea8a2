"""Send IPv6 traffic along a path: an outer IPv6 header with an SRH.

Attach it to the destination's route: `pybpfnf attach srv6_encap 2001:db8:9::/48 --set FIRST=fc00:1::1 --set LAST=fc00:2::2`.
"""

from pybpfnf import OK, Config, IPv6Address, LwtInPacket, PerCpuArray, Srh, Verdict, lwt_in, u64

FIRST = Config(IPv6Address)  # the first segment to visit
LAST = Config(IPv6Address)  # the last: it takes the outer header off (End.DT6)
packets = PerCpuArray(u64, 1)  # encapsulated


@lwt_in(on_fault=OK)
def srv6_encap(pkt: LwtInPacket) -> Verdict:
    """Encapsulate IPv6 packets towards FIRST and then LAST (H.Encaps, RFC 8986 section 5.1); SRv6 traffic passes as it is."""
    if pkt.ipv6 is None or pkt.srh is not None:
        return OK
    pkt.push_encap(Srh(path=[FIRST, LAST]))
    packets[0] += 1
    return OK
