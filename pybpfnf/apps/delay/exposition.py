"""What a collector knows as Prometheus reads it (the text format 0.0.4), and the small server that gives it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from types import TracebackType
from typing import Final, Self, final

from pybpfnf.apps.delay.collector import Collector
from pybpfnf.apps.delay.paths import Path

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS: Final = tuple(base * 10**power for power in range(3, 10) for base in (1, 2, 5))  # nanoseconds: a microsecond to 5 seconds
_NANO: Final = 1e9
_PATIENCE: Final = 10  # seconds, with who has connected and says nothing


def exposition(collector: Collector) -> Iterator[str]:
    """All metrics, line by line. Delays are in seconds, of each path a histogram, which takes some milliseconds to read."""
    yield from _family("pybpfnf_delay_seconds", "histogram", "One-way delay (T2 - T1) by session and path.")
    for path in collector.paths:
        yield from _histogram(path)
    yield from _family("pybpfnf_delay_negative_total", "counter", "Delays below zero, of clocks that do not agree.")
    for path in collector.paths:
        yield f"pybpfnf_delay_negative_total{{{_labels(path)}}} {path.negative}"
    yield from _family("pybpfnf_delay_datagrams_total", "counter", "Datagrams received.")
    yield f"pybpfnf_delay_datagrams_total {collector.received}"
    yield from _family("pybpfnf_delay_refused_total", "counter", "Datagrams that are no sample, by the reason.")
    for reason, count in sorted(collector.refused.items()):
        yield f'pybpfnf_delay_refused_total{{reason="{_escaped(reason)}"}} {count}'


def _family(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _histogram(path: Path) -> Iterator[str]:
    (count_of_all, total), labels = path.totals(), _labels(path)
    for bound, count in zip(_BOUNDS, path.buckets(_BOUNDS), strict=True):
        yield f'pybpfnf_delay_seconds_bucket{{{labels},le="{bound / _NANO:g}"}} {count}'
    yield f'pybpfnf_delay_seconds_bucket{{{labels},le="+Inf"}} {count_of_all}'
    yield f"pybpfnf_delay_seconds_sum{{{labels}}} {total / _NANO:.9f}"
    yield f"pybpfnf_delay_seconds_count{{{labels}}} {count_of_all}"


def _labels(path: Path) -> str:
    return f'session="{path.key.session}",path="{_escaped(" ".join(map(str, path.key.segments)))}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@final
class _Server(ThreadingHTTPServer):
    def handle_error(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        """Who went away before the end wanted no answer; whatever else is wrong is ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@final
class MetricsServer:
    """Gives the last text that it was handed at http://ADDRESS:PORT/metrics. The collector's thread makes the text; this one's sends it."""

    def __init__(self, address: str, port: int) -> None:
        """Raises OSError where the address cannot be bound; port 0 takes a free one."""
        held = self

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE

            def do_GET(self) -> None:
                found = self.path.partition("?")[0] == "/metrics"
                body = held.text.encode() if found else b"see /metrics\n"
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class's name
                """Nobody wants a line for each scrape."""

        self.text = ""
        self._server = _Server((address, port), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()
