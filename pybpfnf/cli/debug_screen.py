"""The debugger on a terminal: panes for source, instructions, registers, locals, stack, packet and maps, keys, and a line for commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, final

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Footer, Input, Static

from pybpfnf.cli.debug_commands import Commands
from pybpfnf.cli.debug_panes import PANES, place_line
from pybpfnf.errors import InputError

_STYLES: Mapping[str, str] = {">": "bold reverse", "*": "bold yellow"}
_KEYS = (
    ("n", "next", "next"),
    ("s", "step", "step"),
    ("f", "finish", "finish"),
    ("c", "continue", "continue"),
    ("p", "back", "back"),
    ("i", "stepi", "instruction"),
    ("u", "backi", "undo it"),
    ("r", "restart", "restart"),
    ("k", "packet", "next packet"),
)


def show(commands: Commands) -> None:
    """Until the user ends it."""
    Screen(commands).run()


@final
class Screen(App[None]):
    """One debugger on a screen."""

    CSS = """
    Pane { border: round $primary; }
    #source, #instructions { height: 1fr; }
    #left { width: 3fr; }
    #right { width: 2fr; }
    #packet { height: 2fr; }
    #registers { height: 13; }
    #locals, #stack, #maps { height: 1fr; }
    #said { height: auto; max-height: 12; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"go('{command}')", text) for key, command, text in _KEYS),
        Binding("b", "toggle_break", "breakpoint"),
        Binding("colon", "ask", "command"),
        Binding("escape", "leave", "leave the line", show=False),
        Binding("q", "quit", "quit"),
    ]
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = ""  # keys are the screen's until the line is asked for

    def __init__(self, commands: Commands) -> None:
        super().__init__()
        self._commands = commands
        self.said: tuple[str, ...] = ()
        """What the last command printed, beside where it is."""

    def compose(self) -> ComposeResult:
        yield Static(id="place")
        with Horizontal():
            with Vertical(id="left"):
                yield from (Pane(name) for name in ("source", "instructions", "packet"))
            with Vertical(id="right"):
                yield from (Pane(name) for name in ("registers", "locals", "stack", "maps"))
        yield Static(id="said")
        yield Input(placeholder="a command; `help` lists them", id="line")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#line", Input).display = False
        self._refresh([])

    def action_go(self, command: str) -> None:
        self._do(command)

    def action_toggle_break(self) -> None:
        """At the statement in hand."""
        debugger, place = self._commands.debugger, self._commands.debugger.state.place
        here = [number for number, each in debugger.breakpoints.items() if str(each) == f"{place.file}:{place.line}"]
        self._do(f"delete {here[0]}" if here else f"break {place.file}:{place.line}")

    def action_ask(self) -> None:
        line = self.query_one("#line", Input)
        line.display = True
        line.focus()

    def action_leave(self) -> None:
        line = self.query_one("#line", Input)
        line.value, line.display = "", False
        self.set_focus(None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        text = event.value
        self.action_leave()
        if text.strip():
            self._do(text)

    def _do(self, command: str) -> None:
        try:
            said = self._commands.do(command)
        except InputError as error:
            said = [f"error: {error.message}", *([] if error.hint is None else [f"hint: {error.hint}"])]
        if self._commands.ended:
            self.exit()
            return
        self._refresh(said)

    def _refresh(self, said: list[str]) -> None:
        place = place_line(self._commands.debugger)
        self.query_one("#place", Static).update(Text(place, style="bold"))
        self.said = tuple(line for line in said if line != place)
        self.query_one("#said", Static).update(Text("\n".join(self.said)))
        for pane in self.query(Pane):
            pane.show(list(PANES[pane.name or ""](self._commands.panes)))


@final
class Pane(VerticalScroll):
    """Lines of one kind, marked ones in colour."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, id=name)
        self.border_title = name
        self.can_focus = False
        self._text = Static()
        self.lines: list[str] = []

    def compose(self) -> ComposeResult:
        yield self._text

    def show(self, lines: list[str]) -> None:
        self.lines = lines
        text = Text("\n").join(Text(line, style=_STYLES.get(line[:1], "")) for line in lines)
        self._text.update(text)
