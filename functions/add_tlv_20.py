"""Add a TLV of 20 bytes (type 6) to the SRH, before padding and HMAC; the compiler adds 4 bytes of padding after it.

pybpfnf attach add_tlv_20 SID --dev DEV
"""

from pybpfnf import OK, Seg6Packet, Tlv, Verdict, octets, seg6local, u8

PATTERN = bytes(range(1, 18))


class Blob(Tlv, type=6):
    """Seventeen bytes without a meaning, as something to carry."""

    flags: u8
    value: bytes = octets(17)


@seg6local
def add_tlv_20(pkt: Seg6Packet) -> Verdict:
    """Add a TLV of 20 bytes to the SRH."""
    pkt.srh.append(Blob(flags=0, value=PATTERN))
    return OK
