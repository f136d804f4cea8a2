"""clang, for the C yardsticks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

C_SOURCES = Path(__file__).resolve().parent / "c"
FLAGS = ("-O2", "-g", "-target", "bpf")
# What runs in the kernel is compiled for the instruction set that our own objects use, so that C is at its best.
RUN_FLAGS = (*FLAGS, "-mcpu=v3")


def version() -> str | None:
    """The first line of `clang --version`; None where there is none."""
    if shutil.which("clang") is None:
        return None
    return subprocess.run(["clang", "--version"], capture_output=True, text=True, check=True).stdout.partition("\n")[0]


def source(function: str) -> Path:
    return C_SOURCES / f"{function}.c"


def build(function: str, output: Path, flags: tuple[str, ...] = FLAGS) -> None:
    subprocess.run(["clang", *flags, "-c", str(source(function)), "-o", str(output)], check=True)
