"""What `packets` builds is what scapy and tcpdump read, and what it is told to lie about lies alone."""

from __future__ import annotations

import hashlib
import hmac
import shutil
import subprocess
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, IPv6ExtHdrSegmentRouting
from scapy.packet import Packet
from scapy.utils import wrpcap

from pybpfnf.runner import HmacKey
from pybpfnf.testing import packets
from pybpfnf.testing.packets import Hmac, Payload, Tlv

SEGMENTS = ["fc00:3::3", "fc00:2::2", "fc00:1::1"]
KEY = HmacKey("sha256", b"secret")


def test_srv6_has_the_fields_that_scapy_reads() -> None:
    packet = IPv6(
        packets.srv6(SEGMENTS, tag=0x1234, flags=0x20, hop_limit=9, traffic_class=0xB8, flow_label=0xABCDE, tlvs=[Tlv(9, b"abcd")])
    )
    header = packet[IPv6ExtHdrSegmentRouting]
    assert (packet.version, packet.tc, packet.fl, packet.hlim, packet.nh) == (6, 0xB8, 0xABCDE, 9, 43)
    assert (packet.src, packet.dst, packet.plen) == ("fd00::1", "fc00:1::1", len(packet) - 40)
    assert (header.nh, header.type, header.len, header.segleft, header.lastentry, header.tag) == (17, 4, 7, 2, 2, 0x1234)
    assert [str(address) for address in header.addresses] == SEGMENTS
    assert [bytes(tlv) for tlv in header.tlv_objects] == [b"\x09\x04abcd", b"\x04\x00"]


@pytest.mark.parametrize(
    ("payload", "layer", "field"),
    [
        (packets.udp(b"data"), UDP, "chksum"),
        (packets.tcp(b"data"), TCP, "chksum"),
        (packets.icmpv6_echo(b"odd"), ICMPv6EchoRequest, "cksum"),
    ],
    ids=["udp", "tcp", "icmpv6"],
)
def test_checksums_cover_the_final_destination(payload: Payload, layer: type[Packet], field: str) -> None:
    built = IPv6(packets.srv6(SEGMENTS, payload=payload))
    rebuilt = built.copy()
    delattr(rebuilt[layer], field)
    assert bytes(rebuilt) == bytes(built)


def test_a_udp_checksum_of_zero_is_sent_as_all_ones() -> None:
    first = packets.ipv6("fc00:3::3", payload=packets.udp(b"\0\0"))
    missing = int.from_bytes(first[46:48], "big")
    packet = packets.ipv6("fc00:3::3", payload=packets.udp(missing.to_bytes(2, "big")))
    assert packet[46:48] == b"\xff\xff"


def test_options_stand_before_the_srh_in_the_order_given() -> None:
    packet = IPv6(packets.srv6(SEGMENTS, options=[packets.hop_by_hop(), packets.destination_options(bytes(7))]))
    hop_by_hop, destination = packet[IPv6ExtHdrHopByHop], packet[IPv6ExtHdrDestOpt]
    assert (packet.nh, hop_by_hop.nh, hop_by_hop.len) == (0, 60, 0)
    assert (destination.nh, destination.len, destination.payload.__class__) == (43, 1, IPv6ExtHdrSegmentRouting)


@pytest.mark.parametrize(("size", "filled"), [(0, 0), (1, 8), (2, 8), (6, 8), (7, 16), (8, 8), (15, 24)])
def test_padding_fills_to_eight_bytes_and_never_with_one(size: int, filled: int) -> None:
    padding = packets.padding(size)
    assert size + len(padding) == filled
    assert padding == b"" or padding == bytes((4, len(padding) - 2)) + bytes(len(padding) - 2)


def test_the_hmac_is_last_and_covers_source_flags_key_id_and_segments() -> None:
    packet = packets.srv6(SEGMENTS, tlvs=[Tlv(9, b"x")], hmac=Hmac(7, KEY), source="fd00::9")
    tlv = packet[40 : 40 + 8 + 48 + 8 + 40][-40:]
    text = IPv6Address("fd00::9").packed + b"\x02\x08" + b"\0\0\0\x07" + b"".join(IPv6Address(segment).packed for segment in SEGMENTS)
    assert tlv == b"\x05\x26\0\0\0\0\0\x07" + hmac.new(b"secret", text, hashlib.sha256).digest()
    assert packet[45] == 0x08


def test_a_sha1_digest_is_followed_by_zeros() -> None:
    packet = packets.srv6(SEGMENTS, hmac=Hmac(7, HmacKey("sha1", b"secret")), payload=Payload(59, b""))
    assert packet[-12:] == bytes(12)
    assert packet[-13] != 0


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("segments_left", 9, slice(43, 44)),
        ("last_entry", 8, slice(44, 45)),
        ("header_length", 200, slice(41, 42)),
        ("routing_type", 3, slice(42, 43)),
        ("payload_length", 1, slice(4, 6)),
        ("next_header", 60, slice(6, 7)),
    ],
)
def test_a_field_that_lies_changes_itself_alone(name: str, value: int, place: slice) -> None:
    right = bytearray(packets.srv6(SEGMENTS, destination="fc00:1::1"))
    fields: dict[str, int] = {name: value}
    lying = packets.srv6(SEGMENTS, destination="fc00:1::1", **fields)  # type: ignore[arg-type]  # one of several int fields
    right[place] = value.to_bytes(place.stop - place.start, "big")
    assert lying == bytes(right)


def test_a_value_that_does_not_fit_its_field_is_refused() -> None:
    with pytest.raises(ValueError, match="flow_label has 20 bits"):
        packets.pack("ipv6", flow_label=1 << 20)


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is missing")
def test_tcpdump_reads_the_srh_and_finds_the_checksum_right(tmp_path: Path) -> None:
    capture = tmp_path / "srh.pcap"
    wrpcap(str(capture), IPv6(packets.srv6(SEGMENTS, tag=7, options=[packets.hop_by_hop()])))
    text = subprocess.run(["tcpdump", "-nvvr", str(capture)], capture_output=True, text=True, check=True).stdout
    assert "RT6 (len=6, type=4, segleft=2, last-entry=2, flags=0x0, tag=7" in text
    assert "[0]fc00:3::3, [1]fc00:2::2, [2]fc00:1::1" in text
    assert "[udp sum ok]" in text
