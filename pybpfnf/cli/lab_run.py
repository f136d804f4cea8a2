"""`pybpfnf lab run`: a topology in this process, without root."""

from __future__ import annotations

import json
from collections import Counter
from ipaddress import AddressValueError, IPv6Address
from pathlib import Path
from typing import Protocol, final

import click

from pybpfnf.captures.pcap import read_capture
from pybpfnf.cli.files import input_file
from pybpfnf.cli.options import json_option
from pybpfnf.cli.tables import Column, print_table
from pybpfnf.errors import InputError
from pybpfnf.lab.ping import Ping, ping, ping_all
from pybpfnf.lab.read_topology import read_topology
from pybpfnf.lab.units import read_time
from pybpfnf.lab.virtual import VirtualLab
from pybpfnf.unusable import check_directory, unwritable

_PINGS = (Column("FROM"), Column("TO"), Column("RTT MS", right=True), Column("WAY"))
_LINKS = (Column("LINK"), Column("FROM"), Column("SENT", right=True), Column("ARRIVED", right=True), Column("LOST", right=True))
_DROPS = (Column("AT"), Column("PACKETS", right=True), Column("WHY"))
_FAULTS = (Column("NODE"), Column("FUNCTION AT"), Column("FAULTS", right=True), Column("WHY"))


@click.command("run")
@click.argument("file", type=click.Path())
@click.option("--ping", "pings", metavar="NODE:TARGET", multiple=True, help="An echo request to a node or an address; may be repeated.")
@click.option("--send", "sends", metavar="NODE:PCAP", multiple=True, help="Packets that a node sends, at their times; may be repeated.")
@click.option("--until", metavar="TIME", help="Stop then (`1s`); default: when nothing happens any more.")
@click.option("--pcap", "captures", metavar="DIR", type=click.Path(path_type=Path), help="Write a capture of each link.")
@json_option
def run_command(file: str, pings: tuple[str, ...], sends: tuple[str, ...], until: str | None, captures: Path | None, as_json: bool) -> int:
    """Run the topology FILE in this process: no root, no waiting, and the same each time.

    Without --ping and --send, each node asks each other for an echo. Packets of a capture leave in the order of the file, the first at the
    lab's beginning. Routers are those of the VM, links take the delays, rates, queues and losses of the file, exactly.

    With --json, stdout is an object for each ping (from, to, rtt_ns, there, back, reason), for each direction of a link (link, from, sent,
    arrived, lost), each drop (at_ns, where, reason), each fault of a function (node, function, faults, message) and each line of a
    program's log (at_ns, node, log). Exit status 1: an echo that was asked for did not come back.
    """
    end = None if until is None else read_time(until)
    if captures is not None:
        check_directory(captures)
    report: _Report = _JsonReport() if as_json else _TextReport()
    with VirtualLab(read_topology(file)) as lab:
        for each in sends:
            _send(lab, each)
        lab.run(end)
        asked = [_ping(lab, each) for each in pings] if pings or sends else list(ping_all(lab))
        report.show(lab, asked)
        if captures is not None:
            _write(lab, captures)
    return int(bool(pings) and any(each.rtt is None for each in asked))


def _ping(lab: VirtualLab, text: str) -> Ping:
    node, target = _split(text, "NODE:TARGET", "r1:r2 or r1:fd00::2")
    if target in lab.plan.nodes:
        addresses = lab.plan.nodes[target].addresses
        if not addresses:
            raise InputError(f"node {target} has no address of its own", hint="name an address")
        return ping(lab, node, addresses[0].ip)
    try:
        return ping(lab, node, IPv6Address(target))
    except AddressValueError:
        raise InputError(f"{target!r} is no node and no IPv6 address", hint=f"the nodes are {', '.join(lab.plan.nodes)}") from None


def _send(lab: VirtualLab, text: str) -> None:
    """The IPv6 packets of a capture, each as long after the first as there."""
    node, path = _split(text, "NODE:PCAP", "r1:probes.pcap")
    lab.node(node)
    first = None
    with input_file(Path(path)) as stream:
        for record in read_capture(stream, path):
            first = record.timestamp if first is None else first
            if record.packet is not None:
                lab.send(node, record.packet, at=max(lab.now, record.timestamp - first))


