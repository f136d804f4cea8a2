"""Golden cases: `data/*.test` has sources, each with what the compiler makes of it or says about it.

    [case the name of the rule]
    from pybpfnf.dsl.surface import *
    ...
    [right]
    what its author could write instead of the line that is wrong (or a whole file): it compiles, and loads
    [kernel the name of a program of data/kernel.asm]
    [out]
    the IR, or the diagnostics

`[right]` and `[kernel ...]` are there in errors.test alone. `pytest tests/dsl --update-data` rewrites what is after `[out]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pybpfnf.diagnostics import Diagnostic
from pybpfnf.dsl import compile_module, format_module, ir, load_programs
from pybpfnf.errors import CompileError

DATA = Path(__file__).parent / "data"
HEADER = "from pybpfnf.dsl.surface import *\n"
_CASE = re.compile(r"^\[case (.*)\]\n", re.MULTILINE)
_OUT = "[out]\n"
_BODY = re.compile(
    r"(?P<source>.*?)(?:^\[right\]\n(?P<right>.*?))?(?:^\[kernel (?P<kernel>[^\n]*)\]\n)?^\[out\]\n(?P<out>.*)", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Case:
    file: Path
    name: str
    source: str
    out: str
    right: str = ""
    kernel: str = ""  # what the kernel would do with it: a program of data/kernel.asm

    @property
    def text(self) -> str:
        right = f"[right]\n{self.right}" if self.right else ""
        kernel = f"[kernel {self.kernel}]\n" if self.kernel else ""
        return f"[case {self.name}]\n{self.source}{right}{kernel}{_OUT}{self.out}"


def read_cases() -> Iterator[Case]:
    for file in sorted(DATA.glob("*.test")):
        _, *parts = _CASE.split(file.read_text(encoding="utf-8"))
        for name, body in zip(parts[::2], parts[1::2], strict=True):
            found = _BODY.fullmatch(body)
            assert found is not None, f"{file.name}: {name}"
            yield Case(file, name, found["source"], found["out"].rstrip("\n") + "\n", found["right"] or "", found["kernel"] or "")


def rewrite(file: Path, cases: Sequence[Case]) -> None:
    """Write a file of cases with new expectations."""
    file.write_text("\n".join(case.text for case in cases), encoding="utf-8")


def compile_text(source: str, directory: Path) -> ir.Module:
    """The module of a source, as a file of its own."""
    path = directory / "case.py"
    path.write_text(source, encoding="utf-8")
    return compile_module(load_programs(path))


def diagnostics_of(source: str, directory: Path) -> tuple[Diagnostic, ...]:
    """What is said about a source; nothing when it is right."""
    try:
        compile_text(source, directory)
    except CompileError as error:
        return error.diagnostics
    return ()


def outcome(source: str, directory: Path) -> str:
    """The IR as text, or the diagnostics as they are shown, without the directory."""
    try:
        return format_module(compile_text(source, directory))
    except CompileError as error:
        return "".join(replace(diagnostic, display_file=None).render() + "\n" for diagnostic in error.diagnostics)


def function(body: str, *, before: str = "", decorator: str = "@seg6local") -> str:
    """A file with one program `f`, its body given line by line."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
    return f"{HEADER}{before}\n{decorator}\ndef f(pkt: Seg6Packet) -> Verdict:\n{lines}"
