"""Odd inputs: right functions with a few changes to their syntax trees. A diagnostic or a program that loads, never an exception."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pybpfnf.compile import compile_file
from pybpfnf.diagnostics import Diagnostic
from pybpfnf.errors import CompileError
from pybpfnf.image import read
from pybpfnf.image.needs import lacks
from pybpfnf.kernel import load_program
from tests.dsl.cases import read_cases
from tests.dsl.mutate import mutated
from tests.kernel_support import running_version

FUNCTIONS = Path(__file__).parents[2] / "functions"
RIGHT = (
    *(case.source for case in read_cases() if ": error: " not in case.out),
    *(path.read_text(encoding="utf-8") for path in sorted(FUNCTIONS.glob("*.py")) if path.name != "__init__.py"),
)
pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning")  # of `3 is None` and its like, which the text has on purpose
ODD = given(st.integers(0, 2**32 - 1), st.integers(1, 4))


def settled(examples: int) -> settings:
    return settings(max_examples=examples, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


def odd_function(seed: int, changes: int, directory: Path) -> Path:
    random = Random(seed)
    try:
        text = mutated(random.choice(RIGHT), random, changes)
    except (SyntaxError, ValueError):
        assume(False)
    path = directory / "case.py"
    path.write_text(text, encoding="utf-8")
    return path


def built(path: Path) -> bytes | None:
    """The object, or None where the diagnostics are good ones."""
    try:
        return compile_file(path)
    except CompileError as error:
        check(error.diagnostics, path.read_text(encoding="utf-8"))
        return None


def check(diagnostics: tuple[Diagnostic, ...], text: str) -> None:
    """Each at its place and with a hint, in the order of the source, none twice."""
    places = [(found.span.line, found.span.column) for found in diagnostics]
    assert diagnostics
    assert places == sorted(places)
    assert len({(found.span, found.message) for found in diagnostics}) == len(diagnostics)
    for found in diagnostics:
        assert found.hint, found.message
        assert found.source_line == text.splitlines()[found.span.line - 1]
        assert 1 <= found.span.column <= len(found.source_line) + 1


def loaded(path: Path) -> None:
    """Build it, and where it is right and needs nothing that the running kernel lacks, load it."""
    data = built(path)
    if data is not None:
        image = read(data)
        for program in image.programs:
            if not lacks(image, program, running_version()):
                load_program(image, program).close()


@ODD
@settled(150)
def test_an_odd_function_gives_diagnostics_or_an_object(tmp_path_factory: pytest.TempPathFactory, seed: int, changes: int) -> None:
    built(odd_function(seed, changes, tmp_path_factory.getbasetemp()))


@pytest.mark.kernel
@ODD
@settled(300)
def test_an_odd_function_that_compiles_loads(tmp_path_factory: pytest.TempPathFactory, seed: int, changes: int) -> None:
    loaded(odd_function(seed, changes, tmp_path_factory.getbasetemp()))


@pytest.mark.slow
@pytest.mark.kernel
@ODD
@settled(6000)
def test_of_thousands_of_odd_functions_each_is_refused_or_loads(tmp_path_factory: pytest.TempPathFactory, seed: int, changes: int) -> None:
    loaded(odd_function(seed, changes, tmp_path_factory.getbasetemp()))
