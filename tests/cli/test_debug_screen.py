"""The debugger's screen, without a terminal: keys move it, panes follow, the line takes commands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from pybpfnf.cli.debug_commands import Commands
from pybpfnf.cli.debug_panes import Panes
from pybpfnf.cli.debug_screen import Pane, Screen
from pybpfnf.testing.debugger import Debugger
from pybpfnf.testing.history import Follower
from pybpfnf.testing.packets import srv6
from pybpfnf.verbs.coverage import counting
from pybpfnf.verbs.run import simulate
from pybpfnf.vm import VmRunner, VmSession
from tests.cli.test_debug import FUNCTION

PACKETS = [srv6(["fc00:3::3", "fc00:2::2"], tag=7), srv6(["fc00:3::3", "fc00:2::2"], tag=9)]


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    path = tmp_path / "tags.py"
    path.write_text(FUNCTION)
    kept = counting(path, values=True)
    follower = Follower(kept.statements())
    with simulate(kept.data, runner=VmRunner(follower)) as simulation:
        assert isinstance(simulation.session, VmSession)
        follower.watch(simulation.session)
        debugger = Debugger(follower, PACKETS)
        yield Commands(debugger, Panes(debugger, simulation.image, simulation.program))


def on_screen(commands: Commands, play: Callable[[Screen, Pilot[None]], Awaitable[None]]) -> None:
    async def run() -> None:  # no plugin for that is needed
        screen = Screen(commands)
        async with screen.run_test(size=(140, 50)) as pilot:
            await play(screen, pilot)

    asyncio.run(run())


def lines(screen: Screen, pane: str) -> list[str]:
    return screen.query_one(f"#{pane}", Pane).lines


def test_keys_move_and_the_panes_follow(commands: Commands) -> None:
    async def play(screen: Screen, pilot: Pilot[None]) -> None:
        await pilot.press("n", "n")
        assert any(line.startswith(">    12 ") for line in lines(screen, "source"))
        await pilot.press("n")
        assert "  old = 7" in [f"  {line[2:]}" for line in lines(screen, "locals")]
        await pilot.press("p")
        assert any(line.startswith(">    12 ") for line in lines(screen, "source"))
        await pilot.press("c")
        assert commands.debugger.is_over
        await pilot.press("k")
        assert (commands.debugger.packet, commands.debugger.position) == (1, 0)
        await pilot.press("i", "i", "u")
        assert commands.debugger.position == 1

    on_screen(commands, play)


def test_a_key_sets_a_breakpoint_at_the_statement_and_takes_it_away(commands: Commands) -> None:
    async def play(screen: Screen, pilot: Pilot[None]) -> None:
        await pilot.press("n", "n", "b", "r", "c")
        assert any(line.startswith(">b   12 ") for line in lines(screen, "source"))
        await pilot.press("b")
        assert commands.debugger.breakpoints == {}

    on_screen(commands, play)


def test_the_line_takes_commands_and_says_what_is_wrong(commands: Commands) -> None:
    async def play(screen: Screen, pilot: Pilot[None]) -> None:
        await pilot.press("colon", *"break 15", "enter")
        await pilot.press("c")
        assert commands.debugger.state.place.line == 15
        assert not screen.query_one("#line", Input).display
        await pilot.press("colon", *"jump", "enter")
        assert "no command 'jump'" in str(screen.said)

    on_screen(commands, play)


def test_q_ends_it(commands: Commands) -> None:
    async def play(screen: Screen, pilot: Pilot[None]) -> None:
        await pilot.press("q")
        assert not screen.is_running

    on_screen(commands, play)
