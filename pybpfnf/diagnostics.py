"""What is said to an author whose program is wrong: where, which rule, what to do.

Codes are rows; a diagnostic names one. Rendering to a terminal is `render`, without colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Span:
    """A piece of source text: `file` as recorded in objects, lines from 1, columns from 1 (UTF-8 bytes are not counted: characters are).

    `called_from`: of code in a function that was inlined, the call.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int  # the column after the last character
    called_from: Span | None = None

    @property
    def callers(self) -> tuple[str, ...]:
        """The calls that lead here as FILE:LINE:COLUMN, the innermost first."""
        call = self.called_from
        return () if call is None else (f"{call.file}:{call.line}:{call.column}", *call.callers)


@final
@dataclass(frozen=True, slots=True)
class Code:
    """One rule of the language, by the name that a diagnostic ends with."""

    name: str
    summary: str
    kernel: str | None = None  # what the kernel would say or do otherwise


CODES: Mapping[str, Code] = {
    code.name: code
    for code in (
        Code("syntax", "the file is not valid Python"),
        Code("import", "the file raised an exception while it was imported"),
        Code(
            "stale-view",
            "a view is used after the packet may have moved, or after its map entry was deleted",
            "invalid mem access 'scalar'",
        ),
        Code("maybe-none", "a look-up that can miss is used without asking whether it did", "map_value_or_null"),
        Code("read-only", "a field or a place that the hook may not write", "-EFAULT at run time, or 'cannot write into packet'"),
        Code(
            "not-here", "a helper, verdict, field or operation that this hook does not have", "unknown func, or invalid bpf_context access"
        ),
        Code("unbounded", "a loop whose bound cannot be proven", "a million instructions, then a rejection"),
        Code("stack", "locals need more than the 512 bytes of BPF stack", "combined stack size"),
        Code("leak", "a reserved record is neither submitted nor discarded on some path", "Unreleased reference"),
        Code("size", "a function that is too large for a BPF program, or nested too deeply", "branch target out of range"),
        Code("unsupported", "Python that is not part of the language, or not lowered yet", "nothing: the statement would be missing"),
        Code("overflow", "a constant does not fit its type", "nothing: its low bits would be kept"),
        Code("sign", "signed and unsigned operands are mixed", "nothing: some values would compare and compute wrongly"),
        Code("type", "a value of the wrong type", "nothing, or 'R1 type=scalar expected=...'"),
        Code("name", "a name that is not known, not bound on every path, or reserved", "'R2 !read_ok', or 'Invalid name'"),
        Code("arguments", "a call with the wrong arguments", "'R2 !read_ok', or EINVAL at run time"),
        Code("seg-syntax", "a test file (.seg) that does not follow the syntax"),
        Code("seg-value", "a value in a test file that cannot be: an address, a number, a wildcard in what is sent"),
        Code("seg-shell", "a command in a test file that only a shell understands"),
        Code("newer-kernel", "something that the kernel which is meant does not have yet", "invalid func, or unknown opcode"),
        Code("lab-syntax", "a topology file that is not TOML, or has a key that is unknown, or lacks one"),
        Code("lab-value", "a value in a topology that cannot be: a unit, an address, a number"),
        Code("lab-name", "a name or an address in a topology that there is not, or that there is twice"),
        Code("verifier", "the kernel's verifier refused the program", "its log, of which this is the reading"),
    )
}


@final
@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake. `source_line` is the text of the first line, for the caret;
    `display_file` is the path to show when it is not `span.file`."""

    code: str
    message: str
    span: Span
    source_line: str = ""
    hint: str | None = None
    display_file: str | None = None

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"no diagnostic code {self.code!r}")

    def headline(self) -> str:
        """`functions/probe.py:14:11: error: message [code]`; without the numbers where no line is known (line 0)."""
        place = f":{self.span.line}:{self.span.column}" if self.span.line else ""
        return f"{self.display_file or self.span.file}{place}: error: {self.message} [{self.code}]"

    def render(self) -> str:
        """The headline, the source line with a caret under it, and the hint; no colour, no final newline."""
        lines = [self.headline()]
        if self.source_line:
            text = self.source_line.rstrip("\n")
            # Columns count characters, so a tab stays a tab in the caret's line and both lines align.
            lead = "".join("\t" if character == "\t" else " " for character in text[: self.span.column - 1])
            end = self.span.end_column if self.span.end_line == self.span.line else len(text) + 1
            lines += [f"    {text}", f"    {lead}{'^' * max(1, end - self.span.column)}"]
        lines += [f"    called from {caller}" for caller in self.span.callers]
        if self.hint is not None:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)
