"""The golden cases: IR of right functions, diagnostics of wrong ones, to the column."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.dsl.cases import Case, outcome, read_cases, rewrite

CASES = tuple(read_cases())
# Definitions: who says it comes first.
_DEFINED = ("Config", "State", "Hash", "LruHash", "Array", "PerCpuArray", "ProgArray", "Queue", "RingBuf")
OURS = (*(f"{each}: " for each in _DEFINED), "TLV ")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file.stem}:{case.name}")
def test_source_gives_what_the_case_says(case: Case, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    found = outcome(case.source, tmp_path)
    if request.config.getoption("--update-data"):
        cases = [replace(other, out=found) if other.name == case.name else other for other in read_cases() if other.file == case.file]
        rewrite(case.file, cases)
    else:
        assert found == case.out


def test_names_of_cases_are_unique() -> None:
    names = [(case.file, case.name) for case in CASES]
    assert len(set(names)) == len(names)


def test_messages_are_lower_case_without_a_full_stop_and_have_a_hint() -> None:
    said = [line.partition(": error: ")[2] for case in CASES for line in case.out.splitlines() if ": error: " in line]
    assert len(said) > 100
    for message in said:
        text = message.rpartition(" [")[0]
        foreign = message.endswith(("[import]", "[syntax]"))  # Python's own words
        assert foreign or text[0] in "`-" or text[0].islower() or text[0].isdigit() or text.startswith(("None", *OURS)), message
        assert not text.endswith("."), message
    assert sum(case.out.count("\nhint: ") for case in CASES) == len(said)
