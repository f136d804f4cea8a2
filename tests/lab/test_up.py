"""A topology becomes namespaces that do what it says, and nothing of them is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pybpfnf.errors import InputError, SystemLacksError
from pybpfnf.kernel.named_netns import open_namespace
from pybpfnf.kernel.netem import has_netem
from pybpfnf.kernel.netlink import Netlink
from pybpfnf.kernel.netns import Namespace
from pybpfnf.lab.names import LINKS, labs, namespace_of, namespaces_of
from pybpfnf.lab.read_topology import topology_of
from pybpfnf.lab.running import find_lab
from pybpfnf.lab.start import up
from pybpfnf.lab.stop import down
from tests.lab.conftest import Up, echo, routes

pytestmark = pytest.mark.kernel

LINE = """
[nodes.a]
[nodes.b]
[nodes.c]
[[links]]
ends = ["a", "b"]
[[links]]
ends = ["b", "c"]
"""
DELAYED = LINE + 'delay = "5ms"\nback = { delay = "20ms" }\n'

MEANS = pytest.mark.parametrize("means", ["process", "netem"])


def link_processes(lab: str) -> list[int]:
    """Those that were started with this lab's specification: in its links' namespace."""
    found = []
    inode = os.stat(f"/run/netns/{namespace_of(lab, LINKS)}").st_ino
    for each in Path("/proc").iterdir():
        try:
            if each.name.isdecimal() and os.stat(each / "ns" / "net").st_ino == inode:
                found.append(int(each.name))
        except OSError:
            continue
    return found


def gone(pid: int) -> bool:
    """Whether the process ends soon."""
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not Path(f"/proc/{pid}").exists()


# ------------------------------------------------------------------------------------------------------ what is made


def test_packets_cross_two_hops_and_come_back(lab: Up) -> None:
    with lab(LINE) as running:
        assert echo(running.node("a"), running.node("c").address, b"x" * 1000) > 0


@MEANS
def test_no_frame_arrives_before_its_delay(lab: Up, means: str) -> None:
    require(means)
    with lab(DELAYED, means=means) as running:
        assert min(echo(running.node("a"), "fd00::3") for _ in range(5)) >= 0.025


@MEANS
def test_a_frame_takes_the_time_that_its_rate_gives_it(lab: Up, means: str) -> None:
    """1,062 bytes, from the Ethernet header on, take 8.5 ms at 1 Mbit/s."""
    require(means)
    with lab(LINE + 'rate = "1Mbit"\n', means=means) as running:
        assert echo(running.node("a"), "fd00::3", b"x" * 1000) >= 2 * 1062 * 8 / 10**6


@MEANS
def test_jitter_takes_no_frame_before_the_least_delay_and_changes_no_order(lab: Up, means: str) -> None:
    require(means)
    with lab(LINE + 'there = { delay = "20ms", jitter = "10ms" }\n', means=means) as running:
        with running.node("c").entered():
            receiver = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        with receiver, running.node("b").entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
            receiver.bind(("fd00::3", 9))
            receiver.settimeout(5)
            began = time.monotonic()
            for number in range(50):
                sender.sendto(bytes((number,)), ("fd00::3", 9))
            found = [receiver.recv(10)[0] for _ in range(50)]
            assert time.monotonic() - began >= 0.01
        assert found == list(range(50))


def test_a_node_has_its_addresses_devices_and_routes(lab: Up) -> None:
    text = LINE.replace("[nodes.b]", '[nodes.b]\naddresses = ["fd00:b::1/64"]\nsysctls = { net.ipv6.conf.a.hop_limit = 9 }')
    with lab(text + 'addresses = ["fd00:bc::1/64", "fd00:bc::2/64"]\nmtu = 1600\n') as running:
        node = running.node("b")
        found = {each["ifname"]: each for each in json.loads(node.run(["ip", "-j", "-6", "address"]).stdout)}
        addresses = {name: {each["local"] for each in found[name]["addr_info"]} for name in found}
        assert addresses == {"lo": {"::1", "fd00:b::1"}, "a": {"fe80::2"}, "c": {"fe80::2", "fd00:bc::1"}}
        assert (found["a"]["mtu"], found["c"]["mtu"]) == (1500, 1600)
        assert routes(node) == ["fd00::1 via fe80::1 dev a metric 1024", "fd00::3 via fe80::3 dev c metric 1024"]
        assert node.run(["sysctl", "-n", "net.ipv6.conf.a.hop_limit"]).stdout == "9\n"


def test_segments_lead_packets_through_static_behaviours(lab: Up) -> None:
    text = """
