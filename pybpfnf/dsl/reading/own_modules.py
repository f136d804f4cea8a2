"""The modules that a network function's file imports as its own: those beside it, and those of the package that it stands in.

    functions/common.py        def clamp(...)
    functions/delay/probe.py   from ..common import clamp           or  from functions.common import clamp
                               from units import microseconds       of functions/delay/units.py

A directory is a package where it has `__init__.py`; where none has, each directory up to the project's is one, as Python has it of
directories without. Only the file's own package is found so: everything else is looked for on `sys.path`, as in any program.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Self, final

from pybpfnf.dsl.reading.source import keep_text, project_of, topmost_package
from pybpfnf.records import dataclass

_LANGUAGE = "pybpfnf"


@final
@dataclass(frozen=True, slots=True)
class Home:
    """Where a file stands. `packages`: the directories in which the names of its packages are found, by name."""

    directory: str
    package: str
    packages: Mapping[str, str]


def home_of(path: str) -> Home:
    """The directory and the package of a file, which is "" where its directory's name is none that can be imported."""
    directory = Path(os.path.abspath(path)).parent
    top = topmost_package(directory)
    if top is not None:
        found = {} if top.name == _LANGUAGE else {top.name: str(top.parent)}  # the catalogue's files are in the language's own package
        return Home(str(directory), ".".join(directory.relative_to(top.parent).parts), found)
    project = project_of(directory)
    inner = [directory, *directory.parents]
    packages = inner[: inner.index(project)] if project is not None else inner[:1]
    if not packages or not all(_can_be_package(each.name) for each in packages):
        return Home(str(directory), "", {})
    return Home(str(directory), ".".join(each.name for each in reversed(packages)), {each.name: str(each.parent) for each in packages})


def _can_be_package(name: str) -> bool:
    """A directory that has the name of a module of Python's own stays a directory: that module is needed."""
    return bool(name) and "." not in name and name not in sys.stdlib_module_names and name != _LANGUAGE


@final
class _Loader(SourceFileLoader):
    """Compiles the text each time: a kept bytecode is as old as a second, and diagnostics are of the text that is there now.

    `shown` is what the file is called in code: relative to the working directory where the operator's file is.
    """

    def __init__(self, name: str, path: str, shown: str) -> None:
        super().__init__(name, path)
        self.shown = shown

    def get_code(self, fullname: str) -> CodeType:
        text = self.get_source(fullname)
        assert text is not None  # a loader of source files has it, or raises
        keep_text(self.shown, text)
        code: CodeType = compile(text, self.shown, "exec", dont_inherit=True)
        return code


@final
class OwnModules:
    """While it is entered, the file's own modules can be imported; `found` has those that were, by name.

    Afterwards they are forgotten, so that another file's `common` is its own. What the process had imported before is there again; and
    what it had imported of the same directories is shared.
    """

    def __init__(self, path: str) -> None:
        self.home = home_of(path)
        self.found: dict[str, ModuleType] = {}
        self._specs: dict[str, ModuleSpec] = {}
        self._relative = not os.path.isabs(path)

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Of a module of the file's own; None for any other (`importlib.abc.MetaPathFinder`)."""
        top, _, inner = fullname.partition(".")
        if inner and not (top in self._specs or self._is_own(top)):
            return None
        spec = PathFinder.find_spec(fullname, path if inner else self._places(fullname))
        if spec is None:
            return None
        if isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path, self._shown(spec.loader.path))
        if spec.submodule_search_locations is not None:
            # Of a directory without `__init__.py` Python would look again, on `sys.path`.
            spec.submodule_search_locations = list(spec.submodule_search_locations)
        self._specs[fullname] = spec
        return spec

    def __enter__(self) -> Self:
        meant = {entry.partition(".")[0] for entry in os.listdir(self.home.directory)} | {*self.home.packages}
        others = {name for name in meant & {*sys.modules} if self._is_anothers(name)}
        self._hidden = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in others}
        for hidden in self._hidden:
            del sys.modules[hidden]
        places = [at for at, finder in enumerate(sys.meta_path) if finder is PathFinder]
        sys.meta_path.insert(places[0] if places else len(sys.meta_path), self)
        return self

    def __exit__(self, *raised: object) -> None:
        sys.meta_path.remove(self)
        for name in reversed(self._specs):  # a package after what is in it
            module = sys.modules.pop(name, None)
            parent, _, child = name.rpartition(".")
            if module is not None and parent in sys.modules and vars(sys.modules[parent]).get(child) is module:
                delattr(sys.modules[parent], child)
        sys.modules.update(self._hidden)

    def collect(self) -> None:
        """Keep in `found` what has been imported so far."""
        self.found = {name: sys.modules[name] for name in self._specs if name in sys.modules}

    def owns(self, name: object) -> bool:
        """Whether a module of this name was imported as the file's own, or failed to be."""
        return name in self._specs

    def _places(self, name: str) -> list[str]:
        """Where a module of this name is looked for: the package's own name first, which no file in it takes."""
        return [self.home.packages[name]] if name in self.home.packages else [self.home.directory]

    def _is_own(self, top: str) -> bool:
        """Whether this module of `sys.modules` is what the file would find."""
        return any(place in self._places(top) for place in _places_of(sys.modules.get(top)))

    def _is_anothers(self, top: str) -> bool:
        """Whether this module of `sys.modules` is of a name by which the file means another."""
        if top in sys.stdlib_module_names or top == _LANGUAGE or self._is_own(top):
            return False
        return PathFinder.find_spec(top, self._places(top)) is not None

    def _shown(self, path: str) -> str:
        return os.path.relpath(path) if self._relative else path


def _places_of(module: ModuleType | None) -> list[str]:
    """The directories in which a module of one name was found: of a package in parts, several."""
    if module is None:
        return []
    paths = list(getattr(module, "__path__", ())) or [getattr(module, "__file__", None) or ""]
    return [os.path.dirname(os.path.abspath(path)) for path in paths if path]


def shown_name(module: ModuleType) -> str | None:
    """What a file's own module is called in diagnostics; None of a package of directories alone."""
    loader = getattr(module, "__loader__", None)
    return loader.shown if isinstance(loader, _Loader) else None


def import_hint(error: ImportError, home: Home) -> str:
    """What to do about an import that failed: near names, then what can be imported."""
    missing = _MISSING_NAME.match(str(error))
    if missing is not None and error.name is not None:
        near = get_close_matches(missing[1], dir(sys.modules.get(error.name, ModuleType(""))), n=1)
        return f"did you mean `{near[0]}`?" if near else f"look for it in {error.name}"
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        parent, _, child = error.name.rpartition(".")
        places = getattr(sys.modules.get(parent), "__path__", None) or [home.directory]
        near = get_close_matches(child, sorted(_modules_in(places)), n=1, cutoff=0.7)
        if near:
            return f"did you mean `{near[0]}`?"
    return _ELSEWHERE


_MISSING_NAME = re.compile(r"cannot import name '(\w+)'")
_ELSEWHERE = "write `from common import NAME` for a file beside it, `from .common import NAME` in its package, or set PYTHONPATH for others"


def _modules_in(directories: Iterable[str]) -> set[str]:
    return {Path(entry).stem for directory in directories if os.path.isdir(directory) for entry in os.listdir(directory)}
