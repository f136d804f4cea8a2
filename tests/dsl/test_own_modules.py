"""What a file imports of its own: modules beside it and of its package, from wherever it is built, the same bytes each time."""

from __future__ import annotations

import importlib
import linecache
import sys
from pathlib import Path

import pytest

from pybpfnf import CompileError, simulate
from pybpfnf.compile import compile_file
from pybpfnf.dsl import compile_module, load_programs
from pybpfnf.dsl.reading.own_modules import home_of
from pybpfnf.image import read
from pybpfnf.testing.packets import srv6
from pybpfnf.verbs.coverage import counting
from pybpfnf.vm import VmRunner, VmSession

IMPORTED = "from pybpfnf import DROP, OK, Array, Hash, Header, Seg6Packet, Struct, Tlv, Verdict, func, seg6local, u8, u16, u32, u64\n"
COMMON = f"""{IMPORTED}
LIMIT = 5

class Hop(Tlv, type=124):
    node: u32

class Count(Struct):
    packets: u64 = 0

class Inner(Header):
    first: u8

counts = Array(Count, 8)

@func
def clamp(n: u32) -> u32:
    assert n < 1000
    return min(n, LIMIT)
"""
FUNCTION = """
@seg6local
def steer(pkt: Seg6Packet) -> Verdict:
    hop = pkt.srh.find(Hop)
    if hop is None or pkt.view(Inner, at=0).first == 0:
        return DROP
    counts[clamp(hop.node)].packets += LIMIT
    return OK
"""
NAMES = "Count, Hop, Inner, LIMIT, clamp, counts"
PACKET = srv6(segments=["fc00:3::3", "fc00:2::2"], tlvs=bytes([124, 4, 0, 0, 0, 9, 4, 0]))
WILD = srv6(segments=["fc00:3::3", "fc00:2::2"], tlvs=bytes([124, 4, 9, 9, 9, 9, 4, 0]))

# Each way to import it: the files, but for the one that is built; that one; its import.
SHAPES = {
    "beside": (("nf/common.py",), "nf/steer.py", "common"),
    "beside, relative": (("nf/common.py",), "nf/steer.py", ".common"),
    "beside, by the directory": (("nf/common.py",), "nf/steer.py", "nf.common"),
    "a package, beside": (("nf/__init__.py", "nf/common.py"), "nf/steer.py", "common"),
    "a package, relative": (("nf/__init__.py", "nf/common.py"), "nf/steer.py", ".common"),
    "a package, by its name": (("nf/__init__.py", "nf/common.py"), "nf/steer.py", "nf.common"),
    "a package in one, relative": (("nf/__init__.py", "nf/x/__init__.py", "nf/common.py"), "nf/x/steer.py", "..common"),
    "a package in one, by its name": (("nf/__init__.py", "nf/x/__init__.py", "nf/common.py"), "nf/x/steer.py", "nf.common"),
    "a project, relative": (("pyproject.toml", "nf/common.py"), "nf/x/steer.py", "..common"),
    "a project, by its name": (("pyproject.toml", "nf/common.py"), "nf/x/steer.py", "nf.common"),
    "down a package": (("nf/__init__.py", "nf/x/__init__.py", "nf/x/common.py"), "nf/steer.py", ".x.common"),
    "out of a package": (("nf/__init__.py", "nf/common.py"), "steer.py", "nf.common"),
    "out of a directory": (("nf/common.py",), "steer.py", "nf.common"),
}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def make(where: Path, shape: str = "a package, relative", *, common: str = COMMON, function: str = FUNCTION) -> Path:
    """The files of a shape below a directory; the one to build."""
    files, built, source = SHAPES[shape]
    for file in files:
        write(where / file, common if file.endswith("common.py") else "")
    return write(where / built, f"{IMPORTED}from {source} import {NAMES}\n{function}")


def failure(path: Path | str) -> CompileError:
    with pytest.raises(CompileError) as caught:
        compile_file(Path(path))
    return caught.value


