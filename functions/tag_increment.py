"""Count hops: add one to the SRH's tag at each SID, modulo 65536.

pybpfnf attach tag_increment SID --dev DEV
"""

from pybpfnf import OK, Seg6Packet, Verdict, seg6local


@seg6local
def tag_increment(pkt: Seg6Packet) -> Verdict:
    """Count hops in the SRH tag."""
    pkt.srh.tag += 1
    return OK
