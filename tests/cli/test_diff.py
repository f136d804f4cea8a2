"""`pybpfnf diff`: what it prints and what it ends with."""

from __future__ import annotations

import pytest

from pybpfnf.testing.packets import srv6
from pybpfnf.vm import seg6_helpers
from tests.cli.conftest import CaptureOf, Command

TAGGED = srv6(["fc00:3::3", "fc00:2::2"], tag=7)


@pytest.mark.kernel
def test_they_agree_on_a_capture(command: Command, capture_of: CaptureOf) -> None:
    ended = command("diff", "tag_increment", capture_of(TAGGED, TAGGED))
    assert (ended.status, ended.out) == (0, "2 packets, 2 forwarded, 0 with a fault: the VM and the kernel agree\n")


@pytest.mark.kernel
def test_the_first_difference_is_shown_with_its_packet(command: Command, capture_of: CaptureOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seg6_helpers, "_set_payload_length", lambda skb: None)
    capture = capture_of(TAGGED, TAGGED)
    ended = command("diff", "add_tlv", capture)
    assert ended.status == 1
    assert ended.out.startswith("packet 0 differs:\n    ipv6.payload_length: the kernel 0x")
    assert f"in hex: {TAGGED.hex()}" in ended.out
    assert ended.out.endswith("1 packet, 1 forwarded, 0 with a fault: they differ on 1\n")
    first, second, summary = command("diff", "add_tlv", capture, "--all", "--json").documents
    assert (first["index"], second["index"], summary["differences"]) == (0, 1, 2)


@pytest.mark.kernel
def test_packets_are_generated_where_none_are_given(command: Command) -> None:
    (summary,) = command("diff", "end", "--count", "50", "--seed", "3", "--json").documents
    assert (summary["packets"], summary["differences"], summary["masked"]) == (50, 0, {})
