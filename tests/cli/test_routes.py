"""Programs of lwt_in, lwt_out and lwt_xmit on the command line: run on captures of both IP versions, attached to routes."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from shutil import which

import pytest

import pybpfnf
from pybpfnf.captures.pcap import read_capture
from pybpfnf.testing.packets import ipv4, ipv6, srv6, udp
from tests.cli.conftest import ETHERNET, CaptureOf, Command
from tests.cli.test_attach import TO_B0, eventually
from tests.kernel_support import run_tool

SIX, FOUR = ipv6("fc00:a::1", payload=udp()), ipv4("198.51.100.1", payload=udp())
AS_IPV4 = ETHERNET[:12] + b"\x08\x00"
PATH = ("--set", "FIRST=fc00:1::1", "--set", "LAST=fc00:2::2")
PREFIX = "2001:db8:9::/48"

TUNNEL = """
from pybpfnf import REROUTE, IPv6Address, LwtXmitPacket, Srh, Verdict, lwt_xmit


@lwt_xmit(on_fault=REROUTE)
def tunnel(pkt: LwtXmitPacket) -> Verdict:
    pkt.push_ip(Srh(path=[IPv6Address("fc00::1")]), source=IPv6Address("fc00::2"))
    return REROUTE
"""
IN_C = """
struct __sk_buff { unsigned len, fields[30]; };
__attribute__((section("prog"))) int marks(struct __sk_buff *skb) { skb->fields[1] = 9; return 128 * (skb->len > 1000); }
char _license[] __attribute__((section("license"))) = "GPL";
"""


@pytest.fixture
def tunnel(tmp_path: Path) -> Path:
    path = tmp_path / "tunnel.py"
    path.write_text(TUNNEL)
    return path


def test_run_encapsulates_the_ipv6_packets_of_a_capture(command: Command, capture_of: CaptureOf, tmp_path: Path) -> None:
    out = tmp_path / "out.pcap"
    ended = command("run", "srv6_encap", capture_of(SIX, srv6(["fc00:a::1"])), *PATH, "-w", out, "--json")
    header, first, second, _ = ended.documents
    assert header == {"program": "srv6_encap", "type": "lwt_in", "runner": "vm", "engine": "auto"}
    assert (first["verdict"], len(bytes.fromhex(first["packet"])) - len(SIX)) == ("OK", 40 + 8 + 32)
    assert bytes.fromhex(second["packet"]) == srv6(["fc00:a::1"])
    with out.open("rb") as stream:
        assert [record.packet for record in read_capture(stream, "out")] == [bytes.fromhex(each["packet"]) for each in (first, second)]


def test_run_takes_ipv4_packets_for_the_hooks_of_a_route(command: Command, capture_of: CaptureOf, tmp_path: Path, tunnel: Path) -> None:
    """The capture that is written calls each packet what it has become."""
    out = tmp_path / "out.pcap"
    ended = command("run", tunnel, capture_of(FOUR, link=AS_IPV4), "-w", out, "--json")
    _, first, _ = ended.documents
    assert (first["verdict"], first["forwarded"]) == ("REROUTE", True)
    with out.open("rb") as stream:
        (written,) = read_capture(stream, "out")
    assert (written.packet, written.header[12:]) == (bytes.fromhex(first["packet"]), b"\x86\xdd")
    assert written.packet is not None
    assert written.packet[64:][:1] == b"\x45"


def test_run_does_not_show_ipv4_packets_to_a_sid(command: Command, capture_of: CaptureOf) -> None:
    _, first, _ = command("run", "end", capture_of(FOUR, link=AS_IPV4), "--json").documents
    assert (first["verdict"], first["reason"]) == (None, "EtherType 0x0800 (ipv4), not IPv6")


@pytest.mark.skipif(which("clang") is None, reason="clang is not installed")
@pytest.mark.parametrize("hook", ["lwt_in", "lwt_out", "lwt_xmit"])
def test_run_takes_an_object_of_clang_for_the_named_hook(command: Command, capture_of: CaptureOf, tmp_path: Path, hook: str) -> None:
    source = tmp_path / "marks.c"
    source.write_text(IN_C)
    subprocess.run(["clang", "-O2", "-g", "-target", "bpf", "-c", source, "-o", source.with_suffix(".o")], check=True)
    header, first, _ = command("run", source.with_suffix(".o"), capture_of(SIX), "--type", hook, "--json").documents
    assert (header["type"], first["verdict"], first["forwarded"]) == (hook, "OK", True)


# ------------------------------------------------------------------------------------------------- on the kernel


def route() -> str:
    return " ".join(run_tool("ip", "-6", "route", "show", PREFIX).split())


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace", "own_bpffs")
def test_attach_and_detach_leave_a_route_as_it_was(command: Command) -> None:
    run_tool("ip", "-6", "route", "add", PREFIX, "dev", "b1", "metric", "7", "proto", "static")
    before = route()
    ended = command("attach", "srv6_encap", PREFIX, *PATH)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith(f"{PREFIX} on b1 runs srv6_encap (program ")
    assert "encap bpf in srv6_encap#" in route()
    assert "dev b1" in route()
    found = command("status").out.splitlines()[1].split()
    assert found[:5] == [PREFIX, "254", "b1", "in", "srv6_encap"]
    (document,) = command("status", "--json").documents
    assert (document["destination"], document["type"], document["problems"]) == (PREFIX, "lwt_in", [])
    assert command("detach", PREFIX).status == 0
    assert route() == before


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace", "own_bpffs")
def test_attach_makes_a_route_where_it_is_told(command: Command, tunnel: Path) -> None:
    ended = command("attach", tunnel, PREFIX)
    assert (ended.status, ended.out) == (2, "")
    assert "there is no route to 2001:db8:9::/48 in table 254" in ended.err
    assert "--dev DEVICE, --via ADDRESS" in ended.err
    assert command("attach", tunnel, PREFIX, "--dev", "b0", "--headroom", "64").status == 0
    assert "encap bpf xmit tunnel#" in route()
    assert command("detach", PREFIX).status == 0
    assert route() == ""


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace", "own_bpffs")
def test_a_loaded_program_holds_its_route_as_long_as_it_is_open() -> None:
    run_tool("ip", "-6", "route", "add", PREFIX, "dev", "b1")
    before = route()
    with pybpfnf.load("srv6_encap", config={"FIRST": "fc00::1", "LAST": "fc00::2"}) as nf:
        nf.attach(PREFIX)
        assert "encap bpf in srv6_encap#" in route()
    assert route() == before


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace", "own_bpffs")
def test_packets_of_the_route_meet_the_attached_program(command: Command) -> None:
    """What comes in at b0 for the prefix is encapsulated; what goes elsewhere is not seen."""
    for prefix in (PREFIX, "fc00::/16", "2001:db8:8::/48"):
        run_tool("ip", "-6", "route", "add", prefix, "dev", "b1")
    command("attach", "srv6_encap", PREFIX, *PATH)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("b1", 0))
        for destination in ("2001:db8:9::1", "2001:db8:8::1", "2001:db8:9::2"):
            wire.send(TO_B0 + ipv6(destination, payload=udp()))
    with pybpfnf.attached(PREFIX) as nf:
        assert eventually(lambda: nf["packets"][0] == 2)
        assert [fault.count for fault in nf.faults()] == [0] * len(nf.faults())
