"""`pybpfnf debug`: packets through a function, step by step, on a screen or by lines of commands."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address
from itertools import chain
from pathlib import Path

import click

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.captures.pcap import read_capture
from pybpfnf.cli.debug_commands import Commands
from pybpfnf.cli.debug_panes import Panes
from pybpfnf.cli.files import input_file
from pybpfnf.cli.options import chosen
from pybpfnf.cli.packet_texts import packet_of
from pybpfnf.cli.router import environment_of, place_options
from pybpfnf.errors import InputError
from pybpfnf.lazy import load_module
from pybpfnf.targets import Source, locate
from pybpfnf.testing.debugger import Debugger
from pybpfnf.testing.history import Follower
from pybpfnf.verbs.coverage import counting
from pybpfnf.verbs.run import Simulation, simulate
from pybpfnf.vm import VmRunner, VmSession


@click.command("debug")
@chosen
@click.argument("pcap", metavar="[PCAP]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--packet",
    "texts",
    metavar="PACKET",
    multiple=True,
    help="A packet in hex, or in scapy's words: IPv6(dst=...)/UDP(); may be repeated.",
)
@click.option("--batch", is_flag=True, help="No screen: commands are lines on stdin (`help` lists them).")
@click.option("--optimised", is_flag=True, help="Step through the object as it is built to run, not one that keeps lines and locals.")
@place_options
def debug_command(
    target: str,
    program: str | None,
    type_name: str | None,
    config: Mapping[str, str],
    pcap: Path | None,
    texts: tuple[str, ...],
    batch: bool,
    optimised: bool,
    tables: tuple[int, ...],
    sid: IPv4Address | IPv6Address | None,
    mark: int,
) -> int:
    """Step through a function's run on packets, forwards and back.

    It runs in the VM; steps are statements or instructions, and there are breakpoints.

    Packets come from PCAP, or are given with --packet. A function whose source is at hand is built with its lines and local integers kept,
    as for `run --trace`; that adds instructions of its own. An object, and with --optimised any function, has the lines that its
    instructions stand for.
    """
    router = environment_of(tables, sid, mark)
    with ExitStack() as stack:
        kept = None if optimised or not isinstance(locate(target, source=True), Source) else counting(target, values=True)
        given = target if kept is None else kept.data
        follower = Follower(None if kept is None else kept.statements())
        simulation = stack.enter_context(
            simulate(given, program=program, type=type_name, config=config, runner=VmRunner(follower), environment=router)
        )
        assert isinstance(simulation.session, VmSession)
        follower.watch(simulation.session)
        debugger = Debugger(follower, _packets(simulation, pcap, texts, stack))
        panes = Panes(debugger, simulation.image, simulation.program)
        commands = Commands(debugger, panes)
        if batch or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return _by_lines(commands)
        load_module("pybpfnf.cli.debug_screen").show(commands)
        return 0


def _packets(simulation: Simulation, pcap: Path | None, texts: Iterable[str], stack: ExitStack) -> Iterator[bytes]:
    """Those that were written, and then those of the capture that are for the program's hook."""
    written = [packet_of(text) for text in texts]
    captured: Iterator[bytes] = iter(())
    if pcap is not None:
        row = PROGRAM_TYPES[simulation.program.type or ""]
        records = read_capture(stack.enter_context(input_file(pcap)), str(pcap))
        captured = (packet for record in records if (packet := record.for_hook(row)) is not None)
    return chain(written, captured)


def _by_lines(commands: Commands) -> int:
    """A command a line from stdin, what it shows on stdout; 2 where one was wrong, which does not end it."""
    prompt = sys.stdin.isatty()
    status = 0
    for line in commands.here():
        click.echo(line)
    while not commands.ended:
        if prompt:
            click.echo("debug> ", nl=False)
        text = sys.stdin.readline()
        if not text:
            break
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        try:
            for line in commands.do(text):
                click.echo(line)
        except InputError as error:
            click.echo(f"error: {error.message}{'' if error.hint is None else f' ({error.hint})'}")
            status = 2
    return status
