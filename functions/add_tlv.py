"""Add a TLV of 8 bytes (type 6) to the SRH, before padding and HMAC.

pybpfnf attach add_tlv SID --dev DEV
"""

from pybpfnf import OK, Seg6Packet, Tlv, Verdict, octets, seg6local, u8


class Blob(Tlv, type=6):
    """Five bytes without a meaning, as something to carry."""

    flags: u8
    value: bytes = octets(5)


@seg6local
def add_tlv(pkt: Seg6Packet) -> Verdict:
    """Add a TLV of 8 bytes to the SRH."""
    pkt.srh.append(Blob(flags=0, value=b"\1\2\3\4\5"))
    return OK
