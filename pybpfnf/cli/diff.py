"""`pybpfnf diff`: the VM and the kernel side by side, and the first packet on which they differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address
from itertools import islice
from pathlib import Path

import click

from pybpfnf.abi.programs import ProgramType
from pybpfnf.captures.capture import Record
from pybpfnf.captures.pcap import read_capture
from pybpfnf.cli.files import input_file
from pybpfnf.cli.options import chosen, json_option
from pybpfnf.cli.router import environment_of, place_options
from pybpfnf.testing.differential import Comparison, Difference
from pybpfnf.testing.fields import fields
from pybpfnf.verbs.diff import PACKETS, comparing, generated_sid


@click.command("diff")
@chosen
@click.argument("pcap", metavar="[PCAP]", type=click.Path(path_type=Path), required=False)
@click.option(
    "--count", metavar="N", type=click.IntRange(1), help=f"How many packets to generate (default: {PACKETS}), or to take of PCAP."
)
@click.option("--seed", metavar="N", type=int, default=0, help="Which packets to generate (default: 0).")
@click.option("--all", "keep_going", is_flag=True, help="Go on after the first difference.")
@place_options
@json_option
def diff_command(
    target: str,
    program: str | None,
    type_name: str | None,
    config: Mapping[str, str],
    pcap: Path | None,
    count: int | None,
    seed: int,
    keep_going: bool,
    tables: tuple[int, ...],
    sid: IPv4Address | IPv6Address | None,
    mark: int,
    as_json: bool,
) -> int:
    """Run a program in the VM and in the kernel, and compare (root).

    Packets are those of PCAP (`-`: stdin), else generated: right ones for the program's hook, and ones with bytes changed, cut off or
    added. The kernel's cross a real route in a network namespace that vanishes afterwards; those of xdp and sched_cls are a test run's.
    Compared are verdict, bytes, fault, mark, number
    of runs, records and log lines. What depends on time or chance is found by running the VM at other times; it is left out, and named.

    Exit status 1 where they differ. With --json, stdout is an object for each difference and a summary (packets, forwarded,
    faults, differences, masked).
    """
    router = environment_of(tables, sid, mark)
    with ExitStack() as stack:
        if pcap is None:
            router = generated_sid(router)
        both = stack.enter_context(comparing(target, program=program, type=type_name, config=config, environment=router))
        packets: Iterator[bytes]
        if pcap is None:
            packets = both.generated(seed, count or PACKETS)
        else:
            records = read_capture(stack.enter_context(input_file(pcap)), str(pcap))
            packets = islice(_packets(records, both.row), count)
        for found in both.run(packets):
            if as_json:
                _print_document(found)
            else:
                _print_difference(found, frame=both.row.l2)
            if not keep_going:
                break
    (_print_summary_document if as_json else _print_summary)(both.comparison)
    return int(bool(both.comparison.differences))


def _packets(records: Iterable[Record], row: ProgramType) -> Iterator[bytes]:
    for record in records:
        packet = record.for_hook(row)
        if packet is not None:
            yield packet


def _print_difference(found: Difference, *, frame: bool) -> None:
    click.echo(f"packet {found.index} differs:")
    for line in found.lines:
        click.echo(f"    {line}")
    if found.kernel.reason is not None:
        click.echo(f"    the kernel's reason: {found.kernel.reason}")
    if found.vm.reason is not None:
        click.echo(f"    the VM's reason: {found.vm.reason}")
    click.echo("  the packet:")
    for name, value in fields(found.packet, frame=frame).items():
        click.echo(f"    {name} = {value}")
    click.echo(f"  in hex: {found.packet.hex()}")


def _print_summary(comparison: Comparison) -> None:
    count = len(comparison.differences)
    said = "the VM and the kernel agree" if not count else f"they differ on {count}"
    packets = "1 packet" if comparison.packets == 1 else f"{comparison.packets} packets"
    click.echo(f"{packets}, {comparison.forwarded} forwarded, {comparison.faults} with a fault: {said}")
    for name, times in sorted(comparison.masked.items()):
        click.echo(f"not compared, since it depends on time or chance: {name} ({times} packets)")


def _print_document(found: Difference) -> None:
    click.echo(json.dumps({"index": found.index, "packet": found.packet.hex(), "differs": list(found.lines), "reason": found.vm.reason}))


def _print_summary_document(comparison: Comparison) -> None:
    click.echo(
        json.dumps(
            {
                "packets": comparison.packets,
                "forwarded": comparison.forwarded,
                "faults": comparison.faults,
                "differences": len(comparison.differences),
                "masked": comparison.masked,
            }
        )
    )
