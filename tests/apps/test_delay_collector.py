"""The collector: every answer is a sample of its path, nothing else is, and what is no sample is counted with the reason."""

from __future__ import annotations

import random
import socket
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path as FilePath

import pytest
from hdrh.histogram import HdrHistogram

from pybpfnf.apps.delay import protocol
from pybpfnf.apps.delay.collector import BATCH, LARGEST, Collector, open_socket
from pybpfnf.apps.delay.exposition import MetricsServer, exposition
from pybpfnf.apps.delay.paths import LONGEST, Path, PathKey, Paths
from pybpfnf.apps.delay.protocol import Answer, DelayMeasurement, Reply
from pybpfnf.apps.delay.report import Courses, document, run_collector

SECOND = protocol.SECOND
T1 = 1_700_000_000 * SECOND
SEGMENTS = (IPv6Address("fc00:3::3"), IPv6Address("fc00:2::2"))
PATH = PathKey(7, SEGMENTS[::-1])


def answer(
    delay: int = 5_000_000, *, session: int = 7, control: int = Reply.SUCCESS, segments: tuple[IPv6Address, ...] = SEGMENTS, t1: int = T1
) -> bytes:
    t2 = max(0, t1 + delay)
    return protocol.build_answer(Answer(DelayMeasurement(control, session, t1, t2, response=True), IPv6Address("fd00::1"), segments, 0))


class Wire:
    """A collector with its socket on the loopback, and who sends to it."""

    def __init__(self, most: int = 1000) -> None:
        self.collector = Collector(Paths(most))
        self.socket = open_socket("::1", 0)
        self._sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._sender.connect(self.socket.getsockname()[:2])

    def post(self, datagram: bytes) -> None:
        self._sender.send(datagram)

    def send(self, *datagrams: bytes) -> Collector:
        for start in range(0, len(datagrams), BATCH):
            some = datagrams[start : start + BATCH]
            for each in some:
                self._sender.send(each)
            assert self.collector.receive(self.socket) == len(some)
        return self.collector

    def close(self) -> None:
        self.socket.close()
        self._sender.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def only(collector: Collector) -> Path:
    (path,) = collector.paths
    return path


def test_the_delays_of_a_path_are_counted_and_measured(wire: Wire) -> None:
    delays = [1_000_000 * n for n in range(1, 101)]
    found = only(wire.send(*map(answer, delays)))
    assert found.key == PATH
    summary = found.summary()
    assert (summary.count, summary.least, summary.most, summary.mean, summary.last) == (
        100,
        1_000_000,
        100_000_000,
        50_500_000.0,
        100_000_000,
    )
    for found_delay, right in zip(summary.quantiles, (50_000_000, 90_000_000, 99_000_000, 100_000_000), strict=True):
        assert found_delay == pytest.approx(right, rel=1e-3)


def test_sessions_and_paths_are_kept_apart(wire: Wire) -> None:
    collector = wire.send(answer(), answer(session=8), answer(segments=SEGMENTS[::-1]), answer(segments=SEGMENTS[:1]), answer())
    assert sorted(path.summary().count for path in collector.paths) == [1, 1, 1, 2]


def test_what_clocks_that_do_not_agree_make_is_counted_apart(wire: Wire) -> None:
    summary = only(wire.send(answer(-5), answer(0), answer(LONGEST), answer(LONGEST + 1))).summary()
    assert (summary.negative, summary.too_long, summary.count, summary.least, summary.most) == (1, 1, 2, 0, LONGEST)


REFUSED = {
    "an answer that says bad version": answer(control=Reply.BAD_VERSION),
    "an answer that says bad control": answer(control=Reply.BAD_CONTROL),
    "an answer that says generic error": answer(control=Reply.GENERIC_ERROR),
    "a time is missing": answer(-T1),
    "longer than any answer": bytes(LARGEST + 1),
    "too short for a DM TLV": b"",
    "a query, where an answer is due": answer()[:4] + b"\x01\x01" + answer()[6:],
    "no IPv6 header after the DM TLV": answer()[:48] + b"\x40" + answer()[49:],
    "a time of a second or more in nanoseconds": answer()[:28] + b"\xff" + answer()[29:],
}


@pytest.mark.parametrize("known", [False, True], ids=["first of its path", "of a known path"])
@pytest.mark.parametrize(("reason", "datagram"), REFUSED.items(), ids=REFUSED)
def test_what_is_no_sample_is_counted_with_the_reason(wire: Wire, known: bool, reason: str, datagram: bytes) -> None:
    before = [answer()] if known else []
    collector = wire.send(*before, datagram)
    assert collector.refused == {reason: 1}
    assert sum(path.summary().count for path in collector.paths) == known
    assert collector.received == 1 + known


def test_more_paths_than_there_is_room_for_are_refused_and_known_ones_go_on() -> None:
    wire = Wire(most=2)
    collector = wire.send(answer(session=1), answer(session=2), answer(session=3), answer(session=1))
    wire.close()
    assert collector.refused == {"too many paths": 1}
    assert [path.summary().count for path in collector.paths] == [2, 1]


