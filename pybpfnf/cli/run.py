"""`pybpfnf run`: a program on the packets of a capture, in the VM or in the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import click

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.cli.contents import contents
from pybpfnf.cli.files import input_file, output_file
from pybpfnf.cli.insight import Insight, insight_options
from pybpfnf.cli.options import chosen, json_option, output_option
from pybpfnf.cli.reports import JsonReport, Report, TextReport
from pybpfnf.cli.router import environment_of, router_options, runner_of
from pybpfnf.errors import InputError
from pybpfnf.testing.capture import Record
from pybpfnf.testing.passing import FilePass, outcomes
from pybpfnf.testing.pcap import Writer, read_capture
from pybpfnf.verbs.run import Simulation, simulate
from pybpfnf.vm import WORTH_A_BATCH, VmSession
from pybpfnf.vm.native.files import FileBatch


@click.command("run")
@chosen
@click.argument("pcap", metavar="PCAP", type=click.Path(path_type=Path))
@output_option("Write the packets that leave, with their times and link headers.", "-w", "--write")
@click.option("-q", "--quiet", is_flag=True, help="Print the sums alone, no line for each packet.")
@click.option("--get", "names", metavar="NAME", multiple=True, help="Show this variable or map at the end; may be repeated.")
@click.option("--clock", type=click.Choice(["steady", "pcap"]), default="steady", help="Packets come at the times of PCAP (in the VM).")
@insight_options
@router_options
@json_option
def run_command(
    target: str,
    program: str | None,
    type_name: str | None,
    config: Mapping[str, str],
    pcap: Path,
    output: Path | None,
    quiet: bool,
    names: tuple[str, ...],
    clock: str,
    coverage: Path | None,
    html: Path | None,
    trace: bool,
    profile: bool,
    runner: str,
    engine: str,
    tables: tuple[int, ...],
    sid: IPv4Address | IPv6Address | None,
    mark: int,
    as_json: bool,
) -> None:
    """Run a program on the packets of a capture.

    PCAP is a pcap or pcapng file (`-`: stdin) of Ethernet, raw IP or Linux cooked frames. Each packet is taken to come in at a device
    and, unless --sid says another destination, to be for the program's route. It runs in this process; with --runner kernel the
    packets cross such a route in a network namespace of their own (root), which vanishes afterwards. The router has the tables main and
    local, and those of --table.

    With --json, stdout is a header object (program, type, engine), an object for each packet (index, verdict, forwarded,
    packet, reason, fault, instructions, events, log) and a summary (packets, forwarded, dropped, faults, contents). A verdict is its name,
    or the number where the hook has no name for it; packet is hex, from the IP header on, as it leaves the hook (lwt_out
    and lwt_xmit come after forwarding has taken one hop off, the others before); a fault is null or an object of file, line and message.
    """
    if str(output) == "-":
        raise InputError("the packets cannot go to stdout: the report is there", hint="name a file, or a pipe of its own (-w >(...))")
    if (trace or profile) and (engine == "compiled" or (quiet and trace)):
        what = "--engine compiled" if engine == "compiled" else "--quiet"
        raise click.UsageError(f"--trace and --profile watch the reference engine, packet by packet: leave out {what}")
    with ExitStack() as stack:
        insight, router = Insight.of(target, coverage, html, trace, profile), environment_of(tables, sid, mark)
        by = insight.runner(runner_of(runner, engine))
        simulation = stack.enter_context(
            simulate(insight.target(target), program=program, type=type_name, config=config, runner=by, environment=router)
        )
        insight.begin(simulation)
        set_clock = _clock_of(simulation, clock)
        for name in names:
            simulation[name]  # a wrong name is found before a long capture is run
        capture = read_capture(stack.enter_context(input_file(pcap)), str(pcap))
        writer = None if output is None else Writer(stack.enter_context(output_file(output)))
        verdicts = PROGRAM_TYPES[simulation.program.type or ""].verdicts
        report: Report = (JsonReport if as_json else TextReport)(simulation.program, verdicts, simulation.image.maps, runner, quiet=quiet)
        at_once = pcap.is_file() and not trace and set_clock is None  # packets of a pipe are run as they come
        files = _in_machine_code(simulation, pcap) if at_once and quiet else None
        link = None
        try:
            if files is not None:
                link = FilePass(*files, capture, writer, report).run()
            else:
                for record, outcome in outcomes(simulation.session, _timed(capture, set_clock), WORTH_A_BATCH if at_once else 1):
                    link = link or record.link
                    report.packet(record, outcome)
                    insight.print_packet(err=as_json)
                    if writer is not None and outcome.packet is not None and outcome.forwarded:
                        writer.write(record, outcome.packet)
        except InputError:
            insight.finish(simulation, err=as_json)  # what was reached before a part that cannot be read was reached
            raise
        if writer is not None:
            writer.finish(link)
        report.finish(tuple(contents(simulation, names)))
        insight.finish(simulation, err=as_json)


def _in_machine_code(simulation: Simulation, pcap: Path) -> tuple[VmSession, FileBatch] | None:
    """The session, and what takes the file through it without a Python object for each packet; None where that is not to be had."""
    session = simulation.session
    if not isinstance(session, VmSession):
        return None
    files = session.files(pcap.stat().st_size)
    return None if files is None else (session, files)


def _clock_of(simulation: Simulation, clock: str) -> Callable[[int], None] | None:
    """What sets the clock for the next packet, where that is wanted."""
    if clock == "steady":
        return None
    if not isinstance(simulation.session, VmSession):
        raise InputError("the kernel's clocks are its own", hint="leave out --runner kernel, or --clock")
    return simulation.session.set_clock


def _timed(records: Iterable[Record], set_clock: Callable[[int], None] | None) -> Iterator[Record]:
    """The records, the clock set to the time of each before it is run; those without a time leave it as it is."""
    for record in records:
        if set_clock is not None and record.timestamp:
            set_clock(record.timestamp)
        yield record
