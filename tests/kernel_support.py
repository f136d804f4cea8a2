"""What tests that need the kernel share: the skip that names what is missing, a bpffs of their own, a namespace with devices.

Loaded as a plugin by tests/conftest.py; every test marked `kernel` is skipped where the system lacks what running
programs in the kernel needs, and one marked `linux` on kernels before that. With PYBPFNF_REQUIRE_KERNEL set (CI) it is an error instead.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

import pytest

from pybpfnf.abi.versions import parse_kernel
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.image.needs import lacks
from pybpfnf.kernel import bpffs, features, links
from pybpfnf.kernel.links import IFF_UP
from pybpfnf.kernel.netlink import Netlink
from pybpfnf.kernel.netns import Namespace, set_sysctl
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.runner import Environment, Session

TOO_MANY_WAYS = pytest.mark.linux("6.8", "its verifier joins fewer ways through a function, and gives up on this one")

ATOMIC_FRAGMENT = pytest.mark.linux("6.18", "an IPv4 packet that became one of IPv6 leaves with a fragment header")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("kernel")]
    reason = features.first_lack(*features.RUNNER) if marked else None
    if reason is not None and _required():
        raise pytest.UsageError(f"PYBPFNF_REQUIRE_KERNEL is set, but the kernel tests cannot run: {reason}")
    for item in marked:
        older = None if reason is not None else _newer_needed(item)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=f"the kernel is needed: {reason}"))
        elif older is not None:
            item.add_marker(pytest.mark.skip(reason=older))


def _newer_needed(item: pytest.Item) -> str | None:
    """What a test marked `linux("6.8", "...")` says of a kernel that is older than the one that is running."""
    for mark in item.iter_markers("linux"):
        since, why = mark.args
        if parse_kernel(platform.release()) < parse_kernel(since):
            return f"before Linux {since}: {why}"
    return None


def running_version() -> str:
    """As "6.1"."""
    return ".".join(map(str, parse_kernel(platform.release())))


@final
class RunningKernel:
    """The kernel's runner; a program that needs what the running kernel does not have yet skips its test, and says what that is."""

    name = "kernel"

    def open(self, image: ObjectImage, program: ProgramImage, environment: Environment) -> Session:
        for lacking in lacks(image, program, running_version()):
            pytest.skip(lacking.message)
        return KernelRunner().open(image, program, environment)


@contextmanager
def mounted_bpffs(point: Path) -> Iterator[Path]:
    """A bpffs at a new directory, which PYBPFNF_BPFFS names meanwhile: also for commands that are started."""
    point.mkdir()
    subprocess.run(["mount", "-t", "bpf", "bpf", point], check=True, capture_output=True)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(bpffs.VARIABLE, str(point))
            yield point
    finally:
        subprocess.run(["umount", "--lazy", point], check=True, capture_output=True)


@pytest.fixture(scope="session", autouse=True)
def _bpffs_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither need the machine's bpffs, which a container has not mounted, nor leave pins in it."""
    if features.first_lack(*features.RUNNER) is not None:
        yield
        return
    with mounted_bpffs(tmp_path_factory.mktemp("machine") / "bpffs"):
        yield


@pytest.fixture
def own_bpffs(tmp_path: Path) -> Iterator[Path]:
    """A bpffs of this test alone."""
    with mounted_bpffs(tmp_path / "bpffs") as point:
        yield point


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A forwarding network namespace in which this thread, and commands that it starts, are; with the devices b0 and b1, a pair, up."""
    with Namespace() as made, made.entered():
        add_devices()
        yield made


def _required() -> bool:
    return bool(os.environ.get("PYBPFNF_REQUIRE_KERNEL"))


def run_tool(*command: str) -> str:
    """What a system's tool prints; the test is skipped where it is not installed."""
    if shutil.which(command[0]) is None:
        missing = f"{command[0]} is not installed"
        if _required():
            pytest.fail(missing)
        pytest.skip(missing)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def add_devices() -> None:
    """b0 and b1, up, in the namespace of this thread."""
    with Netlink() as netlink:
        links.add_veth(netlink, "b0", 0, "b1", 0, mac="02:00:00:00:0b:00", peer_mac="02:00:00:00:0b:01")
        for name in ("b0", "b1"):
            links.set_flags(netlink, socket.if_nametoindex(name), IFF_UP, IFF_UP)
    wait_until_up("b0", "b1")
    set_sysctl("ipv6/conf/all/forwarding", 1)


def wait_until_up(*names: str) -> None:
    """Until these devices of this thread's namespace carry packets. The kernel looks after new links once a second, and what is sent
    before is lost: the question for a neighbour too, which is asked again after a second."""
    deadline = time.monotonic() + 5
    with Netlink() as netlink:
        while not all(links.is_up(netlink, socket.if_nametoindex(name)) for name in names):
            assert time.monotonic() < deadline, "the devices do not come up"
            time.sleep(0.001)
