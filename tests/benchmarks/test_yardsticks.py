"""The C yardsticks do what the functions do that they are measured against: the same verdict and the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import pybpfnf
from benchmarks import clang
from benchmarks.measure import FUNCTIONS
from pybpfnf.runner import Outcome, Session
from pybpfnf.vm import VmRunner
from tests.conformance import corpus

pytestmark = pytest.mark.skipif(clang.version() is None, reason="clang is missing")


@pytest.fixture(params=FUNCTIONS)
def function(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def yardstick(function: str, tmp_path: Path) -> Iterator[Session]:
    """The C program in the VM, on the router of the records."""
    clang.build(function, tmp_path / "c.o", clang.RUN_FLAGS)
    image = pybpfnf.read((tmp_path / "c.o").read_bytes())
    with VmRunner().open(image, image.program(function), corpus.ROUTERS["ordinary"]) as session:
        yield session


def _seen(outcome: Outcome) -> tuple[int | None, bytes | None, int]:
    return outcome.verdict, outcome.packet, outcome.runs


def test_a_yardstick_gives_the_verdict_and_the_bytes_of_the_function(function: str, yardstick: Session) -> None:
    packets = [
        record.packet for program, _, record in corpus.read() if program == function and record.environment == corpus.ROUTERS["ordinary"]
    ]
    image = pybpfnf.read(function)
    with VmRunner().open(image, image.program(function), corpus.ROUTERS["ordinary"]) as session:
        expected = [_seen(session.run(packet)) for packet in packets]
    assert len(packets) > 50
    assert [_seen(yardstick.run(packet)) for packet in packets] == expected
