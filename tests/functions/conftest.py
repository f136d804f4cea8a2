"""The catalogue's functions on both engines: `run(packet)` runs the function of the test module's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv6Address
from typing import TypeAlias

import pytest

import pybpfnf
from pybpfnf import Environment, KernelRunner, Outcome, Runner, VmRunner
from tests.functions.cases import KEYS, SID, UNREACHABLE

Run: TypeAlias = Callable[[bytes], Outcome]
ROUTER = Environment(sid=IPv6Address(SID), hmac_keys=KEYS, unreachable=(UNREACHABLE,))


@pytest.fixture(scope="module", params=["vm", pytest.param("kernel", marks=pytest.mark.kernel)])
def runner(request: pytest.FixtureRequest) -> Runner:
    return VmRunner() if request.param == "vm" else KernelRunner()


@pytest.fixture(scope="module")
def config(request: pytest.FixtureRequest) -> dict[str, object]:
    """The Config that the module's function gets: what its CONFIG says."""
    given: dict[str, object] = getattr(request.module, "CONFIG", {})
    return given


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest, runner: Runner, config: dict[str, object]) -> Iterator[Run]:
    name = str(request.module.FUNCTION)
    with pybpfnf.simulate(name, environment=ROUTER, runner=runner, config=config) as simulation:
        yield simulation.run
