"""Routers without programs, of the VM and of the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from pybpfnf.routes import Bound, ProgramRef
from pybpfnf.vm.router.router import VmRouter

TUN, OUT, NARROW = "tun0", "dum0", "dum1"
MTU = 1400


def no_programs(ref: ProgramRef, type_name: str) -> Bound:
    raise AssertionError(f"no route names {ref} ({type_name})")


@pytest.fixture
def vm() -> Iterator[VmRouter]:
    router = VmRouter(no_programs, answers=True)
    router.add_device(OUT)
    router.add_device(NARROW, MTU)
    with closing(router):
        yield router
