"""Attachments: a program bound to a SID or a route that outlives the process, as pins under bpffs and that route. All or nothing.

Everything here works in the network namespace of the calling thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias, final

from pybpfnf.errors import InputError, KernelError, SystemLacksError
from pybpfnf.held_signals import HeldSignals
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.kernel import bpffs, pins, routes
from pybpfnf.kernel.binding import Where, parse_destination, plan, unbind
from pybpfnf.kernel.info import ProgramInfo, program_info
from pybpfnf.kernel.links import MAIN_TABLE, Network, family_of
from pybpfnf.kernel.load import LoadedProgram, load_program, program_type
from pybpfnf.kernel.maps import Map, open_map
from pybpfnf.kernel.netlink import Netlink
from pybpfnf.kernel.record import Record
from pybpfnf.kernel.route_numbers import PROTOCOL
from pybpfnf.kernel.routes import Route, check_table, detach_command, sid_text
from pybpfnf.records import dataclass

Destination: TypeAlias = str | IPv4Address | IPv4Network | IPv6Address | IPv6Network


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
        return self.record is not None and all(bpffs.exists(self.directory / pin) for pin in (pins.PROGRAM, *self.record.pins.values()))

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
            self._program = stack.enter_context(bpffs.open_pin(attachment.directory / pins.PROGRAM, "program"))
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
    prefix, number = checked(destination, table)
    row = program_type(program, type_name)
    with Netlink() as netlink, HeldSignals(), ExitStack() as undo:
        planned = plan(netlink, row.name, Where(prefix, number, device, via, headroom))
        directory = pins.make_directory(prefix, number)
        undo.callback(pins.remove, directory)
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
                pins={name: pins.pin_name(position, name) for position, name in enumerate(loaded.maps)},
                image=replace(image, programs=()),
                original=planned.original,
                headroom=headroom,
            )
            pins.pin_all(directory, loaded, record)
            program_id = loaded.info().id
            route = planned.bind(loaded.fd, program_id, program.name)
        undo.pop_all()
    return Attachment(prefix, number, record, route, program_id, (), directory)


def detach(destination: Destination, table: int | None = None) -> None:
    """Remove our route for the SID, or put the route back that ours took the place of; then remove the pins. What is missing of them
    is fine. Raises InputError where nothing there is ours."""
    prefix, number = checked(destination, table)
    directory = pins.directory_of(prefix, number)
    with Netlink() as netlink, HeldSignals():
        found = [route for route in routes.routes(netlink, table=number, family=family_of(prefix)) if route.prefix == prefix]
        route = next((route for route in found if route.is_ours), found[0] if found else None)
        pinned = pins.pinned_program(directory)
        if route is not None and route.program_id == pins.pinned_program(pins.next_of(directory)):
            pinned = route.program_id  # whoever replaced it was ended before its pins had their name
        if not bpffs.exists(directory) and (route is None or not route.is_ours):
            there = "nothing is attached" if route is None else f"it is {route.description()}, and not ours"
            raise InputError(f"cannot detach {sid_text(prefix)} in table {number}: {there}", hint="`pybpfnf status` shows what is attached")
        if route is not None and route.is_ours and pinned not in (None, route.program_id):
            raise InputError(
                f"cannot detach {sid_text(prefix)}: its route leads to program {route.program_id}, and {pinned} is pinned",
                hint=f"ip -{prefix.version} route del {prefix} table {number} proto {PROTOCOL}",
            )
        if route is not None and route.is_ours:
            recorded = route.place is not None and bpffs.exists(directory / pins.RECORD)
            unbind(netlink, route, known=recorded, original=pins.recalled(directory).original if recorded else None)
        bpffs.remove_directory(pins.next_of(directory))
        pins.remove(directory)


def remove_pins() -> None:
    """All pins of this network namespace, which is about to end, and its routes with it. Fine where there is no bpffs."""
    try:
        directory = pins.namespace_directory()
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
    pinned = {pins.key_of(directory.name): directory for directory in pins.directories()}
    keys = sorted({*bound, *pinned}, key=lambda key: (key[1], key[0].version, key[0].network_address.packed, key[0].prefixlen))
    return [_attachment(*key, bound.get(key), pinned.get(key)) for key in keys]


def there(destination: Destination, table: int | None = None) -> Attachment | None:
    """The attachment of a SID or a route, or what is left of it; None where there is none."""
    key = checked(destination, table)
    return next((each for each in attachments() if (each.destination, each.table) == key), None)


def find(destination: Destination, table: int | None = None) -> Attachment:
    """The attachment of a SID. Raises InputError where there is none, with those that there are."""
    prefix, number = checked(destination, table)
    found = there(destination, table)
    if found is not None:
        return found
    others = ", ".join(each.destination_text for each in attachments())
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
            program = pins.pinned_program(directory)
            record = pins.recalled(directory)
        except (InputError, KernelError) as error:
            problems.append(f"its pins are incomplete: {error}")
        if program is None:
            problems.append("its pins are incomplete: the program is missing")
        missing = [] if record is None else [name for name, pin in record.pins.items() if not bpffs.exists(directory / pin)]
        problems += [f"its pins are incomplete: the map {name} is missing" for name in missing]
    if route is not None and program not in (None, route.program_id):
        problems.append(f"its route leads to program {route.program_id}, and {program} is pinned")
    identity = program if program is not None or route is None else route.program_id
    return Attachment(destination, table, record, route, identity, tuple(problems), directory or pins.directory_of(destination, table))


def checked(destination: Destination, table: int | None) -> tuple[Network, int]:
    """As a prefix and a table's number. Raises InputError."""
    prefix = parse_destination(str(destination))
    number = MAIN_TABLE if table is None else table
    check_table(number)
    return prefix, number
