"""Fault exits: the places where a function leaves with its `on_fault` verdict, counted one by one.

    fault.3:                                        one arm a site, off the hot path
      %v9 = call i64 asm sideeffect "", "=r,0"(i64 3)
      br label %fault
    fault:
      %v11 = phi i64 [ %v9, %fault.3 ], ...
      atomicrmw add ptr (counter of %v11), i64 1 monotonic
      ret i32 2

The empty assembly keeps the site's number in its arm: a plain phi makes LLVM set it before each check, on the hot path.
The counters are an array in .bss: no helper, no null check, readable by mmap.
"""

from __future__ import annotations

from typing import final

from pybpfnf.backend.writer import Writer
from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.image.meta import FAULTS_SYMBOL, MetaSite


@final
class FaultSites:
    """The sites of a whole module, numbered in the order in which the lowering meets them."""

    def __init__(self, *, counted: bool) -> None:
        self.counted = counted
        self.sites: list[MetaSite] = []

    def add(self, span: Span, message: str, function: str) -> int:
        self.sites.append(MetaSite(span.file, span.line, span.column, message, function))
        return len(self.sites) - 1


@final
class FaultExits:
    """The fault exits of one function."""

    def __init__(self, sites: FaultSites, function: ir.Function, writer: Writer) -> None:
        self._sites = sites
        self._function = function
        self._writer = writer
        self._arms: dict[tuple[Span, str], tuple[str, int, str]] = {}  # label, site number, location
        self._unreachable: str | None = None

    def label(self, span: Span, location: str, message: str) -> str:
        """The exit of a place for one reason: asked for twice, it is the same."""
        if (span, message) not in self._arms:
            number = self._sites.add(span, message, self._function.name)
            self._arms[span, message] = (self._writer.label("fault"), number, location)
        return self._arms[span, message][0]

    def unreachable(self) -> str:
        """For a check that is proven needless but that the verifier wants to see: leaves without being counted."""
        if self._unreachable is None:
            self._unreachable = self._writer.label("never")
        return self._unreachable

    def place(self) -> None:
        """Write the exits; the function's last blocks."""
        writer = self._writer
        if self._unreachable is not None:
            writer.place(self._unreachable)
            writer.ret(f"i32 {writer.barrier('i32', self._function.on_fault)}")
        if not self._arms:
            return
        numbers = []
        for label, number, location in self._arms.values():
            writer.place(label)
            with writer.at(location):
                if self._sites.counted:
                    numbers.append((str(number) if len(self._arms) == 1 else writer.barrier("i64", number), label))
                writer.jump("fault")
        writer.place("fault")
        if self._sites.counted:
            site = writer.phi("i64", *numbers)
            counter = writer.value(f"getelementptr i64, ptr @{FAULTS_SYMBOL}, i64 {site}")
            writer.value(f"atomicrmw add ptr {counter}, i64 1 monotonic")
        # Opaque, so that it is not set on the hot path before each check.
        writer.ret(f"i32 {writer.barrier('i32', self._function.on_fault)}")
