"""The pins of attachments: which names they have, and what is read through them.

<bpffs>/pybpfnf/<inode of the network namespace>/<destination>@<table>/          prog, record, map_<name> ...
                                                 next-<destination>@<table>/     of what is taking its place
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path

from pybpfnf.errors import InputError
from pybpfnf.kernel import bpffs
from pybpfnf.kernel.info import program_info
from pybpfnf.kernel.links import Network
from pybpfnf.kernel.load import LoadedProgram
from pybpfnf.kernel.netns import current_inode
from pybpfnf.kernel.record import Record, keep, recall
from pybpfnf.kernel.routes import detach_command, sid_text

PROGRAM, RECORD = "prog", "record"


def recalled(directory: Path) -> Record:
    path = directory / RECORD
    with bpffs.open_pin(path, "record") as fd:
        return recall(fd, str(path))


def pinned_program(directory: Path) -> int | None:
    """The id of the program that is pinned there, None where none is."""
    path = directory / PROGRAM
    if not bpffs.exists(path):
        return None
    with bpffs.open_pin(path, "program") as fd:
        return program_info(fd).id


def pin_all(directory: Path, loaded: LoadedProgram, record: Record) -> None:
    bpffs.pin(loaded.fd, directory / PROGRAM, "the program")
    for name, pin in record.pins.items():
        bpffs.pin(loaded.maps[name].fd, directory / pin, f"map {name}")
    with keep(record) as kept:
        bpffs.pin(kept.fd, directory / RECORD, "the record")


def make_directory(destination: Network, table: int) -> Path:
    """A directory for the pins, made by us alone: two that attach at once cannot both have it."""
    directory = directory_of(destination, table)
    if not bpffs.make_directory(directory):
        hint = f"remove what is left: {detach_command(destination, table)}"
        raise InputError(f"there are pins for {sid_text(destination)} in table {table}, though no route", hint=hint)
    return directory


def next_of(directory: Path) -> Path:
    """Where the pins are made of what takes the place of an attachment."""
    return directory.parent / f"next-{directory.name}"


def make_next(directory: Path) -> Path:
    """That directory, made by us alone: two that replace at once cannot both have it."""
    made = next_of(directory)
    if not bpffs.make_directory(made):
        message = f"{made} is there already: another process replaces this attachment, or was ended while it did"
        raise InputError(message, hint=f"where none does: rm -r {made}")
    return made


def remove(directory: Path) -> None:
    """The directory with its pins, and those above it that are empty then."""
    bpffs.remove_directory(directory)
    bpffs.remove_if_empty(directory.parent)
    bpffs.remove_if_empty(directory.parent.parent)


def namespace_directory() -> Path:
    return bpffs.mount_point() / "pybpfnf" / str(current_inode())


def directory_of(destination: Network, table: int) -> Path:
    length = "" if destination.prefixlen == destination.max_prefixlen else f"-{destination.prefixlen}"
    address = str(destination.network_address).replace(".", "_")  # bpffs takes no dots
    return namespace_directory() / f"{address}{length}@{table}"


def directories() -> list[Path]:
    return [each for each in bpffs.entries(namespace_directory()) if _NAME.fullmatch(each.name)]


_NAME = re.compile(r"([0-9a-f:]+|\d+_\d+_\d+_\d+)(?:-(\d+))?@(\d+)")


def key_of(name: str) -> tuple[Network, int]:
    match = _NAME.fullmatch(name)
    assert match is not None  # `directories` gives no others
    length = "" if match[2] is None else f"/{match[2]}"
    return ip_network(match[1].replace("_", ".") + length), int(match[3])


def pin_name(position: int, name: str) -> str:
    """bpffs takes no dots; the position keeps names apart that differ in such characters alone."""
    return f"map_{position}_{re.sub(r'[^A-Za-z0-9_]', '_', name)}"
