"""Frames are taken from a device as they came, with their time, and given to it; what is sent there oneself is not seen."""

from __future__ import annotations

import socket
import time

import pytest

from pybpfnf.kernel.packet_ring import PacketRing

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("namespace")]

HEAD = bytes.fromhex("020000000001 020000000002")
TAGGED = HEAD + bytes.fromhex("8100 6005 88b5") + b"tagged".ljust(50, b"\0")
PLAIN = HEAD + bytes.fromhex("88b5") + b"plain".ljust(50, b"\0")  # an EtherType for local experiments (IEEE 802)


def sender() -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    made.bind(("b1", 0))
    return made


def arrived(ring: PacketRing, count: int) -> list[tuple[int, bytes]]:
    """The next so many frames of this test, without what the kernel itself says on the link."""
    found: list[tuple[int, bytes]] = []
    deadline = time.monotonic() + 5
    while len(found) < count and time.monotonic() < deadline:
        found += [(at, frame) for at, frame in ring.take(1000) if frame.startswith(HEAD)]
    return found


@pytest.mark.parametrize("frame", [PLAIN, TAGGED, HEAD + b"\x88\xb5" + b"x" * 1500], ids=["plain", "tagged", "largest"])
def test_a_frame_comes_as_it_was_sent(frame: bytes) -> None:
    with PacketRing("b0", 1500) as ring, sender() as other:
        before = time.time_ns()
        other.send(frame)
        ((at, found),) = arrived(ring, 1)
    assert found == frame
    assert before <= at <= time.time_ns()


def test_frames_keep_their_order_over_the_end_of_the_ring() -> None:
    sent = [PLAIN + number.to_bytes(4, "big") for number in range(10_000)]
    found: list[bytes] = []
    with PacketRing("b0", 1500) as ring, sender() as other:
        for start in range(0, len(sent), 250):
            for frame in sent[start : start + 250]:
                other.send(frame)
            found += [frame for _, frame in arrived(ring, 250)]
        assert ring.overruns() == 0
    assert found == sent


def test_what_finds_the_ring_full_is_counted_once() -> None:
    with PacketRing("b0", 65535) as ring, sender() as other:
        for _ in range(200):
            other.send(PLAIN)
        taken = len(list(ring.take(1000)))
        assert ring.overruns() >= 200 - taken > 0
        assert ring.overruns() == 0


def test_what_is_sent_is_at_the_other_end_and_not_in_the_ring() -> None:
    with PacketRing("b0", 1500) as ring, PacketRing("b1", 1500) as other:
        assert ring.send(PLAIN)
        assert [frame for _, frame in arrived(other, 1)] == [PLAIN]
        assert PLAIN not in [frame for _, frame in ring.take(1000)]


def test_a_frame_that_the_device_does_not_take_is_said() -> None:
    with PacketRing("b0", 1500) as ring:
        assert not ring.send(PLAIN + bytes(3000))
