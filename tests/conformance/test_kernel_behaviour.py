"""`docs/kernel-behaviour.md` names tests that exist, and that run where it says: in the VM and in the kernel."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.features import ROWS

TESTS = Path(__file__).resolve().parent.parent
DOCUMENT = TESTS.parent / "docs" / "kernel-behaviour.md"
BOTH = {"run", "runner", "attempt", "open_session"}
"""Fixtures that a test gets once for the VM and once for the kernel."""
PAIRS = {
    # One of the two is about the VM, the other asks the verifier.
    "test_a_wrong_program_faults_and_its_packet_is_dropped": "test_the_verifier_refuses_it_too",
    "test_a_helper_of_another_hook_is_a_fault": "test_each_lightweight_tunnel_type_may_call_exactly_the_helpers_of_its_row",
}
VERIFIERS = {
    *PAIRS.values(),
    "test_the_gpl_only_helpers_are_those_that_another_license_may_not_call",
    "test_the_packet_is_readable_and_writable_as_the_row_says",
}
"""About what a program may be, which the VM's rows are held to."""


def rows() -> Iterator[tuple[str, list[str], list[str]]]:
    """What happens, the tests, the rules."""
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("| ") and not line.startswith("| what happens"):
            what, shown = line.strip("| ").split(" | ")
            yield what, re.findall(r"`(\w+)`", shown), re.findall(r"\*([^*]+)\*", shown)


def functions() -> dict[str, set[str]]:
    """The tests there are, with their arguments."""
    trees = (ast.parse(path.read_text()) for folder in ("conformance", "abi", "vm") for path in (TESTS / folder).glob("test_*.py"))
    found = (node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef))
    return {node.name: {argument.arg for argument in node.args.args} for node in found if node.name.startswith("test_")}


def test_each_row_is_shown_by_something() -> None:
    assert [what for what, tests, rules in rows() if not tests and not rules] == []
    assert len(list(rows())) > 50


def test_each_test_that_is_named_exists_and_runs_on_both() -> None:
    known = functions()
    named = {name for _, tests, _ in rows() for name in tests}
    assert sorted(named - set(known)) == []
    assert sorted(name for name in named if not known[name] & BOTH and name not in PAIRS and name not in VERIFIERS) == []


def test_each_rule_that_is_named_is_one() -> None:
    named = [rule for _, _, rules in rows() for rule in rules]
    assert sorted(set(named) - {row.name for row in ROWS}) == []


def test_a_row_whose_test_is_the_vms_names_the_verifiers_too() -> None:
    for _, tests, _ in rows():
        for ours, theirs in PAIRS.items():
            assert ours not in tests or theirs in tests
