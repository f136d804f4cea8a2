"""A packet as named fields, and two packets as the fields that differ."""

from __future__ import annotations

from pybpfnf.testing import packets
from pybpfnf.testing.fields import diff, fields
from pybpfnf.testing.packets import Tlv

SEGMENTS = ["fc00:3::3", "fc00:2::2"]


def test_every_header_has_its_fields_in_packet_order() -> None:
    named = fields(packets.srv6(SEGMENTS, tag=7, tlvs=[Tlv(9, b"abcd")], payload=packets.udp(b"xy")))
    assert named["ipv6.destination"] == "fc00:2::2"
    assert named["srh.tag"] == "0x7"
    assert (named["srh.segments[0]"], named["srh.segments[1]"]) == ("fc00:3::3", "fc00:2::2")
    assert (named["srh.tlv[0]"], named["srh.tlv[1]"]) == ("type 9, length 4: 61626364", "type 4, length 0: ")
    assert (named["udp.destination_port"], named["payload"]) == ("0x1000", "7879")
    assert next(iter(named)) == "ipv6.version"


def test_headers_of_a_packet_inside_are_numbered() -> None:
    named = fields(packets.srv6(SEGMENTS, payload=packets.inner(packets.srv6(["fc00:9::9"], tag=8))))
    assert (named["srh.tag"], named["srh#2.tag"]) == ("0x0", "0x8")
    assert named["ipv6#2.destination"] == "fc00:9::9"


def test_what_is_no_whole_header_stays_bytes() -> None:
    whole = packets.srv6(SEGMENTS)
    assert fields(whole[:39]) == {"rest": whole[:39].hex()}
    assert fields(whole[:60])["rest"] == whole[40:60].hex()
    assert fields(packets.srv6(SEGMENTS, tlvs=b"\x09\x07" + bytes(6), fill=False))["srh.rest"] == "0907000000000000"


def test_a_diff_names_the_fields_that_differ_and_no_other() -> None:
    before, after = packets.srv6(SEGMENTS, tag=1), packets.srv6(SEGMENTS, tag=2)
    assert diff(before, after) == "srh.tag: expected 0x1, found 0x2"


def test_a_field_that_one_packet_lacks_is_in_the_diff() -> None:
    text = diff(packets.srv6(SEGMENTS), packets.srv6(SEGMENTS, tlvs=[packets.pad(8)]))
    assert "srh.tlv[0]: expected nothing, found type 4, length 6: 000000000000" in text
    assert "srh.hdr_ext_len: expected 0x4, found 0x5" in text


def test_equal_packets_have_no_diff_and_a_missing_one_is_told() -> None:
    assert diff(None, None) == ""
    assert diff(None, b"\x60") == "packet: expected none, found 60"
