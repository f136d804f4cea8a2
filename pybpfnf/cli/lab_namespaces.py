"""`pybpfnf lab up`, `show`, `shell` and `down`: topologies as namespaces of this machine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import click

from pybpfnf.cli.lab_tables import COUNTERS, LINKS, NODES, ROUTES, document, link_rows, node_rows, route_rows
from pybpfnf.cli.options import json_option
from pybpfnf.cli.tables import Column, print_table
from pybpfnf.errors import InputError, SystemLacksError
from pybpfnf.kernel.named_netns import open_namespace
from pybpfnf.lab.link_specification import Counters
from pybpfnf.lab.names import LINKS as LINKS_NODE
from pybpfnf.lab.names import labs, namespaces_of
from pybpfnf.lab.plan import Plan, plan
from pybpfnf.lab.read_topology import read_topology
from pybpfnf.lab.running import link_counters
from pybpfnf.lab.start import up
from pybpfnf.lab.stop import Left, down, down_all
from pybpfnf.lab.topology import Topology

_LABS = (Column("LAB"), Column("NODES", right=True))
_SHELL = "/bin/sh"
_lab_argument = click.argument("lab", metavar="FILE|NAME")


@click.command("up")
@click.argument("file", type=click.Path())
@click.option("--name", metavar="NAME", help="What the lab is called, other than in the file.")
@click.option(
    "--links", "means", type=click.Choice(["netem", "process"]), help="What delays packets (default: netem, if the kernel has it)."
)
def up_command(file: str, name: str | None, means: str | None) -> None:
    """Make the lab of a topology: all of it, or nothing."""
    topology = read_topology(file)
    running = up(topology, name=name, means=means)
    running.close()
    click.echo(f"{running.name} is up: {_count(len(running.nodes), 'node')}, {_count(len(running.plan.links), 'link')}")
    click.echo(f"pybpfnf lab shell {running.name} {next(iter(running.nodes))}   enters a node", err=True)
    click.echo(f"pybpfnf lab down {running.name}", err=True)


@click.command("down")
@click.argument("lab", metavar="[FILE|NAME]", required=False)
@click.option("--all", "everything", is_flag=True, help="Every lab of this machine, whoever made it, and what crashes left.")
def down_command(lab: str | None, everything: bool) -> None:
    """Remove a lab: its namespaces, links, routes, programs and their pins."""
    if everything == (lab is not None):
        raise click.UsageError("give a topology, the name of a lab, or --all")
    if lab is None:
        for name, left in down_all().items():
            click.echo(f"{name} is down")
            _print_left(left)
        return
    name = _name_of(lab)
    left = down(name)
    click.echo(f"{name} is down")
    _print_left(left)


@click.command("show")
@click.argument("lab", metavar="[FILE|NAME]", required=False)
@json_option
def show_command(lab: str | None, as_json: bool) -> None:
    """Show a topology worked out, and what the links of its lab have carried; without one, the labs that are up."""
    if lab is None:
        _show_labs(as_json)
    elif _is_up(lab):
        _show_bare(lab, as_json)
    else:
        topology = read_topology(lab)
        _show(topology, as_json)


@click.command("shell", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_lab_argument
@click.argument("node")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell_command(lab: str, node: str, command: tuple[str, ...]) -> int:
    """Run a COMMAND, or a shell, in a node; ends as that does."""
    name = _name_of(lab)
    found = namespaces_of(name)
    if not found:
        raise InputError(f"the lab {name} is not up", hint=f"pybpfnf lab up {lab}")
    if node not in found:
        nodes = ", ".join(each for each in found if each != LINKS_NODE)
        raise InputError(f"the lab {name} has no node {node!r}", hint=f"there are: {nodes}")
    command = command[1:] if command[:1] == ("--",) else command  # as most commands that run another have it
    wanted = command or (os.environ.get("SHELL") or _SHELL,)
    if not command:
        click.echo(f"this is {node} of {name}; `exit` leaves it", err=True)
    with open_namespace(found[node]) as namespace, namespace.entered():
        try:
            return _status(subprocess.run(wanted, check=False).returncode)
        except FileNotFoundError:
            raise SystemLacksError(f"there is no command {wanted[0]!r}") from None
        except PermissionError:
            raise SystemLacksError(f"not permitted to run {wanted[0]!r}") from None


def _status(returned: int) -> int:
    """A shell's status of a command that a signal ended is 128 and its number."""
    return 128 - returned if returned < 0 else returned


def _name_of(lab: str) -> str:
    """Of a lab that is up, or of the file's."""
    return lab if _is_up(lab) or not _is_file(lab) else read_topology(lab).name


def _is_up(lab: str) -> bool:
    return lab in labs()


def _is_file(lab: str) -> bool:
    return os.sep in lab or Path(lab).suffix != "" or Path(lab).is_file()


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _print_left(left: list[Left]) -> None:
    for each in left:
        click.echo(f"note: process {each.pid} ({each.command}) is still in what was the node {each.node}", err=True)


# --------------------------------------------------------------------------------------------------------------- show


def _show_labs(as_json: bool) -> None:
    found = {lab: [node for node in namespaces_of(lab) if node != LINKS_NODE] for lab in labs()}
    if as_json:
        for lab, nodes in found.items():
            click.echo(json.dumps({"lab": lab, "nodes": nodes}))
    elif found:
        print_table(_LABS, [(lab, str(len(nodes))) for lab, nodes in found.items()])
    else:
        click.echo("no lab is up", err=True)


def _show(topology: Topology, as_json: bool) -> None:
    planned = plan(topology)
    namespaces = namespaces_of(topology.name)
    counted = link_counters(topology.name) if namespaces else {}
    if as_json:
        click.echo(json.dumps(document(topology.name, planned, namespaces, counted)))
        return
    click.echo(f"{topology.name} is {'up' if namespaces else 'not up'}\n")
    _print_plan(planned, namespaces, counted)


def _print_plan(planned: Plan, namespaces: Mapping[str, str], counted: Mapping[str, tuple[Counters, Counters]]) -> None:
    print_table(NODES, node_rows(planned, namespaces))
    click.echo()
    routes = route_rows(planned)
    if routes:
        print_table(ROUTES, routes)
        click.echo()
    print_table((*LINKS, *COUNTERS) if counted else LINKS, link_rows(planned, counted))


def _show_bare(lab: str, as_json: bool) -> None:
    """What the kernel says of a lab, without its topology."""
    nodes = {node: name for node, name in namespaces_of(lab).items() if node != LINKS_NODE}
    if as_json:
        click.echo(json.dumps({"lab": lab, "nodes": nodes}))
        return
    print_table((Column("NODE"), Column("NAMESPACE")), list(nodes.items()))
