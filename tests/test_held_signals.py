"""Signals are held while something is made and noted, and handled as the step is left."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from pybpfnf.held_signals import HeldSignals


class AskedToEndError(Exception):
    """What the handler raises."""


def ask(number: int, _frame: object) -> None:
    raise AskedToEndError(number)


@pytest.fixture(autouse=True)
def handled() -> Iterator[None]:
    before = {each: signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
    for each, former in before.items():
        signal.signal(each, former)


def ended_by(number: int) -> None:
    """As another process ends this one; to this thread, as to a process that has one."""
    signal.pthread_kill(threading.get_ident(), number)


def step(said: list[str], number: int) -> None:
    with HeldSignals():
        said.append("made")
        ended_by(number)
        said.append("noted")
    said.append("gone on")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_until_the_step_is_left(number: int) -> None:
    said: list[str] = []
    with pytest.raises(AskedToEndError):
        step(said, number)
    assert said == ["made", "noted"]


def test_a_step_within_a_step_lets_nothing_through() -> None:
    said: list[str] = []
    with pytest.raises(AskedToEndError), HeldSignals():
        step(said, signal.SIGTERM)
    assert said == ["made", "noted", "gone on"]


def wrong_step() -> None:
    with HeldSignals():
        ended_by(signal.SIGTERM)
        raise ValueError("what was wrong")


def test_a_signal_does_not_hide_what_was_wrong() -> None:
    with pytest.raises(AskedToEndError) as caught:
        wrong_step()
    assert isinstance(caught.value.__context__, ValueError)


def test_other_signals_are_as_they_were() -> None:
    before = signal.signal(signal.SIGUSR1, ask)
    said: list[str] = []
    try:
        with pytest.raises(AskedToEndError):
            step(said, signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert said == ["made"]
