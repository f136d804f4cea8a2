"""Delay monitoring in a lab whose delays are known: what is measured is what they are, to the nanosecond.

    source --- r1 --- r2 --- r3 --- sink          r1 probes what goes to the sink, r3 has end_dm
                       |
                   collector

From r1 to r3 it takes 5 ms, and 20 ms back.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from typing import Any

import pytest

from pybpfnf.apps.delay.protocol import Answer, DelayMeasurement, Reply, build_answer, parse_answer, parse_measurement, two_way_delay
from pybpfnf.image.model import ObjectImage
from pybpfnf.lab.datagram import Datagram
from pybpfnf.lab.topology import Direction, End, Function, Link, Node, Route, Sid, Topology
from pybpfnf.lab.virtual import VirtualLab
from pybpfnf.routes import Seg6Local
from pybpfnf.targets import object_image
from pybpfnf.testing.packets import Tlv, ipv6, srv6, udp
from pybpfnf.vm.ipv6 import ROUTING, find_header

MS = 10**6
OUT, BACK = 5 * MS, 20 * MS
JITTER = 2 * MS
SOURCE, SINK, COLLECTOR = "fd00:a::1", "fd00:b::1", "fd00:c::1"
SID, EXIT = "fc00:3::d", "fc00:3::6"
PORT = 8888
DM_SIZE = 48


@cache
def image(name: str) -> ObjectImage:
    """Of a function of the catalogue, built once."""
    return object_image(name)


def topology(*, jitter: int = 0, behind: int = 0, seed: int = 0) -> Topology:
    """The clock of r3 is `behind` that of the others."""
    values = (("END_DM", SID), ("EXIT", EXIT), ("COLLECTOR", COLLECTOR), ("SESSION", 7), ("RATIO", 1))
    probe = Function(image("delay_probe"), values)
    nodes = (
        Node("source", (IPv6Interface(SOURCE),)),
        Node("r1", routes=(Route(IPv6Network(SINK), does=probe),)),
        Node("r2"),
        Node(
            "r3",
            sids=(Sid(IPv6Network(SID), Function(image("end_dm"))), Sid(IPv6Network(EXIT), Seg6Local("End.DT6", table=254))),
            clock_offset=-behind,
        ),
        Node("sink", (IPv6Interface(SINK),)),
        Node("collector", (IPv6Interface(COLLECTOR),)),
    )
    links = (
        Link((End("source"), End("r1"))),
        Link((End("r1", Direction(OUT - MS, jitter)), End("r2", Direction(BACK - 3 * MS)))),
        Link((End("r2", Direction(MS)), End("r3", Direction(3 * MS)))),
        Link((End("r3"), End("sink"))),
        Link((End("r2", Direction(MS)), End("collector", Direction(MS)))),
    )
    return Topology("delays", nodes, links, seed=seed)


def watch(lab: VirtualLab) -> list[Answer]:
    """A responder at r3, and what the collector gets of it."""
    answers: list[Answer] = []

    def respond(record: Any) -> None:
        segments = tuple(record.segments[index] for index in range(record.srh.last_entry + 1))
        times = DelayMeasurement(Reply.SUCCESS, record.session >> 8, _time(record.t1), _time(record.t2), response=True)
        answer = Answer(times, IPv6Address(bytes(record.ipv6)[8:24]), segments, record.srh.segments_left)
        lab.node("r3").send_udp(build_answer(answer), record.collector, record.port)

    def collect(datagram: Datagram) -> None:
        answers.append(parse_answer(datagram.data))

    lab.node("r3").on_record(SID, "measured", respond)
    lab.node("collector").listen(PORT, collect)
    return answers


def _time(parts: int) -> int:
    return (parts >> 32) * 10**9 + (parts & 0xFFFFFFFF)


def probed(lab: VirtualLab, count: int) -> list[int]:
    """Send packets to the sink, 10 ms apart; when they arrive there."""
    times: list[int] = []
    lab.node("sink").listen(PORT, lambda datagram: times.append(lab.now))
    for number in range(count):
        lab.send("source", ipv6(SINK, source=SOURCE, payload=udp(destination_port=PORT)), at=10 * MS * number)
    lab.run()
    return times


def test_a_one_way_delay_is_that_of_the_links() -> None:
    with VirtualLab(topology()) as lab:
        answers = watch(lab)
        assert probed(lab, 3) == [OUT, OUT + 10 * MS, OUT + 20 * MS]
        assert [answer.delay for answer in answers] == [OUT] * 3
        assert {(answer.measurement.session, answer.path) for answer in answers} == {(7, (IPv6Address(SID), IPv6Address(EXIT)))}


def test_jitter_is_measured_as_it_was() -> None:
    with VirtualLab(topology(jitter=JITTER, seed=3)) as lab:
        answers = watch(lab)
        arrived = probed(lab, 200)
        delays = [answer.delay for answer in answers]
        assert delays == [at - 10 * MS * number for number, at in enumerate(arrived)]
        assert OUT - JITTER <= min(delays) < OUT - JITTER // 2
        assert OUT + JITTER // 2 < max(delays) <= OUT + JITTER


def test_a_clock_that_is_behind_shows_in_one_way_delays() -> None:
    with VirtualLab(topology(behind=7 * MS)) as lab:
        answers = watch(lab)
        probed(lab, 2)
        assert [answer.delay for answer in answers] == [OUT - 7 * MS] * 2


def query(t1: int) -> bytes:
    """A two-way probe of r1, which comes back to it."""
    tlv = DelayMeasurement(0, 9, t1).encode()
    return srv6(["fd00::2", SID], source="fd00::2", tlvs=[Tlv(tlv[0], tlv[2:])], payload=udp(destination_port=PORT))


@pytest.mark.parametrize("behind", [0, 7 * MS, -(10**12)])
def test_a_two_way_delay_is_that_of_both_ways_whatever_the_clocks_say(behind: int) -> None:
    with VirtualLab(topology(behind=behind)) as lab:
        r1, delays = lab.node("r1"), []

        def take(datagram: Datagram) -> None:
            packet = datagram.packet
            tlv = packet[find_header(packet, ROUTING) + 8 + 2 * 16 :][:DM_SIZE]
            delays.append(two_way_delay(replace(parse_measurement(tlv), t4=r1.realtime())))

        r1.listen(PORT, take)
        for at in (0, 1, 10 * MS):
            lab.at(at, lambda: r1.send(query(r1.realtime())))
        lab.run()
        assert delays == [OUT + BACK] * 3
        assert lab.now == 10 * MS + OUT + BACK


def test_two_runs_measure_the_same() -> None:
    def run() -> list[int]:
        with VirtualLab(topology(jitter=JITTER, seed=11)) as lab:
            answers = watch(lab)
            probed(lab, 50)
            return [answer.delay for answer in answers]

    assert run() == run()
