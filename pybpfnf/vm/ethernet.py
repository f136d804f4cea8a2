"""The Ethernet header, as the kernel reads it."""

from __future__ import annotations

from pybpfnf.abi.headers import HEADERS

ETHERNET = HEADERS["ethernet"].size
_LENGTHS_NOT_TYPES = 0x0600  # below it the field is an IEEE 802.3 length
_ETH_P_802_3, _ETH_P_802_2 = 0x0001, 0x0004


def ether_type(frame: bytes | bytearray, at: int = ETHERNET - 2) -> int:
    """What the kernel calls a frame whose type or length is at `at` (net/ethernet/eth.c, eth_type_trans)."""
    number = int.from_bytes(frame[at : at + 2], "big")
    if number >= _LENGTHS_NOT_TYPES:
        return number
    return _ETH_P_802_3 if frame[at + 2 : at + 4] == b"\xff\xff" else _ETH_P_802_2
