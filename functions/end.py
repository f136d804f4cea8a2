"""End: go to the next segment, and nothing else.

The kernel has moved to the next segment before the function runs, so this is the plain SRv6 endpoint (RFC 8986 section 4.1),
and the price of calling a function at all.

    pybpfnf attach end SID --dev DEV
"""

from pybpfnf import OK, Seg6Packet, Verdict, seg6local


@seg6local
def end(pkt: Seg6Packet) -> Verdict:
    """Forward to the next segment."""
    return OK
