"""Imports point down: the table of docs/architecture.md, held against every import of `pybpfnf/` and `functions/`.

Rules, each reported as `file:line: what`: a room imports lower rooms alone; a third-party package has one owner; imports
stand at the top of their file; no circle of modules; functions of the catalogue use the public names alone.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "pybpfnf"

_BOTTOM = frozenset({"errors", "diagnostics", "records", "unusable", "held_signals"})
_DATA = _BOTTOM | {"abi", "types", "image"}
_STAGES = _DATA | {"runner", "lazy"}

# What a room (a package or a module of `pybpfnf`) may import, from the bottom up. The verbs join the siblings dsl, vm and
# kernel; of the compiler, which costs llvmlite, only `compile` knows, and `lazy` finds that by name.
ROOMS: Mapping[str, frozenset[str]] = {
    "records": frozenset(),
    "errors": frozenset({"diagnostics"}),  # for a type
    "diagnostics": frozenset({"records"}),
    "unusable": frozenset({"errors"}),
    "held_signals": frozenset(),
    "explanations": frozenset(),
    "lazy": _BOTTOM,
    "abi": _BOTTOM,
    "types": _BOTTOM,
    "image": _BOTTOM | {"abi", "types", "lazy"},
    "runner": _DATA,
    "listing": _DATA,
    "dsl": _DATA,
    "routes": _DATA | {"runner"},
    "vm": _DATA | {"runner", "routes"},
    "kernel": _DATA | {"runner", "routes"},
    "llvm": _BOTTOM | {"llvm_worker"},
    "llvm_worker": frozenset(),
    "backend": _DATA | {"dsl", "llvm"},
    "captures": _BOTTOM | {"abi"},
    "testing": _DATA | {"captures", "runner", "routes", "dsl", "vm", "kernel"},
    "compile": _DATA | {"dsl", "backend"},
    "catalogue": _BOTTOM,
    "targets": _STAGES | {"catalogue", "dsl"},
    "headers": frozenset({"dsl"}),
    "tlvs": frozenset({"dsl"}),
    "live": _STAGES | {"dsl"},
    "lab": _STAGES | {"routes", "targets", "catalogue", "live", "vm", "kernel", "captures", "testing", "verbs"},
    "verbs": _STAGES | {"dsl", "vm", "kernel", "testing", "routes", "targets", "live"},
    "apps": _STAGES | {"dsl", "kernel", "testing", "vm", "targets", "live", "verbs", "tlvs"},
    "cli": _STAGES
    | {"explanations", "listing", "routes", "vm", "kernel", "captures", "testing", "catalogue", "targets", "live", "verbs", "lab", "apps"},
    "pytest_plugin": _STAGES | {"vm", "kernel", "captures", "testing", "targets", "verbs"},
    "__main__": frozenset({"cli"}),
    "__init__": _STAGES | {"dsl", "vm", "kernel", "verbs", "apps"},
}

# The same for the rooms of the front end, in `dsl/`, and of the back end.
_NODES = frozenset({"types", "ir", "surface"})
FRONT_END: Mapping[str, frozenset[str]] = {
    "types": frozenset(),
    "ir": frozenset({"types"}),
    "surface": frozenset({"types"}),
    "reading": _NODES,
    "building": _NODES | {"reading"},
    "constructs": _NODES | {"reading", "building"},
    "passes": _NODES | {"reading", "building", "constructs"},
    "uncalled": _NODES | {"reading", "building", "constructs"},
    "build": _NODES | {"reading", "building", "constructs", "passes", "uncalled"},
    "__init__": _NODES | {"reading", "passes", "build"},
}
BACK_END: Mapping[str, frozenset[str]] = {
    "building": frozenset(),
    "lowering": frozenset({"building"}),
    "objects": frozenset(),
    "legal": frozenset(),
    "stack": frozenset({"building", "legal"}),
    "emit": frozenset({"lowering", "objects"}),
    "__init__": frozenset({"lowering", "stack", "legal", "emit"}),
}
WITHIN: Mapping[str, Mapping[str, frozenset[str]]] = {"dsl": FRONT_END, "backend": BACK_END}

# Who may import what is not ours or costs: paths below `pybpfnf`, files or directories. What is not listed must be of the
# standard library.
OWNERS: Mapping[str, tuple[str, ...]] = {
    "llvmlite": ("llvm_worker.py", "vm/native/jit.py"),
    "elftools": ("image/objfile.py",),
    "pyroute2": ("kernel/",),
    "ctypes": ("kernel/", "vm/native/"),
    "coverage": ("testing/coverage.py",),
    "click": ("cli/",),
    "pytest": ("pytest_plugin.py",),
    "scapy": ("pytest_plugin.py", "cli/packet_texts.py"),
    "rich": ("cli/",),
    "hdrh": ("apps/delay/paths.py",),
    "matplotlib": ("apps/delay/plot.py",),
    "textual": ("cli/debug_screen.py",),
}

# Files that may import inside functions: names are resolved when first used (PEP 562), and LLVM is imported in the worker
# process that it may take with it, or where a program is compiled for this computer.
LATE: tuple[str, ...] = ("__init__.py", "cli/", "llvm.py", "llvm_worker.py", "vm/native/jit.py", "testing/coverage.py", "pytest_plugin.py")
# What functions of the catalogue may use beside the public names: definitions, no code of ours.
_FOR_FUNCTIONS = ("__future__", "enum", f"{PACKAGE}.headers", f"{PACKAGE}.tlvs")
RESOLVER = "lazy.py"  # the one file that imports by a name made at run time


@dataclass(frozen=True)
class Import:
    """`module` imported, at `line`; `names` of a `from` import; `late`: inside a function; `typing`: under TYPE_CHECKING."""

    line: int
    module: str
    names: tuple[str, ...]
    late: bool
    typing: bool


class _Finder(ast.NodeVisitor):
    def __init__(self, package: str) -> None:
        self.package = package
        self.found: list[Import] = []
        self._functions = 0
        self._typing = 0

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(node, alias.name, ())

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = self.package.split(".")[: 1 - node.level or None] if node.level else []
        self._add(node, ".".join([*base, *([node.module] if node.module else [])]), tuple(alias.name for alias in node.names))

    def _add(self, node: ast.stmt, module: str, names: tuple[str, ...]) -> None:
        self.found.append(Import(node.lineno, module, names, self._functions > 0, self._typing > 0))

    def _visit_function(self, node: ast.AST) -> None:
        self._functions += 1
        self.generic_visit(node)
        self._functions -= 1

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _visit_function  # noqa: N815

    def visit_If(self, node: ast.If) -> None:
        checking = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        self._typing += checking
        for statement in node.body:
            self.visit(statement)
        self._typing -= checking
        for statement in node.orelse:
            self.visit(statement)


def imports_of(path: Path, package: str) -> list[Import]:
    """Every import statement of a file; `package` is what relative imports start from."""
    finder = _Finder(package)
    finder.visit(ast.parse(path.read_text(encoding="utf-8"), str(path)))
    return finder.found


def modules_of(root: Path) -> dict[str, Path]:
    """Dotted name of each module of the package, and its file."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def problems(root: Path) -> list[str]:
    """Every breach of the rules in the tree at `root`, as `file:line: what`."""
    modules = modules_of(root)
    found: list[str] = []
    for name, path in modules.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for each in imports_of(path, package):
            where = f"{path.relative_to(root)}:{each.line}"
            inside = path.relative_to(root / PACKAGE).as_posix()
            found += [f"{where}: {what}" for what in _breaches(inside, each, modules)]
    found += [f"{PACKAGE}/{inside}:{line}: imports by a name made at run time" for inside, line in _dynamic(root)]
    found += _catalogue_breaches(root)
    return [*found, *_circles(root, modules)]


