"""`pybpfnf run`: a program on the packets of a capture, in the VM or in the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import click

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.captures.pcap import Writer, read_capture
from pybpfnf.cli.contents import contents
from pybpfnf.cli.files import input_file, output_file
from pybpfnf.cli.insight import Insight, insight_options
from pybpfnf.cli.options import check_alone, json_option, output_option, perhaps_chosen, required
from pybpfnf.cli.passing import Pass, clock_of
from pybpfnf.cli.progress import progress
from pybpfnf.cli.reports import By, JsonReport, Report, TextReport
from pybpfnf.cli.router import environment_of, router_options, runner_of
from pybpfnf.errors import InputError
from pybpfnf.lazy import load_module
from pybpfnf.verbs.run import simulate


@click.command("run")
@perhaps_chosen
@click.argument("pcap", metavar="PCAP", required=False, type=click.Path(path_type=Path))
@output_option("Write the packets that leave, with their times and link headers.", "-w", "--write")
@click.option("-q", "--quiet", is_flag=True, help="Print the sums alone, no line for each packet.")
@click.option("--get", "names", metavar="NAME", multiple=True, help="Show this variable or map at the end; may be repeated.")
@click.option("--clock", type=click.Choice(["steady", "pcap"]), default="steady", help="Packets come at the times of PCAP (in the VM).")
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(1, 256),
    default=1,
    help="Run parts of PCAP in N processes, where no packet depends on another.",
)
@click.option(
    "--record", metavar="FILE", type=click.Path(path_type=Path), help="Write packets, maps, times, random numbers to run again (in the VM)."
)
@click.option("--replay", metavar="FILE", type=click.Path(path_type=Path), help="Run those again, by TARGET or as recorded, and compare.")
@insight_options
@router_options
@json_option
@click.pass_context
def run_command(
    context: click.Context,
    target: str | None,
    program: str | None,
    type_name: str | None,
    config: Mapping[str, str],
    pcap: Path | None,
    output: Path | None,
    quiet: bool,
    names: tuple[str, ...],
    clock: str,
    jobs: int,
    record: Path | None,
    replay: Path | None,
    coverage: Path | None,
    html: Path | None,
    trace: bool,
    profile: bool,
    runner: str,
    engine: str,
    kernel: str | None,
    tables: tuple[int, ...],
    sid: IPv4Address | IPv6Address | None,
    mark: int,
    as_json: bool,
) -> int:
    """Run a program on the packets of a capture.

    PCAP is a pcap or pcapng file (`-`: stdin) of Ethernet, raw IP or Linux cooked frames, for xdp and sched_cls of Ethernet. Each packet
    is taken to come in at a device and, unless --sid says another destination, to be for the program's route. It runs in this process;
    with --runner kernel the packets cross such a route in a network namespace of their own (root), which vanishes afterwards. The router
    has the tables main and local, and those of --table.

    With --record, a file is written from which --replay runs the packets again: by the object that is in it, or by another build of the
    function. That says the first packet that becomes something else, and ends with status 1 then.

    With --json, stdout is a header object (program, type, runner, engine), an object for each packet (index, verdict, forwarded,
    packet, reason, fault, instructions, events, log) and a summary (packets, forwarded, dropped, faults, contents). A verdict is its name,
    or the number where the hook has no name for it; packet is hex, from the IP header on (of xdp and sched_cls the whole
    frame), as it leaves the hook (lwt_out and lwt_xmit come after forwarding has taken one hop off, the others before); a fault is null
    or an object of file, line and message.
    """
    if replay is not None:
        check_alone(context, "--replay", ("target", "program", "engine", "as_json"))
        status: int = load_module("pybpfnf.cli.replay").replay_file(replay, target, program, engine, as_json=as_json)
        return status
    if target is None or pcap is None:
        required(context, "target" if target is None else "pcap")
    if str(output) == "-":
        raise InputError("the packets cannot go to stdout: the report is there", hint="name a file, or a pipe of its own (-w >(...))")
    if (trace or profile) and (engine == "compiled" or (quiet and trace)):
        what = "--engine compiled" if engine == "compiled" else "--quiet"
        raise click.UsageError(f"--trace and --profile watch the reference engine, packet by packet: leave out {what}")
    if jobs > 1 and (record or trace or profile or coverage or html or runner == "kernel" or clock == "pcap"):
        raise click.UsageError(
            "--jobs is for packets that depend on nothing else: leave out --clock, --runner kernel, --trace and the like"
        )
    with ExitStack() as stack:
        insight, router = Insight.of(target, coverage, html, trace, profile), environment_of(tables, sid, mark)
        by = insight.runner(runner_of(runner, engine, kernel))
        simulation = stack.enter_context(
            simulate(insight.target(target), program=program, type=type_name, config=config, runner=by, environment=router)
        )
        insight.begin(simulation)
        for name in names:
            simulation[name]  # a wrong name is found before a long capture is run
        if clock == "pcap":
            clock_of(simulation)
        capture = read_capture(stack.enter_context(input_file(pcap)), str(pcap))
        verdicts = PROGRAM_TYPES[simulation.program.type or ""].verdicts
        told = By(runner, None if runner == "kernel" else "reference" if trace or profile else engine)
        report: Report = (JsonReport if as_json else TextReport)(simulation.program, verdicts, simulation.image.maps, told, quiet=quiet)
        parts: Any = load_module("pybpfnf.cli.jobs") if jobs > 1 else None  # processes cost an import
        if record is not None:
            stack.enter_context(simulation.record(record))
        job = None
        if parts is not None:
            place = Path(stack.enter_context(parts.place_for_parts()))
            job = parts.job_of(
                target, simulation, pcap, place, config=config, sid=sid, writing=output is not None, program=program, type_name=type_name,
                engine=engine, kernel=kernel, tables=tables, mark=mark, quiet=quiet, as_json=as_json,
            )  # fmt: skip
        writer = None if output is None else Writer(stack.enter_context(output_file(output)))
        report.begin()
        shown = stack.enter_context(progress(pcap, quiet=quiet))
        try:
            if job is not None:
                link = parts.run_parts(job, jobs, writer, report, shown or (lambda _: None))
            else:
                size = pcap.stat().st_size if pcap.is_file() else None  # packets of a pipe are run as they come
                moved = (lambda: None) if shown is None else (lambda: shown(capture.source.offset))
                after = partial(insight.print_packet, err=as_json)
                way = Pass(size, quiet, by_time=clock == "pcap", watched=trace or record is not None, after=after, moved=moved)
                link = way.send(simulation, capture, writer, report)
        except InputError:
            insight.finish(simulation, err=as_json)  # what was reached before a part that cannot be read was reached
            raise
        if writer is not None:
            writer.finish(link)
        report.finish(tuple(contents(simulation, names)))
        insight.finish(simulation, err=as_json)
        return 0
