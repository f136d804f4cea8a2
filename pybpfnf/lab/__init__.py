"""Networks for experiments: a topology as data, in namespaces of this machine or in this process.

    FILE.toml -> read_topology -> Topology -> plan -> Plan -> up: namespaces, pairs of devices, a link process
                                                           -> VirtualLab: routers in this process, links by a clock of their own

`with lab.up(lab.read(FILE)) as running: running.node("r1").run([...])`. Names are imported when they are first used: what runs in this
process alone needs nothing of the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pybpfnf.lazy import load_module

if TYPE_CHECKING:
    from pybpfnf.lab.either import Inbox, Lab, LabNode
    from pybpfnf.lab.link_specification import Counters
    from pybpfnf.lab.names import labs
    from pybpfnf.lab.read_topology import read_topology as read
    from pybpfnf.lab.running import Running, RunningNode, find_lab
    from pybpfnf.lab.start import up
    from pybpfnf.lab.stop import down, down_all
    from pybpfnf.lab.topology import Bytes, Direction, End, Function, Link, Node, Packets, Route, Sid, Topology, Via
    from pybpfnf.lab.virtual import VirtualLab

_TOPOLOGY = ("Bytes", "Direction", "End", "Function", "Link", "Node", "Packets", "Route", "Sid", "Topology", "Via")
_PLACES: Mapping[str, tuple[str, str]] = {
    **{name: ("topology", name) for name in _TOPOLOGY},
    "read": ("read_topology", "read_topology"),
    "up": ("start", "up"),
    "down": ("stop", "down"),
    "down_all": ("stop", "down_all"),
    "labs": ("names", "labs"),
    "find_lab": ("running", "find_lab"),
    "Running": ("running", "Running"),
    "RunningNode": ("running", "RunningNode"),
    **{name: ("either", name) for name in ("Inbox", "Lab", "LabNode")},
    "VirtualLab": ("virtual", "VirtualLab"),
    "Counters": ("link_specification", "Counters"),
}
"""By public name: the module that it is of, and its name there."""

__all__ = [
    "Bytes",
    "Counters",
    "Direction",
    "End",
    "Function",
    "Inbox",
    "Lab",
    "LabNode",
    "Link",
    "Node",
    "Packets",
    "Route",
    "Running",
    "RunningNode",
    "Sid",
    "Topology",
    "Via",
    "VirtualLab",
    "down",
    "down_all",
    "find_lab",
    "labs",
    "read",
    "up",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    value = getattr(load_module(f"{__name__}.{module}"), attribute)
    globals()[name] = value  # asked for once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
