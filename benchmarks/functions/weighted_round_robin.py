"""Two paths in turn by their weights, as an aggregator of hybrid access has them (section 6.2 of the thesis)."""

from pybpfnf import OK, Array, Config, IPv6Address, LwtInPacket, Srh, Struct, Verdict, lwt_in, u32

PEER = Config(IPv6Address)  # the last segment: it takes the outer header off


class Path(Struct):
    """`credit`: packets that may still go this way before both paths get their weights anew."""

    sid: IPv6Address
    weight: u32
    credit: u32 = 0


paths = Array(Path, 2)


@lwt_in(on_fault=OK)
def weighted_round_robin(pkt: LwtInPacket) -> Verdict:
    """Encapsulate each IPv6 packet towards the first path that has credit."""
    if pkt.ipv6 is None:
        return OK
    one = paths[0]
    other = paths[1]
    if one.credit == 0 and other.credit == 0:
        one.credit = one.weight
        other.credit = other.weight
    path = one if one.credit > 0 else other
    if path.credit > 0:
        path.credit -= 1
        pkt.push_encap(Srh(path=[path.sid, PEER]))
    return OK
