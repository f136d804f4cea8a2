"""The debugger's commands as lines of text: what a terminal's prompt, a script on stdin and the screen's command line take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias, final

from pybpfnf.cli.debug_names import named
from pybpfnf.cli.debug_panes import PANES, Panes, place_line
from pybpfnf.errors import InputError
from pybpfnf.records import dataclass
from pybpfnf.testing.debugger import Breakpoint, Debugger, LineBreak, SlotBreak


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One command: its names, what it does with the text after it, and a line for `help`."""

    names: tuple[str, ...]
    does: Callable[[Commands, str], Iterator[str]]
    summary: str


@final
class Commands:
    """`do` gives the lines that a command prints. Raises InputError for what is no command; `quit` sets `ended`."""

    def __init__(self, debugger: Debugger, panes: Panes) -> None:
        self.debugger = debugger
        self.panes = panes
        self.ended = False

    def do(self, text: str) -> list[str]:
        name, _, rest = text.strip().partition(" ")
        row = _BY_NAME.get(name)
        if row is None:
            raise InputError(f"no command {name!r}", hint="`help` lists them")
        return list(row.does(self, rest.strip()))

    def here(self, found: Breakpoint | None = None) -> Iterator[str]:
        """Where it is now, and what became of the packet at its end."""
        if found is not None:
            yield f"breakpoint: {found}"
        yield place_line(self.debugger)
        yield from self.panes.outcome()


Action: TypeAlias = Callable[[Debugger], Breakpoint | None]


def _go(action: Action) -> Callable[[Commands, str], Iterator[str]]:
    """A command that goes somewhere, as often as the number after it says."""

    def does(commands: Commands, rest: str) -> Iterator[str]:
        found = None
        for _ in range(_number(rest, default=1)):
            found = action(commands.debugger)
        yield from commands.here(found)

    return does


def _instructions(move: Callable[[Debugger, int], None]) -> Callable[[Commands, str], Iterator[str]]:
    def does(commands: Commands, rest: str) -> Iterator[str]:
        move(commands.debugger, _number(rest, default=1))
        yield from commands.here()
        yield from (line for line in commands.panes.instructions() if line.startswith(">"))

    return does


def _pane(name: str) -> Callable[[Commands, str], Iterator[str]]:
    return lambda commands, rest: PANES[name](commands.panes)


def _back(debugger: Debugger) -> None:
    debugger.back()


def _restart(debugger: Debugger) -> None:
    debugger.restart()


def _packet(commands: Commands, rest: str) -> Iterator[str]:
    for _ in range(_number(rest, default=1)):
        if not commands.debugger.next_packet():
            yield "there is no other packet"
            return
    yield from commands.here()


def _break(commands: Commands, rest: str) -> Iterator[str]:
    debugger = commands.debugger
    if not rest:
        yield from (f"{number}: {each}" for number, each in debugger.breakpoints.items())
        return
    number = debugger.add(breakpoint_of(rest))
    yield f"breakpoint {number} at {debugger.breakpoints[number]}"


def breakpoint_of(text: str) -> Breakpoint:
    """`12`, `file.py:12` or `@7`, an instruction. Raises InputError for another text."""
    file, _, number = text.rpartition(":")
    digits = number.removeprefix("@")
    if not digits.isdecimal() or (file and number.startswith("@")):
        raise InputError(f"no place {text!r}", hint="write a line's number, FILE:LINE, or @NUMBER for an instruction")
    return SlotBreak(int(digits)) if number.startswith("@") else LineBreak(int(digits), file or None)


def _delete(commands: Commands, rest: str) -> Iterator[str]:
    number = _number(rest, default=None)
    commands.debugger.delete(number)
    yield f"breakpoint {number} is gone"


def _print(commands: Commands, rest: str) -> Iterator[str]:
    if not rest:
        raise InputError("print what?", hint="as in `print tag`, `print srh.tag`, `print pkt`")
    yield from named(commands.panes, rest)


def _help(commands: Commands, rest: str) -> Iterator[str]:
    yield from (f"{', '.join(row.names):<22} {row.summary}" for row in ROWS)


def _quit(commands: Commands, rest: str) -> Iterator[str]:
    commands.ended = True
    yield from ()


ROWS: tuple[Row, ...] = (
    Row(("step", "s"), _go(Debugger.step), "go to the next statement, into functions; `step 5` five times"),
    Row(("next", "n"), _go(Debugger.next), "go to the next statement of this function or its caller"),
    Row(("finish", "f"), _go(Debugger.finish), "go to where this function has returned"),
    Row(("continue", "c"), _go(Debugger.proceed), "go to the next breakpoint, or to the end"),
    Row(("back", "p"), _go(_back), "go back by a statement"),
    Row(("reverse", "rc"), _go(Debugger.back_to_breakpoint), "go back to the last breakpoint, or to the beginning"),
    Row(("restart", "r"), _go(_restart), "go back to the beginning of this packet's run"),
    Row(("stepi", "si"), _instructions(Debugger.step_instruction), "go on by an instruction; `stepi 5` by five"),
    Row(("backi", "bi"), _instructions(Debugger.back_instruction), "go back by an instruction"),
    Row(("packet", "k"), _packet, "take the next packet; maps and variables stay as they are"),
    Row(("break", "b"), _break, "stop at `12`, `file.py:12` or `@7` (an instruction); alone: show where"),
    Row(("delete", "d"), _delete, "take the breakpoint of that number away"),
    Row(("print", "?"), _print, "show a local, a register, a variable, a map, or of the packet `pkt`, `pkt.mark`, `srh.tag`"),
    Row(("list", "l"), _pane("source"), "show the source around the line"),
    Row(("code", "x"), _pane("instructions"), "show the instructions around it"),
    Row(("registers", "regs"), _pane("registers"), "show registers, and what they point at"),
    Row(("locals", "lo"), _pane("locals"), "show the function's local integers"),
    Row(("stack", "st"), _pane("stack"), "show what has been written of the stack"),
    Row(("fields", "pkt"), _pane("packet"), "show the packet's fields and bytes"),
    Row(("maps", "m"), _pane("maps"), "show variables and maps"),
    Row(("help", "h"), _help, "show this"),
    Row(("quit", "q"), _quit, "end"),
)
_BY_NAME: Mapping[str, Row] = {name: row for row in ROWS for name in row.names}


def _number(text: str, *, default: int | None) -> int:
    if not text and default is not None:
        return default
    if not text.isdecimal():
        raise InputError(f"{text!r} is no number")
    return int(text)
