"""Writes the captures of this folder: `python examples/make_captures.py [FOLDER]`. The same bytes each time; a test compares them.

`srv6.pcap` (raw IP): two packets with segments left, one with a TLV and a tag about to wrap, then one that Linux drops
before any function because no segment is left, and one that runs into options before its SRH.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pybpfnf.captures.capture import Record
from pybpfnf.captures.link import LINK_TYPES, RAW_IP
from pybpfnf.captures.pcap import Writer
from pybpfnf.testing.packets import Tlv, destination_options, srv6, udp

PACKETS: Sequence[bytes] = (
    srv6(["fc00:3::3", "fc00:2::2", "fc00:1::1"], tag=7, payload=udp(b"hello")),
    srv6(["fc00:3::3", "fc00:1::1"], tag=0xFFFF, tlvs=[Tlv(6, b"abcdef")], payload=udp(b"the tag wraps at 16 bits")),
    srv6(["fc00:3::3", "fc00:1::1"], segments_left=0, tag=7, payload=udp(b"no segment is left")),
    srv6(["fc00:3::3", "fc00:1::1"], tag=41, options=[destination_options()], payload=udp(b"options before the SRH")),
)


def write(path: Path, packets: Sequence[bytes]) -> None:
    """Raw IP packets, a millisecond apart."""
    with path.open("wb") as stream:
        writer = Writer(stream)
        for index, packet in enumerate(packets):
            writer.write(Record.of(index, index * 1_000_000, LINK_TYPES[RAW_IP], packet, len(packet)), packet)
        writer.finish()


if __name__ == "__main__":
    write(Path(*sys.argv[1:] or [Path(__file__).parent]) / "srv6.pcap", PACKETS)
