"""A lab that is up: its nodes to run commands in, and the counters of its links. All of it is asked of the kernel when it is asked for."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import IO, Any, Self, TypeAlias, final

from pybpfnf.errors import InputError
from pybpfnf.kernel.named_netns import DIRECTORY, open_namespace
from pybpfnf.kernel.netns import Namespace
from pybpfnf.lab.link_specification import COUNTERS, Counters
from pybpfnf.lab.names import LINKS, namespace_of, namespaces_of
from pybpfnf.lab.plan import Plan, PlannedNode, plan
from pybpfnf.lab.sockets import SocketInbox, inbox_at, send_packet
from pybpfnf.lab.stop import down
from pybpfnf.lab.topology import Topology
from pybpfnf.verbs.attach import Attached, attached

_Stream: TypeAlias = int | IO[Any] | None
_LARGEST = 1 << 20
_MERCY = 2.0  # seconds for a command to end when it is asked to


@final
class RunningNode:
    """A node's namespace. Commands that it starts end with the lab."""

    def __init__(self, lab: str, planned: PlannedNode, namespace: Namespace) -> None:
        self.name = planned.name
        self.planned = planned
        self.namespace = namespace_of(lab, planned.name)
        self._namespace = namespace
        self._started: list[subprocess.Popen[str]] = []

    @property
    def address(self) -> str:
        """Its first address, for a command; raises InputError where it has none."""
        if not self.planned.addresses:
            raise InputError(f"node {self.name} has no address of its own")
        return str(self.planned.addresses[0].ip)

    @property
    def path(self) -> str:
        """Where other programs can enter it: `nsenter --net=PATH`."""
        return str(DIRECTORY / self.namespace)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Within the block this thread is in the node: sockets are its, and so is what `pybpfnf.status` and the others speak of."""
        with self._namespace.entered():
            yield

    def run(
        self, command: Sequence[str], *, check: bool = True, timeout: float | None = None, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command to its end, with what it wrote as text; raises as `subprocess.run` does."""
        with self.entered():
            return subprocess.run(command, check=check, timeout=timeout, input=stdin, capture_output=True, text=True)

    def popen(
        self, command: Sequence[str], *, stdin: _Stream = None, stdout: _Stream = None, stderr: _Stream = None
    ) -> subprocess.Popen[str]:
        """A command beside this process; it is ended with the lab, where it has not by then."""
        with self.entered():
            process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, text=True)
        self._started.append(process)
        return process

    def attached(self, destination: str) -> Attached:
        """The maps and variables of a function at a SID or on a route of the node."""
        with self.entered():
            return attached(destination)

    def send(self, packet: bytes) -> None:
        """A packet of its own, from its IPv6 header on."""
        with self.entered():
            send_packet(packet)

    @contextmanager
    def datagrams(self, port: int) -> Iterator[SocketInbox]:
        """UDP to this port of any of its addresses, within the block."""
        with ExitStack() as stack:
            with self.entered():
                inbox = stack.enter_context(inbox_at(port))
            yield inbox

    def end(self) -> None:
        """End the commands that `popen` started, and let go of the namespace."""
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._started:
            try:
                process.wait(_MERCY)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        self._namespace.close()


@final
class Running:
    """A lab. As a context manager it is taken down at the end of the block."""

    def __init__(self, name: str, planned: Plan) -> None:
        self.name = name
        self.plan = planned
        with ExitStack() as stack:
            self.nodes: Mapping[str, RunningNode] = {
                node.name: RunningNode(name, node, stack.enter_context(open_namespace(namespace_of(name, node.name))))
                for node in planned.nodes.values()
            }
            stack.pop_all()

    def node(self, name: str) -> RunningNode:
        """Raises InputError where there is none."""
        if name not in self.nodes:
            raise InputError(f"the lab {self.name} has no node {name!r}", hint=f"there are: {', '.join(self.nodes)}")
        return self.nodes[name]

    def counters(self) -> Mapping[str, tuple[Counters, Counters]]:
        """By link, of both directions: away from its first end, away from its second. Of links that the link process does, alone."""
        return link_counters(self.name)

    def down(self) -> None:
        """End what was started in its nodes, and remove it."""
        self.close()
        down(self.name)

    def close(self) -> None:
        """Let go of it: it stays up, but for commands that were started from here."""
        for node in self.nodes.values():
            node.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.down()


def find_lab(topology: Topology, *, name: str | None = None) -> Running:
    """A lab that is up, made from that topology. Raises InputError where a node of it is missing."""
    lab = name or topology.name
    planned = plan(topology)
    there = namespaces_of(lab)
    missing = [node for node in planned.nodes if node not in there]
    if missing:
        what = f"the lab {lab} is not up" if not there else f"the lab {lab} has no node {missing[0]}: it was made from another topology"
        raise InputError(what, hint="pybpfnf lab up FILE" if not there else "take it down and up again")
    return Running(lab, planned)


def link_counters(lab: str) -> Mapping[str, tuple[Counters, Counters]]:
    """What the link process of a lab says; nothing where it has none."""
    name = namespaces_of(lab).get(LINKS)
    if name is None:
        return {}
    with open_namespace(name) as namespace, namespace.entered():
        asker = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    with asker:
        try:
            asker.connect(COUNTERS)
        except ConnectionRefusedError:
            return {}  # it is ending
        said = b""
        while data := asker.recv(_LARGEST):
            said += data
    ways = {key: Counters(**value) for key, value in json.loads(said).items()}
    links = dict.fromkeys(key.rpartition("/")[0] for key in ways)
    return {link: (ways[f"{link}/0"], ways[f"{link}/1"]) for link in links if f"{link}/0" in ways and f"{link}/1" in ways}
