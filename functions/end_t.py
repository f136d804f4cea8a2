"""End.T: look the next segment up in a routing table of its own (RFC 8986 section 4.3).

pybpfnf attach end_t SID --dev DEV --set TABLE=100
"""

from pybpfnf import Config, Seg6Packet, Verdict, seg6local, u32

TABLE = Config(u32, default=254)  # the main table


@seg6local
def end_t(pkt: Seg6Packet) -> Verdict:
    """Forward to the next segment by the routes of TABLE."""
    return pkt.end_t(table=TABLE)
