"""The catalogue: the network functions that come with the package, one file each in `functions/` or a directory of it.

In a checkout there are sources alone, compiled when asked for. A wheel also has each function's object and, in
`objects.json`, the digest of the source that it was made from: an object whose source has changed is not used.
Nothing here compiles.
"""

from __future__ import annotations

import ast
import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import final

from pybpfnf.errors import InputError
from pybpfnf.records import dataclass

INDEX = "objects.json"


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One function. `summary` is its docstring's first line; `object` is None where it must be compiled from `source`."""

    name: str
    summary: str
    source: Path
    object: Path | None


def directory() -> Path:
    """Where the catalogue is: `functions/` of the checkout, or `pybpfnf/functions` of an installation."""
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "functions" / "__init__.py").is_file():
        return checkout / "functions"  # its own, also where another is installed
    spec = find_spec("pybpfnf.functions")
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    raise InputError("the catalogue (pybpfnf.functions) is not installed", hint="reinstall pybpfnf")


def entries(where: Path | None = None) -> tuple[Entry, ...]:
    """Every function of the catalogue, by name."""
    where = directory() if where is None else where
    digests = _digests(where)
    sources = [source for pattern in ("*.py", "*/*.py") for source in where.glob(pattern) if not source.name.startswith("_")]
    return tuple(_entry(source, digests) for source in sorted(sources, key=lambda source: source.stem))


def source_digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _digests(where: Path) -> dict[str, str]:
    index = where / INDEX
    if not index.is_file():
        return {}
    document = json.loads(index.read_text(encoding="utf-8"))
    return {str(name): str(digest) for name, digest in document.items()}


def _entry(source: Path, digests: dict[str, str]) -> Entry:
    text = source.read_bytes()
    built = source.with_suffix(".o")
    current = digests.get(source.stem) == source_digest(text) and built.is_file()
    return Entry(source.stem, _summary(text), source, built if current else None)


def _summary(text: bytes) -> str:
    documentation = ast.get_docstring(ast.parse(text)) or ""
    return documentation.partition("\n")[0]
