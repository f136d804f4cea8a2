"""The debugger's core: where steps go, in lines, calls and instructions, forwards and back; and what is seen there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pybpfnf.errors import InputError
from pybpfnf.testing.debugger import Debugger, LineBreak, SlotBreak
from pybpfnf.testing.history import Follower
from pybpfnf.testing.packets import srv6
from pybpfnf.verbs.coverage import counting
from pybpfnf.verbs.run import Simulation, simulate
from pybpfnf.vm import VmRunner, VmSession
from tests.testing import tail_functions

FUNCTION = """\
from pybpfnf import DROP, OK, Array, Seg6Packet, Verdict, func, seg6local, u16, u32, u64

tags = Array(u64, 4)


@func(inline=False)
def doubled(value: u32) -> u32:
    twice = value * 2
    return twice + 1


@func
def low(value: u32) -> u32:
    least = value & 7
    return least


@seg6local
def steps(pkt: Seg6Packet) -> Verdict:
    total: u32 = 0
    for number in range(3):
        total += number
    twice = doubled(total)
    part = low(twice)
    srh = pkt.srh
    srh.tag = u16(part)
    tags[1] += 1
    if total == 99:
        return DROP
    return OK
"""
TOTAL, LOOP, ADD, CALL, INLINED, TAG, COUNT, LAST = 20, 21, 22, 23, 24, 26, 27, 30
PACKET = srv6(["fc00:3::3", "fc00:2::2"], tag=7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "steps.py"
    path.write_text(FUNCTION)
    return path


@pytest.fixture
def debugger(path: Path) -> Iterator[Debugger]:
    kept = counting(path, values=True)
    follower = Follower(kept.statements())
    with simulate(kept.data, runner=VmRunner(follower)) as simulation:
        yield opened(simulation, follower)


def opened(simulation: Simulation, follower: Follower) -> Debugger:
    assert isinstance(simulation.session, VmSession)
    follower.watch(simulation.session)
    return Debugger(follower, [PACKET, PACKET])


def line(debugger: Debugger) -> int:
    return debugger.state.place.line


def at(debugger: Debugger, number: int) -> Debugger:
    """Gone to where the statement of that line begins."""
    debugger.add(LineBreak(number))
    found = debugger.proceed()
    assert isinstance(found, LineBreak)
    assert line(debugger) == found.line == number
    return debugger


def test_steps_go_through_the_statements_as_they_ran(debugger: Debugger) -> None:
    seen = []
    while not debugger.is_over:
        debugger.next()
        seen.append(line(debugger))
    assert seen[:5] == [TOTAL, LOOP, ADD, ADD, ADD]
    assert seen[5:7] == [CALL, INLINED]
    assert seen[-3:-1] == [LAST - 2, LAST]


def test_a_step_enters_functions_and_finish_leaves_them(debugger: Debugger) -> None:
    at(debugger, CALL)
    depth = debugger.state.depth
    debugger.step()
    assert (line(debugger), debugger.state.depth) == (8, depth + 1)
    debugger.finish()
    assert (line(debugger), debugger.state.depth) == (CALL, depth)
    debugger.next()
    assert line(debugger) == INLINED


def test_a_step_over_a_call_stops_at_a_breakpoint_in_it(debugger: Debugger) -> None:
    at(debugger, CALL)
    debugger.add(LineBreak(9, "steps.py"))
    assert debugger.next() == LineBreak(9, "steps.py")


def test_locals_are_those_that_have_been_assigned(debugger: Debugger) -> None:
    at(debugger, TAG)
    assert {name: debugger.state.locals[name] for name in ("total", "twice", "part")} == {"total": 3, "twice": 7, "part": 7}
    at(debugger, COUNT)
    debugger.restart()
    assert debugger.state.locals == {}


def test_back_goes_to_where_the_statement_began_and_then_to_the_one_before(debugger: Debugger) -> None:
    at(debugger, TAG)
    debugger.step_instruction()
    position = debugger.position
    debugger.back()
    assert (line(debugger), debugger.position) == (TAG, position - 1)
    debugger.back()
    assert line(debugger) == 15
    debugger.step()
    assert (line(debugger), debugger.position) == (TAG, position - 1)


def test_backwards_a_run_stops_where_forwards_it_would_have(debugger: Debugger) -> None:
    at(debugger, ADD)
    first = debugger.position
    debugger.proceed()
    second = debugger.position
    debugger.proceed()
    assert debugger.back_to_breakpoint() == LineBreak(ADD)
    assert debugger.position == second
    debugger.back_to_breakpoint()
    assert debugger.position == first
    assert debugger.back_to_breakpoint() is None
    assert debugger.position == 0


def test_instructions_are_stepped_and_counted_as_the_outcome_counts_them(debugger: Debugger) -> None:
    debugger.step_instruction(10**6)
    assert debugger.is_over
    assert debugger.position == debugger.history.outcome.instructions
    debugger.back_instruction(3)
    assert debugger.position == (debugger.history.outcome.instructions or 0) - 3
    slot = debugger.state.slot
    assert slot is not None
    debugger.restart()
    assert debugger.proceed() is None
    debugger.restart()
    debugger.add(SlotBreak(slot))
    assert debugger.proceed() == SlotBreak(slot)


def test_packet_and_maps_are_as_they_were_then(debugger: Debugger) -> None:
    at(debugger, COUNT)
    assert (debugger.state.packet[46:48], dict(debugger.state.maps["tags"])[b"\1\0\0\0"]) == (b"\0\7", bytes(8))
    debugger.delete(1)
    debugger.proceed()
    assert dict(debugger.state.maps["tags"])[b"\1\0\0\0"][0] == 1
    debugger.next_packet()
    assert (debugger.packet, debugger.position, dict(debugger.state.maps["tags"])[b"\1\0\0\0"][0]) == (1, 0, 1)
    assert not debugger.next_packet()


def test_a_place_that_the_program_does_not_have_is_refused_with_those_that_it_has(debugger: Debugger) -> None:
    with pytest.raises(InputError, match="no statement begins at line 3") as caught:
        debugger.add(LineBreak(3))
    assert str(LOOP) in (caught.value.hint or "")
    with pytest.raises(InputError, match="no instruction 100000"):
        debugger.add(SlotBreak(100_000))
    with pytest.raises(InputError, match="no breakpoint 4"):
        debugger.delete(4)


def test_without_counters_lines_are_those_of_the_objects_records(path: Path) -> None:
    follower = Follower()
    with simulate(path, runner=VmRunner(follower)) as simulation:
        debugger = opened(simulation, follower)
        seen = set()
        while not debugger.is_over:
            debugger.step()
            seen.add(line(debugger))
    assert {COUNT, 8} <= seen
    assert debugger.state.locals == {}


def test_a_long_run_is_kept_in_part(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pybpfnf.testing.history.MOST_STEPS", 5)
    follower = Follower()
    with simulate(path, runner=VmRunner(follower)) as simulation:
        history = opened(simulation, follower).history
    assert (len(history.steps), history.whole, history.outcome.forwarded) == (6, False, True)


def test_a_packet_that_the_program_never_sees_has_an_end_alone(path: Path) -> None:
    follower = Follower()
    with simulate(path, runner=VmRunner(follower)) as simulation:
        assert isinstance(simulation.session, VmSession)
        follower.watch(simulation.session)
        debugger = Debugger(follower, [b"no packet"])
    assert debugger.is_over
    assert debugger.history.outcome.reason


@pytest.mark.parametrize("kept", [True, False], ids=["lines and locals", "as built"])
def test_a_tail_call_goes_on_in_the_instructions_of_the_next_program(tmp_path: Path, kept: bool) -> None:
    path = tmp_path / "tails.py"
    path.write_text(tail_functions.SOURCE)
    built = counting(path, values=True) if kept else None
    follower = Follower(None if built is None else built.statements())
    with simulate(path if built is None else built.data, program="first", runner=VmRunner(follower)) as simulation:
        debugger = opened(simulation, follower)
        start = next(slot for slot, name in debugger.functions.items() if name == "second")
        assert start == simulation.program.slots
        number = debugger.add(SlotBreak(start))
        assert debugger.proceed() == SlotBreak(start)
        assert (debugger.state.slot, start in debugger.slots) == (start, True)
        assert running(debugger) == "second"
        debugger.delete(number)
        debugger.restart()
        assert running(debugger) is None
        debugger.add(LineBreak(tail_functions.IN_SECOND))
        assert debugger.proceed() == LineBreak(tail_functions.IN_SECOND)
        debugger.proceed()
        assert debugger.is_over
        assert running(debugger) is None


def running(debugger: Debugger) -> str | None:
    return debugger.running
