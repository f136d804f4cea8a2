"""What may be the name of a symbol, by one rule for programs, maps, queues, event buffers and variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpfnf.dsl.building.rules import symbol_problem
from tests.dsl.cases import diagnostics_of, function

LONGEST = "x" * 127
USES = {
    "map": ("{} = Array(u32, 4)", "{}[0] = 1"),
    "queue": ("{} = Queue(u32, 4)", "{}.push(1, drop_oldest=True)"),
    "event buffer": ("class Seen(Struct):\n    tag: u32\n{} = RingBuf(Seen, 4096)", "{}.emit(Seen(tag=1))"),
    "variable": ("{} = State(u32)", "pkt.mark = {}"),
}


@pytest.mark.parametrize("name", ["lwt_seg6local", "license", "memcpy", "größe", "2nd", "", "__pybpfnf_faults", LONGEST + "x"])
def test_names_that_an_object_or_the_kernel_does_not_take_are_a_problem(name: str) -> None:
    assert symbol_problem(name)


def test_the_longest_name_is_none() -> None:
    assert symbol_problem(LONGEST) is None


@pytest.mark.parametrize("kind", USES)
@pytest.mark.parametrize("more", [0, 1])
def test_the_length_counts_for_each_kind_of_symbol_at_the_place_that_uses_it(kind: str, more: int, tmp_path: Path) -> None:
    name = LONGEST + "x" * more
    before, use = (text.format(name) for text in USES[kind])
    found = diagnostics_of(function(f"{use}\nreturn OK", before=before), tmp_path)
    assert [each.code for each in found] == ["name"] * more
    assert all(name in (each.source_line or "") for each in found)
