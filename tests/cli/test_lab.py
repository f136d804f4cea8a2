"""`pybpfnf lab`: a topology is shown without a lab; a lab is made, shown, entered and removed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybpfnf.lab.names import namespaces_of
from pybpfnf.lab.stop import down
from tests.cli.conftest import Command
from tests.cli.conftest import command as command

TEXT = """
name = "NAME"
[nodes.a]
[nodes.b]
[[nodes.b.sids]]
sid = "fc00:b::1"
action = "End.X"
nh6 = "a"
[[nodes.a.routes]]
to = "b"
segments = ["fc00:b::1", "b"]
[[links]]
ends = ["a", "b"]
delay = "5ms"
back = { delay = "20ms", jitter = "1ms", rate = "100Mbit", queue = "50 packets", loss = "0.1%" }
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A topology; its lab, if there is one in the end, is removed."""
    name = f"cli{os.getpid()}"
    path = tmp_path / "lab.toml"
    path.write_text(TEXT.replace("NAME", name))
    yield path
    if namespaces_of(name):
        down(name)


def rows(text: str) -> list[list[str]]:
    """A table's cells."""
    return [line.split() for line in text.splitlines() if line]


def test_a_topology_is_shown_worked_out_without_a_lab(command: Command, file: Path) -> None:
    ended = command("lab", "show", file)
    assert ended.status == 0
    assert rows(ended.out)[0][1:] == ["is", "not", "up"]
    assert ["a", "-", "fd00::1", "b"] in rows(ended.out)
    assert ["b", "fc00:b::1/128", "End.X", "nh6", "fd00::1", "-"] in rows(ended.out)
    assert ["a", "fd00::2/128", "seg6", "encap", "fc00:b::1,fd00::2", "-"] in rows(ended.out)
    assert ["a-b", "a", "b", "5ms", "0s", "-", "-", "0%"] in rows(ended.out)
    assert ["a-b", "b", "a", "20ms", "1ms", "100Mbit", "50", "packets", "0.1%"] in rows(ended.out)


def test_a_topology_is_a_document_too(command: Command, file: Path) -> None:
    (document,) = command("lab", "show", "--json", file).documents
    assert (document["up"], [node["namespace"] for node in document["nodes"]]) == (False, [None, None])
    assert document["links"][0]["directions"][1] == {
        "from": "b", "to": "a", "delay": 20_000_000, "jitter": 1_000_000, "rate": 100_000_000, "queue": {"packets": 50}, "loss": 0.001,
    }  # fmt: skip


def test_a_mistake_in_a_topology_is_a_diagnostic(command: Command, file: Path) -> None:
    file.write_text(file.read_text().replace('"5ms"', '"5"'))
    ended = command("lab", "up", file)
    assert ended.status == 1
    assert "lab.toml:14:9: error: `5` has no unit of a time [lab-value]" in ended.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["up", "nowhere.toml"], "cannot read nowhere.toml"),
        (["down", "nowhere.toml"], "cannot read nowhere.toml"),
        (["down"], "give a topology, the name of a lab, or --all"),
        (["down", "--all", "x"], "give a topology, the name of a lab, or --all"),
        (["down", "no-such-lab"], "the lab no-such-lab is not up"),
        (["shell", "no-such-lab", "a"], "the lab no-such-lab is not up"),
        (["shows"], "no such command 'shows'"),
    ],
)
def test_what_cannot_be_is_said(command: Command, arguments: list[str], says: str) -> None:
    ended = command("lab", *arguments)
    assert ended.status == 2
    assert says in ended.err


def test_without_a_command_the_commands_are_shown(command: Command) -> None:
    ended = command("lab")
    assert ended.status == 2
    assert all(name in ended.err for name in ("up", "down", "show", "shell"))


@pytest.mark.kernel
def test_a_lab_is_made_shown_entered_and_removed(command: Command, file: Path) -> None:
    name = f"cli{os.getpid()}"
    ended = command("lab", "up", "--links", "process", file)
    assert (ended.status, ended.out) == (0, f"{name} is up: 2 nodes, 1 link\n")
    assert [name, "2"] in rows(command("lab", "show").out)
    shown = rows(command("lab", "show", file).out)
    assert ["b", f"pybpfnf.{name}.b", "fd00::2", "a"] in shown
    assert any(row[:8] == ["a-b", "a", "b", "5ms", "0s", "-", "-", "0%"] and len(row) == 13 for row in shown)
    assert ["a", f"pybpfnf.{name}.a"] in rows(command("lab", "show", name).out)
    assert f"the lab {name} is up already" in command("lab", "up", file).err
    assert command("lab", "down", file).out == f"{name} is down\n"
    assert namespaces_of(name) == {}


@pytest.mark.kernel
def test_a_command_in_a_node_ends_as_it_does(command: Command, file: Path) -> None:
    command("lab", "up", file)
    inside = [sys.executable, "-m", "pybpfnf", "lab", "shell", str(file), "a"]
    found = subprocess.run([*inside, "ip", "-o", "link", "show", "dev", "b"], capture_output=True, text=True, check=True)
    assert "02:00:00:00:00:00" in found.stdout
    assert subprocess.run([*inside, "sh", "-c", "exit 7"], check=False).returncode == 7
    assert "no node 'x'" in command("lab", "shell", file, "x").err
    assert "there is no command 'no-such-command'" in command("lab", "shell", file, "a", "--", "no-such-command").err
    assert "there is no command 'no-such-command'" in command("lab", "shell", file, "a", "no-such-command").err
