"""Every test of the VM runs once by each engine; what is about the kernel alone, once."""

from __future__ import annotations

import pytest

from pybpfnf.vm import Engine
from tests.vm import programs


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        of_the_kernel = any(mark.name == "kernel" for mark in metafunc.definition.iter_markers())
        engines = [Engine.REFERENCE] if of_the_kernel else [Engine.REFERENCE, Engine.COMPILED]
        metafunc.parametrize("engine", engines, indirect=True, ids=lambda engine: engine.value)


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Engine:
    chosen: Engine = request.param
    monkeypatch.setattr(programs, "ENGINE", chosen)
    return chosen
