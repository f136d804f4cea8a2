"""A function that runs within a run of its own, on the same CPU: each run has the memory for its large values to itself.

A packet that bpf_clone_redirect sends into an IPv6 tunnel is encapsulated and routed before the helper comes back
(net/ipv6/ip6_tunnel.c, ip6_tnl_xmit); where the tunnel's other end is behind a route of the same program, that runs again within.
"""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

import pybpfnf
from pybpfnf import image
from pybpfnf.backend.building.spare import MOST_RUNS, spare_name
from pybpfnf.kernel import bpffs, load_program
from pybpfnf.kernel.netns import Namespace
from pybpfnf.live import Live

# Not loaded for this test: with it each new namespace has a device ip6tnl0, with the number that the runner gives to its own.
_TUNNELS = Path("/sys/module/ip6_tunnel")

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(not _TUNNELS.exists(), reason="no IPv6 tunnels: modprobe ip6_tunnel")]

FUNCTION = """
from pybpfnf import DROP, OK, Array, Config, LwtXmitPacket, Struct, Verdict, array, lwt_xmit, u32, u64

EMPTY = (0,) * 80
TUNNEL = Config(u32)
UDP = 17


class Window(Struct):
    cells: list[u64] = array(u64, 80)


seen = Array(u64, 4)
kept = Array(Window, 2)


@lwt_xmit(on_fault=DROP)
def nested(pkt: LwtXmitPacket) -> Verdict:
    assert pkt.ipv6 is not None
    inner = pkt.ipv6.next_header != UDP
    window = Window(cells=EMPTY)
    window.cells[3] = 7 if inner else 5
    if inner:
        seen[0] += 1
        kept[1] = window
        return OK
    pkt.clone_redirect(TUNNEL)
    seen[1] += window.cells[3]
    kept[0] = window
    return OK
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", "-6", *words], check=True, capture_output=True, timeout=30)


def test_a_run_within_a_run_leaves_the_outer_ones_values_alone(tmp_path: Path, namespace: Namespace, own_bpffs: Path) -> None:
    (tmp_path / "nested.py").write_text(FUNCTION)
    ip("addr", "add", "fc00:9::1/128", "dev", "b0", "nodad")
    tunnel = ("mode", "ip6ip6", "local", "fc00:9::1", "remote", "fc00:9::2", "encaplimit", "none")
    ip("tunnel", "add", "t0", *tunnel)
    ip("link", "set", "t0", "up")
    built = image.configure(image.read(pybpfnf.build(tmp_path / "nested.py")), {"TUNNEL": socket.if_nametoindex("t0")})
    with load_program(built, built.program()) as loaded:
        pin = own_bpffs / "nested"
        bpffs.pin(loaded.fd, pin, "the program")
        for prefix in ("fc00:a::/64", "fc00:9::2/128"):
            ip("route", "add", prefix, "encap", "bpf", "xmit", "pinned", str(pin), "headroom", "64", "dev", "b0")
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x" * 8, ("fc00:a::1", 9))
        live = Live(built, loaded.maps)
        assert [live["seen"][slot] for slot in range(2)] == [1, 5]
        assert [live["kept"][slot].cells[3] for slot in range(2)] == [5, 7]
        assert [fault.count for fault in live.faults() if fault.count] == []
        entries = loaded.maps[spare_name("nested")]
        size = entries.spec.value_size
        for run in range(MOST_RUNS):
            value = entries.lookup(run.to_bytes(4, "little")) or b""
            assert {value[start : start + 8] for start in range(0, len(value), size)} == {bytes(8)}
