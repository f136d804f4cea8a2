"""Texts that a module's functions give to helpers: constants in a data section of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from pybpfnf.backend.building.values import string

SECTION = ".rodata.str"
_SYMBOL = "__pybpfnf_text"


@final
class Texts:
    """The texts of a module, each once."""

    def __init__(self) -> None:
        self._symbols: dict[bytes, str] = {}

    def pointer(self, text: str) -> str:
        """To the text, which ends in a zero byte."""
        data = text.encode("ascii") + b"\0"
        return f"@{self._symbols.setdefault(data, f'{_SYMBOL}{len(self._symbols)}')}"

    def definitions(self) -> Iterator[str]:
        for data, symbol in self._symbols.items():
            yield f'@{symbol} = dso_local constant [{len(data)} x i8] c{string(data)}, section "{SECTION}", align 1'
