"""Objects as others load them: bpftool, iproute2, and the kernel's verifier at a price that stays small."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pybpfnf import backend
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import U16
from pybpfnf.image.model import ObjectImage
from pybpfnf.kernel.attrs import InfoByFd
from pybpfnf.kernel.attrs import ProgramInfo as RawProgramInfo
from pybpfnf.kernel.bpf import Command, bpf
from pybpfnf.kernel.load import load_program
from pybpfnf.kernel.netns import Namespace
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.runner import Environment, Session
from pybpfnf.testing.packets import srv6
from tests.backend.build_ir import CATALOGUE, append, binary, const, function, give, module, raw_tlv, set_srh, srh, when
from tests.backend.engine import Engine, built
from tests.backend.test_append import SEGMENTS, SHAPES

pytestmark = pytest.mark.kernel

bpftool = pytest.mark.skipif(shutil.which("bpftool") is None, reason="bpftool is not installed")
iproute2 = pytest.mark.skipif(shutil.which("ip") is None, reason="iproute2 is not installed")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


@bpftool
@pytest.mark.parametrize("counters", [False, True], ids=["bare", "counted"])
@pytest.mark.parametrize("name", CATALOGUE)
def test_bpftool_loads_the_object_without_a_word(tmp_path: Path, own_bpffs: Path, name: str, counters: bool) -> None:
    file = tmp_path / f"{name}.o"
    file.write_bytes(backend.build(CATALOGUE[name](), fault_counters=counters))
    done = run("bpftool", "prog", "loadall", file, own_bpffs / "progs")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [pin.name for pin in (own_bpffs / "progs").iterdir()] == [name]


@bpftool
def test_bpftool_loads_several_programs_of_one_section(tmp_path: Path, own_bpffs: Path) -> None:
    file = tmp_path / "both.o"
    file.write_bytes(backend.build(module(function("one", give()), function("two", set_srh("tag", srh("tag")), give()))))
    assert run("bpftool", "prog", "loadall", file, own_bpffs / "progs").returncode == 0
    assert {pin.name for pin in (own_bpffs / "progs").iterdir()} == {"one", "two"}


@iproute2
@pytest.mark.parametrize("name", CATALOGUE)
def test_iproute2_binds_the_object_to_a_sid(tmp_path: Path, namespace: Namespace, name: str) -> None:
    file = tmp_path / f"{name}.o"
    file.write_bytes(backend.build(CATALOGUE[name]()))
    where = ("endpoint", "obj", file, "section", "lwt_seg6local", "dev", "b0")
    # In a mount namespace of its own: iproute2 mounts a bpffs where there is none, and this machine's stays as it is.
    done = run("unshare", "--mount", "ip", "-6", "route", "add", "fc00:f::/64", "encap", "seg6local", "action", "End.BPF", *where)
    assert (done.returncode, done.stderr) == (0, "")
    assert "action End.BPF" in run("ip", "-6", "route", "show", "fc00:f::/64").stdout


def verified(image: ObjectImage) -> int:
    """Instructions that the verifier looked at, all ways counted."""
    raw = RawProgramInfo()
    with load_program(image, image.program()) as loaded:
        bpf(Command.OBJ_GET_INFO_BY_FD, InfoByFd(bpf_fd=loaded.fd.number, info_len=ctypes.sizeof(raw), info=ctypes.addressof(raw)))
    return int(raw.verified_insns)


@pytest.mark.linux("6.8", "its verifier joins fewer ways through a function")
def test_the_walk_over_tlvs_costs_the_verifier_little() -> None:
    """Each shape that made it follow every way through the walk by itself took hundreds of thousands."""
    once = verified(built(module(function("once", append(raw_tlv(9)), give()))))
    thrice = verified(built(module(function("thrice", append(raw_tlv(3)), append(raw_tlv(9)), append(raw_tlv(20)), give()))))
    assert once < 10_000
    assert thrice < 5 * once


def test_a_program_of_many_views_and_branches_loads() -> None:
    body: tuple[ir.Stmt, ...] = ()
    for number in range(8):
        arm = (set_srh("tag", binary("+", srh("tag"), const(number, U16))),)
        body += (when(ir.Compare(ir.CompareOp.EQ, srh("tag"), const(number, U16), srh("tag").span), arm),)
    assert verified(built(module(function("many", *body, give())))) < 100_000


@pytest.fixture(scope="module")
def sessions() -> Iterator[tuple[Session, Session]]:
    """A function that appends 9 bytes, in the kernel and in the VM."""
    router = Environment(require_hmac=-1)
    image = built(module(function("append", append(raw_tlv(9)), give())))
    with ExitStack() as stack:
        kernel = stack.enter_context(KernelRunner().open(image, image.program(), router))
        yield kernel, stack.enter_context(Engine(image, environment=router)).session


@pytest.mark.parametrize("shape", SHAPES)
def test_the_kernel_appends_as_the_vm_does(sessions: tuple[Session, Session], shape: str) -> None:
    packet = srv6(segments=SEGMENTS, tlvs=b"".join(each.encode() for each in SHAPES[shape]), fill=False)
    kernel, vm = (session.run(packet) for session in sessions)
    assert kernel.packet is not None
    assert (kernel.verdict, kernel.packet, kernel.fault) == (vm.verdict, vm.packet, vm.fault)