def test_what_comes_while_paths_are_shown_is_taken_then(wire: Wire) -> None:
    wire.send(answer(session=1), answer(session=2))
    shown: list[int] = []

    def show() -> Iterator[None]:
        for path in wire.collector.paths:
            shown.append(path.key.session)
            wire.post(answer(session=10 + path.key.session))
            yield

    run_collector(wire.collector, wire.socket, lambda: len(shown) >= 2, show, every=0.01)
    assert shown[:2] == [1, 2]
    assert [path.key.session for path in wire.collector.paths][:4] == [1, 2, 11, 12]


def check_mutations(wire: Wire, seed: int, count: int) -> None:
    """Whatever comes, the fast way of a known path and the long way say the same."""
    source = random.Random(seed)
    good = answer()
    reference = Collector(Paths())
    for _ in range(count // BATCH + 1):
        some = [good]
        for _ in range(BATCH - 1):
            wrong = bytearray(good)
            for _ in range(source.randint(1, 3)):
                wrong[source.choice([source.randrange(len(wrong)), source.randrange(48)])] = source.randrange(256)
            some.append(bytes(wrong[: source.randrange(len(wrong))] if source.random() < 0.1 else wrong))
        wire.send(*some)
        for each in some:
            reference.take(each)
    assert wire.collector.refused == reference.refused
    assert [(path.key, path.summary()) for path in wire.collector.paths] == [(path.key, path.summary()) for path in reference.paths]


def test_the_fast_way_refuses_and_takes_what_the_long_way_does(wire: Wire) -> None:
    check_mutations(wire, 1, 5_000)


@pytest.mark.slow
def test_a_million_malformed_answers(wire: Wire) -> None:
    check_mutations(wire, 2, 1_000_000)


# ---------------------------------------------------------------------------------------------------------- what it says


def test_the_histogram_goes_to_other_tools(wire: Wire) -> None:
    found = document(only(wire.send(answer(3_000_000), answer(9_000_000))))
    decoded = HdrHistogram.decode(str(found["histogram"]))
    assert decoded.total_count == 2
    assert decoded.get_value_at_percentile(100) == pytest.approx(9_000_000, rel=1e-3)
    assert (found["session"], found["path"], found["min"]) == (7, ["fc00:2::2", "fc00:3::3"], 3_000_000)


def test_the_metrics_are_what_prometheus_reads(wire: Wire) -> None:
    lines = list(exposition(wire.send(answer(1_500), answer(30_000_000), answer(-1), b"nothing")))
    labels = 'session="7",path="fc00:2::2 fc00:3::3"'
    assert f'pybpfnf_delay_seconds_bucket{{{labels},le="1e-06"}} 0' in lines
    assert f'pybpfnf_delay_seconds_bucket{{{labels},le="2e-06"}} 1' in lines
    assert f'pybpfnf_delay_seconds_bucket{{{labels},le="0.02"}} 1' in lines
    assert f'pybpfnf_delay_seconds_bucket{{{labels},le="0.05"}} 2' in lines
    assert f'pybpfnf_delay_seconds_bucket{{{labels},le="+Inf"}} 2' in lines
    assert f"pybpfnf_delay_seconds_sum{{{labels}}} 0.030001500" in lines
    assert f"pybpfnf_delay_negative_total{{{labels}}} 1" in lines
    assert 'pybpfnf_delay_refused_total{reason="too short for a DM TLV"} 1' in lines


def test_the_metrics_server_gives_what_it_was_handed() -> None:
    with MetricsServer("127.0.0.1", 0) as server:
        server.text = "one 1\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=5) as response:
            assert response.read() == b"one 1\n"
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        with pytest.raises(urllib.error.HTTPError, match="404") as raised:
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/", timeout=5)
        raised.value.close()


def test_the_metrics_server_takes_the_parameters_that_a_scraper_adds() -> None:
    with MetricsServer("127.0.0.1", 0) as server:
        server.text = "one 1\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics?collect=all", timeout=5) as response:
            assert response.read() == b"one 1\n"


def test_a_scraper_that_goes_away_leaves_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    with MetricsServer("127.0.0.1", 0) as server:
        server.text = "one 1\n" * 1_000_000
        gone = socket.create_connection(("127.0.0.1", server.port))
        gone.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        gone.recv(1)
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # what is under way is thrown away
        gone.close()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=5) as response:
            response.read()
    assert capfd.readouterr().err == ""


def test_the_course_of_a_path_is_the_mean_since_the_last_look(wire: Wire) -> None:
    courses = Courses(wire.send(answer(2_000), answer(4_000)))
    courses.look()
    courses.look()  # nothing came
    wire.send(answer(9_000))
    courses.look()
    assert [point.mean for point in courses.points[PATH]] == [3_000.0, 9_000.0]


def test_the_courses_are_drawn(wire: Wire, tmp_path: FilePath) -> None:
    plot = pytest.importorskip("pybpfnf.apps.delay.plot", reason="matplotlib is not installed")
    courses = Courses(wire.send(answer()))
    courses.look()
    plot.write_plot(tmp_path / "delays.png", courses.points)
    assert (tmp_path / "delays.png").read_bytes().startswith(b"\x89PNG")
