"""Two functions of which the first goes on in the second."""

from __future__ import annotations

SOURCE = """\
from pybpfnf import OK, ProgArray, Seg6Packet, Verdict, seg6local

NEXT = ProgArray(Seg6Packet, 2)


@seg6local
def first(pkt: Seg6Packet) -> Verdict:
    return NEXT[1](pkt)


@seg6local
def second(pkt: Seg6Packet) -> Verdict:
    pkt.srh.tag += 1
    return OK


NEXT[1] = second
"""
TAIL_CALL, IN_SECOND = 8, 13  # lines
