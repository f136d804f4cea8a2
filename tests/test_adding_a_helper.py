"""Adding a helper is one row: it is then callable, listed and documented, and one test asks for its emulation by name."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROW = '    Helper("lunar_phase", 4000, (), SCALAR, "99.1", "Phase of the moon in degrees."),\n'
FUNCTION = """
from pybpfnf import DROP, OK, Seg6Packet, Verdict, helpers, seg6local


@seg6local
def by_moonlight(pkt: Seg6Packet) -> Verdict:
    return OK if helpers.lunar_phase() > 180 else DROP
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with one more row."""
    root = tmp_path_factory.mktemp("project")
    for name in ("pybpfnf", "tests", "scripts", "functions", "docs"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    rows = root / "pybpfnf" / "abi" / "helpers.py"
    text = rows.read_text(encoding="utf-8")
    start = text.index("_ENVIRONMENT = (\n") + len("_ENVIRONMENT = (\n")
    rows.write_text(text[:start] + ROW + text[start:], encoding="utf-8")
    (root / "moon.py").write_text(FUNCTION, encoding="utf-8")
    return root


def run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tree), "NO_COLOR": "1"}
    return subprocess.run([sys.executable, *arguments], cwd=tree, env=environment, capture_output=True, text=True)


def test_it_is_callable_and_listed(tree: Path) -> None:
    done = run(tree, "-m", "pybpfnf", "build", "moon.py", "--emit", "listing")
    assert "call lunar_phase#4000" in done.stdout, done.stderr


def test_check_knows_which_kernel_brought_it(tree: Path) -> None:
    done = run(tree, "-m", "pybpfnf", "check", "moon.py", "--kernel", "6.1")
    assert "helper lunar_phase came with Linux 99.1" in done.stderr, done.stderr
    assert done.returncode == 1


def test_it_is_documented(tree: Path) -> None:
    assert run(tree, "scripts/reference").returncode == 0
    assert "Phase of the moon in degrees." in (tree / "docs" / "reference.md").read_text(encoding="utf-8")


def test_one_test_fails_and_asks_for_its_emulation(tree: Path) -> None:
    done = run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/vm/test_emulation.py")
    failures = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert len(failures) == 1, done.stdout + done.stderr
    assert "lunar_phase" in done.stdout


def test_running_it_before_that_is_a_fault_that_names_it(tree: Path) -> None:
    code = (
        "import pybpfnf; from pybpfnf.testing.packets import srv6\n"
        "print(pybpfnf.run('moon.py', srv6(['fc00:2::2', 'fc00:1::1'])).fault.message)"
    )
    done = run(tree, "-c", code)
    assert "lunar_phase" in done.stdout, done.stderr
