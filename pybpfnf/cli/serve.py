"""`pybpfnf serve`: a function with its control, from the attachment to the detachment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from pybpfnf.apps.control import PLACE_KEYS, controlled
from pybpfnf.apps.serve import serve, serve_attached, serve_packets
from pybpfnf.captures.pcap import read_capture
from pybpfnf.cli.files import input_file
from pybpfnf.cli.options import attached_option, check_alone, chosen, table_option
from pybpfnf.errors import InputError


@click.command("serve")
@chosen
@click.option("--sid", metavar="ADDRESS", help="The SID to bind a seg6local program to, with --dev.")
@click.option("--route", metavar="PREFIX", help="The route to bind a program of another hook to.")
@click.option("--dev", metavar="DEVICE", help="The device of the route.")
@click.option("--via", metavar="ADDRESS", help="The next hop, for a program that is not bound to a SID.")
@click.option("--headroom", type=click.IntRange(0, 256), metavar="BYTES", help="What an lwt_xmit program puts in front of packets.")
@table_option
@attached_option
@click.option("--vm", "pcap", metavar="PCAP", type=click.Path(path_type=Path), help="Run the packets of a capture in the VM instead.")
def serve_command(
    target: str,
    program: str | None,
    type_name: str | None,
    config: Mapping[str, str],
    pcap: Path | None,
    attached: bool,
    **given: Any,
) -> None:
    """Attach a function and run its control with it, until either ends (root).

    TARGET is a file with a network function and `def control(nf)`, or with a FILE_control.py beside it that has the control. The
    function is bound as `attach` does it, to --sid or --route; what is not given here comes from SERVE in the file of the control, a dict
    of sid or route, dev, via, headroom and table. The control gets the function's maps and variables, its records
    (`for record in nf.feed(events)`) and a log (`nf.log("slow", delay=delay)`), which goes to stderr as JSON Lines.

    When the control returns or fails, and on SIGTERM and SIGINT, the function is detached. With --vm the packets of a capture are run in
    this process, without root, as the control asks for records, and nothing is attached. With --attached the function is there already,
    and stays.
    """
    if attached:
        check_alone(click.get_current_context(), "--attached", ("target", "program", "sid", "route", "table"))
    found = controlled(target, program)
    if pcap is not None:
        with input_file(pcap) as stream:
            packets = packets_of(stream, str(pcap))
            serve_packets(found.target, found.control, packets, program=program, type=type_name, config=config)
        return
    place: dict[str, Any] = {key: found.place.get(key) if given[key] is None else given[key] for key in PLACE_KEYS}
    sid, route = place.pop("sid"), place.pop("route")
    if given["sid"] is not None or given["route"] is not None:
        sid, route = given["sid"], given["route"]  # one from here, and not the other from the file beside it
    destination = sid if route is None else route
    if destination is None:
        raise InputError(
            f"nothing says where {target} is to be bound", hint="give --sid or --route, or SERVE in the control's file; or --vm PCAP"
        )
    if sid is not None and route is not None:
        raise InputError(
            f"{target} is bound to a SID or to a route, and both are given", hint="leave out --sid or --route, or one in SERVE"
        )
    if attached:
        serve_attached(found.target, found.control, destination, table=place["table"], program=program)
        return
    serve(found.target, found.control, destination, **place, program=program, type=type_name, config=config)


def packets_of(stream: Any, name: str) -> Iterator[bytes]:
    """The IP packets of a capture; what is none reaches no hook."""
    for record in read_capture(stream, name):
        packet = record.packet if record.packet is not None else record.ipv4
        if packet is not None:
            yield packet