def _breaches(inside: str, each: Import, modules: Mapping[str, Path]) -> Iterator[str]:
    if each.late and not inside.startswith(LATE):
        yield f"imports {each.module} inside a function"
    top = each.module.partition(".")[0]
    if top == PACKAGE:
        room = inside.partition("/")[0].removesuffix(".py")
        for target in _rooms_imported(each, modules):
            if target != room and target not in ROOMS.get(room, frozenset()):
                yield f"{room} imports {target}, which is not below it"
        if room in WITHIN:
            yield from _breaches_within(room, inside.partition("/")[2].partition("/")[0].removesuffix(".py"), each, modules)
    elif top in OWNERS:
        if not inside.startswith(OWNERS[top]):
            yield f"imports {top}, which belongs to {' and '.join(OWNERS[top])}"
    elif top not in sys.stdlib_module_names:
        yield f"imports {top}, which nobody owns"


def _breaches_within(house: str, room: str, each: Import, modules: Mapping[str, Path]) -> Iterator[str]:
    below = WITHIN[house].get(room, frozenset())
    for target in _targets(each, modules):
        parts = target.split(".")
        if parts[:2] == [PACKAGE, house] and len(parts) > 2 and parts[2] != room and parts[2] not in below:
            yield f"{house}/{room} imports {house}/{parts[2]}, which is not below it"


