"""`pybpfnf delay`: what answers, collects, sends and shows the probes of delay monitoring."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.live import Live

from pybpfnf.apps.delay.collector import Collector, open_socket
from pybpfnf.apps.delay.exposition import MetricsServer
from pybpfnf.apps.delay.paths import QUANTILES, Paths
from pybpfnf.apps.delay.paths import Path as DelayPath
from pybpfnf.apps.delay.protocol import LARGEST_SESSION
from pybpfnf.apps.delay.query import Answers, Probe, check_segments, is_own, own_address, query
from pybpfnf.apps.delay.report import Courses, document, run_collector
from pybpfnf.apps.delay.responder import FUNCTION, PUBLIC, Responder
from pybpfnf.apps.serve import serve, serve_attached, serve_packets
from pybpfnf.apps.stopping import Stopping
from pybpfnf.cli.delay_watch import chart, milliseconds
from pybpfnf.cli.files import input_file
from pybpfnf.cli.options import attached_option, check_alone, json_option, seconds, set_option, table_option
from pybpfnf.cli.serve import packets_of
from pybpfnf.cli.tables import Column, print_table
from pybpfnf.errors import InputError, KernelError
from pybpfnf.lazy import load_module
from pybpfnf.unusable import reason

F = TypeVar("F", bound=Callable[..., Any])


@click.group("delay")
def delay_command() -> None:
    """Measure delays along SRv6 paths: responder, collector, query, watch.

    On real traffic, and with probes of our own: `pybpfnf attach delay_probe` makes probes of packets, `responder` answers for those that
    come to a SID, `collector` and `watch` take the answers, `query` sends probes itself.
    """


# ----------------------------------------------------------------------------------------------------- answers


def _networks(_context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[IPv6Network, ...]:
    try:
        return tuple(map(IPv6Network, given)) or PUBLIC
    except ValueError as error:
        raise click.BadParameter(f"{error}: expected IPv6 prefixes, as fd00::/8", param=parameter) from None


def _address(_context: click.Context, parameter: click.Parameter, given: str) -> str:
    try:
        return str(IPv6Address(given))
    except ValueError:
        raise click.BadParameter(f"{given}: expected an IPv6 address, as fc00:2::d", param=parameter) from None


@delay_command.command("responder")
@click.argument("sid", metavar="[SID]", required=False)
@click.option("--dev", metavar="DEVICE", help="A device that probes come in or go out by.")
@table_option
@set_option
@click.option("--to", "allowed", metavar="PREFIX", multiple=True, callback=_networks, help="Where collectors may be; may be repeated.")
@click.option("--source", metavar="ADDRESS", callback=_address, default="::", help="The address that answers come from.")
@click.option("--stamps/--no-stamps", default=True, help="Have the kernel stamp what comes in, for T2 (default: yes).")
@attached_option
@click.option("--vm", "pcap", metavar="PCAP", type=click.Path(path_type=Path), help="Answer for the packets of a capture instead.")
def responder_command(
    sid: str | None,
    dev: str | None,
    table: int | None,
    config: Mapping[str, str],
    allowed: tuple[IPv6Network, ...],
    source: str,
    stamps: bool,
    attached: bool,
    pcap: Path | None,
) -> None:
    """Run end_dm at a SID, and answer its one-way probes by UDP (root).

    Answers go to the address that a probe's URO TLV names, where that is within --to (unless given, global and unique local addresses). The
    SID is free again at the end: see `pybpfnf serve`. With --attached, end_dm is at the SID already, and stays. With --vm the probes come
    from a capture, in this process and without root.
    """
    if attached:
        check_alone(click.get_current_context(), "--attached", ("sid", "table", "allowed", "source", "stamps"))
    if pcap is None and sid is None:
        raise click.UsageError("a SID is needed, where the probes come to")
    try:
        responder = Responder(source=source, allowed=allowed, stamps=stamps)
    except OSError as error:
        raise KernelError(f"cannot send from {source}: {reason(error)}", errno=error.errno or 0) from None
    try:
        if pcap is not None:
            with input_file(pcap) as stream:
                serve_packets(FUNCTION, responder.control, packets_of(stream, str(pcap)), config=config)
        elif attached:
            assert sid is not None
            serve_attached(FUNCTION, responder.control, sid, table=table)
        else:
            assert sid is not None
            serve(FUNCTION, responder.control, sid, dev=dev, table=table, config=config)
    finally:
        responder.close()


# --------------------------------------------------------------------------------------------------- collecting


def _collecting(command: F) -> F:
    for option in (
        click.option("--paths", metavar="N", type=click.IntRange(1), default=1000, show_default=True, help="Paths that are kept apart."),
        click.option("--count", metavar="N", type=click.IntRange(1), help="End after so many datagrams."),
        click.option("--prometheus", metavar="PORT", type=click.IntRange(1, 65535), help="Give metrics at http://127.0.0.1:PORT/metrics."),
        click.option("--port", type=click.IntRange(1, 65535), default=8888, show_default=True, help="The UDP port that answers come to."),
        click.option(
            "--bind", metavar="ADDRESS", callback=_address, default="::", show_default=True, help="The address that answers come to."
        ),
    ):
        command = option(command)
    return command


_METRICS_AT = "127.0.0.1"


def _open(stack: ExitStack, bind: str, port: int, prometheus: int | None) -> tuple[Any, MetricsServer | None]:
    """The socket for answers, and the server of the metrics where one is wanted."""
    with _listening(bind, port):
        sock = stack.enter_context(open_socket(bind, port))
    if prometheus is None:
        return sock, None
    with _listening(_METRICS_AT, prometheus):
        return sock, stack.enter_context(MetricsServer(_METRICS_AT, prometheus))


@contextmanager
def _listening(address: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KernelError(f"cannot listen at {address}, port {port}: {reason(error)}", errno=error.errno or 0) from None


@delay_command.command("collector")
@_collecting
@click.option("--every", metavar="SECONDS", callback=seconds(0.1), default="10", show_default=True, help="Print so often.")
@json_option
def collector_command(bind: str, port: int, prometheus: int | None, count: int | None, paths: int, every: float, as_json: bool) -> None:
    """Take the answers of responders, and print the delays of each path, until SIGTERM or an interrupt.

    Delays are T2 - T1, by the clocks of two machines: what is negative says that these do not agree, and is counted apart. Quantiles are of
    all probes since the beginning, with three digits. With --json, an object for each path each time: session, path, count, negative,
    too_long, min, max, mean, p50, p90, p99, p99.9 (nanoseconds) and histogram (HdrHistogram's compressed form); at the end one with
    received and refused (how many, by the reason).
    """
    collector = Collector(Paths(paths))

    def show() -> Iterator[None]:
        rows = []
        for path in collector.paths:
            if as_json:
                click.echo(json.dumps(document(path)))
            else:
                rows.append(_cells(path))
            yield
        if rows:
            print_table(_COLUMNS, rows)

    with ExitStack() as stack:
        stopping = stack.enter_context(Stopping())
        sock, metrics = _open(stack, bind, port, prometheus)
        run_collector(collector, sock, lambda: bool(stopping), show, every=every, most=count, metrics=metrics)
    if as_json:
        click.echo(json.dumps({"received": collector.received, "refused": dict(collector.refused)}))
        return
    for why, times in sorted(collector.refused.items()):
        click.echo(f"refused {times}: {why}", err=True)


_NAMES = ("PROBES", "MIN", *(f"P{quantile:g}" for quantile in QUANTILES), "MAX", "NEGATIVE")
_COLUMNS = (Column("SESSION", right=True), Column("PATH"), *(Column(name, right=True) for name in _NAMES))


def _cells(path: DelayPath) -> tuple[str, ...]:
    found = path.summary()
    times = map(milliseconds, (found.least, *found.quantiles, found.most))
    where = " ".join(map(str, path.key.segments))
    return str(path.key.session), where, str(found.count), *times, str(found.negative)


@delay_command.command("watch")
@_collecting
@click.option("--plot", metavar="FILE", type=click.Path(path_type=Path), help="Draw the course of each path at the end (PNG, SVG, PDF).")
def watch_command(bind: str, port: int, prometheus: int | None, count: int | None, paths: int, plot: Path | None) -> None:
    """Take the answers of responders, and show each path's delays in the terminal as they come (milliseconds).

    The bars are the mean of each second. --plot needs matplotlib: pip install 'pybpfnf[plot]'.
    """
    plotting = None if plot is None else load_module("pybpfnf.apps.delay.plot")  # what lacks is missed now, not at the end
    if plotting is not None:
        plotting.check_plot(plot)
    collector = Collector(Paths(paths))
    courses = Courses(collector)
    with ExitStack() as stack:
        stopping = stack.enter_context(Stopping())
        sock, metrics = _open(stack, bind, port, prometheus)
        screen = stack.enter_context(Live(chart(collector, courses), console=Console(), auto_refresh=False))

        def show() -> Iterator[None]:
            courses.look()
            screen.update(chart(collector, courses, lambda: collector.drain(sock)), refresh=True)
            yield

        run_collector(collector, sock, lambda: bool(stopping), show, every=1.0, most=count, metrics=metrics)
    if plotting is not None:
        plotting.write_plot(plot, courses.points)


# ------------------------------------------------------------------------------------------------------ queries


def _addresses(_context: click.Context, parameter: click.Parameter, given: Any) -> Any:
    texts = given if isinstance(given, tuple) else (given,) if given else ()
    try:
        found = tuple(map(IPv6Address, texts))
    except ValueError:
        raise click.BadParameter(f"{' '.join(texts)}: expected IPv6 addresses, as fc00:2::d", param=parameter) from None
    return found if isinstance(given, tuple) else found[0] if found else None


@delay_command.command("query")
@click.argument("segments", metavar="SEGMENT...", nargs=-1, required=True, callback=_addresses)
@click.option("--one-way", is_flag=True, help="Ask the last segment's responder for T2 - T1, in place of the whole way there and back.")
@click.option("--source", metavar="ADDRESS", callback=_addresses, help="Our address, which answers come to.")
@click.option("--count", metavar="N", type=click.IntRange(1), default=10, show_default=True, help="Probes.")
@click.option("--interval", metavar="SECONDS", callback=seconds(), default="0.1", show_default=True, help="Between two of them.")
@click.option("--timeout", metavar="SECONDS", callback=seconds(), default="1", show_default=True, help="After the last one.")
@click.option("--session", metavar="N", type=click.IntRange(0, LARGEST_SESSION), help="Its number (default: one by chance).")
@json_option
def query_command(
    segments: tuple[IPv6Address, ...],
    one_way: bool,
    source: IPv6Address | None,
    count: int,
    interval: float,
    timeout: float,
    session: int | None,
    as_json: bool,
) -> None:
    """Send probes along segments (in travel order), and print how long they took (root).

    A two-way probe gets its times at each segment that runs end_dm first, and comes back to us: (T4 - T1) - (T3 - T2), by our clock and the
    responder's, each taken from itself alone. The way back is added, unless the last segment is an address of ours. With --one-way the
    last segment runs end_dm with a responder, which tells us T2 - T1.

    With --json, an object: sent, lost, errors (how many, by the responder's word), delays (nanoseconds, as they came). Status 3: no answer.
    """
    check_segments(segments)
    segments, ours = _way(segments, source, one_way)
    number = random.randrange(LARGEST_SESSION + 1) if session is None else session
    answers = query(Probe(segments, ours, not one_way, number), count=count, interval=interval, timeout=timeout)
    if as_json:
        click.echo(json.dumps({"sent": answers.sent, "lost": answers.lost, "errors": answers.errors, "delays": answers.delays}))
    else:
        for line in _lines(answers):
            click.echo(line)
    if not answers.delays:
        raise KernelError("no probe came back with its times", errno=0, hint=_look_at(segments[-1 if one_way else 0], ours, one_way))


def _way(segments: tuple[IPv6Address, ...], source: IPv6Address | None, one_way: bool) -> tuple[tuple[IPv6Address, ...], IPv6Address]:
    """The segments without the way back, and our address. Who writes the way back of a two-way probe down ends it with that address."""
    *others, last = segments
    if one_way or not is_own(last):
        return segments, own_address(segments[0]) if source is None else source
    if not others:
        raise InputError(f"{last} is this host's own address", hint="name the SID that runs end_dm; the way back is added by itself")
    if source not in (None, last):
        raise InputError(f"the way back ends at {last}, and answers are to come to {source}", hint=f"leave {last} out, or --source")
    return tuple(others), last


def _look_at(sid: IPv6Address, ours: IPv6Address, one_way: bool) -> str:
    """Where to look when nothing came back, the likeliest first."""
    if one_way:
        return (
            f"is there a responder at {sid} (`pybpfnf delay responder {sid} --dev DEV` on its router)? does it send to {ours} (--to), and"
            f" do routes lead there and back (`ip -6 route get {sid}`)?"
        )
    return f"does {sid} run end_dm (`pybpfnf status` on its router)? do routes lead there and back to {ours} (`ip -6 route get {sid}`)?"


_MEANINGS = {
    "generic error": ", other formats of the times",
    "bad version": ", or a SID before it has answered already",
    "bad control": ", no such control code",
}


def _lines(answers: Answers) -> Iterator[str]:
    yield f"{answers.sent} probes, {len(answers.delays)} answers, {answers.lost} lost"
    for word, times in sorted(answers.errors.items()):
        yield f"{times} refused: {word}{_MEANINGS.get(word, '')}"
    if answers.delays:
        least, median, most = (milliseconds(value) for value in (min(answers.delays), answers.quantile(0.5), answers.quantile(0.99)))
        yield f"min {least} ms, median {median} ms, p99 {most} ms"
