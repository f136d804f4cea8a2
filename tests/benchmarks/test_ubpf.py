"""ubpf beside the VM: its calls, by a library that has the same ones; and by ubpf itself where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import clang, ubpf
from benchmarks.vm_speed import COMPILED, PROGRAMS, REFERENCE, UBPF_INTERPRETER, UBPF_JIT, measure
from pybpfnf.abi.text import parse
from pybpfnf.errors import InputError
from pybpfnf.image.model import ProgramImage

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).with_name("stand_in_ubpf.c")
STORES = "r2 = *(u32 *)(r1 + 76)\nr3 = *(u16 *)(r2 + 0)\nr3 += 1\n*(u16 *)(r2 + 0) = r3\nr0 = 0\nexit"
BEYOND = "r2 = *(u32 *)(r1 + 80)\nr0 = *(u8 *)(r2 + 0)\nexit"
PACKET = bytes(16)


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if clang.version() is None:
        pytest.skip("clang is not installed")
    library = tmp_path_factory.mktemp("ubpf") / "libubpf.so"
    subprocess.run(["clang", "-shared", "-fPIC", "-O1", "-Werror", "-o", library, STAND_IN], check=True)
    return library


def program(text: str) -> ProgramImage:
    return ProgramImage("test", "lwt_xmit", "lwt_xmit", parse(text))


def test_each_run_goes_on_with_the_packet_of_the_last(stand_in: Path) -> None:
    with ubpf.Ubpf(stand_in, program(STORES), PACKET) as vm:
        assert vm.interpreted(300) > 0
        assert vm.packet == (300).to_bytes(2, "little") + PACKET[2:]
        assert vm.jitted(5) > 0
        assert vm.packet == (305).to_bytes(2, "little") + PACKET[2:]
        vm.reset()
        assert vm.packet == PACKET


def test_a_program_that_the_interpreter_stops_is_no_time(stand_in: Path) -> None:
    with ubpf.Ubpf(stand_in, program(BEYOND), PACKET) as vm, pytest.raises(InputError, match="stopped"):
        vm.interpreted(1)


def test_the_figures_have_its_interpreter_and_its_jit(stand_in: Path) -> None:
    rows = [*measure(1, 20, has_kernel=False, ubpf=stand_in)]
    runners = (REFERENCE, COMPILED, UBPF_INTERPRETER, UBPF_JIT)
    assert [(row.program, row.runner) for row in rows] == [(program, runner) for program in PROGRAMS for runner in runners]
    assert all(row.nanoseconds > 0 for row in rows)


@pytest.mark.parametrize("kind", ["none", "text", "another"])
def test_what_is_no_such_library_is_named(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "libubpf.so"
    if kind == "text":
        library.write_text("notes")
    elif kind == "another":
        library = Path(next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libc" in line))
    monkeypatch.setenv(ubpf.VARIABLE, os.fspath(library))
    found = ubpf.find()
    assert found == library
    with pytest.raises(InputError, match="is no libubpf") as caught:
        ubpf.Ubpf(found, program(STORES), PACKET)
    assert caught.value.hint is not None


def test_the_benchmark_says_so_without_a_traceback(tmp_path: Path) -> None:
    environment = {**os.environ, ubpf.VARIABLE: str(tmp_path)}
    command = [sys.executable, "-m", "benchmarks", "vm", "--quick"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: {tmp_path} is no libubpf")
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(ubpf.find() is None, reason=f"ubpf is not installed: {ubpf.VARIABLE} names its shared library")
def test_ubpf_itself_agrees_on_the_programs() -> None:
    assert {row.runner for row in measure(1, 20, has_kernel=False, ubpf=ubpf.find())} >= {UBPF_INTERPRETER, UBPF_JIT}
