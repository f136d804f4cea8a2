"""docs/reference.md is what the rows give."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from pybpfnf.abi.forms import FORMS
from pybpfnf.abi.headers import HEADERS
from pybpfnf.abi.helpers import HELPERS
from pybpfnf.abi.maps import MAP_TYPES
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.diagnostics import CODES

ROOT = Path(__file__).resolve().parent.parent


def check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, root / "scripts" / "reference", "--check"], capture_output=True, text=True, check=False)


def test_the_reference_is_current() -> None:
    result = check(ROOT)
    assert result.returncode == 0, result.stderr


def test_a_stale_reference_is_refused_with_what_to_do(tmp_path: Path) -> None:
    for name in ("scripts/reference", "docs/reference.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "pybpfnf", tmp_path / "pybpfnf", ignore=shutil.ignore_patterns("__pycache__"))
    assert check(tmp_path).returncode == 0
    rows = tmp_path / "pybpfnf" / "abi" / "helpers.py"
    rows.write_text(rows.read_text().replace('"Timer ticks since boot."', '"Ticks."'))
    result = check(tmp_path)
    assert result.returncode == 1
    assert "run scripts/reference" in result.stderr


def test_every_row_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    for rows in (FORMS, HELPERS, MAP_TYPES, PROGRAM_TYPES, HEADERS, CODES):
        for name in rows:
            assert f"`{name}`" in text
