"""The public names of `pybpfnf.lab`: each is there, and the same whatever was imported before."""

from __future__ import annotations

import subprocess
import sys

import pybpfnf.lab
from pybpfnf.lab.read_topology import read_topology


def test_each_public_name_leads_somewhere() -> None:
    assert all(getattr(pybpfnf.lab, name) is not None for name in dir(pybpfnf.lab))
    assert pybpfnf.lab.read is read_topology


def test_a_topology_is_read_without_what_the_kernel_needs() -> None:
    program = "import sys, pybpfnf.lab; pybpfnf.lab.read; assert 'pyroute2' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_lists_of_public_names_are_one() -> None:
    assert set(pybpfnf.lab.__all__) == {name for name in dir(pybpfnf.lab) if name in pybpfnf.lab._PLACES}
