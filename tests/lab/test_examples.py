"""The topologies that come with the project, and those of the documents, are right; the first become labs that carry packets."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pybpfnf.lab.plan import plan
from pybpfnf.lab.read_topology import read_topology, topology_of
from pybpfnf.lab.start import up
from tests.lab.conftest import echo

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = sorted((ROOT / "examples" / "lab").glob("*.toml"))
SHOWN = re.findall(r"^```toml\n(.*?)^```$", (ROOT / "docs" / "lab.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} >= {"two_nodes", "delay", "one_router"}
    assert SHOWN


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_can_be_planned(path: Path) -> None:
    assert plan(read_topology(path)).nodes


@pytest.mark.parametrize("text", SHOWN)
def test_a_topology_of_the_document_can_be_planned(text: str) -> None:
    assert plan(topology_of(text, "lab.toml")).nodes


@pytest.mark.kernel
@pytest.mark.usefixtures("own_bpffs")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_becomes_a_lab_that_carries_packets(path: Path) -> None:
    topology = read_topology(path)
    # By way of the link process everywhere: netem's own queue is another test's.
    with up(topology, name=f"example{os.getpid()}", means="process") as running:
        first, last = running.node(topology.nodes[0].name), running.node(topology.nodes[-1].name)
        slowest = sum(end.out.delay - end.out.jitter for link in topology.links for end in link.ends) / 1e9
        assert echo(first, last.address) >= slowest if len(topology.links) == 1 else echo(first, last.address) > 0