def _targets(each: Import, modules: Mapping[str, Path]) -> Iterator[str]:
    """Modules that an import runs: `from a import b` means a.b where that is a module, else a."""
    for name in each.names or ("",):
        full = f"{each.module}.{name}"
        yield full if full in modules else each.module


def _rooms_imported(each: Import, modules: Mapping[str, Path]) -> list[str]:
    parts = [target.split(".") for target in _targets(each, modules)]
    return list(dict.fromkeys(part[1] if len(part) > 1 else "__init__" for part in parts))


def _dynamic(root: Path) -> Iterator[tuple[str, int]]:
    for path in sorted((root / PACKAGE).rglob("*.py")):
        inside = path.relative_to(root / PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
            if name in ("import_module", "__import__") and inside != RESOLVER:
                yield inside, getattr(node, "lineno", 0)


def _catalogue_breaches(root: Path) -> Iterator[str]:
    public = public_names(root)
    for path in sorted((root / "functions").rglob("*.py")):
        for each in imports_of(path, f"{PACKAGE}.functions"):
            if each.module in _FOR_FUNCTIONS:
                continue
            private = set(each.names) - public if each.module == PACKAGE and each.names else {each.module}
            if private:
                yield f"{path.relative_to(root)}:{each.line}: uses {', '.join(sorted(private))}, not a public name of {PACKAGE}"


def public_names(root: Path) -> set[str]:
    """`__all__` of the package, read without importing it."""
    for node in ast.parse((root / PACKAGE / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            return set(ast.literal_eval(node.value))
    return set()


def _circles(root: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    graph: dict[str, set[str]] = {}
    lines: dict[tuple[str, str], int] = {}
    for name, path in modules.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        edges = graph.setdefault(name, set())
        for each in imports_of(path, package):
            if not each.typing and not each.late and each.module.partition(".")[0] == PACKAGE:
                for target in _targets(each, modules):
                    edges.add(target)
                    lines.setdefault((name, target), each.line)
        edges.discard(name)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        path = modules[circle[0]].relative_to(root)
        yield f"{path}:{lines[circle[0], circle[1]]}: a circle of imports: {' -> '.join(circle)}"


# -------------------------------------------------------------------------------------------------------- this tree


def test_imports_of_this_tree_follow_the_table() -> None:
    assert problems(ROOT) == []


def test_every_room_has_a_row_and_every_row_a_room() -> None:
    rooms = {path.name if path.is_dir() else path.stem for path in (ROOT / PACKAGE).iterdir() if _is_room(path)}
    assert rooms == set(ROOMS)


def _is_room(path: Path) -> bool:
    return path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))


@pytest.mark.parametrize("house", WITHIN)
def test_every_room_within_a_house_has_a_row_and_every_row_a_room(house: str) -> None:
    rooms = {path.name if path.is_dir() else path.stem for path in (ROOT / PACKAGE / house).iterdir() if _is_room(path)}
    assert rooms == set(WITHIN[house])


@pytest.mark.parametrize("table", [ROOMS, *WITHIN.values()], ids=["rooms", *WITHIN])
def test_the_table_itself_has_no_circle(table: Mapping[str, frozenset[str]]) -> None:
    tuple(TopologicalSorter(table).static_order())


def test_the_siblings_do_not_know_each_other() -> None:
    siblings = {"dsl", "vm", "kernel", "listing"}
    for room in siblings:
        assert not ROOMS[room] & siblings


# ------------------------------------------------------------------------------------------------------- a wrong tree


def tree(root: Path, files: Mapping[str, str]) -> Path:
    """A small package with those files in it, and what they import."""
    present = {f"{PACKAGE}/__init__.py": "__all__ = ['u32']\n", "functions/__init__.py": ""}
    for name in ("abi", "vm", "dsl", "image", "kernel", "cli", "backend"):
        present[f"{PACKAGE}/{name}/__init__.py"] = ""
    for name, text in (present | dict(files)).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_a_right_tree_has_no_problems(tmp_path: Path) -> None:
    files = {
        "pybpfnf/abi/codec.py": "import struct\nfrom pybpfnf.abi import forms\n",
        "pybpfnf/abi/forms.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pybpfnf.abi import codec\n",
        "pybpfnf/vm/machine.py": "from pybpfnf.abi.codec import decode\n",
        "pybpfnf/image/objfile.py": "from elftools.elf import elffile\n",
        "pybpfnf/kernel/bpf.py": "import ctypes\n",
        "pybpfnf/cli/run.py": "import click\ndef run():\n    from pybpfnf.image import objfile\n",
        "pybpfnf/lazy.py": "from importlib import import_module\nimport_module('pybpfnf.vm')\n",
        "functions/end.py": "from pybpfnf import u32\n",
    }
    assert problems(tree(tmp_path, files)) == []


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("pybpfnf/abi/rows.py", "\nfrom pybpfnf.vm import machine\n", "2: abi imports vm, which is not below it"),
        ("pybpfnf/vm/x.py", "import pybpfnf.dsl.ir\n", "1: vm imports dsl, which is not below it"),
        ("pybpfnf/vm/x.py", "from pybpfnf import kernel\n", "1: vm imports kernel, which is not below it"),
        ("pybpfnf/vm/x.py", "from ..dsl import ir\n", "1: vm imports dsl, which is not below it"),
        ("pybpfnf/vm/x.py", "from pybpfnf import u32\n", "1: vm imports __init__, which is not below it"),
        (
            "pybpfnf/backend/objects/x.py",
            "from pybpfnf.backend.lowering import y\n",
            "1: backend/objects imports backend/lowering, which is not below it",
        ),
        ("pybpfnf/dsl/x.py", "if TYPE_CHECKING:\n    from pybpfnf.backend import emit\n", "2: dsl imports backend, which is not below it"),
        ("pybpfnf/vm/x.py", "def f():\n    import struct\n", "2: imports struct inside a function"),
        ("pybpfnf/vm/x.py", "class A:\n    def f(self):\n        from pybpfnf.abi import x\n", "3: imports pybpfnf.abi inside a function"),
        ("pybpfnf/dsl/ir/x.py", "from pybpfnf.dsl.surface import y\n", "1: dsl/ir imports dsl/surface, which is not below it"),
        ("pybpfnf/dsl/ir/x.py", "import pybpfnf.dsl.build\n", "1: dsl/ir imports dsl/build, which is not below it"),
        ("pybpfnf/image/reader.py", "from elftools.elf import elffile\n", "1: imports elftools, which belongs to image/objfile.py"),
        ("pybpfnf/vm/x.py", "from ctypes import c_int\n", "1: imports ctypes, which belongs to kernel/ and vm/native/"),
        ("pybpfnf/vm/x.py", "import llvmlite.binding\n", "1: imports llvmlite, which belongs to llvm_worker.py and vm/native/jit.py"),
        ("pybpfnf/kernel/x.py", "import click\n", "1: imports click, which belongs to cli/"),
        ("pybpfnf/targets.py", "import rich.table\n", "1: imports rich, which belongs to cli/"),
        ("pybpfnf/vm/x.py", "import numpy\n", "1: imports numpy, which nobody owns"),
        ("pybpfnf/vm/x.py", "import importlib\nimportlib.import_module('ctypes')\n", "2: imports by a name made at run time"),
        ("pybpfnf/vm/x.py", "__import__('ctypes')\n", "1: imports by a name made at run time"),
        ("functions/end.py", "from pybpfnf import secret\n", "1: uses secret, not a public name of pybpfnf"),
        ("functions/end.py", "import pybpfnf\n", "1: uses pybpfnf, not a public name of pybpfnf"),
        ("functions/end.py", "\nfrom pybpfnf.dsl import ir\n", "2: uses pybpfnf.dsl, not a public name of pybpfnf"),
        ("functions/end.py", "import os\n", "1: uses os, not a public name of pybpfnf"),
    ],
)
def test_a_wrong_import_is_named_with_file_and_line(tmp_path: Path, path: str, text: str, problem: str) -> None:
    assert problems(tree(tmp_path, {path: text})) == [f"{path}:{problem}"]


def test_a_circle_is_named_with_its_modules(tmp_path: Path) -> None:
    files = {
        "pybpfnf/vm/a.py": "\n\nfrom pybpfnf.vm.b import x\n",
        "pybpfnf/vm/b.py": "from pybpfnf.vm import c\n",
        "pybpfnf/vm/c.py": "import pybpfnf.vm.a\n",
    }
    (found,) = problems(tree(tmp_path, files))
    assert "a circle of imports: " in found
    assert {"pybpfnf.vm.a", "pybpfnf.vm.b", "pybpfnf.vm.c"} <= set(found.replace("->", " ").split())
    assert found.startswith(("pybpfnf/vm/a.py:3", "pybpfnf/vm/b.py:1", "pybpfnf/vm/c.py:1"))
