"""An installation away from the checkout: what `pip install .` gives an operator, also on a router without llvmlite."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pybpfnf.testing.packets import srv6

ROOT = Path(__file__).resolve().parent.parent
# A raw-IP capture of one packet, by hand: the installation is on trial, not our writer.
_PCAP_HEADER = bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 00000400 65000000".replace(" ", ""))


def _run(*command: str | Path, cwd: Path) -> str:
    # Nothing of the checkout or of the environment that runs this test may help.
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "NO_COLOR": "1"}
    environment.update({name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))})
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_a_plain_install_lists_the_catalogue_and_runs_it_without_llvmlite(tmp_path: Path) -> None:
    where = tmp_path / "away"
    where.mkdir()
    venv = tmp_path / "venv"
    _run(sys.executable, "-m", "venv", venv, cwd=where)
    # A copy: what an earlier build left in the checkout must not get into the wheel, nor this one's leave anything there.
    left = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")
    source = shutil.copytree(ROOT, tmp_path / "source", ignore=left)
    _run(venv / "bin/pip", "install", "--quiet", source, cwd=where)
    packet = srv6(segments=["fc00:2::2", "fc00:1::1"], tag=7)
    length = len(packet).to_bytes(4, "little")
    (where / "in.pcap").write_bytes(_PCAP_HEADER + bytes(8) + length + length + packet)

    assert "tag_increment" in _run(venv / "bin/pybpfnf", "list", cwd=where)
    _run(venv / "bin/pybpfnf", "build", "tag_increment", "-o", "tag.o", cwd=where)

    _run(venv / "bin/pip", "uninstall", "--quiet", "--yes", "llvmlite", cwd=where)
    lines = [json.loads(line) for line in _run(venv / "bin/pybpfnf", "run", "tag_increment", "in.pcap", "--json", cwd=where).splitlines()]
    assert lines[1]["forwarded"] is True
    assert bytes.fromhex(lines[1]["packet"])[46:48] == (8).to_bytes(2, "big")
