"""The responder: each one-way probe that `end_dm` has seen is answered to whom it names, within what is allowed, with what it carried."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

import pybpfnf
from pybpfnf.apps.delay import protocol
from pybpfnf.apps.delay.protocol import Reply
from pybpfnf.apps.delay.responder import BATCH, FUNCTION, RECORD, RECORDS, Responder
from pybpfnf.apps.log import Log
from pybpfnf.image.model import ObjectImage
from pybpfnf.testing import packets
from pybpfnf.testing.packets import ipv6, srv6, udp
from pybpfnf.types.layout import StructType
from tests.functions.delay_checks import SECOND, dm, uro

SID, EXIT = "fc00:f::d", "fc00:3::3"
T1 = 1_600_000_000 * SECOND + 7
INNER = packets.inner(ipv6("fd00::9", payload=udp()))
LOOPBACK = [IPv6Network("::1/128")]
TO_B0 = bytes.fromhex("02000000 0b00 02000000 0b01 86dd")


@pytest.fixture(scope="module")
def end_dm() -> ObjectImage:
    return pybpfnf.read(FUNCTION)


@pytest.fixture
def inbox() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::1", 0))
        sock.settimeout(5)
        yield sock


def probe(port: int, *, to: str = "::1", session: int = 7, segments: tuple[str, ...] = (EXIT, SID), tag: int = 0) -> bytes:
    return srv6(segments, tlvs=[dm(session=session, traffic_class=9, times=(T1, 0, 0, 0)), uro(to, port)], payload=INNER, tag=tag)


def answered(end_dm: ObjectImage, responder: Responder, *probes: bytes) -> dict[str, Any]:
    """The counts after these probes, in the VM."""
    log = StringIO()
    pybpfnf.serve_packets(end_dm, responder.control, probes, log=Log(log))
    responder.close()
    *_, counts = [found for found in map(json.loads, log.getvalue().splitlines()) if found["event"] == "answers"]
    return {name: counts[name] for name in ("answered", "refused", "unsent")}


def test_the_record_is_what_the_function_sends(end_dm: ObjectImage) -> None:
    layout = end_dm.maps[RECORDS].value_type
    assert isinstance(layout, StructType)
    places = {field.name: field.offset for field in layout.fields}
    assert (layout.size, RECORD.size) == (344, 341)  # the kernel's layout ends with what aligns the next
    assert places == {"t1": 0, "t2": 8, "session": 16, "port": 20, "srh": 22, "collector": 28, "ipv6": 44, "segments": 84, "stamped": 340}


def test_the_answer_has_the_times_and_the_way_of_the_probe(end_dm: ObjectImage, inbox: socket.socket) -> None:
    port = inbox.getsockname()[1]
    counts = answered(end_dm, Responder(allowed=LOOPBACK), probe(port, segments=(EXIT, "fc00:4::4", SID), tag=0xBEEF))
    datagram = inbox.recv(4096)
    answer = protocol.parse_answer(datagram)
    measurement = answer.measurement
    clock = pybpfnf.Environment().clock_tai - pybpfnf.Environment().tai_offset
    assert (measurement.control, measurement.session, measurement.traffic_class, measurement.t1) == (Reply.SUCCESS, 7, 9, T1)
    assert clock <= measurement.t2 < clock + 60 * SECOND
    assert (answer.path, answer.segments_left, answer.source) == (
        (IPv6Address(SID), IPv6Address("fc00:4::4"), IPv6Address(EXIT)), 1, IPv6Address("fd00::1")
    )  # fmt: skip
    assert struct.unpack_from(">H", datagram, 48 + 40 + 6) == (0xBEEF,)
    assert counts == {"answered": 1, "refused": 0, "unsent": 0}


def test_more_probes_than_a_batch_of_several_lengths_are_all_answered(end_dm: ObjectImage, inbox: socket.socket) -> None:
    inbox.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    port, count = inbox.getsockname()[1], BATCH + 10
    hops = [f"fc00:4::{index:x}" for index in range(1, 15)]
    some = [probe(port, session=index, segments=(*hops[: index % 15], SID) if index % 15 else (EXIT, SID)) for index in range(count)]
    assert answered(end_dm, Responder(allowed=LOOPBACK), *some)["answered"] == count
    found = [protocol.parse_answer(inbox.recv(4096)) for _ in range(count)]
    assert [each.measurement.session for each in found] == list(range(count))
    assert [len(each.segments) for each in found] == [index % 15 + 1 if index % 15 else 2 for index in range(count)]


@pytest.mark.parametrize("to", ["::1", "ff02::1", "fe80::1", "::", "::ffff:127.0.0.1"])
def test_who_is_no_collector_gets_nothing(end_dm: ObjectImage, to: str) -> None:
    assert answered(end_dm, Responder(), probe(9, to=to)) == {"answered": 0, "refused": 1, "unsent": 0}


def test_a_collector_outside_of_what_is_allowed_gets_nothing(end_dm: ObjectImage, inbox: socket.socket) -> None:
    port = inbox.getsockname()[1]
    responder = Responder(allowed=LOOPBACK)
    assert answered(end_dm, responder, probe(port, to="2001:db8::9"), probe(port), probe(0)) == {"answered": 1, "refused": 2, "unsent": 0}


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace")
def test_an_answer_without_a_route_is_counted_and_the_next_goes_on(end_dm: ObjectImage) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as inbox:
        inbox.bind(("::1", 0))
        inbox.settimeout(5)
        allowed = [*LOOPBACK, IPv6Network("2001:db8::/32")]
        some = [probe(9, to="2001:db8::9"), probe(inbox.getsockname()[1], session=8), probe(9, to="2001:db8::9")]
        log = StringIO()
        responder = Responder(allowed=allowed)
        pybpfnf.serve_packets(end_dm, _at_once(responder), some, log=Log(log))
        responder.close()
        assert protocol.parse_answer(inbox.recv(4096)).measurement.session == 8
    assert responder.counts() == {"answered": 1, "refused": 0, "unsent": 2, "stamped": 0}


def _at_once(responder: Responder) -> Any:
    """A control that answers all in one batch."""

    def control(nf: pybpfnf.Served) -> None:
        for record in [bytes(each) for _ in iter(lambda: nf.wait(RECORDS, 1), False) for each in nf[RECORDS].octets()]:
            responder.answer(record)
        responder.flush()

    return control


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace", "own_bpffs")
def test_on_a_real_route_probes_are_answered_until_the_signal() -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    command = [sys.executable, "-m", "pybpfnf", "delay", "responder", SID, "--dev", "b0", "--to", "::1/128"]
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as inbox, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        inbox.bind(("::1", 0))
        inbox.settimeout(20)
        wire.bind(("b1", 0))
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            assert json.loads(process.stderr.readline())["event"] == "attached"
            before = time.time_ns()
            for session in range(20):
                wire.send(TO_B0 + probe(inbox.getsockname()[1], session=session))
            found = [protocol.parse_answer(inbox.recv(4096)).measurement for _ in range(20)]
            assert [each.session for each in found] == list(range(20))
            assert all(before <= each.t2 <= time.time_ns() for each in found)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            counts = next(found for found in map(json.loads, process.stderr) if found["event"] == "answers")
            assert (counts["answered"], counts["stamped"]) == (20, 20)
        finally:
            process.kill()
            process.communicate()
    assert pybpfnf.status() == []
