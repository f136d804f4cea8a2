"""What a table cannot say: the packages, found, and the wheel's build step: the catalogue's objects, so that a router can run
them without llvmlite.

Everything else is in pyproject.toml.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class BuildWithObjects(build_py):
    """Compile each catalogue function into an object beside its source in `pybpfnf/functions` of the build, never into the checkout."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # a checkout compiles from source, so that an edit is never shadowed by an old object
            build_objects(Path(self.build_lib) / "pybpfnf" / "functions")


def build_objects(destination: Path) -> None:
    """Write an object for each function, and the index that ties it to its source (pybpfnf/catalogue.py)."""
    sys.path.insert(0, str(ROOT))
    from pybpfnf import backend, catalogue, dsl  # the package that is being built, from the checkout

    index = {}
    for entry in catalogue.entries(ROOT / "functions"):
        data = backend.build(dsl.compile_module(dsl.load_programs(entry.source)))
        (destination / entry.source.relative_to(ROOT / "functions")).with_suffix(".o").write_bytes(data)
        index[entry.name] = catalogue.source_digest(entry.source.read_bytes())
    (destination / catalogue.INDEX).write_text(json.dumps(index, indent=1, sort_keys=True) + "\n", encoding="utf-8")


setup(
    packages=[*find_packages(str(ROOT), include=["pybpfnf", "pybpfnf.*"]), "pybpfnf.functions", "pybpfnf.functions.delay"],
    cmdclass={"build_py": BuildWithObjects},
)
