"""Objects for the hooks of a route, as iproute2 and bpftool load them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import pybpfnf
from pybpfnf.kernel.netns import Namespace
from tests.backend.test_on_the_kernel import bpftool, run
from tests.dsl.cases import HEADER

pytestmark = pytest.mark.kernel

BODIES = {
    "lwt_in": (
        "LwtInPacket",
        "if pkt.ipv6 is not None:\n        pkt.push_encap(Srh(path=[A]))\n        return OK\n    pkt.push_ip(Srh(path=[A]), source=A)\n"
        "    return REROUTE",
    ),
    "lwt_out": ("LwtOutPacket", "return DROP if pkt.srh is not None and pkt.srh.tag == 3 else OK"),
    "lwt_xmit": ("LwtXmitPacket", "assert pkt.srh is None\n    pkt.push_ip(Srh(path=[A, A]), source=A)\n    return REROUTE"),
}


@pytest.fixture(params=BODIES)
def built(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A hook, and an object of a program for it."""
    hook = str(request.param)
    packet, body = BODIES[hook]
    source, file = tmp_path / "case.py", tmp_path / "case.o"
    source.write_text(f'{HEADER}A = IPv6Address("fc00::1")\n\n@{hook}(on_fault=DROP)\ndef f(pkt: {packet}) -> Verdict:\n    {body}\n')
    file.write_bytes(pybpfnf.build(source))
    return hook, file


@pytest.mark.skipif(shutil.which("ip") is None, reason="iproute2 is not installed")
def test_iproute2_puts_the_object_on_a_route(built: tuple[str, Path], namespace: Namespace) -> None:
    hook, file = built
    place = hook.removeprefix("lwt_")
    done = run(
        "unshare", "--mount", "ip", "-6", "route", "add", "fc00:f::/64", "encap", "bpf", place, "obj", file, "section", hook, "dev", "b0"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"encap bpf {place}" in run("ip", "-6", "route", "show", "fc00:f::/64").stdout


@bpftool
def test_bpftool_loads_the_object_without_a_word(built: tuple[str, Path], own_bpffs: Path) -> None:
    _, file = built
    done = run("bpftool", "prog", "loadall", file, own_bpffs / "progs")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