[[nodes.b.sids]]
sid = "fc00:b::1"
action = "End"
[[nodes.c.sids]]
sid = "fc00:c::6"
action = "End.DT6"
table = 255
[[nodes.a.routes]]
to = "c"
segments = ["fc00:b::1", "fc00:c::6"]
"""
    with lab(LINE + text) as running:
        assert echo(running.node("a"), "fd00::3") > 0
        # The tunnel source is the node's first address; through c alone, which decapsulates, does the request become an echo.
        assert "fd00::3 encap seg6 mode encap segs 2 [ fc00:b::1 fc00:c::6 ] via fe80::2 dev b metric 1024" in routes(running.node("a"))
        assert "fd00::1" in running.node("a").run(["ip", "sr", "tunsrc", "show"]).stdout


def test_equal_ways_are_next_hops_of_one_route(lab: Up) -> None:
    text = '[nodes.a]\n[nodes.b]\n[[links]]\nends = ["a", "b"]\n[[links]]\nends = ["a", "b"]\n'
    with lab(text) as running:
        whole = " ".join(routes(running.node("a")))
        assert "nexthop via fe80::2 dev b weight 1" in whole
        assert "nexthop via fe80::2 dev b-2 weight 1" in whole
        assert echo(running.node("a"), "fd00::2") > 0


@pytest.mark.usefixtures("own_bpffs")
def test_functions_are_bound_to_sids_and_routes_with_their_values(lab: Up, tmp_path: Path) -> None:
    (tmp_path / "count.py").write_text(COUNTING)
    text = """
[[nodes.b.sids]]
sid = "fc00:b::f"
function = "count.py"
program = "counting"
config = { STEP = 10 }
[[nodes.b.routes]]
to = "c"
function = "count.py"
program = "passing"
[[nodes.a.routes]]
to = "c"
segments = ["fc00:b::f", "c"]
"""
    with lab(LINE + text, directory=tmp_path) as running:
        echo(running.node("a"), "fd00::3")
        with running.node("b").attached("fc00:b::f") as function:
            assert function["seen"][0] == 10
        # The packet goes on to c by the route that the other function is on, and so does its answer's encapsulation: none.
        with running.node("b").attached("fd00::3") as function:
            assert function["passed"][0] == 1


COUNTING = '''"""Counts what it sees."""

from pybpfnf import OK, Array, Config, LwtInPacket, Seg6Packet, Verdict, lwt_in, seg6local, u64

STEP: u64 = Config(u64)
seen = Array(u64, 1)
passed = Array(u64, 1)


@seg6local
def counting(pkt: Seg6Packet) -> Verdict:
    seen[0] += STEP
    return OK


@lwt_in(on_fault=OK)
def passing(pkt: LwtInPacket) -> Verdict:
    passed[0] += 1
    return OK
'''


@MEANS
def test_what_a_direction_loses_does_not_arrive(lab: Up, means: str) -> None:
    require(means)
    with lab(LINE + 'there = { loss = "100%" }\n', means=means) as running:
        with running.node("c").entered():
            receiver = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        with receiver:
            receiver.bind(("fd00::3", 9))
            receiver.settimeout(0.2)
            with running.node("b").entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"lost", ("fd00::3", 9))
            with pytest.raises(TimeoutError):
                receiver.recv(10)
        if means == "process":
            assert running.counters()["b-c"][0].lost > 0


def require(means: str) -> None:
    with Namespace() as namespace, namespace.entered(), Netlink() as netlink:
        if means == "netem" and not has_netem(netlink, 1):
            pytest.skip("this kernel has no netem")


def test_what_goes_over_a_link_are_frames_as_on_a_wire(lab: Up) -> None:
    """Segments of TCP, which the sender's kernel makes of far larger pieces: none is longer than the MTU, each checksum is complete."""
    with lab(DELAYED) as running:
        with running.node("c").entered():
            server = socket.create_server(("fd00::3", 9), family=socket.AF_INET6)
        with server, open_namespace(namespace_of(running.name, LINKS)) as namespace:
            with namespace.entered():
                tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            with tap, running.node("a").entered():
                with namespace.entered():
                    tap.bind(("l1e0", 0x86DD))
                with socket.create_connection(("fd00::3", 9)) as client, server.accept()[0] as served:
                    sent = bytes(range(256)) * 400
                    client.sendall(sent)
                    client.shutdown(socket.SHUT_WR)
                    received = b"".join(iter(lambda: served.recv(1 << 16), b""))
                tap.setblocking(False)
                frames = [tap.recv(1 << 17) for _ in range(40)]
    assert received == sent
    segments = [frame[14:] for frame in frames if frame[20] == socket.IPPROTO_TCP]
    assert max(len(segment) for segment in segments) == 1500
    assert {tcp_sum(segment) for segment in segments} == {0xFFFF}


