"""The two engines, for tests that are written once and hold on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeAlias

import pytest

from pybpfnf.image.model import ObjectImage
from pybpfnf.runner import Environment, Runner, Session
from pybpfnf.vm import VmRunner
from tests.kernel_support import RunningKernel

Open: TypeAlias = Callable[[ObjectImage, Environment], Session]


@pytest.fixture(scope="module", params=["vm", pytest.param("kernel", marks=pytest.mark.kernel)])
def runner(request: pytest.FixtureRequest) -> Runner:
    return VmRunner() if request.param == "vm" else RunningKernel()


@pytest.fixture(scope="module")
def open_session(runner: Runner) -> Iterator[Open]:
    """Opens an image's only program; one session for each image and environment, closed when the module is done."""
    with ExitStack() as stack:
        opened: dict[tuple[int, str], tuple[ObjectImage, Session]] = {}

        def open_(image: ObjectImage, environment: Environment) -> Session:
            key = id(image), repr(environment)
            if key not in opened:
                # The image is kept: an id is an image's own only as long as that is there.
                opened[key] = image, stack.enter_context(runner.open(image, image.program(), environment))
            return opened[key][1]

        yield open_
