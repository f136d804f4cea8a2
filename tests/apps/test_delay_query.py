"""Probes of our own: their bytes, and what becomes of them between two hosts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest

import pybpfnf
from pybpfnf.apps.delay.protocol import ProtocolError, measurement_in
from pybpfnf.apps.delay.query import Answers, Probe
from pybpfnf.errors import InputError
from pybpfnf.kernel.netns import Namespace
from pybpfnf.testing.packets import Payload, Tlv, pad, srv6
from tests.functions.delay_checks import SECOND, dm, uro
from tests.kernel_support import wait_until_up

HOST, ROUTER, SID = "fd00:1::1", "fd00:1::2", "fc00:f::d"
T1 = 1_700_000_000 * SECOND + 5
NOTHING = Payload(59, b"")


def probe(*segments: str, two_way: bool) -> Probe:
    return Probe(tuple(map(IPv6Address, segments)), IPv6Address(HOST), two_way, session=9)


def test_a_two_way_probe_comes_back_to_us() -> None:
    right = srv6([HOST, "fc00:2::2", SID], tlvs=[dm(control=0, session=9, times=(T1, 0, 0, 0))], payload=NOTHING, source=HOST)
    assert probe(SID, "fc00:2::2", two_way=True).encode(T1, 0) == right


def test_a_one_way_probe_names_us_and_ends_behind_its_last_segment() -> None:
    tlvs = [dm(control=1, session=9, times=(T1, 0, 0, 0)), uro(HOST, 4000), pad(4)]
    assert probe(SID, two_way=False).encode(T1, 4000) == srv6([SID, SID], tlvs=tlvs, payload=NOTHING, source=HOST)


@pytest.mark.parametrize(("two_way", "room"), [(True, 123), (False, 122)])
def test_a_probe_has_as_many_segments_as_an_srh_has_room_for(two_way: bool, room: int) -> None:
    assert len(probe(*[SID] * room, two_way=two_way).encode(T1, 1)) <= 40 + 8 * 256
    with pytest.raises(InputError, match=f"room for {room} segments here, and these are {room + 1}"):
        probe(*[SID] * (room + 1), two_way=two_way).encode(T1, 1)


@pytest.mark.parametrize("segment", ["ff02::1", "fe80::1", "::"])
def test_an_address_that_no_route_leads_to_is_no_segment(segment: str) -> None:
    with pytest.raises(InputError, match="cannot be a segment"):
        probe(SID, segment, two_way=True).encode(T1, 1)


def came_back(*tlvs: Tlv, left: int = 0) -> bytes:
    return srv6([HOST, SID], segments_left=left, tlvs=tlvs, payload=NOTHING, destination=HOST)


def test_the_times_are_found_in_what_comes_back() -> None:
    found = measurement_in(came_back(Tlv(9, b"abcd"), dm(control=1, version=0x81, times=(T1, 2, 3, 0))), IPv6Address(HOST))
    assert (found.t1, found.t2, found.t3, found.response) == (T1, 2, 3, True)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        came_back(dm())[:90],
        came_back(),
        came_back(Tlv(9, b"abcd")),
        came_back(dm(), left=1),
        came_back(dm(length=200)),
        srv6([SID, HOST], segments_left=0, tlvs=[dm()], destination=SID),
        b"\x45" + came_back(dm())[1:],
    ],
)
def test_other_packets_have_none(packet: bytes) -> None:
    with pytest.raises(ProtocolError):
        measurement_in(packet, IPv6Address(HOST))


def test_quantiles_are_of_the_nearest_rank() -> None:
    answers = Answers(200, tuple(range(100, 0, -1)), Counter({"bad version": 3}))
    assert [answers.quantile(share) for share in (0.0, 0.5, 0.99, 0.995, 1.0)] == [1, 50, 99, 100, 100]
    assert answers.lost == 97


def test_without_an_answer_there_is_no_quantile() -> None:
    with pytest.raises(InputError, match="no probe was answered"):
        Answers(1).quantile(0.5)


# -------------------------------------------------------------------------------------------------------- two hosts


def run(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True)


@pytest.fixture
def hosts(own_bpffs: Path) -> Iterator[tuple[Namespace, Namespace]]:
    """A host and a router, in namespaces of their own, with a wire between them; `fc00::/16` is behind the router."""
    with Namespace() as host, Namespace() as router:
        with host.entered():
            run(f"ip link add h0 type veth peer name r0 netns {router.path}")
            for command in (f"addr add {HOST}/64 dev h0 nodad", "link set h0 up", "link set lo up"):
                run(f"ip {command}")
        with router.entered():
            for command in (f"addr add {ROUTER}/64 dev r0 nodad", "link set r0 up", "link set lo up"):
                run(f"ip {command}")
            run("sysctl -qw net.ipv6.conf.all.forwarding=1")
        with host.entered():
            run(f"ip -6 route add fc00::/16 via {ROUTER}")
            wait_until_up("h0")
        with router.entered():
            wait_until_up("r0")
        yield host, router


def ask(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pybpfnf", "delay", "query", SID, "--interval", "0.005", *options]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.kernel
def test_two_way_probes_bring_the_time_there_and_back(hosts: tuple[Namespace, Namespace]) -> None:
    host, router = hosts
    with router.entered():
        pybpfnf.attach("end_dm", SID, dev="r0")
    with host.entered():
        asked = ask("--count", "20", "--json")
    assert asked.returncode == 0, asked.stderr
    found = json.loads(asked.stdout)
    assert (found["sent"], found["lost"], found["errors"], len(found["delays"])) == (20, 0, {}, 20)
    assert [delay for delay in found["delays"] if not 0 < delay < SECOND] == []
    with host.entered():
        assert "3 probes, 3 answers, 0 lost" in ask("--count", "3").stdout


@pytest.mark.kernel
def test_answers_to_probes_that_leave_without_a_pause_are_taken_between_them(hosts: tuple[Namespace, Namespace]) -> None:
    host, router = hosts
    with router.entered():
        pybpfnf.attach("end_dm", SID, dev="r0")
    with host.entered():
        asked = ask("--count", "1500", "--interval", "0")
    assert asked.stdout.startswith("1500 probes, 1500 answers, 0 lost")


@pytest.mark.kernel
def test_one_way_probes_are_answered_by_the_responder(hosts: tuple[Namespace, Namespace]) -> None:
    host, router = hosts
    with router.entered():
        command = [sys.executable, "-m", "pybpfnf", "delay", "responder", SID, "--dev", "r0"]
        responder = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert responder.stderr is not None
        assert json.loads(responder.stderr.readline())["event"] == "attached"
        with host.entered():
            asked = ask("--one-way", "--count", "20", "--json")
        assert asked.returncode == 0, asked.stderr
        found = json.loads(asked.stdout)
        assert (found["lost"], len(found["delays"])) == (0, 20)
        assert [delay for delay in found["delays"] if not 0 < delay < SECOND] == []
    finally:
        responder.terminate()
        responder.communicate()


@pytest.mark.kernel
def test_without_an_answer_it_says_what_to_look_at(hosts: tuple[Namespace, Namespace]) -> None:
    with hosts[0].entered():
        asked = ask("--count", "2", "--timeout", "0.1")
    assert asked.returncode == 3
    assert "2 probes, 0 answers, 2 lost" in asked.stdout
    assert f"does {SID} run end_dm" in asked.stderr


@pytest.mark.kernel
def test_without_a_responder_a_one_way_query_names_it(hosts: tuple[Namespace, Namespace]) -> None:
    with hosts[0].entered():
        asked = ask("--one-way", "--count", "2", "--timeout", "0.1")
    assert asked.returncode == 3
    assert f"`pybpfnf delay responder {SID} --dev DEV`" in asked.stderr


@pytest.mark.kernel
def test_the_way_back_may_be_written_down(hosts: tuple[Namespace, Namespace]) -> None:
    host, router = hosts
    with router.entered():
        pybpfnf.attach("end_dm", SID, dev="r0")
    with host.entered():
        assert "3 probes, 3 answers, 0 lost" in ask(HOST, "--count", "3").stdout
        assert "3 probes, 3 answers, 0 lost" in ask(HOST, "--count", "3", "--source", HOST).stdout
        other = ask(HOST, "--source", "::1")
    assert (other.returncode, other.stdout) == (2, "")
    assert f"the way back ends at {HOST}, and answers are to come to ::1" in other.stderr


def test_a_way_of_our_own_address_alone_is_refused() -> None:
    asked = subprocess.run([sys.executable, "-m", "pybpfnf", "delay", "query", "::1"], capture_output=True, text=True)
    assert asked.returncode == 2
    assert "::1 is this host's own address" in asked.stderr


def test_a_segment_that_is_no_ipv6_address_is_refused() -> None:
    asked = subprocess.run([sys.executable, "-m", "pybpfnf", "delay", "query", "10.0.0.1"], capture_output=True, text=True)
    assert asked.returncode == 2
    assert "10.0.0.1: expected IPv6 addresses" in asked.stderr
