"""From a path or a function to its text, its names and its positions."""

from __future__ import annotations

import linecache
import os
from pathlib import Path

import pytest

from pybpfnf.dsl import compile_module, format_module, ir, load_programs
from pybpfnf.dsl.reading.source import recorded_name
from pybpfnf.dsl.surface.definitions import DefinitionError
from pybpfnf.dsl.surface.programs import Program
from pybpfnf.errors import CompileError, InputError

PROGRAM = """from pybpfnf.dsl.surface import *

@seg6local
def f(pkt: Seg6Packet) -> Verdict:
    return OK
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def program_of(text: str, filename: str, *, known: bool = True) -> Program:
    """The program of executed text, known to linecache as a prompt makes it."""
    if known:
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    scope: dict[str, object] = {"__name__": "somewhere"}
    exec(compile(text, filename, "exec"), scope)
    program = scope["f"]
    assert isinstance(program, Program)
    return program


def failure(path: Path) -> CompileError:
    with pytest.raises(CompileError) as caught:
        load_programs(path)
    return caught.value


def test_a_file_below_a_project_is_recorded_relative_to_it(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "")
    path = write(tmp_path / "nf" / "probe.py", PROGRAM)
    assert recorded_name(str(path)) == "nf/probe.py"


def test_a_file_of_no_project_is_recorded_by_its_name(tmp_path: Path) -> None:
    assert recorded_name(str(tmp_path / "probe.py")) == "probe.py"


def test_a_catalogue_function_of_an_installation_is_recorded_as_in_the_checkout() -> None:
    import pybpfnf

    assert recorded_name(os.path.join(os.path.dirname(pybpfnf.__file__), "functions", "end.py")) == "functions/end.py"


def test_the_module_has_the_whole_text_of_its_files(tmp_path: Path) -> None:
    module = compile_module(load_programs(write(tmp_path / "probe.py", PROGRAM)))
    assert module.sources == {"probe.py": PROGRAM}


def test_a_diagnostic_shows_the_path_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "nf" / "probe.py", PROGRAM.replace("return OK", "return 3"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CompileError) as caught:
        compile_module(load_programs("nf/probe.py"))
    (found,) = caught.value.diagnostics
    assert found.headline().startswith("nf/probe.py:5:12: error:")
    assert found.span.file == "probe.py"


def test_the_working_directory_may_change_between_import_and_compilation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "nf" / "probe.py", PROGRAM)
    monkeypatch.chdir(tmp_path)
    programs = load_programs("nf/probe.py")
    monkeypatch.chdir("/")
    assert [function.name for function in compile_module(programs).functions] == ["f"]


def test_a_file_that_was_edited_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for verdict in ("OK", "DROP"):
        path = write(Path("probe.py"), PROGRAM.replace("return OK", f"return {verdict}"))
        assert f"return {verdict}" in format_module(compile_module(load_programs(path)))


def test_a_function_of_a_prompt_compiles_where_python_keeps_the_text() -> None:
    module = compile_module([program_of(PROGRAM, "<ipython-input-1>")])
    assert list(module.sources) == ["<ipython-input-1>"]


def test_a_function_without_text_is_an_input_error() -> None:
    with pytest.raises(InputError, match="the source of f in <stdin> is not known to Python"):
        compile_module([program_of(PROGRAM, "<stdin>", known=False)])


def test_a_function_whose_text_changed_is_an_input_error() -> None:
    program = program_of(PROGRAM, "<changed>")
    linecache.cache["<changed>"] = (1, None, ["x = 3\n"], "<changed>")
    with pytest.raises(InputError, match="there is no `def f` in the text that Python has"):
        compile_module([program])


def test_a_lambda_is_no_network_function() -> None:
    with pytest.raises(DefinitionError, match="no lambda"):
        compile_module([program_of("from pybpfnf.dsl.surface import *\nf = seg6local(lambda pkt: OK)\n", "<lambda-text>")])


def test_names_are_captured_from_enclosing_functions_as_they_are_at_compile_time() -> None:
    text = (
        "from pybpfnf.dsl.surface import *\ndef make():\n    limit = 3\n    @seg6local\n    def f(pkt: Seg6Packet) -> Verdict:\n"
        "        pkt.mark = limit\n        return OK\n    limit = 4\n    return f\nf = make()\n"
    )
    module = compile_module([program_of(text, "<closure>")])
    statement = module.functions[0].body[0]
    assert isinstance(statement, ir.SetContext)
    assert isinstance(statement.value, ir.Const)
    assert statement.value.value == 4


def test_a_name_of_an_enclosing_function_that_is_not_bound_yet_is_unknown() -> None:
    text = (
        "from pybpfnf.dsl.surface import *\ndef make():\n    @seg6local\n    def f(pkt: Seg6Packet) -> Verdict:\n"
        "        pkt.mark = limit\n        return OK\n    if False:\n        limit = 4\n    return f\nf = make()\n"
    )
    with pytest.raises(CompileError) as caught:
        compile_module([program_of(text, "<unbound>")])
    assert [(found.code, found.span.line) for found in caught.value.diagnostics] == [("name", 5)]


def test_columns_count_characters_not_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "probe.py", PROGRAM.replace("    return OK", '    "é"; pkt.mark = nope; "ü"\n    return OK'))
    with pytest.raises(CompileError) as caught:
        compile_module(load_programs(path))
    (found,) = caught.value.diagnostics
    assert (found.span.column, found.span.end_column) == (21, 25)


def test_a_file_imports_its_siblings_and_forgets_them(tmp_path: Path) -> None:
    for name, limit in (("a", 3), ("b", 4)):
        write(tmp_path / name / "limits.py", f"LIMIT = {limit}\n")
        write(tmp_path / name / "probe.py", "from limits import LIMIT\n" + PROGRAM.replace("return OK", "pkt.mark = LIMIT\n    return OK"))
    values = []
    for name in "ab":
        statement = compile_module(load_programs(tmp_path / name / "probe.py")).functions[0].body[0]
        assert isinstance(statement, ir.SetContext)
        assert isinstance(statement.value, ir.Const)
        values.append(statement.value.value)
    assert values == [3, 4]


def test_a_file_may_have_several_programs(tmp_path: Path) -> None:
    text = PROGRAM + "\n@seg6local\ndef g(pkt: Seg6Packet) -> Verdict:\n    return DROP\n\nagain = g\n"
    module = compile_module(load_programs(write(tmp_path / "probe.py", text)))
    assert [function.name for function in module.functions] == ["f", "g"]


def test_a_file_without_a_program_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"probe.py has no network function") as caught:
        load_programs(write(tmp_path / "probe.py", "x = 3\n"))
    assert caught.value.hint == "decorate a function with @seg6local"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"# coding: nonsense\n"])
def test_a_file_that_cannot_be_read_is_an_input_error(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "probe.py"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="cannot read"):
        load_programs(path)


@pytest.mark.parametrize(
    ("text", "code", "line", "column", "message"),
    [
        ("x = 3\nif x\n    pass\n", "syntax", 2, 5, "expected ':'"),
        ("x = (3\n", "syntax", 1, 5, "'(' was never closed"),
        ("x = 3\ny = nope + 1\n", "name", 2, 5, "`nope` is not known here"),
        ("import nothing_of_that_name\n", "name", 1, 8, "no module named 'nothing_of_that_name'"),
        ("x = 3\nx.nope()\n", "import", 2, 1, "AttributeError: 'int' object has no attribute 'nope'"),
        ("é = 3; x = 1 // 0\n", "import", 1, 12, "ZeroDivisionError: integer division or modulo by zero"),
        ("import sys\nsys.exit(3)\n", "import", 2, 1, "SystemExit: 3"),
        ("from pybpfnf.dsl.surface import *\nm = Array(int, 3)\n", "type", 2, 5, "Array: <class 'int'> is no value type"),
        ("from pybpfnf.dsl.surface import *\nC = Config(u8, default=256)\n", "overflow", 2, 5, "Config: value 256 is no u8"),
    ],
)  # fmt: skip
def test_what_goes_wrong_on_import_is_a_diagnostic_at_its_line(
    text: str, code: str, line: int, column: int, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "probe.py", text)
    (found,) = failure(path).diagnostics
    assert (found.code, found.span.line, found.span.column, found.message) == (code, line, column, message)
    assert found.headline().startswith(f"{path}:{line}:{column}: error: ")


def test_a_mistake_in_a_sibling_is_shown_in_the_sibling(tmp_path: Path) -> None:
    write(tmp_path / "limits.py", "LIMIT = 1 // 0\n")
    (found,) = failure(write(tmp_path / "probe.py", "from limits import LIMIT\n")).diagnostics
    assert (found.code, found.span.file, found.span.line) == ("import", "limits.py", 1)


def test_a_syntax_error_in_a_sibling_is_shown_in_the_sibling(tmp_path: Path) -> None:
    write(tmp_path / "limits.py", "LIMIT = = 0\n")
    (found,) = failure(write(tmp_path / "probe.py", "from limits import LIMIT\n")).diagnostics
    assert (found.code, found.span.file, found.span.line) == ("syntax", "limits.py", 1)


def test_there_must_be_a_program_to_compile() -> None:
    with pytest.raises(InputError, match="no program to compile"):
        compile_module([])
