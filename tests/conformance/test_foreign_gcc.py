"""A function as GCC builds it: what becomes of packets in the VM is what becomes of them in the kernel."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from pybpfnf import image
from pybpfnf.image.model import ObjectImage
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.runner import Environment
from pybpfnf.testing.differential import Comparison, Differential
from pybpfnf.testing.hostile import mutated_packets
from pybpfnf.testing.packets import srv6
from pybpfnf.vm import Engine, VmRunner

# The committed object, for where there is no GCC for BPF (Debian's package gcc-bpf): bpf-gcc -O2 -mcpu=v2 -c gcc.c -o gcc.o
FOREIGN = Path(__file__).parent / "foreign"
SEGMENTS = ["fc00:3::3", "fc00:2::2"]
SLOTS, STEP = (3, 1, 0, 2), 3  # of gcc.c: `order`, `step`
PACKETS = [*(srv6(SEGMENTS, tag=tag) for tag in range(8)), *mutated_packets(3, 200)]


def committed() -> ObjectImage:
    return image.read((FOREIGN / "gcc.o").read_bytes())


@cache
def built(*options: str) -> ObjectImage:
    gcc = shutil.which("bpf-gcc")
    if gcc is None:
        pytest.skip("GCC for BPF is not installed: apt-get install gcc-bpf")
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory) / "gcc.o"
        subprocess.run([gcc, *options, "-c", "gcc.c", "-o", str(made)], cwd=FOREIGN, check=True, capture_output=True)
        return image.read(made.read_bytes())


def run(whole: ObjectImage) -> tuple[list[tuple[object, ...]], list[int]]:
    """What became of the packets, and what was counted."""
    with VmRunner().open(whole, whole.program(), Environment()) as session:
        outcomes = [session.run(packet) for packet in PACKETS]
        counts = [session.maps["tags"].lookup(slot.to_bytes(4, "little")) for slot in SLOTS]
    return [(each.verdict, each.packet, each.runs) for each in outcomes], [int.from_bytes(count or b"", "little") for count in counts]


@pytest.mark.kernel
@pytest.mark.parametrize("engine", [Engine.REFERENCE, Engine.COMPILED])
def test_what_becomes_of_packets_is_the_same(engine: Engine) -> None:
    whole, comparison = committed(), Comparison()
    with Differential(whole, whole.program(), Environment(), VmRunner(engine=engine), KernelRunner()) as both:
        assert [found.lines for found in both.run(PACKETS, comparison)] == []
        vm, kernel = ([session.maps["tags"].lookup(slot.to_bytes(4, "little")) for slot in SLOTS] for session in both.sessions[:2])
    assert vm == kernel
    assert comparison.forwarded > 50


def test_it_does_what_it_is_for() -> None:
    outcomes, counts = run(committed())
    packets = [packet for _, packet, _ in outcomes[:8]]
    assert [packet[46:48] if isinstance(packet, bytes) else b"" for packet in packets] == [b"\0\3"] * 4 + [b"\0\6"] * 4
    assert all(count >= 2 * STEP and count % STEP == 0 for count in counts)


@pytest.mark.parametrize("options", ["-O1", "-O2", "-O2 -g", "-Os", "-O2 -mcpu=v3"])
def test_it_is_the_same_however_it_was_built(options: str) -> None:
    assert run(built(*options.split())) == run(committed())
