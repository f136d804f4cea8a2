"""What functions that are attached need: a bpffs, and a daemon that says when it is there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pybpfnf.errors import InternalError
from pybpfnf.kernel import bpffs


@contextmanager
def own_bpffs(point: Path) -> Iterator[None]:
    """A bpffs at a new directory, for this process and for commands that it starts: a container has none mounted, and pins of the
    machine's own stay out of it."""
    point.mkdir()
    subprocess.run(["mount", "-t", "bpf", "bpf", str(point)], check=True, capture_output=True)
    before = os.environ.get(bpffs.VARIABLE)
    os.environ[bpffs.VARIABLE] = str(point)
    try:
        yield
    finally:
        os.environ.pop(bpffs.VARIABLE)
        if before is not None:
            os.environ[bpffs.VARIABLE] = before
        subprocess.run(["umount", "--lazy", str(point)], check=True, capture_output=True)


def wait_until_attached(said: IO[str]) -> None:
    """Read what a daemon writes about itself up to the event `attached`. Raises InternalError with its words where it ends before."""
    words = []
    for line in said:
        if '"attached"' in line:
            return
        words.append(line)
    raise InternalError(f"the responder ended before it began: {' '.join(''.join(words).split())}")
