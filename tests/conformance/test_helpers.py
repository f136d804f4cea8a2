"""Helpers that are not of seg6 alone, with results that both engines must give."""

from __future__ import annotations

import platform
import struct

import pytest

from pybpfnf.abi.kernels import kernel_like
from pybpfnf.abi.text import parse
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.runner import Environment, Runner
from pybpfnf.testing import packets
from pybpfnf.vm import Engine, VmRunner
from tests.kernel_support import RunningKernel

PACKET = packets.srv6(["fc00:c::2", "fc00:a::1"])
_ROUTER = Environment()
_OUT = MapSpec("out", "array", 4, 8, 4)


def results(runner: Runner, text: str, environment: Environment = _ROUTER) -> tuple[int, list[int]]:
    """The verdict as a signed number, and the four values of the map `out`."""
    program = ProgramImage("helpers", "lwt_seg6local", "lwt_seg6local", parse(text))
    with runner.open(ObjectImage((program,), {"out": _OUT}, "GPL"), program, environment) as session:
        verdict = session.run(PACKET).verdict
        values = [session.maps["out"].lookup(index.to_bytes(4, "little")) or b"" for index in range(4)]
    assert verdict is not None
    return struct.unpack("<i", verdict.to_bytes(4, "little"))[0], [int.from_bytes(value, "little") for value in values]


def load(offset: int, size: int) -> str:
    """skb_load_bytes to r10 - 8, which holds 0x55 before."""
    return (
        f"*(u32 *)(r10 - 8) = 0x55555555\n*(u32 *)(r10 - 4) = 0x55555555\nr2 = {offset}\nr3 = r10\nr3 += -8\nr4 = {size}\n"
        "call skb_load_bytes\n"
    )


_ON_STACK = "r0 = *(u32 *)(r10 - 8)\nexit"
LENGTH = len(PACKET)
LOADS = {
    "the source's last bytes": (load(20, 4) + _ON_STACK, int.from_bytes(PACKET[20:24], "little")),
    "fewer bytes leave the rest": (load(7, 1) + _ON_STACK, 0x55555500 | PACKET[7]),
    "up to the end": (load(LENGTH - 8, 8) + "exit", 0),
    "past the end": (load(LENGTH - 7, 8) + "exit", -14),
    "past the end the target is cleared": (load(LENGTH - 3, 4) + _ON_STACK, 0),
    "an offset that is negative": (load(-1, 4) + "exit", -14),
}


@pytest.mark.parametrize("name", LOADS)
def test_skb_load_bytes(runner: Runner, name: str) -> None:
    text, expected = LOADS[name]
    assert results(runner, text)[0] == expected


def csum_diff(old: bytes, new: bytes, seed: int) -> str:
    stores = [
        f"r1 = {int.from_bytes((old + new)[at : at + 4], 'little')} ll\n*(u32 *)(r10 - {64 - at}) = r1\n"
        for at in range(0, len(old + new), 4)
    ]
    before = f"r1 = r10\nr1 += -64\nr2 = {len(old)}\n" if old else "r1 = 0\nr2 = 0\n"
    after = f"r3 = r10\nr3 += {len(old) - 64}\nr4 = {len(new)}\n" if new else "r3 = 0\nr4 = 0\n"
    return "".join(stores) + before + after + f"r5 = {seed:#x} ll\ncall csum_diff\nexit"


@pytest.mark.parametrize("seed", [0, 1, 0xFFFF, 0x12345678, 0xFFFFFFFF])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"", b"abcd"),
        (b"abcd", b""),
        (b"abcd", b"abce"),
        (b"\xff" * 8, b"\0" * 8),
        (b"\0" * 4, b"\0" * 4),
        (b"", b""),
        (b"abcdefgh", b"zyxw"),
    ],
)
def test_csum_diff_is_the_one_complement_difference(runner: Runner, old: bytes, new: bytes, seed: int) -> None:
    """Congruent to seed + new - old modulo 0xffff; which of the two zeros it is, the kernel's arithmetic says (see the VM's)."""
    found = results(runner, csum_diff(old, new, seed))[0]
    words = [int.from_bytes(data[at : at + 2], "little") * sign for data, sign in ((new, 1), (old, -1)) for at in range(0, len(data), 2)]
    if runner.name == "vm" or kernel_like(platform.release()).csum_diff_folds:
        assert 0 <= found <= 0xFFFF
    assert (found & 0xFFFFFFFF) % 0xFFFF == (seed + sum(words)) % 0xFFFF


@pytest.mark.kernel
@pytest.mark.parametrize(("old", "new"), [(b"abcd", b"abce"), (b"", b"\xff" * 12), (b"\xff" * 8, b"")])
@pytest.mark.parametrize("seed", [0, 0x12345678, 0xFFFFFFFF])
def test_csum_diff_is_that_of_the_kernel_that_the_vm_follows(old: bytes, new: bytes, seed: int) -> None:
    vm, kernel = VmRunner(kernel=kernel_like(platform.release()).name), RunningKernel()
    assert results(vm, csum_diff(old, new, seed))[0] == results(kernel, csum_diff(old, new, seed))[0]


MISSING = "*(u32 *)(r10 - 4) = 7\nr2 = r10\nr2 += -4\nr1 = map[out]\ncall map_delete_elem\nr0 >>= 32\nexit"


@pytest.mark.kernel
def test_the_high_half_of_a_maps_error_is_that_of_the_kernel_that_the_vm_follows() -> None:
    vm, kernel = VmRunner(kernel=kernel_like(platform.release()).name), RunningKernel()
    assert results(vm, MISSING)[0] == results(kernel, MISSING)[0]


@pytest.mark.parametrize(("name", "half"), [("6.1", 0), ("6.12", -1), ("6.18", -1)])
@pytest.mark.parametrize("engine", [Engine.REFERENCE, Engine.COMPILED])
def test_before_linux_6_4_a_maps_error_has_32_bits(name: str, half: int, engine: Engine) -> None:
    assert results(VmRunner(engine=engine, kernel=name), MISSING)[0] == half


@pytest.mark.parametrize(("name", "answer"), [("6.1", -2), ("6.12", -2), ("6.18", 0xFFFE)])
def test_before_linux_6_13_csum_diff_is_not_folded(name: str, answer: int) -> None:
    assert results(VmRunner(kernel=name), csum_diff(b"\x01\0\0\0", b"", 0))[0] == answer


_PUT = (
    "*(u64 *)(r10 - 16) = r0\n*(u32 *)(r10 - 4) = {index}\nr2 = r10\nr2 += -4\nr3 = r10\nr3 += -16\nr1 = map[out]\nr4 = 0\n"
    "call map_update_elem\n"
)


def test_clocks_do_not_go_back_and_tai_is_not_boot(runner: Runner) -> None:
    text = "".join(
        f"call {name}\n" + _PUT.format(index=index) for index, name in enumerate(("ktime_get_ns", "ktime_get_boot_ns", "ktime_get_tai_ns"))
    )
    values = results(runner, text + "r0 = 0\nexit")[1]
    assert 0 < values[0] <= values[1] < values[2]


def test_the_cpu_is_the_environments(runner: Runner) -> None:
    assert results(runner, "call get_smp_processor_id\nexit", Environment(cpu=1))[0] == 1


def test_random_numbers_have_32_bits(runner: Runner) -> None:
    text = "".join("call get_prandom_u32\n" + _PUT.format(index=index) for index in range(4))
    values = results(runner, text + "r0 = 0\nexit")[1]
    assert all(0 <= value < 1 << 32 for value in values)
    assert len(set(values)) > 1
