"""Code against C: length, instructions executed, machine code and nanoseconds, of each function ours and as clang compiles it.

All programs of a function are bound in one router of the kernel runner, each to an address of its own, and packets come in through a
packet socket as fast as one process sends them, in turn. The kernel's nanoseconds have the helpers in them, and two clock readings.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import final

from benchmarks.measure import Spread
from benchmarks.yardsticks import YARDSTICKS, Yardstick
from pybpfnf.image.model import ObjectImage
from pybpfnf.kernel.hook_routes import HOOK_ROUTES
from pybpfnf.kernel.info import ProgramInfo, statistics
from pybpfnf.kernel.links import MAIN_TABLE, NEWROUTE
from pybpfnf.kernel.load import LoadedProgram, load_program
from pybpfnf.kernel.netlink import CREATE, EXCL
from pybpfnf.kernel.router import IN, Router
from pybpfnf.runner import Environment
from pybpfnf.vm import VmRunner

_FEED = "feed0"  # the far end of the router's incoming device
_SIOCGIFHWADDR = 0x8927
_ETH_P_IPV6 = 0x86DD
_SLOT = 8  # bytes of an instruction
OURS, OURS_UNCOUNTED, IN_C = "Python", "Python, faults uncounted", "C"
IN_FIXED_C = "C, fixed offset"  # which checks less, and is there for some functions


@final
@dataclass(frozen=True, slots=True)
class CodeFigures:
    """One variant of one function. `executed`: instructions on the good packet, by the VM. What only the kernel knows is None where it
    could not be asked: `loaded`, instructions as the verifier leaves them, `machine_code`, bytes, and `nanoseconds` a run."""

    function: str
    variant: str
    slots: int
    executed: int | None
    loaded: int | None
    machine_code: int | None
    nanoseconds: Spread | None


def measure(rounds: int, count: int, *, has_clang: bool, has_kernel: bool, where: Path) -> Iterator[CodeFigures]:
    """Each function in turn; `count` packets a variant and round. Objects go to the directory `where`."""
    for yardstick in YARDSTICKS.values():
        images = variants(yardstick, where if has_clang else None)
        asked = _in_kernel(yardstick, images, rounds, count) if has_kernel else {}
        for index, (variant, image) in enumerate(images.items()):
            on_good = executed(yardstick, image, _address(index))
            info, times = asked.get(variant, (None, None))
            loaded = None if info is None else info.xlated_size // _SLOT
            machine_code = None if info is None else info.jited_size
            yield CodeFigures(yardstick.name, variant, image.program().slots, on_good, loaded, machine_code, times)


def variants(yardstick: Yardstick, where: Path | None) -> Mapping[str, ObjectImage]:
    """The same function several ways; in C too where there is a directory for the object."""
    images = {OURS: yardstick.ours(fault_counters=True), OURS_UNCOUNTED: yardstick.ours(fault_counters=False)}
    if where is None:
        return images
    images[IN_C] = yardstick.in_c(where)
    fixed = yardstick.in_fixed_c(where)
    return images if fixed is None else {**images, IN_FIXED_C: fixed}


def _address(index: int) -> IPv6Address:
    return IPv6Address(f"fc00:a::{index + 1}")


def executed(yardstick: Yardstick, image: ObjectImage, address: IPv6Address) -> int | None:
    """Instructions that it executes in the VM on its good packet, at this address."""
    with VmRunner().open(image, image.program(), Environment()) as session:
        yardstick.fill(session.maps)
        return session.run(yardstick.packet(address)).instructions


def _in_kernel(
    yardstick: Yardstick, images: Mapping[str, ObjectImage], rounds: int, count: int
) -> Mapping[str, tuple[ProgramInfo, Spread]]:
    with ExitStack() as stack:
        router = stack.enter_context(Router(Environment()))
        programs: dict[str, LoadedProgram] = {}
        for index, (variant, image) in enumerate(images.items()):
            programs[variant] = stack.enter_context(load_program(image, image.program()))
            yardstick.fill(programs[variant].maps)
            _bind(router, programs[variant], _address(index))
        wire = stack.enter_context(_sender(router))
        stack.enter_context(statistics())
        stack.enter_context(_one_cpu())
        frames = {variant: wire.frame(yardstick.packet(_address(index))) for index, variant in enumerate(images)}
        taken: dict[str, list[float]] = {variant: [] for variant in images}
        for _ in range(rounds):
            for variant, program in programs.items():
                taken[variant].append(_nanoseconds(program, wire, frames[variant], count))
        return {variant: (program.info(), Spread.of(taken[variant])) for variant, program in programs.items()}


def _bind(router: Router, program: LoadedProgram, address: IPv6Address) -> None:
    route_of = HOOK_ROUTES[program.info().type].route_of
    message = route_of(IPv6Network(address), MAIN_TABLE, router.out_index, program.fd, program.program.name)
    router.netlink.send(message.encode(), NEWROUTE, CREATE | EXCL)


def _nanoseconds(program: LoadedProgram, wire: Sender, frame: bytes, count: int) -> float:
    before = program.info()
    wire.send(frame, count)
    after = program.info()
    return (after.run_ns - before.run_ns) / (after.run_count - before.run_count)


@final
class Sender:
    """Sends frames into the router as fast as it can."""

    def __init__(self, device: str, target: bytes) -> None:
        self._target = target
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((device, 0))

    def frame(self, packet: bytes) -> bytes:
        return self._target + bytes(6) + _ETH_P_IPV6.to_bytes(2, "big") + packet

    def send(self, frame: bytes, count: int) -> None:
        send = self._socket.send
        for _ in range(count):
            send(frame)

    def close(self) -> None:
        self._socket.close()


@contextmanager
def _sender(router: Router) -> Iterator[Sender]:
    with router.namespace.entered():
        sender = Sender(_FEED, _hardware_address(IN))
    try:
        yield sender
    finally:
        sender.close()


def _hardware_address(device: str) -> bytes:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, _SIOCGIFHWADDR, struct.pack("256s", device.encode()))
    return answer[18:24]


@contextmanager
def _one_cpu() -> Iterator[None]:
    """Sender and program share one core, so that the caches are as warm as a busy router's."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
