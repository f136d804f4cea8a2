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

from pybpfnf.backend.building.writer import Writer
from pybpfnf.diagnostics import Span
from pybpfnf.image.meta import FAULTS_SYMBOL, MetaSite


@final
class FaultSites:
    """The sites of a whole module, numbered in the order in which the lowering meets them."""

    def __init__(self, *, counted: bool) -> None:
        self.counted = counted
        self.sites: list[MetaSite] = []

    def add(self, span: Span, message: str, function: str) -> int:
        self.sites.append(MetaSite(span.file, span.line, span.column, message, function, span.callers))
        return len(self.sites) - 1


@final
class FaultExits:
    """The fault exits of one function, which leave it with the number `on_fault`, and its returns of constants."""

    def __init__(self, sites: FaultSites, function: str, on_fault: int, writer: Writer) -> None:
        self._sites = sites
        self._function = function
        self._on_fault = on_fault
        self._writer = writer
        self._arms: dict[tuple[Span, str], tuple[str, int, str]] = {}  # label, site number, location
        self._returns: dict[int, tuple[str, str]] = {}  # label, location

    @property
    def used(self) -> bool:
        """Whether anything leaves the function by them."""
        return bool(self._arms or self._returns)

    def label(self, span: Span, location: str, message: str) -> str:
        """The exit of a place for one reason: asked for twice, it is the same."""
        if (span, message) not in self._arms:
            number = self._sites.add(span, message, self._function)
            self._arms[span, message] = (self._writer.label("fault"), number, location)
        return self._arms[span, message][0]

    def returning(self, verdict: int) -> str:
        """The one block of the function that returns this verdict: else each return sets it and goes to the end."""
        if verdict not in self._returns:
            self._returns[verdict] = (self._writer.label("return"), self._writer.location)
        return self._returns[verdict][0]

    def unreachable(self) -> str:
        """Leaves without being counted: for a check that is proven needless but that the verifier wants to see, and for a fault in a
        subprogram, which was counted there."""
        return self.returning(self._on_fault)

    def place(self) -> None:
        """Write the exits; the function's last blocks."""
        if self._arms:
            self._place_faults()
        for verdict, (label, location) in self._returns.items():
            self._writer.place(label)
            with self._writer.at(location):
                # Opaque, so that it is set where it is returned, and not before each check on the way there.
                self._writer.ret(f"i32 {self._writer.barrier('i32', verdict)}")

    def _place_faults(self) -> None:
        writer = self._writer
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
        writer.jump(self.returning(self._on_fault))
