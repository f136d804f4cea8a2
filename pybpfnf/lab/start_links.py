"""Starting the link process, in the namespace that the calling thread is in."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from pybpfnf.errors import InternalError, SystemLacksError
from pybpfnf.lab.link_specification import LinkSpecification, write_specification

READY = b"ready\n"
_MODULE = "pybpfnf.lab.link_process"


def start_links(namespace: str, links: tuple[LinkSpecification, ...]) -> None:
    """Comes back when it carries frames. It is nobody's child from then on: it ends with the name of the namespace."""
    if not sys.executable:
        raise SystemLacksError("the link process needs a Python interpreter, and sys.executable names none")
    paths = os.pathsep.join(os.path.abspath(each) for each in sys.path)
    with subprocess.Popen(
        [sys.executable, "-P", "-m", _MODULE],
        env={**os.environ, "PYTHONPATH": paths},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None  # they are pipes
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdin:
            process.stdin.write(json.dumps(write_specification(namespace, links)).encode())
        if process.stdout.readline() != READY:
            said = process.stderr.read().decode(errors="replace").strip().splitlines()
            raise InternalError(f"the link process did not start: {said[-1] if said else 'it said nothing'}")
