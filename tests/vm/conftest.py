"""Every test of the VM runs once by each engine; what is about the kernel alone or does not depend on it (ONCE in the module), once."""

from __future__ import annotations

import pytest

from pybpfnf.vm import Engine
from tests.vm import programs


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        once = any(mark.name == "kernel" for mark in metafunc.definition.iter_markers()) or hasattr(metafunc.module, "ONCE")
        engines = [Engine.REFERENCE] if once else [Engine.REFERENCE, Engine.COMPILED]
        metafunc.parametrize("engine", engines, indirect=True, ids=lambda engine: engine.value)


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Engine:
    chosen: Engine = request.param
    monkeypatch.setattr(programs, "ENGINE", chosen)
    return chosen
