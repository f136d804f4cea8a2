"""Lines of LLVM IR with fresh names."""

from __future__ import annotations

from typing import final


@final
class Writer:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self._last = 0

    def fresh(self) -> str:
        self._last += 1
        return f"%v{self._last}"

    def label(self) -> str:
        self._last += 1
        return f"b{self._last}"

    def do(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def give(self, text: str) -> str:
        """An instruction with a result; gives its name."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def begin(self, label: str) -> None:
        self.lines.append(f"{label}:")
