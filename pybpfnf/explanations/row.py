"""The shape of an explanation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import final

PYTHON = "python"
ASSEMBLY = "asm"  # of a program that no compiler of ours has seen
SEG = "seg"  # a test file
TOML = "toml"  # a topology


@final
@dataclass(frozen=True, slots=True)
class Explanation:
    """`wrong` gives a diagnostic of `code` and no other; `right` is what its author wanted, and both compiles and loads.

    Examples are whole files, with one final newline. What depends on sheer length is written with a line that says how often
    it stands there: `written_out` gives the file itself.
    """

    code: str
    why: str
    wrong: str
    right: str
    language: str = PYTHON
    meant_for: str | None = None  # the kernel that `wrong` is wrong for; None: every one


_REPEATED = re.compile(r"^(?P<line>.*?)  # and (?P<count>[\d,]+) more of these$", re.MULTILINE)


def written_out(example: str) -> str:
    """The example with each `line  # and 40 more of these` as 41 lines."""
    return _REPEATED.sub(lambda found: "\n".join([found["line"]] * (int(found["count"].replace(",", "")) + 1)), example)
