"""What a module makes of the language's constructors, with the wrong arguments: a diagnostic at its line, by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dsl.cases import HEADER, diagnostics_of

TAKES_ARGUMENTS = [
    "Array", "PerCpuArray", "Hash", "LruHash", "PerCpuHash", "LruPerCpuHash", "LpmTrie", "Queue", "Stack", "RingBuf", "PerfEventArray",
    "ProgArray", "Config", "State", "array", "bits", "octets",
]  # fmt: skip


@pytest.mark.parametrize("name", TAKES_ARGUMENTS)
def test_without_arguments_it_is_named(name: str, tmp_path: Path) -> None:
    (found,) = diagnostics_of(f"{HEADER}thing = {name}()\n", tmp_path)
    assert (found.code, found.span.line, found.span.column) == ("arguments", 2, 9)
    assert found.message.startswith(f"`{name}`: missing ")
    assert found.hint == f"`help({name})` says what it takes"


@pytest.mark.parametrize("call", ["Hash(u32, u64, 16, defualt=1)", "Queue(u32, 16, defualt=1)", "State(u32, defualt=1)"])
def test_a_misspelt_keyword_is_named(call: str, tmp_path: Path) -> None:
    (found,) = diagnostics_of(f"{HEADER}thing = {call}\n", tmp_path)
    assert found.code == "arguments"
    assert "unexpected keyword argument 'defualt'" in found.message


def test_a_tlv_without_a_type_is_named(tmp_path: Path) -> None:
    (found,) = diagnostics_of(f"{HEADER}class Hop(Tlv):\n    count: u32\n", tmp_path)
    assert (found.code, found.span.line) == ("arguments", 2)
    assert found.message == "`Tlv`: missing 1 required keyword-only argument: 'type'"


def test_a_call_of_the_authors_own_stays_pythons_word(tmp_path: Path) -> None:
    (found,) = diagnostics_of(f"{HEADER}def own(x: object) -> None: ...\nown()\n", tmp_path)
    assert (found.code, found.message) == ("import", "TypeError: own() missing 1 required positional argument: 'x'")
