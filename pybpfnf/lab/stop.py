"""Taking labs away: whatever there is of them, by the names of their namespaces, however they came to an end."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import final

from pybpfnf.errors import InputError
from pybpfnf.kernel import links
from pybpfnf.kernel.attach import remove_pins
from pybpfnf.kernel.named_netns import is_namespace, open_namespace, remove_name
from pybpfnf.kernel.netlink import Netlink
from pybpfnf.lab.names import LINKS, labs, namespaces_of
from pybpfnf.records import dataclass

_PATIENCE, _PAUSE = 3.0, 0.002  # seconds for the link process to see that its devices are gone


@final
@dataclass(frozen=True, slots=True)
class Left:
    """A process that is still in a node, which has no links any more."""

    node: str
    pid: int
    command: str


def down(lab: str) -> list[Left]:
    """Remove every namespace of a lab with its devices, routes and pins. Raises InputError where there is nothing of it.

    Processes that others started in its nodes go on there, and are what is returned.
    """
    found = namespaces_of(lab)
    if not found:
        others = ", ".join(labs())
        raise InputError(f"the lab {lab} is not up", hint=f"up: {others}" if others else "no lab is up")
    with ExitStack() as stack:
        # Open until the end: the number of a namespace that is gone may be the next one's, with somebody else's processes.
        nodes = {node: stack.enter_context(open_namespace(name)) for node, name in found.items() if is_namespace(name)}
        inodes = {namespace.inode: node for node, namespace in nodes.items()}
        remove(found.values())
        left = _left(inodes)
        deadline = time.monotonic() + _PATIENCE
        while any(each.node == LINKS for each in left) and time.monotonic() < deadline:
            time.sleep(_PAUSE)
            left = _left(inodes)
    return left


def down_all() -> dict[str, list[Left]]:
    """`down` of every lab of this machine, by name."""
    return {lab: down(lab) for lab in labs()}


def remove(namespaces: Iterable[str]) -> None:
    """These, as far as they are there."""
    for name in namespaces:
        if is_namespace(name):
            _empty(name)
        remove_name(name)


def _empty(name: str) -> None:
    """Without devices nothing of it works on, whoever still is in it."""
    with open_namespace(name) as namespace, namespace.entered(), Netlink() as netlink:
        remove_pins()
        for index, device in socket.if_nameindex():
            if device != "lo":
                links.remove_device(netlink, index)


def _left(inodes: dict[int, str]) -> list[Left]:
    return [Left(inodes[inode], pid, command) for pid, inode, command in _processes() if inode in inodes]


def _processes() -> Iterator[tuple[int, int, str]]:
    """The number, the network namespace and the command of every process that can be asked."""
    for each in Path("/proc").iterdir():
        if not each.name.isdecimal():
            continue
        try:
            yield int(each.name), os.stat(each / "ns" / "net").st_ino, (each / "comm").read_text().strip()
        except OSError:
            continue  # it has ended, or is not ours to look into
