"""Find a TLV among 8: note the node that it names."""

from pybpfnf import DROP, OK, PerCpuArray, Seg6Packet, Tlv, Verdict, octets, seg6local, u32


class Hop(Tlv, type=124):
    """Where a packet has been."""

    node: u32
    reserved: bytes = octets(2)


nodes = PerCpuArray(u32, 1)


@seg6local
def find_tlv(pkt: Seg6Packet) -> Verdict:
    """Note the first Hop's node; drop packets without one."""
    hop = pkt.srh.find(Hop)
    if hop is None:
        return DROP
    nodes[0] = hop.node
    return OK