@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_file_imports_of_its_own_is_part_of_its_object(shape: str, tmp_path: Path) -> None:
    with simulate(compile_file(make(tmp_path, shape))) as nf:
        assert nf.run(PACKET).fault is None
        assert nf["counts"][5].packets == 5
        fault = nf.run(WILD).fault
    assert fault is not None
    assert (Path(fault.file or "").name, fault.line) == ("common.py", 18)
    assert [caller.rpartition("/")[2] for caller in fault.callers] == ["steer.py:9:12"]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_object_is_the_same_from_every_directory(shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "one", shape)
    built = {compile_file(path)}
    monkeypatch.chdir(tmp_path / "one")
    built.add(compile_file(path.relative_to(tmp_path / "one")))
    monkeypatch.chdir(path.parent)
    built.add(compile_file(Path(path.name)))
    built.add(compile_file(make(tmp_path / "another" / "place", shape)))
    assert len(built) == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_left_of_an_import(shape: str, tmp_path: Path) -> None:
    modules, path, finders = dict(sys.modules), list(sys.path), list(sys.meta_path)
    load_programs(make(tmp_path, shape))
    assert [name for name in sys.modules if name not in modules and not name.startswith("pybpfnf.")] == []
    assert (sys.path, sys.meta_path) == (path, finders)
    assert not list(tmp_path.rglob("__pycache__"))


def test_two_packages_of_one_name_have_modules_of_their_own(tmp_path: Path) -> None:
    found = []
    for limit in (3, 4):
        path = make(tmp_path / str(limit), common=COMMON.replace("LIMIT = 5", f"LIMIT = {limit}"))
        with simulate(compile_file(path)) as nf:
            nf.run(PACKET)
            found.append(nf["counts"][limit].packets)
    assert found == [3, 4]


def test_a_module_of_the_name_that_the_process_has_is_another_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "other" / "common.py", "NAMES = ()\n")
    monkeypatch.syspath_prepend(str(tmp_path / "other"))
    other = importlib.import_module("common")
    try:
        compile_file(make(tmp_path, "beside"))
        assert sys.modules["common"] is other
    finally:
        del sys.modules["common"]


def test_what_the_process_has_imported_of_the_package_is_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    package = importlib.import_module("nf")
    try:
        load_programs(path)
        assert sys.modules["nf"] is package
        assert not hasattr(package, "common")  # what was imported for the file alone
    finally:
        del sys.modules["nf"]


def test_a_module_that_was_edited_is_read_again(tmp_path: Path) -> None:
    first = compile_file(make(tmp_path))
    second = compile_file(make(tmp_path, common=COMMON.replace("LIMIT = 5", "LIMIT = 6")))  # as long, and within the second
    assert first != second


def test_functions_of_two_modules_lead_to_each_other(tmp_path: Path) -> None:
    slots = f"{IMPORTED}from pybpfnf import ProgArray\nNEXT = ProgArray(Seg6Packet, 2)\n"
    write(tmp_path / "nf" / "__init__.py", "")
    write(tmp_path / "nf" / "slots.py", slots)
    step = "@seg6local\ndef {0}(pkt: Seg6Packet) -> Verdict:\n    return NEXT[{1}](pkt)\n"
    write(tmp_path / "nf" / "second.py", IMPORTED + "from .slots import NEXT\nfrom . import first\n" + step.format("second", 0))
    text = (
        IMPORTED + "from .slots import NEXT\nfrom .second import second\n" + step.format("first", 1) + "NEXT[0] = first\nNEXT[1] = second\n"
    )
    image = read(compile_file(write(tmp_path / "nf" / "first.py", text)))
    assert sorted(program.name for program in image.programs) == ["first", "second"]


def test_a_mistake_is_shown_in_the_file_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, common=COMMON.replace("min(n", "mim(n"))
    (found,) = failure("nf/steer.py").diagnostics
    assert found.render().splitlines() == [
        "nf/common.py:19:12: error: `mim` is not known here [name]",
        "        return mim(n, LIMIT)",
        "               ^^^",
        "    called from nf/steer.py:9:12",
        "hint: look at its spelling, or import it",
    ]


