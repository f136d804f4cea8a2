"""XDP and traffic control as clang builds them: sections of any name, maps as structs, functions in `.text`, global data, with and without
debug information. What becomes of frames in the VM is what becomes of them in the kernel."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from itertools import product
from pathlib import Path

import pytest

from pybpfnf import image
from pybpfnf.image.model import ObjectImage
from pybpfnf.runner import Outcome
from pybpfnf.testing.packets import inner, ipv6
from pybpfnf.vm import Engine, VmRunner
from tests.conformance.test_devices import BROADCAST, IPV4, IPV6, LLC, MACS, ROUTER, SRV6, TAGGED, TWICE
from tests.kernel_support import RunningKernel

# The committed object, for where there is no clang: clang-19 -O2 -target bpf -DELF_MAPS -c devices.c -o devices.o
# (that of clang 14 loses stores to the packet in `tunnel`, where clang 16 and 19 have them: builds of one clang are compared).
FOREIGN = Path(__file__).parent / "foreign"
OPTIONS = [tuple(filter(None, chosen)) for chosen in product(("-O1", "-O2"), ("-mcpu=v1", "-mcpu=v3"), ("", "-g"), ("-DELF_MAPS", ""))]
TUNNELLED = MACS + b"\x86\xdd" + ipv6("fd00::2", payload=inner(IPV6[14:]))
FRAMES = (IPV6, IPV4, SRV6, TAGGED, TWICE, BROADCAST, LLC, TUNNELLED, IPV6, IPV4, IPV4, IPV4)
TYPES = {
    "filter": "xdp", "reflect": "xdp", "tunnel": "xdp", "by_port": "xdp", "told": "xdp", "last": "xdp", "translate": "sched_cls",
    "retag": "sched_cls", "decap": "sched_cls", "summed": "sched_cls",
}  # fmt: skip


@cache
def built(options: tuple[str, ...]) -> ObjectImage:
    clang = shutil.which("clang") or shutil.which("clang-14")
    if clang is None:
        pytest.skip("clang is not installed")
    command = [clang, "-w", *options, "-target", "bpf", "-c", "devices.c", "-o", "-"]
    return image.read(subprocess.run(command, cwd=FOREIGN, check=True, capture_output=True).stdout, types=TYPES)


def run(runner: VmRunner | RunningKernel, whole: ObjectImage, program: str) -> list[Outcome]:
    with runner.open(whole, whole.program(program), ROUTER) as session:
        return [session.run(frame) for frame in FRAMES]


def shown(outcome: Outcome) -> tuple[object, ...]:
    return outcome.verdict, outcome.packet, outcome.mark, outcome.log, outcome.fault


@pytest.mark.kernel
@pytest.mark.parametrize("program", TYPES)
def test_what_becomes_of_frames_is_the_same(program: str) -> None:
    whole = image.read((FOREIGN / "devices.o").read_bytes(), types=TYPES)
    kernel = [shown(outcome) for outcome in run(RunningKernel(), whole, program)]
    for engine in (Engine.REFERENCE, Engine.COMPILED):
        assert [shown(outcome) for outcome in run(VmRunner(engine=engine), whole, program)] == kernel


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_it_is_the_same_however_it_was_built(options: tuple[str, ...]) -> None:
    first = built(("-O2", "-DELF_MAPS"))
    for program in TYPES:
        if program == "told" and "-DELF_MAPS" not in options:
            continue  # whose tail call leads nowhere without iproute2's sections
        assert list(map(shown, run(VmRunner(), built(options), program))) == list(map(shown, run(VmRunner(), first, program)))


def test_the_programs_do_what_they_are_for() -> None:
    """So that the comparisons are of something."""
    whole = image.read((FOREIGN / "devices.o").read_bytes(), types=TYPES)
    filtered = [outcome.verdict for outcome in run(VmRunner(), whole, "filter")]
    assert filtered == [2, 2, 2, 1, 1, 2, 1, 2, 2, 1, 1, 1]
    reflected = run(VmRunner(), whole, "reflect")[1]
    assert (reflected.verdict, (reflected.packet or b"")[:14]) == (3, MACS[6:] + MACS[:6] + b"\x08\x00")
    assert run(VmRunner(), whole, "tunnel")[0].packet == MACS + b"\x86\xdd" + ipv6("fd02::", source="fd01::", payload=inner(IPV6[14:]))
    assert [outcome.log for outcome in run(VmRunner(), whole, "told")][:2] == [("frame 1 of 78 bytes",), ("frame 2 of 64 bytes",)]
    assert (run(VmRunner(), whole, "retag")[3].packet or b"")[12:18] == b"\x81\x00\x00\x07\x86\xdd"
    assert run(VmRunner(), whole, "decap")[7].packet == IPV6
    assert run(VmRunner(), whole, "summed")[0].redirected[0].frame == IPV6