def _split(text: str, form: str, example: str) -> tuple[str, str]:
    node, colon, rest = text.partition(":")
    if not colon or not rest:
        raise click.UsageError(f"{text!r} is not {form}, as {example}")
    return node, rest


def _write(lab: VirtualLab, directory: Path) -> None:
    try:
        paths = lab.write_captures(directory)
    except OSError as error:
        raise unwritable(directory, error) from None
    click.echo(f"wrote {len(paths)} captures to {directory}", err=True)


# ------------------------------------------------------------------------------------------------------------ reports


class _Report(Protocol):
    def show(self, lab: VirtualLab, pings: list[Ping]) -> None: ...


@final
class _TextReport:
    def show(self, lab: VirtualLab, pings: list[Ping]) -> None:
        if pings:
            print_table(_PINGS, [_ping_row(lab, each) for each in pings])
            click.echo()
        print_table(_LINKS, [(link, node, *map(str, counts)) for link, node, *counts in _traffic(lab)])
        drops = Counter((drop.where, drop.reason) for drop in lab.drops)
        if drops:
            click.echo()
            print_table(_DROPS, [(where, str(count), reason) for (where, reason), count in drops.items()])
        faults = _faults(lab)
        if faults:
            click.echo()
            print_table(_FAULTS, [(node, at, str(count), why) for node, at, count, why in faults])
        for line in lab.log:
            click.echo(f"{line.at / 1e6:.6f} ms {line.node}: {line.text}")


@final
class _JsonReport:
    def show(self, lab: VirtualLab, pings: list[Ping]) -> None:
        for each in pings:
            there, back = list(each.there), list(each.back)
            _print(**{"from": each.source}, to=str(each.target), rtt_ns=each.rtt, there=there, back=back, reason=each.reason)
        for link, node, sent, arrived, lost in _traffic(lab):
            _print(link=link, **{"from": node}, sent=sent, arrived=arrived, lost=lost)
        for drop in lab.drops:
            _print(at_ns=drop.at, where=drop.where, reason=drop.reason)
        for node, at, count, why in _faults(lab):
            _print(node=node, function=at, faults=count, message=why)
        for line in lab.log:
            _print(at_ns=line.at, node=line.node, log=line.text)


def _print(**document: object) -> None:
    click.echo(json.dumps(document))


def _ping_row(lab: VirtualLab, each: Ping) -> tuple[str, str, str, str]:
    way = " ".join(each.there)
    if each.back and each.back != each.there[::-1]:
        way += f", back {' '.join(each.back)}"
    rtt = "-" if each.rtt is None else f"{each.rtt / 1e6:.6f}"
    names = {address.ip: node.name for node in lab.plan.nodes.values() for address in node.addresses}
    return each.source, names.get(each.target, str(each.target)), rtt, way if each.reason is None else f"{way} ({each.reason})"


def _faults(lab: VirtualLab) -> list[tuple[str, str, int, str]]:
    """Of functions that ended in faults: the node, what they are bound to, how often, and where in the source."""
    found = []
    for name in lab.plan.nodes:
        for prefix, live in lab.node(name).functions():
            for each in live.faults():
                if each.count:
                    found.append((name, str(prefix), each.count, f"{each.site.file}:{each.site.line}: {each.site.message}"))
    return found


def _traffic(lab: VirtualLab) -> list[tuple[str, str, int, int, int]]:
    """Of each direction of each link: frames sent, arrived by now, and lost."""
    found = []
    for link in lab.plan.links:
        for node, _ in link.ends:
            frames = [frame for frame in lab.captured(link.name) if frame.source == node]
            arrived = sum(frame.arrives is not None and frame.arrives <= lab.now for frame in frames)
            found.append((link.name, node, len(frames), arrived, sum(frame.arrives is None for frame in frames)))
    return found