@pytest.mark.parametrize(
    ("wrong", "line", "column", "message", "hint"),
    [
        ("clamp(3", 20, 6, "'(' was never closed", "mend the line, and look at the one before"),
        ("x = clam", 20, 5, "`clam` is not known here", "did you mean `clamp`?"),
        ("m = Array(int, 3)", 20, 5, "Array: <class 'int'> is no value type", None),
        ("@func\ndef clamp() -> None: ...", 21, 1, "`clamp` is defined a second time, and the first, of line 17, would be gone",
         "give one of them another name"),
    ],
)  # fmt: skip
def test_what_goes_wrong_in_a_module_is_at_its_line(
    wrong: str, line: int, column: int, message: str, hint: str | None, tmp_path: Path
) -> None:
    path = make(tmp_path, common=f"{COMMON}{wrong}\n")
    (found,) = failure(path).diagnostics
    assert (found.span.file, found.span.line, found.span.column, found.message) == ("nf/common.py", line, column, message)
    assert hint in (None, found.hint)


@pytest.mark.parametrize(
    ("imports", "message", "hint"),
    [
        ("from .comon import clamp", "no module named 'nf.comon'", "did you mean `common`?"),
        ("from nf.comon import clamp", "no module named 'nf.comon'", "did you mean `common`?"),
        ("import comon", "no module named 'comon'", "did you mean `common`?"),
        ("from .common import clap", "cannot import name 'clap' from 'nf.common'", "did you mean `clamp`?"),
        ("from pybpfnf import HashMap", "cannot import name 'HashMap' from 'pybpfnf'", "did you mean `Hash`?"),
        ("from .common import nothing_like_it", "cannot import name 'nothing_like_it' from 'nf.common'", "look for it in nf.common"),
        ("from ..common import clamp", "attempted relative import beyond top-level package", "write `from common import NAME`"),
        ("from elsewhere import clamp", "no module named 'elsewhere'", "write `from common import NAME`"),
    ],
)
def test_an_import_that_fails_says_what_there_is(imports: str, message: str, hint: str, tmp_path: Path) -> None:
    path = make(tmp_path)
    (found,) = failure(write(path, f"{imports}\n")).diagnostics
    assert (found.code, found.span.line, found.message) == ("name", 1, message)
    assert (found.hint or "").startswith(hint)


def test_a_directory_that_is_named_as_a_module_of_python_is_no_package(tmp_path: Path) -> None:
    assert home_of(str(tmp_path / "types" / "fn.py")).package == ""
    write(tmp_path / "types" / "common.py", COMMON)
    path = write(tmp_path / "types" / "fn.py", f"{IMPORTED}from common import {NAMES}\n{FUNCTION}")
    with simulate(compile_file(path)) as nf:
        assert nf.run(PACKET).fault is None


def test_spans_of_a_package_without_a_project_start_at_the_package(tmp_path: Path) -> None:
    module = compile_module(load_programs(make(tmp_path, "a package in one, relative")))
    assert sorted(module.sources) == ["nf/common.py", "nf/x/steer.py"]


def test_coverage_and_traces_name_the_file_that_a_line_is_in(tmp_path: Path) -> None:
    path = make(tmp_path)
    counted = counting(path, values=True)
    trace = counted.trace()
    with simulate(counted.data, runner=VmRunner(trace)) as simulation:
        assert isinstance(simulation.session, VmSession)
        trace.watch(simulation.session)
        simulation.run(PACKET)
        lines = trace.take()
        covered = counted.covered(simulation)
    common = str(tmp_path / "nf" / "common.py")
    assert {name: 18 in found.lines for name, found in covered.items()} == {common: True, str(path): False}
    assert (common, 19) in [(each.file, each.line) for each in lines]
    assert linecache.getline(common, 19).strip() == "return min(n, LIMIT)"
