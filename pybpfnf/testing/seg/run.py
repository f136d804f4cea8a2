"""A test file on a router, statement by statement: what came out of each test, and which commands were refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv6Address, IPv6Network
from typing import TypeAlias, final

from pybpfnf.diagnostics import Diagnostic
from pybpfnf.errors import CompileError, Error, SystemLacksError
from pybpfnf.records import dataclass
from pybpfnf.routes import Hop, Route, Router
from pybpfnf.testing.seg.compare import Arrival, judge
from pybpfnf.testing.seg.model import (
    Action,
    AddDevice,
    Case,
    ChangeAddress,
    ChangeRoute,
    ChangeRule,
    Command,
    SegFile,
    SetHmac,
    SetSysctl,
    SetTunnelSource,
    Shell,
)
from pybpfnf.testing.seg.wire import decode, encode

TUN, DEVICE, LOOPBACK = "tun0", "dum0", "lo"
ADDRESS, ADDRESS_LENGTH = IPv6Address("fd00::42"), 48
BEHIND = IPv6Network("fc00::/16")
"""What segway sets up before a file: packets come in at tun0, fc00::/16 is behind dum0, the router's own address is fd00::42."""

RunShell: TypeAlias = Callable[[str], None]
"""Runs a line in the router's network namespace; raises an Error where it fails."""


@final
@dataclass(frozen=True, slots=True)
class Result:
    """Of a test. `problems`: what differs, a line each; empty where it passed. `reason`: why nothing came out; `log`: what programs
    said."""

    case: Case
    arrivals: tuple[Arrival, ...]
    problems: tuple[str, ...]
    reason: str | None
    log: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Refused:
    """A command that could not be carried out; the tests after it run all the same."""

    command: Command
    message: str
    hint: str | None


def prepare(router: Router) -> None:
    """What files take for granted."""
    router.add_device(DEVICE)
    router.change_address("add", ADDRESS, ADDRESS_LENGTH, LOOPBACK)
    router.change_route("add", Route(BEHIND, hops=(Hop(DEVICE),)))


def run_file(file: SegFile, router: Router, run_shell: RunShell | None = None) -> Iterator[Result | Refused]:
    """Raises CompileError before anything runs where a line needs a shell and `run_shell` is None. Tests that expect nothing and say so
    by no `<` are sent, and not reported."""
    if run_shell is None:
        refuse_shell(file)
    for statement in file.statements:
        if isinstance(statement, Command):
            refused = _carry_out(statement, router, run_shell)
            if refused is not None:
                yield refused
        else:
            result = _run(statement, router)
            if statement.expected is not None:
                yield result


def refuse_shell(file: SegFile) -> None:
    """Raises CompileError for the lines that only a shell understands."""
    found = [each for each in file.statements if isinstance(each, Command) and isinstance(each.action, Shell)]
    hint = "it would run in the router's namespace: --runner kernel --allow-shell (root)"
    mistakes = [Diagnostic("seg-shell", "this line needs a shell", each.span, each.source_line, hint) for each in found]
    if mistakes:
        raise CompileError(mistakes)


def _run(case: Case, router: Router) -> Result:
    crossing = router.receive(TUN, encode(case.packet))
    arrivals = tuple(Arrival(device, decode(packet)) for device, packet in crossing.packets)
    problems = judge(case.expected or (), arrivals) if case.expected is not None else []
    return Result(case, arrivals, tuple(problems), crossing.reason, crossing.log)


def _carry_out(command: Command, router: Router, run_shell: RunShell | None) -> Refused | None:
    try:
        _apply(command.action, router, run_shell)
    except SystemLacksError:
        raise
    except Error as error:
        return Refused(command, str(error) if isinstance(error, CompileError) else error.message, error.hint)
    return None


def _apply(action: Action, router: Router, run_shell: RunShell | None) -> None:
    match action:
        case AddDevice(name=name):
            router.add_device(name)
        case ChangeRoute(verb=verb, route=route):
            router.change_route(verb, route)
        case ChangeRule(verb=verb, rule=rule):
            router.change_rule(verb, rule)
        case ChangeAddress(verb=verb, address=address, length=length, device=device):
            router.change_address(verb, address, length, device)
        case SetTunnelSource(address=address):
            router.set_tunnel_source(address)
        case SetHmac(number=number, key=key):
            router.set_hmac_key(number, key)
        case SetSysctl(name=name, value=value):
            router.set_sysctl(name, value)
        case Shell(line=line):
            assert run_shell is not None
            run_shell(line)
