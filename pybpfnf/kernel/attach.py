"""Attachments: a program bound to a SID or a route that outlives the process, as pins under bpffs and that route. All or nothing.

    <bpffs>/pybpfnf/<inode of the network namespace>/<destination>@<table>/   prog, record, map_<name> ...

Everything here works in the network namespace of the calling thread.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias, final

from pybpfnf.errors import InputError, KernelError, SystemLacksError
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.kernel import bpffs, routes
from pybpfnf.kernel.binding import Where, parse_destination, plan, unbind
from pybpfnf.kernel.encap import PROTOCOL
from pybpfnf.kernel.info import ProgramInfo, program_info
from pybpfnf.kernel.links import MAIN_TABLE, Network, family_of
from pybpfnf.kernel.load import LoadedProgram, load_program, program_type
from pybpfnf.kernel.maps import Map, open_map
from pybpfnf.kernel.netlink import Netlink
from pybpfnf.kernel.netns import current_inode
from pybpfnf.kernel.record import Record, keep, recall
from pybpfnf.kernel.routes import Route, check_table, detach_command, sid_text
from pybpfnf.records import dataclass

Destination: TypeAlias = str | IPv4Address | IPv4Network | IPv6Address | IPv6Network

_PROGRAM, _RECORD = "prog", "record"


@final
@dataclass(frozen=True, slots=True)
class Attachment:
    """One SID of ours. `record` and `route` are None where they are gone; `problems` says so in words."""

    destination: Network
    table: int
    record: Record | None
    route: Route | None
    program_id: int | None  # of the pinned program, else of the route's
    problems: tuple[str, ...]
    directory: Path

    @property
    def destination_text(self) -> str:
        return sid_text(self.destination)

    @property
    def can_be_opened(self) -> bool:
        """Whether its program and each of its maps are still pinned."""
        return self.record is not None and all(bpffs.exists(self.directory / pin) for pin in (_PROGRAM, *self.record.pins.values()))

    def open(self) -> OpenAttachment:
        """Its program and maps. Raises InputError where the pins are gone."""
        return OpenAttachment(self)


@final
class OpenAttachment:
    """The program and the maps of an attachment, read through its pins. `image` has what `Live` asks for: map specs,
    variables and fault sites, no instructions."""

    def __init__(self, attachment: Attachment) -> None:
        record = attachment.record
        if record is None:
            raise InputError(
                f"{attachment.destination_text} has no pins any more: its maps cannot be reached",
                hint=detach_command(attachment.destination, attachment.table),
            )
        with ExitStack() as stack:
            self._program = stack.enter_context(bpffs.open_pin(attachment.directory / _PROGRAM, "program"))
            self.maps: Mapping[str, Map] = {
                name: stack.enter_context(open_map(bpffs.open_pin(attachment.directory / pin, "map"), record.image.maps[name]))
                for name, pin in record.pins.items()
            }
            self._stack = stack.pop_all()
        self.image = record.image

    def info(self) -> ProgramInfo:
        return program_info(self._program)

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


def attach(
    image: ObjectImage,
    program: ProgramImage,
    destination: Destination,
    device: str | None = None,
    *,
    via: str | None = None,
    headroom: int | None = None,
    table: int | None = None,
    type_name: str | None = None,
    digest: str = "",
    fill: Callable[[LoadedProgram], None] | None = None,
) -> Attachment:
    """Load, pin, and bind a destination (an address, or a prefix) to the program.

    For lwt_seg6local it is a SID, on a device of this namespace. For the other hooks it is a route: one that is there keeps its next
    hops, metric and table; else `device` or `via` make one. `fill` writes
    maps before the first packet. When any step fails nothing is left: no pin, no route, no program, and a
    route that was there is as it was. Raises InputError for a SID that is taken or no SID, a device that does not exist, a
    program of another hook; SystemLacksError; what `load_program` raises.
    """
    prefix, number = _checked(destination, table)
    row = program_type(program, type_name)
    with Netlink() as netlink, ExitStack() as undo:
        planned = plan(netlink, row.name, Where(prefix, number, device, via, headroom))
        directory = _make_directory(prefix, number)
        undo.callback(_remove, directory)
        with load_program(image, program, type_name=type_name, shared=bpffs.mount_point()) as loaded:
            undo.callback(bpffs.unpin, loaded.new_pins)
            if fill is not None:
                fill(loaded)
            record = Record(
                program=program.name,
                type=row.name,
                sid=prefix,
                table=number,
                device=device or "",
                attached_at=time.time(),
                digest=digest,
                pins={name: _pin_name(position, name) for position, name in enumerate(loaded.maps)},
                image=replace(image, programs=()),
                original=planned.original,
            )
            _pin_all(directory, loaded, record)
            program_id = loaded.info().id
            route = planned.bind(loaded.fd, program_id, program.name)
        undo.pop_all()
    return Attachment(prefix, number, record, route, program_id, (), directory)


def detach(destination: Destination, table: int | None = None) -> None:
    """Remove our route for the SID, or put the route back that ours took the place of; then remove the pins. What is missing of them
    is fine. Raises InputError where nothing there is ours."""
    prefix, number = _checked(destination, table)
    directory = _directory(prefix, number)
    with Netlink() as netlink:
        found = [route for route in routes.routes(netlink, table=number, family=family_of(prefix)) if route.prefix == prefix]
        route = next((route for route in found if route.is_ours), found[0] if found else None)
        pinned = _pinned_program(directory)
        if not bpffs.exists(directory) and (route is None or not route.is_ours):
            there = "nothing is attached" if route is None else f"it is {route.description()}, and not ours"
            raise InputError(f"cannot detach {sid_text(prefix)} in table {number}: {there}", hint="pybpfnf status")
        if route is not None and route.is_ours and pinned not in (None, route.program_id):
            raise InputError(
                f"cannot detach {sid_text(prefix)}: its route leads to program {route.program_id}, and {pinned} is pinned",
                hint=f"ip -{prefix.version} route del {prefix} table {number} proto {PROTOCOL}",
            )
        if route is not None and route.is_ours:
            recorded = route.place is not None and bpffs.exists(directory / _RECORD)
            unbind(netlink, route, known=recorded, original=_recalled(directory).original if recorded else None)
    _remove(directory)


def remove_pins() -> None:
    """All pins of this network namespace, which is about to end, and its routes with it. Fine where there is no bpffs."""
    try:
        directory = _namespace_directory()
    except SystemLacksError:
        return
    for each in bpffs.entries(directory):
        bpffs.remove_directory(each)
    bpffs.remove_if_empty(directory)
    bpffs.remove_if_empty(directory.parent)


def attachments() -> list[Attachment]:
    """What is attached in this namespace, by SID; also where only the route or only the pins are left of it."""
    with Netlink() as netlink:
        bound = {(route.prefix, route.table): route for route in routes.our_routes(netlink)}
    pinned = {_key(directory.name): directory for directory in _directories()}
    keys = sorted({*bound, *pinned}, key=lambda key: (key[1], key[0].version, key[0].network_address.packed, key[0].prefixlen))
    return [_attachment(*key, bound.get(key), pinned.get(key)) for key in keys]


def find(destination: Destination, table: int | None = None) -> Attachment:
    """The attachment of a SID. Raises InputError where there is none, with those that there are."""
    prefix, number = _checked(destination, table)
    everything = attachments()
    for each in everything:
        if (each.destination, each.table) == (prefix, number):
            return each
    others = ", ".join(each.destination_text for each in everything)
    raise InputError(f"nothing is attached to {sid_text(prefix)} in table {number}", hint=f"there is: {others}" if others else None)


def _attachment(destination: Network, table: int, route: Route | None, directory: Path | None) -> Attachment:
    problems: list[str] = []
    record = program = None
    if route is None:
        problems.append("its route is gone: packets do not reach it")
    if directory is None:
        problems.append("its pins are gone: its maps cannot be reached")
    else:
        try:
            program = _pinned_program(directory)
            record = _recalled(directory)
        except (InputError, KernelError) as error:
            problems.append(f"its pins are incomplete: {error}")
        if program is None:
            problems.append("its pins are incomplete: the program is missing")
        missing = [] if record is None else [name for name, pin in record.pins.items() if not bpffs.exists(directory / pin)]
        problems += [f"its pins are incomplete: the map {name} is missing" for name in missing]
    if route is not None and program not in (None, route.program_id):
        problems.append(f"its route leads to program {route.program_id}, and {program} is pinned")
    identity = program if program is not None or route is None else route.program_id
    return Attachment(destination, table, record, route, identity, tuple(problems), directory or _directory(destination, table))


def _recalled(directory: Path) -> Record:
    path = directory / _RECORD
    with bpffs.open_pin(path, "record") as fd:
        return recall(fd, str(path))


def _pinned_program(directory: Path) -> int | None:
    """The id of the program that is pinned there, None where none is."""
    path = directory / _PROGRAM
    if not bpffs.exists(path):
        return None
    with bpffs.open_pin(path, "program") as fd:
        return program_info(fd).id


def _pin_all(directory: Path, loaded: LoadedProgram, record: Record) -> None:
    bpffs.pin(loaded.fd, directory / _PROGRAM, "the program")
    for name, pin in record.pins.items():
        bpffs.pin(loaded.maps[name].fd, directory / pin, f"map {name}")
    with keep(record) as kept:
        bpffs.pin(kept.fd, directory / _RECORD, "the record")


def _make_directory(destination: Network, table: int) -> Path:
    """A directory for the pins, made by us alone: two that attach at once cannot both have it."""
    directory = _directory(destination, table)
    if not bpffs.make_directory(directory):
        hint = f"remove what is left: {detach_command(destination, table)}"
        raise InputError(f"there are pins for {sid_text(destination)} in table {table}, though no route", hint=hint)
    return directory


def _remove(directory: Path) -> None:
    """The directory with its pins, and those above it that are empty then."""
    bpffs.remove_directory(directory)
    bpffs.remove_if_empty(directory.parent)
    bpffs.remove_if_empty(directory.parent.parent)


def _namespace_directory() -> Path:
    return bpffs.mount_point() / "pybpfnf" / str(current_inode())


def _directory(destination: Network, table: int) -> Path:
    length = "" if destination.prefixlen == destination.max_prefixlen else f"-{destination.prefixlen}"
    address = str(destination.network_address).replace(".", "_")  # bpffs takes no dots
    return _namespace_directory() / f"{address}{length}@{table}"


def _directories() -> list[Path]:
    return [each for each in bpffs.entries(_namespace_directory()) if _NAME.fullmatch(each.name)]


_NAME = re.compile(r"([0-9a-f:]+|\d+_\d+_\d+_\d+)(?:-(\d+))?@(\d+)")


def _key(name: str) -> tuple[Network, int]:
    match = _NAME.fullmatch(name)
    assert match is not None  # `_directories` gives no others
    length = "" if match[2] is None else f"/{match[2]}"
    return ip_network(match[1].replace("_", ".") + length), int(match[3])


def _pin_name(position: int, name: str) -> str:
    """bpffs takes no dots; the position keeps names apart that differ in such characters alone."""
    return f"map_{position}_{re.sub(r'[^A-Za-z0-9_]', '_', name)}"


def _checked(destination: Destination, table: int | None) -> tuple[Network, int]:
    prefix = parse_destination(str(destination))
    number = MAIN_TABLE if table is None else table
    check_table(number)
    return prefix, number
