"""A topology in this process: every packet at its nanosecond, and each run like the one before."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from itertools import pairwise
from pathlib import Path

import pytest

from pybpfnf.captures.pcap import read_capture
from pybpfnf.errors import InputError
from pybpfnf.lab.datagram import Datagram
from pybpfnf.lab.topology import Direction, End, Function, Link, Node, Packets, Route, Sid, Topology, Via
from pybpfnf.lab.virtual import EPOCH, VirtualLab
from pybpfnf.routes import Seg6, Seg6Local
from pybpfnf.testing.packets import icmpv6_echo, ipv6, srv6, udp

MS = 10**6
OUT, BACK = 5 * MS, 20 * MS
PORT = 4242
WATCH = """\
from pybpfnf import OK, Config, RingBuf, Seg6Packet, State, Struct, Verdict, monotonic, realtime, seg6local, u32, u64


class Seen(Struct):
    at: u64
    up: u64
    label: u32
    state: u32


seen = RingBuf(Seen, 4096)
LABEL = Config(u32)
STATE = State(u32)


@seg6local
def watch(pkt: Seg6Packet) -> Verdict:
    seen.emit(Seen(at=realtime(), up=monotonic(), label=LABEL, state=STATE))
    return OK
"""
OTHER = """\
from pybpfnf import OK, LwtInPacket, Verdict, lwt_in


@lwt_in(on_fault=OK)
def nothing(pkt: LwtInPacket) -> Verdict:
    return OK
