"""A place in the text of a test file, and what is wrong there. Blanks, ends of lines and comments between words do not matter."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import final

from pybpfnf.diagnostics import Diagnostic, Span

_BLANK = re.compile(r"\s+")
_COMMENT = re.compile(r"#(.*)")


@final
class SegError(Exception):
    """A mistake in a file. Never leaves the package: the reader gathers them."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.headline())
        self.diagnostic = diagnostic


@final
class Cursor:
    """`comments`: those passed since they were taken last, each with its line; one behind something on its line is not among them."""

    def __init__(self, text: str, path: str) -> None:
        self.text, self.path = text, path
        self.at = 0
        self.comments: list[tuple[int, str]] = []
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._last_line = 0  # of the last word taken
        self._last_end = 0

    def skip(self) -> None:
        while self.at < len(self.text):
            blank = _BLANK.match(self.text, self.at)
            if blank is not None:
                self.at = blank.end()
                continue
            comment = _COMMENT.match(self.text, self.at)
            if comment is None:
                return
            line = self.line_of(self.at)
            if line != self._last_line:
                self.comments.append((line, comment[1].strip("# \t\r")))
            self.at = comment.end()

    def ended(self) -> bool:
        self.skip()
        return self.at >= len(self.text)

    def sees(self, pattern: str) -> bool:
        self.skip()
        return re.compile(pattern).match(self.text, self.at) is not None

    def take(self, pattern: str) -> re.Match[str] | None:
        """What the pattern matches here, passed; None where it does not."""
        self.skip()
        found = re.compile(pattern).match(self.text, self.at)
        if found is not None and found.end() > self.at:
            self._last_line = self.line_of(found.end() - 1)
            self.at = self._last_end = found.end()
        return found

    def expect(self, pattern: str, what: str) -> str:
        """As `take`; raises SegError that `what` is missing."""
        found = self.take(pattern)
        if found is None:
            raise self.error(f"expected {what}, found {self.next_word()}")
        return found[0]

    def address(self) -> IPv6Address:
        """An IPv6 address; raises SegError, of the whole word."""
        text = self.expect(r"[\w:.]+", "an IPv6 address")
        try:
            return IPv6Address(text)
        except AddressValueError:
            raise self.error(f"`{text}` is not an IPv6 address", code="seg-value", start=self.at - len(text)) from None

    def any_address(self) -> IPv4Address | IPv6Address:
        """An address of either IP version; raises SegError, of the whole word."""
        text = self.expect(r"[\w:.]+", "an address")
        try:
            return ip_address(text)
        except ValueError:
            raise self.error(f"`{text}` is no address", code="seg-value", start=self.at - len(text)) from None

    def next_word(self) -> str:
        """What stands here, for a message."""
        self.skip()
        if self.at >= len(self.text):
            return "the end of the file"
        found = re.compile(r"[\w.:]+|.").match(self.text, self.at)
        return f"`{found[0] if found else self.text[self.at]}`"

    def error(self, message: str, *, code: str = "seg-syntax", start: int | None = None, hint: str | None = None) -> SegError:
        """What to raise at `start`, up to here, or at the next word: behind the last one, where that is on a line before."""
        if start is None:
            self.skip()
            start = self.at if self.line_of(self.at) == self._last_line else self._last_end
            found = re.compile(r"[\w.:]+|.").match(self.text, start)
            end = found.end() if found else start + 1
        else:
            end = max(self.at, start + 1)
        return SegError(Diagnostic(code, message, self.span(start, end), self.source_line(start), hint))

    def span(self, start: int, end: int) -> Span:
        line, end_line = self.line_of(start), self.line_of(max(start, end - 1))
        return Span(self.path, line, start - self._starts[line - 1] + 1, end_line, end - self._starts[end_line - 1] + 1)

    def source_line(self, at: int) -> str:
        start = self._starts[self.line_of(at) - 1]
        return self.text[start:].partition("\n")[0]

    def line_of(self, at: int) -> int:
        """From 1."""
        low, high = 0, len(self._starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._starts[middle] <= at else (low, middle)
        return low + 1

    def to_next_statement(self) -> None:
        """Past a mistake: to the next line that begins like a test or a command."""
        found = re.compile(r"^[ \t]*(?=>|`|if\b|add\b|del\b)", re.MULTILINE).search(self.text, self._end_of_line())
        self.at = len(self.text) if found is None else found.end()
        self.comments.clear()

    def _end_of_line(self) -> int:
        end = self.text.find("\n", self.at)
        return len(self.text) if end < 0 else end + 1


def wildcard(cursor: Cursor, sent: bool) -> bool:
    """Whether `*` stands here, passed; raises SegError in a packet that is sent."""
    if cursor.take(r"\*") is None:
        return False
    if sent:
        raise cursor.error(
            "`*` in a packet that is sent", code="seg-value", start=cursor.at - 1, hint="say what is sent; `*` is for what is expected"
        )
    return True
