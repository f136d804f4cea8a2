"""`up`: a topology in namespaces of this machine, all of it or nothing."""

from __future__ import annotations

from dataclasses import replace

from pybpfnf.errors import InputError
from pybpfnf.lab.build import Builder, build_programs
from pybpfnf.lab.names import namespaces_of
from pybpfnf.lab.plan import plan
from pybpfnf.lab.running import Running
from pybpfnf.lab.stop import remove
from pybpfnf.lab.topology import Topology


def up(topology: Topology, *, name: str | None = None, means: str | None = None) -> Running:
    """Make the lab (root); as a context manager it is taken down again. It outlives this process otherwise, until `down`.

    `name`: other than the topology's. `means`: "netem" or "process", what does the delays of its links; the first where the kernel has it.
    Raises InputError for a wrong topology and for a lab that is up already, CompileError, VerifierError, SystemLacksError, KernelError;
    then nothing of it is left.
    """
    planned = plan(topology if name is None else replace(topology, name=name))
    lab = planned.topology.name
    for node in topology.nodes:
        if node.clock_offset:
            text = f"node {node.name} has a clock of its own, and namespaces share the machine's"
            raise InputError(text, hint="leave out its `clock_offset`, or run the topology in process")
    if namespaces_of(lab):
        raise InputError(f"the lab {lab} is up already", hint=f"pybpfnf lab down {lab}")
    builder = Builder(lab, planned, build_programs(planned), means)
    try:
        builder.build()
        return Running(lab, planned)
    except BaseException:
        remove(builder.created)
        raise
