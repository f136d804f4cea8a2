"""Objects for the tests of `image`: each C source in data/ as it was compiled once and committed, and as clang compiles it here.

    cd tests/image/data && clang -O2 -g -target bpf -fdebug-compilation-dir=. -c programs.c -o programs.o && llvm-strip -g programs.o

(legacy.c without -g).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"
LINKABLE = ("programs", "data", "maps", "legacy", "refused_btf", "meta", "tails")
WITHOUT_DEBUG_INFO = frozenset({"legacy"})

Origin = Callable[[str], bytes]


def committed(name: str) -> bytes:
    return (DATA / f"{name}.o").read_bytes()


def compiled(name: str) -> bytes:
    clang = shutil.which("clang")
    if clang is None:
        pytest.skip("clang is not installed")
    debug = [] if name in WITHOUT_DEBUG_INFO else ["-g"]
    command = [clang, "-O2", "-w", *debug, "-target", "bpf", "-fdebug-compilation-dir=.", "-c", f"{name}.c", "-o", "-"]
    return subprocess.run(command, cwd=DATA, check=True, capture_output=True).stdout


ORIGINS = pytest.mark.parametrize("origin", [committed, compiled])
