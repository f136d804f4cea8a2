"""The C yardsticks do what the functions do that they are measured against: the same verdict, the same bytes, the same in their maps."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from benchmarks import clang
from benchmarks.codegen import IN_C, IN_FIXED_C, OURS, OURS_UNCOUNTED, variants
from benchmarks.yardsticks import YARDSTICKS, Yardstick
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.runner import Session
from pybpfnf.testing import packets
from pybpfnf.vm import VmRunner
from tests.conformance import corpus

pytestmark = pytest.mark.skipif(clang.version() is None, reason="clang is missing")

ROUTER: Final = corpus.ROUTERS["ordinary"]
_MUTATIONS = 300
_FIRST_MUTABLE = 40  # what lies before, the IPv6 header, decides whether the program runs at all
Seen: TypeAlias = tuple[int | None, bytes | None, int, dict[str, list[bytes | None]]]


@pytest.fixture(params=YARDSTICKS.values(), ids=list(YARDSTICKS))
def yardstick(request: pytest.FixtureRequest) -> Yardstick:
    assert isinstance(request.param, Yardstick)
    return request.param


@pytest.fixture
def sessions(yardstick: Yardstick, tmp_path: Path) -> Iterator[dict[str, Session]]:
    """Each variant in the VM, on the router of the records."""
    with ExitStack() as stack:
        opened: dict[str, Session] = {}
        for name, image in variants(yardstick, tmp_path).items():
            opened[name] = stack.enter_context(VmRunner().open(image, image.program(yardstick.name), ROUTER))
            yardstick.fill(opened[name].maps)
        yield opened


def _sid() -> IPv6Address:
    assert isinstance(ROUTER.sid, IPv6Address)
    return ROUTER.sid


def corpus_of(yardstick: Yardstick) -> list[bytes]:
    """What the kernel's records have, malformed packets too, and the good packet with any of its bytes changed or its end cut off."""
    recorded = [record.packet for _, _, record in corpus.read() if record.environment == ROUTER]
    good = yardstick.packet(_sid())
    source = random.Random(yardstick.name)
    changed = []
    for _ in range(_MUTATIONS):
        octets = bytearray(good)
        for _ in range(source.randint(1, 3)):
            octets[source.randrange(_FIRST_MUTABLE, len(good))] = source.choice([0, 1, 4, 5, 6, 7, 124, 255, source.randrange(256)])
        changed.append(bytes(octets[: source.choice([len(good), source.randrange(_FIRST_MUTABLE, len(good))])]))
    ipv4 = packets.ipv4("198.51.100.1", payload=packets.udp())
    return [*dict.fromkeys([good, *recorded, *changed]), ipv4]


def _seen(session: Session, packet: bytes) -> Seen:
    outcome = session.run(packet)
    held = {
        name: [access.lookup(key) for key in access.keys()]  # noqa: SIM118 (a method of MapAccess, no dict's)
        for name, access in session.maps.items()
        if not name.startswith(".")
    }
    return outcome.verdict, outcome.packet, outcome.runs, held


def test_a_yardstick_does_what_the_function_does(yardstick: Yardstick, sessions: dict[str, Session]) -> None:
    ran = 0
    for packet in corpus_of(yardstick):
        expected = _seen(sessions[OURS], packet)
        ran += expected[2]
        for name in (OURS_UNCOUNTED, IN_C):
            assert _seen(sessions[name], packet) == expected, (name, packet.hex())
    assert ran > _MUTATIONS / 2


def test_c_that_checks_less_does_the_same_to_the_good_packet(yardstick: Yardstick, sessions: dict[str, Session]) -> None:
    if IN_FIXED_C not in sessions:
        pytest.skip("the function has no such version")
    good = yardstick.packet(_sid())
    assert _seen(sessions[IN_FIXED_C], good) == _seen(sessions[OURS], good)


def test_the_good_packet_takes_the_way_that_is_measured(yardstick: Yardstick, sessions: dict[str, Session]) -> None:
    for session in sessions.values():
        outcome = session.run(yardstick.packet(_sid()))
        assert outcome.fault is None
        assert outcome.verdict != PROGRAM_TYPES["lwt_in"].verdicts["DROP"]
        assert outcome.forwarded