def tcp_sum(packet: bytes) -> int:
    """Over the pseudo-header and the segment (RFC 9293 section 3.1): all ones where the checksum is right."""
    data = packet[8:40] + len(packet[40:]).to_bytes(4, "big") + bytes((0, 0, 0, packet[6])) + packet[40:]
    total = sum(int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_a_link_that_is_taken_away_takes_no_other_with_it(lab: Up) -> None:
    with lab(LINE.replace('"b"]\n', '"b"]\ndelay = "1ms"\n') + 'delay = "1ms"\n') as running:
        running.node("a").run(["ip", "link", "delete", "dev", "b"])
        assert echo(running.node("b"), "fd00::3") >= 0.002
        assert list(running.counters()) == ["b-c"]


def test_a_node_signs_and_checks_srhs_with_its_keys(lab: Up) -> None:
    text = """
[[nodes.b.sids]]
sid = "fc00:b::1"
action = "End"
[[nodes.a.routes]]
to = "c"
segments = ["fc00:b::1", "c"]
hmac = 7
"""
    keys = "".join(f'[[nodes.{node}.hmac_keys]]\nnumber = 7\nalgorithm = "sha256"\nsecret = "foobar"\n' for node in "abc")
    with lab(LINE + text + keys) as running:
        assert echo(running.node("a"), "fd00::3") > 0


# ----------------------------------------------------------------------------------------------------- what is left


def test_nothing_is_left_of_a_lab(lab: Up) -> None:
    with lab(DELAYED) as running:
        (process,) = link_processes(running.name)
        sleeper = running.node("a").popen(["sleep", "1000"])
    assert namespaces_of(running.name) == {}
    assert gone(process)
    assert sleeper.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        ("[nodes.d]\nsysctls = { net.ipv6.no_such_thing = 1 }\n", SystemLacksError, "net.ipv6.no_such_thing"),
        ('[[nodes.c.routes]]\nto = "default"\nvia = "b"\nfunction = "end"\n', InputError, "a route takes lwt_in"),
    ],
)
@pytest.mark.usefixtures("own_bpffs")
def test_a_lab_that_cannot_be_finished_is_not_begun(lab: Up, lab_name: str, more: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        lab(DELAYED + more)
    assert namespaces_of(lab_name) == {}


def test_a_lab_that_is_up_is_not_touched_by_another_of_its_name(lab: Up) -> None:
    with lab(LINE) as running:
        with pytest.raises(InputError, match="is up already"):
            up(topology_of(LINE, "x.toml"), name=running.name)
        assert echo(running.node("a"), "fd00::3") > 0


def test_a_lab_outlives_who_made_it_and_is_found_again(lab_name: str) -> None:
    program = f"""
import os
from pybpfnf.lab.read_topology import topology_of
from pybpfnf.lab.start import up
lab = up(topology_of({DELAYED!r}, "x.toml"), name={lab_name!r}, means="process")
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    assert lab_name in labs()
    (process,) = link_processes(lab_name)
    found = find_lab(topology_of(DELAYED, "x.toml"), name=lab_name)
    assert echo(found.node("a"), "fd00::3") >= 0.025
    found.close()
    assert down(lab_name) == []
    assert gone(process)
    assert namespaces_of(lab_name) == {}


def test_the_link_process_ends_with_the_name_of_its_namespace(lab: Up) -> None:
    running = lab(DELAYED)
    (process,) = link_processes(running.name)
    running.close()
    for name in namespaces_of(running.name).values():
        subprocess.run(["ip", "netns", "delete", name], check=True)
    assert gone(process)


def test_processes_of_others_in_a_node_are_named(lab: Up) -> None:
    running = lab(LINE)
    path = running.node("b").path
    with subprocess.Popen(["nsenter", f"--net={path}", "sleep", "1000"]) as other:
        try:
            wait_until_in(path, other.pid)
            running.close()
            assert [(each.node, each.pid, each.command) for each in down(running.name)] == [("b", other.pid, "sleep")]
        finally:
            other.kill()


def wait_until_in(path: str, pid: int) -> None:
    inode, deadline = os.stat(path).st_ino, time.monotonic() + 5
    while time.monotonic() < deadline:
        entered = os.stat(f"/proc/{pid}/ns/net").st_ino == inode
        if entered and Path(f"/proc/{pid}/comm").read_text() == "sleep\n":
            return
        time.sleep(0.01)
    raise AssertionError("it did not enter")


def test_what_cannot_be_made_is_said(lab_name: str) -> None:
    with pytest.raises(InputError, match="namespaces share the machine's"):
        up(topology_of(LINE + '[nodes.d]\nclock_offset = "1ms"\n', "x.toml"), name=lab_name)
    with pytest.raises(InputError, match="cannot be the name of a lab"):
        up(topology_of(LINE, "x.toml"), name="../x")


def test_what_is_not_up_is_said(lab_name: str) -> None:
    with pytest.raises(InputError, match=f"the lab {lab_name} is not up"):
        down(lab_name)
    with pytest.raises(InputError, match=f"the lab {lab_name} is not up"):
        find_lab(topology_of(LINE, "x.toml"), name=lab_name)