"""
FORWARD, RETURN = Direction(OUT), Direction(BACK)


def both(left: str, right: str) -> Link:
    return Link((End(left, Direction(MS)), End(right, Direction(MS))))


def line(*names: str, out: Direction = FORWARD, back: Direction = RETURN, seed: int = 0) -> Topology:
    """Nodes in a row, `out` from left to right and `back` the other way."""
    links = tuple(Link((End(left, out), End(right, back))) for left, right in pairwise(names))
    return Topology("line", tuple(map(Node, names)), links, seed=seed)


def arrivals(lab: VirtualLab, node: str, port: int = PORT) -> list[int]:
    """The times at which datagrams arrive there, as they come."""
    times: list[int] = []
    lab.node(node).listen(port, lambda datagram: times.append(lab.now))
    return times


def to(destination: str, *, port: int = PORT, hop_limit: int = 64, size: int = 8) -> bytes:
    return ipv6(destination, source="fd00::1", payload=udp(bytes(size), destination_port=port), hop_limit=hop_limit)


# ------------------------------------------------------------------------------------------------------- time and links


def test_a_packet_takes_the_delays_of_the_links_on_its_way() -> None:
    with VirtualLab(line("a", "b", "c")) as lab:
        times = arrivals(lab, "c")
        lab.send("a", to("fd00::3"), at=7)
        lab.run()
        assert times == [7 + 2 * OUT]


def test_a_datagram_and_its_answer_take_both_delays() -> None:
    with VirtualLab(line("a", "b", "c")) as lab:
        times = arrivals(lab, "a", 99)

        def answer(datagram: Datagram) -> None:
            lab.node("c").send_udp(datagram.data[::-1], datagram.source, datagram.source_port)

        lab.node("c").listen(PORT, answer)
        lab.node("a").send_udp(b"hello", "fd00::3", PORT, source_port=99)
        lab.run()
        assert times == [2 * OUT + 2 * BACK]


def test_frames_wait_for_one_another_where_there_is_a_rate() -> None:
    # 1,000 bytes with the Ethernet header, at 8 Mbit/s: a millisecond each.
    with VirtualLab(line("a", "b", out=Direction(OUT, rate=8_000_000))) as lab:
        times = arrivals(lab, "b")
        for _ in range(3):
            lab.send("a", to("fd00::2", size=1000 - 14 - 48))
        lab.run()
        assert times == [OUT + MS, OUT + 2 * MS, OUT + 3 * MS]


def test_what_finds_the_queue_full_is_lost_and_said() -> None:
    with VirtualLab(line("a", "b", out=Direction(rate=8_000_000, queue=Packets(1)))) as lab:
        times = arrivals(lab, "b")
        for _ in range(2):
            lab.send("a", to("fd00::2"))
        lab.run()
        assert len(times) == 1
        assert [(drop.where, drop.reason) for drop in lab.drops] == [("a-b", "the queue is full")]
        assert [frame.reason for frame in lab.captured("a-b")] == [None, "the queue is full"]


def test_loss_and_jitter_are_the_same_in_every_run() -> None:
    rough = Direction(OUT, jitter=2 * MS, loss=0.2)

    def run(seed: int) -> list[int]:
        with VirtualLab(line("a", "b", "c", out=rough, seed=seed)) as lab:
            times = arrivals(lab, "c")
            for number in range(200):
                lab.send("a", to("fd00::3"), at=number * MS)
            lab.run()
            return times

    assert run(1) == run(1) != run(2)
    assert 100 < len(run(1)) < 156  # 128 are to be expected


def test_the_lab_stops_when_it_is_told_to_and_goes_on() -> None:
    with VirtualLab(line("a", "b", "c")) as lab:
        times = arrivals(lab, "c")
        lab.send("a", to("fd00::3"))
        lab.run(until=2 * OUT - 1)
        assert (times, lab.now) == ([], 2 * OUT - 1)
        lab.run(until=2 * OUT)
        assert times == [2 * OUT]


def test_what_is_due_at_one_time_happens_in_the_order_in_which_it_was_asked_for() -> None:
    with VirtualLab(line("a", "b")) as lab:
        said: list[str] = []
        lab.at(5, lambda: said.append("first"))
        lab.after(5, lambda: said.append("second"))
        lab.at(3, lambda: said.append("before"))
        lab.run()
        assert said == ["before", "first", "second"]


def test_the_past_is_over() -> None:
    with VirtualLab(line("a", "b")) as lab:
        lab.run(until=10)
        with pytest.raises(InputError, match="9 ns is over: it is 10 ns"):
            lab.send("a", to("fd00::2"), at=9)


# -------------------------------------------------------------------------------------------------------------- nodes


def test_routers_answer_who_sends_what_they_cannot_forward() -> None:
    with VirtualLab(line("a", "b", "c")) as lab:
        found: list[tuple[int, str, bytes]] = []
        lab.node("a").on_icmp(lambda packet: found.append((lab.now, str(IPv6Address(packet[8:24])), packet[40:42])))
        lab.send("a", to("fd00::3", hop_limit=1))
        lab.send("a", to("fd00::3", port=9), at=MS)
        lab.run()
        assert found == [(OUT + BACK, "fd00::2", b"\x03\x00"), (MS + 2 * OUT + 2 * BACK, "fd00::3", b"\x01\x04")]


def test_an_echo_request_comes_back() -> None:
    with VirtualLab(line("a", "b", "c")) as lab:
        lab.send("a", ipv6("fd00::3", source="fd00::1", payload=icmpv6_echo(b"x")))
        lab.run()
        ((at, packet),) = [(each.at, each.packet) for each in lab.node("a").received]
        assert (at, packet[40], packet[48:]) == (2 * OUT + 2 * BACK, 129, b"x")


def test_a_packet_longer_than_a_links_mtu_is_answered() -> None:
    topology = line("a", "b", "c")
    narrow = Topology("narrow", topology.nodes, (topology.links[0], Link(topology.links[1].ends, mtu=1300)))
    with VirtualLab(narrow) as lab:
        lab.send("a", to("fd00::3", size=1300))
        lab.run()
        (answer,) = lab.node("a").received
        assert answer.packet[40:48] == bytes((2, 0)) + answer.packet[42:44] + (1300).to_bytes(4, "big")


def test_segments_are_visited_in_turn() -> None:
    b = Node("b", sids=(Sid(IPv6Network("fc00:2::1"), Seg6Local("End")),))
    star = Topology("star", (Node("a"), b, Node("c"), Node("d")), tuple(both("c", each) for each in "abd"))
    with VirtualLab(star) as lab:
        times = arrivals(lab, "d")
        lab.send("a", srv6(["fd00::4", "fc00:2::1"], source="fd00::1", payload=udp(destination_port=PORT)))
        lab.run()
        assert times == [4 * MS]  # a c b c d
        assert [frame.source for frame in lab.captured("c-b")] == ["c", "b"]


def test_a_route_encapsulates_what_a_node_sends_and_the_other_end_takes_it_out() -> None:
    a = Node("a", routes=(Route(IPv6Network("fd09::1"), does=Seg6("encap", (IPv6Address("fc00:3::6"),))),))
    c = Node(
        "c", (IPv6Interface("fd00::3"), IPv6Interface("fd09::1")), sids=(Sid(IPv6Network("fc00:3::6"), Seg6Local("End.DT6", table=255)),)
    )
    topology = Topology("tunnel", (a, Node("b"), c), line("a", "b", "c").links)
    with VirtualLab(topology) as lab:
        times = arrivals(lab, "c")
        lab.send("a", to("fd09::1"))
        lab.run()
        assert times == [2 * OUT]
        (frame,) = lab.captured("b-c")
        assert frame.packet[6] == 43
        assert len(frame.packet) == len(to("fd09::1")) + 40 + 24


def test_flows_spread_over_equal_ways() -> None:
    square = Topology(
        "square",
        tuple(map(Node, "abcd")),
        tuple(both(left, right) for left, right in ("ab", "ac", "bd", "cd")),
    )
    with VirtualLab(square) as lab:
        times = arrivals(lab, "d")
        for label in range(100):
            lab.send("a", ipv6("fd00::4", source="fd00::1", flow_label=label, payload=udp(destination_port=PORT)))
        lab.run()
        assert times == [2 * MS] * 100
        assert 30 < len(lab.captured("a-b")) < 70


def test_a_next_hop_that_a_route_names_is_taken_with_its_weight() -> None:
    a = Node("a", routes=(Route(IPv6Network("fd00::4"), via=(Via("b", 1), Via("c", 9))),))
    square = Topology("square", (a, *map(Node, "bcd")), tuple(both(left, right) for left, right in ("ab", "ac", "bd", "cd")))
    with VirtualLab(square) as lab:
        for label in range(200):
            lab.send("a", ipv6("fd00::4", source="fd00::1", flow_label=label, payload=udp()))
        lab.run()
        assert 5 < len([frame for frame in lab.captured("a-b") if frame.source == "a"]) < 40


def test_a_port_is_listened_at_once() -> None:
    with VirtualLab(line("a", "b")) as lab:
        arrivals(lab, "b")
        with pytest.raises(InputError, match="somebody listens at port 4242 of b already"):
            arrivals(lab, "b")


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda lab: lab.node("z"), "there is no node 'z'"),
        (lambda lab: lab.captured("a-z"), "there is no link 'a-z'"),
        (lambda lab: lab.node("a").attached("fc00::1"), "there is no function at fc00::1 of a"),
        (lambda lab: lab.node("a").listen(0, print), "0 is no port"),
    ],
)
def test_what_is_not_there_is_refused(ask: Callable[[VirtualLab], object], said: str) -> None:
    with VirtualLab(line("a", "b")) as lab, pytest.raises(InputError, match=said):
        ask(lab)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (Node("b", sysctls=(("ipv4/ip_forward", 1),)), "node b: this router has no sysctl net.ipv4.ip_forward"),
        (Node("b", sids=(Sid(IPv6Network("fc00::2"), Seg6Local("End", flavors=("usd",))),)), "node b: End has no flavor usd"),
    ],
)
def test_what_a_router_in_process_lacks_is_said_with_its_node(node: Node, said: str) -> None:
    with pytest.raises(InputError, match=said):
        VirtualLab(Topology("lacking", (Node("a"), node), (both("a", "b"),)))


# ---------------------------------------------------------------------------------------------------------- functions


@pytest.fixture
def watched(tmp_path: Path) -> Topology:
    """a - b - c, with a function at b, whose clock is a second ahead."""
    (tmp_path / "watch.py").write_text(WATCH, encoding="utf-8")
    function = Function("watch.py", (("LABEL", 1000),))
    b = Node("b", sids=(Sid(IPv6Network("fc00:2::1"), function),), clock_offset=10**9)
    return Topology("watched", (Node("a"), b, Node("c")), line("a", "b", "c").links, directory=tmp_path)


def probe() -> bytes:
    return srv6(["fd00::3", "fc00:2::1"], source="fd00::1", payload=udp(destination_port=PORT))


def test_a_function_sees_its_nodes_clock_when_the_packet_comes(watched: Topology) -> None:
    with VirtualLab(watched) as lab:
        live = lab.node("b").attached("fc00:2::1")
        for at in (3, 10, 7 * MS):
            lab.send("a", probe(), at=at)
        lab.run()
        records = list(live["seen"])
        assert [record.at for record in records] == [EPOCH + 10**9 + at + OUT for at in (3, 10, 7 * MS)]
        assert records[2].up - records[0].up == 7 * MS - 3
        assert {(record.label, record.state) for record in records} == {(1000, 0)}


def test_records_are_handed_over_when_they_are_sent(watched: Topology) -> None:
    with VirtualLab(watched) as lab:
        found: list[tuple[int, int]] = []
        lab.node("b").on_record("fc00:2::1", "seen", lambda record: found.append((lab.now, record.at)))
        lab.send("a", probe(), at=MS)
        lab.run()
        assert found == [(MS + OUT, EPOCH + 10**9 + MS + OUT)]


def test_a_state_is_changed_while_the_lab_runs(watched: Topology) -> None:
    with VirtualLab(watched) as lab:
        live = lab.node("b").attached("fc00:2::1")
        lab.send("a", probe())
        lab.send("a", probe(), at=2 * MS)
        lab.at(OUT + MS, lambda: live.update({"STATE": 40}))
        lab.run()
        assert [record.state for record in live["seen"]] == [0, 40]


def test_a_function_of_another_hook_has_no_place_at_a_sid(watched: Topology, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(OTHER, encoding="utf-8")
    wrong = Node("b", sids=(Sid(IPv6Network("fc00:2::1"), Function("other.py")),))
    with pytest.raises(InputError, match="nothing is lwt_in, and a SID takes lwt_seg6local"):
        VirtualLab(Topology("wrong", (Node("a"), wrong, Node("c")), watched.links, directory=tmp_path))


# ----------------------------------------------------------------------------------------------------------- captures


def test_a_capture_of_each_link_has_the_frames_at_their_virtual_times(tmp_path: Path) -> None:
    with VirtualLab(line("a", "b", "c")) as lab:
        lab.send("a", to("fd00::3", port=9), at=7)
        lab.run()
        paths = lab.write_captures(tmp_path / "captures")
    assert [path.name for path in paths] == ["a-b.pcap", "b-c.pcap"]
    with paths[0].open("rb") as stream:
        first, second = read_capture(stream, "a-b")
    assert (first.timestamp, second.timestamp) == (EPOCH + 7 + OUT, EPOCH + 7 + 2 * OUT + 2 * BACK)
    assert first.packet == to("fd00::3", port=9)
    assert first.frame[0:6] == second.frame[6:12] != first.frame[6:12]


def test_a_lab_that_keeps_nothing_forgets(tmp_path: Path) -> None:
    with VirtualLab(line("a", "b"), keep=False) as lab:
        times = arrivals(lab, "b")
        lab.send("a", to("fd00::2"))
        lab.send("a", to("dead::1"))
        lab.run()
        assert times == [OUT]
        assert (lab.captured("a-b"), lab.drops, lab.node("b").received) == ((), (), [])
