"""The table of commands, and running one of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from pybpfnf.cli.command_table import Row, TableGroup
from pybpfnf.cli.failures import ReportFailures
from pybpfnf.cli.terminated import Terminating

COMMANDS: Mapping[str, Row] = {
    "list": Row("catalogue", "Show the functions that come with pybpfnf."),
    "new": Row("catalogue", "Write a new function, its test and its line in the README."),
    "build": Row("build", "Compile TARGET into a standard ELF object."),
    "show": Row("build", "Print a program's instructions, Python lines beside them."),
    "run": Row("run", "Run a program on the packets of a capture."),
    "debug": Row("debug", "Step through a function's run on packets, forwards and back."),
    "diff": Row("diff", "Run a program in the VM and in the kernel, and compare (root)."),
    "test": Row("test", "Send the packets of test files through a router, and compare what comes out."),
    "explain": Row("explain", "Say why a diagnostic's rule is there, with a wrong and a right function."),
    "check": Row("check", "Ask the running kernel's verifier about a program (root)."),
    "attach": Row("attach", "Load a program and bind it to a SID or a route (root)."),
    "serve": Row("serve", "Attach a function and run its control with it, until either ends (root)."),
    "delay": Row("delay", "Measure delays along SRv6 paths: responder, collector, query, watch."),
    "get": Row("live", "Show the variables and maps of an attached program (root)."),
    "set": Row("live", "Change States and map entries while packets flow (root)."),
    "unset": Row("live", "Take map entries away while packets flow (root)."),
    "status": Row("status", "Show what is attached, with fault counts (root)."),
    "lab": Row("lab", "Make a network for experiments from a topology."),
    "detach": Row("attach", "Remove a binding made by attach (root)."),
}


def _print_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version  # here: its import takes longer than some commands

    try:
        number = version("pybpfnf")
    except PackageNotFoundError:
        number = "(a checkout, not installed)"
    click.echo(f"pybpfnf {number}")
    context.exit()


@click.group(cls=TableGroup, rows=COMMANDS, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version and exit.")
@click.pass_context
def commands(context: click.Context) -> int:
    """Network functions for IPv6 Segment Routing, written in Python.

    TARGET is a path to a .py file or to an object file, else the name of a catalogue function.

    Exit status: 0 it ran (drops are data), 1 the program is wrong, 2 usage or unreadable input, 3 the system lacks something.
    """
    if context.invoked_subcommand is not None:
        return 0
    click.echo(context.get_help(), err=True)
    return 2


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    with ReportFailures() as failures, Terminating():
        # Not `commands.main`: that has its own ideas of what an interrupt and a closed pipe end with.
        with commands.make_context("pybpfnf", list(arguments)) as context:
            result: Any = commands.invoke(context)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    return failures.status
