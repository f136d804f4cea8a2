"""The functions that a topology names: which file or catalogue function each is."""

from __future__ import annotations

import os
from pathlib import Path

from pybpfnf.lab.topology import Function, Topology
from pybpfnf.targets import Target

_FILES = (".py", ".o")


def target_of(function: Function, topology: Topology) -> Target:
    """What `pybpfnf.attach` takes: a path is one from the topology's directory, as a string; a bare word is a catalogue function's name."""
    target = function.target
    if not isinstance(target, str | os.PathLike):
        return target
    path = Path(target)
    if path.suffix not in _FILES and os.sep not in os.fspath(target):
        return os.fspath(target)
    return os.path.join(topology.directory, path)
