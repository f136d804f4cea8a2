"""`up` that is ended on its way: asked to, it takes back what it has made; killed, `down` takes it away, whatever there is by then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pybpfnf.cli.terminated import Terminated, Terminating
from pybpfnf.kernel.named_netns import create_namespace, is_namespace, open_namespace
from pybpfnf.kernel.netns import Namespace
from pybpfnf.lab import build
from pybpfnf.lab.names import labs, namespaces_of
from pybpfnf.lab.read_topology import read_topology
from pybpfnf.lab.start import up
from pybpfnf.lab.stop import down

pytestmark = pytest.mark.kernel

TOPOLOGY = """
[nodes.a]
[nodes.b]
[[nodes.b.sids]]
sid = "fc00:b::e"
function = "end"
[nodes.c]
[[links]]
ends = ["a", "b"]
delay = "5ms"
[[links]]
ends = ["b", "c"]
"""
MADE = ("@links", "a", "b", "c")  # the namespaces, in some order
KERNELS_OWN = {"maps.debug", "progs.debug"}  # in every bpffs
PATIENCE = 20.0


@pytest.fixture
def begun(lab_name: str, own_bpffs: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`pybpfnf lab up`, on its way."""
    file = tmp_path / "lab.toml"
    file.write_text(TOPOLOGY)
    command = [sys.executable, "-m", "pybpfnf", "lab", "up", str(file), "--name", lab_name, "--links", "process"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield process


def processes_in(inodes: set[int]) -> list[str]:
    found = []
    for each in Path("/proc").iterdir():
        try:
            if each.name.isdecimal() and os.stat(each / "ns" / "net").st_ino in inodes:
                found.append((each / "comm").read_text())
        except OSError:
            continue
    return found


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("count", range(1, len(MADE) + 1))
def test_what_a_killed_up_leaves_goes_with_down(
    begun: subprocess.Popen[bytes], lab_name: str, own_bpffs: Path, count: int, pause: float
) -> None:
    until = time.monotonic() + PATIENCE
    while len(namespaces_of(lab_name)) < count and time.monotonic() < until:
        pass
    time.sleep(pause)
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    names = namespaces_of(lab_name)
    assert len(names) >= count
    with ExitStack() as stack:  # open: the number of one that is gone may be another test's next
        inodes = {stack.enter_context(open_namespace(name)).inode for name in names.values() if is_namespace(name)}
        assert down(lab_name) == []
        assert lab_name not in labs()
        assert processes_in(inodes) == []
    assert {each.name for each in own_bpffs.rglob("*") if not each.is_dir()} <= KERNELS_OWN


@pytest.mark.parametrize("count", [1, len(MADE)])
def test_an_up_that_is_asked_to_end_leaves_nothing(begun: subprocess.Popen[bytes], lab_name: str, own_bpffs: Path, count: int) -> None:
    until = time.monotonic() + PATIENCE
    while len(namespaces_of(lab_name)) < count and time.monotonic() < until:
        pass
    begun.send_signal(signal.SIGTERM)
    assert begun.wait() == 128 + signal.SIGTERM
    assert namespaces_of(lab_name) == {}
    assert {each.name for each in own_bpffs.rglob("*") if not each.is_dir()} <= KERNELS_OWN


def test_a_signal_just_after_a_namespace_was_made_leaves_nothing(lab_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing knows of it yet but its name."""
    file = tmp_path / "lab.toml"
    file.write_text(TOPOLOGY)

    def made(name: str) -> Namespace:
        namespace = create_namespace(name)
        signal.raise_signal(signal.SIGTERM)
        return namespace

    monkeypatch.setattr(build, "create_namespace", made)
    with Terminating(), pytest.raises(Terminated):
        up(read_topology(file), name=lab_name)
    assert namespaces_of(lab_name) == {}
