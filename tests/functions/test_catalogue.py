"""Every function of the catalogue is whole: a docstring that says where to attach it, a test, a line in the README."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pybpfnf import catalogue

ROOT = Path(__file__).resolve().parent.parent.parent
ENTRIES = {entry.name: entry for entry in catalogue.entries()}


@pytest.mark.parametrize("name", ENTRIES)
def test_a_function_says_how_to_attach_it(name: str) -> None:
    documentation = ast.get_docstring(ast.parse(ENTRIES[name].source.read_text(encoding="utf-8"))) or ""
    assert f"pybpfnf attach {name}" in documentation


@pytest.mark.parametrize("name", ENTRIES)
def test_a_function_has_a_test_on_both_engines(name: str) -> None:
    test = ast.parse((ROOT / "tests" / "functions" / f"test_{name}.py").read_text(encoding="utf-8"))
    functions = [node for node in test.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    given = [{argument.arg for argument in each.args.args} for each in functions]
    assert any(names & {"run", "nf"} for names in given), "fixtures of both engines"


def test_the_readme_lists_the_functions_in_order() -> None:
    _, _, after = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Network functions\n")
    listed = [line.partition("](functions/") for line in after.splitlines() if line.startswith("- [")]
    assert [name.removeprefix("- [") for name, _, _ in listed] == list(ENTRIES)
