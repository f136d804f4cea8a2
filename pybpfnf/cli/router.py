"""Options that say by what and on what router `run` runs a program."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, TypeVar

import click

from pybpfnf.abi.kernels import KERNELS, NEWEST
from pybpfnf.lazy import load_module
from pybpfnf.runner import Environment, Runner
from pybpfnf.vm import Engine, VmRunner

F = TypeVar("F", bound=Callable[..., Any])
_U32 = 0xFFFFFFFF


def _address(_context: click.Context, parameter: click.Parameter, given: str | None) -> IPv4Address | IPv6Address | None:
    if given is None:
        return None
    try:
        return ip_address(given)
    except ValueError:
        raise click.BadParameter(f"{given!r} is not an IPv6 or IPv4 address", param=parameter) from None


_RUNNER_OPTIONS = (
    click.option("--runner", type=click.Choice(["vm", "kernel"]), default="vm", help="In this process, or across a real route (root)."),
    click.option(
        "--engine",
        type=click.Choice(["auto", "reference", "compiled"]),
        default="auto",
        help="What the VM runs it by; auto compiles a program that has run for long.",
    ),
    click.option("--kernel", type=click.Choice(list(KERNELS)), help=f"Which Linux the VM follows (default: {NEWEST.name})."),
)
_PLACE_OPTIONS = (
    click.option(
        "--table", "tables", metavar="N", type=click.IntRange(1, _U32), multiple=True, help="A table with a default route; may be repeated."
    ),
    click.option("--sid", metavar="ADDRESS", callback=_address, help="The route's destination (default: each packet's own)."),
    click.option("--mark", metavar="N", type=click.IntRange(0, _U32), default=0, help="The mark that packets come with."),
)


def router_options(command: F) -> F:
    """By what a program is run, and on what router."""
    return _with(_RUNNER_OPTIONS, place_options(command))


def place_options(command: F) -> F:
    """On what router."""
    return _with(_PLACE_OPTIONS, command)


def _with(options: tuple[Callable[[Any], Any], ...], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def runner_of(runner: str, engine: str, kernel_name: str | None) -> Runner:
    """The VM with that engine, like that kernel; or the kernel's runner, whose imports cost, only where it is asked for."""
    if runner == "vm":
        return VmRunner(engine=Engine(engine), kernel=kernel_name or NEWEST.name)
    if kernel_name is not None:
        raise click.BadParameter("it is the VM's, and the packets go to the running kernel", param_hint="--kernel")
    if engine != "auto":
        raise click.BadParameter("it is the VM's, and the packets go to the kernel", param_hint="--engine")
    kernel: Runner = load_module("pybpfnf.kernel.runner").KernelRunner()
    return kernel


def environment_of(tables: tuple[int, ...], sid: IPv4Address | IPv6Address | None, mark: int) -> Environment:
    """The usual router with these tables besides its own."""
    usual = Environment()
    return Environment(tables=usual.tables | set(tables), sid=sid, mark=mark)
