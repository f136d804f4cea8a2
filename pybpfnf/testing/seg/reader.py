"""A whole test file: commands and tests in their order, or everything that is wrong with it."""

from __future__ import annotations

import re

from pybpfnf.diagnostics import Diagnostic
from pybpfnf.errors import CompileError
from pybpfnf.testing.seg.cursor import Cursor, SegError
from pybpfnf.testing.seg.ip import read_command, read_route_arguments
from pybpfnf.testing.seg.model import Action, AddDevice, Case, ChangeRoute, Command, Expectation, SegFile, Shell, Statement
from pybpfnf.testing.seg.packets import read_packet
from pybpfnf.testing.seg.text import packet_text
from pybpfnf.testing.seg.words import Line

_LONGEST_DEVICE = 15  # IFNAMSIZ, without its final zero
_ADD_DEVICE = re.compile(r"\s*if\s+add\s+([\w.-]+)\s*")
_LONGEST_NAME = 90
_TITLE = re.compile(r"\w.*[^\W\d_]{2}|[^\W\d_]{2}")  # words, no drawing


def read_file(text: str, path: str) -> SegFile:
    """Raises CompileError with a diagnostic for each mistake."""
    reader = _Reader(text, path)
    statements: list[Statement] = []
    mistakes: list[Diagnostic] = []
    while not reader.cursor.ended():
        try:
            statements.append(reader.statement())
        except SegError as error:
            mistakes.append(error.diagnostic)
            reader.cursor.to_next_statement()
    if mistakes:
        raise CompileError(mistakes)
    return SegFile(path, tuple(statements))


class _Reader:
    def __init__(self, text: str, path: str) -> None:
        self.cursor = Cursor(text, path)
        self._title = ""
        self._titled = 0  # tests that have it

    def statement(self) -> Statement:
        self._entitle()
        cursor = self.cursor
        start = cursor.at
        if cursor.take(">") is not None:
            return self._test(start)
        if cursor.take(r"if\s+add\b") is not None:
            return self._command(start, AddDevice(self._device()))
        if cursor.sees("`"):
            return self._line(start)
        if (found := cursor.take(r"(add|del)\s+route\b([^\n#]*)")) is not None:
            line = Line(cursor, start + found.start(2) - found.start(), found[2])
            return self._command(start, ChangeRoute(found[1], read_route_arguments(line)))
        hint = "a line is `> PACKET`, `< PACKET`, `< none`, `if add DEVICE`, `add route ...` or a command between backticks"
        if cursor.sees("<"):
            raise cursor.error("this expects a packet where none was sent", start=start, hint="write `> PACKET` before it")
        raise cursor.error(f"expected a test or a command, found {cursor.next_word()}", start=start, hint=hint)

    def _test(self, start: int) -> Case:
        cursor = self.cursor
        packet = read_packet(cursor, sent=True)
        expected: list[Expectation] = []
        nothing = False
        while cursor.sees("<"):
            at = cursor.at
            cursor.take("<")
            if cursor.take(r"none\b") is not None:
                nothing = True
            else:
                expected.append(self._expectation())
            if nothing and expected:
                raise cursor.error("nothing is expected, and a packet too", start=at, hint="leave out `< none`, or the packet")
        said = tuple(expected) if expected or nothing else None
        return Case(self._name(packet_text(packet)), cursor.line_of(start), packet, said)

    def _expectation(self) -> Expectation:
        device = None
        if self.cursor.take(r"\(") is not None:
            device = self._device()
            self.cursor.expect(r"\)", "`)`")
        return Expectation(device, read_packet(self.cursor, sent=False))

    def _device(self) -> str:
        name = self.cursor.expect(r"[\w.-]+", "the name of a device")
        if len(name) > _LONGEST_DEVICE:
            start = self.cursor.at - len(name)
            raise self.cursor.error(f"a device's name has up to {_LONGEST_DEVICE} characters", code="seg-value", start=start)
        return name

    def _line(self, start: int) -> Command:
        found = self.cursor.take("`([^`]*)`")
        if found is None:
            self.cursor.take("`")
            raise self.cursor.error("a command has no closing backtick", start=start)
        if not found[1].strip():
            raise self.cursor.error("a command is empty", start=start)
        if (device := _ADD_DEVICE.fullmatch(found[1])) is not None and len(device[1]) <= _LONGEST_DEVICE:
            return self._command(start, AddDevice(device[1]))  # segway has it with backticks and without
        return self._command(start, read_command(Line(self.cursor, start + 1, found[1])) or Shell(found[1].strip()))

    def _command(self, start: int, action: Action) -> Command:
        cursor = self.cursor
        text = cursor.text[start : cursor.at].strip("` \n")
        return Command(action, text, cursor.span(start, cursor.at), cursor.source_line(start))

    def _entitle(self) -> None:
        """The first line of the last block of comments before a statement is the title of the tests that follow."""
        comments = [(line, text) for line, text in self.cursor.comments if _TITLE.match(text)]
        self.cursor.comments = []
        title = ""
        for index, (line, text) in enumerate(comments):
            if index == 0 or comments[index - 1][0] != line - 1:
                title = text
        if title:
            self._title, self._titled = title[:_LONGEST_NAME], 0

    def _name(self, packet: str) -> str:
        self._titled += 1
        if not self._title:
            return packet
        return self._title if self._titled == 1 else f"{self._title} ({self._titled})"
