"""What is too much for a program is said at its line, not as a bug of ours; what a file prints stays off stdout."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpfnf.compile import compile_file
from pybpfnf.errors import CompileError

HEAD = "from pybpfnf import *\n\n@seg6local\ndef f(pkt: Seg6Packet) -> Verdict:\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "function.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_chain_too_deep_for_the_compiler_is_named(tmp_path: Path) -> None:
    arms = "".join(f"    elif pkt.mark == {number}:\n        return DROP\n" for number in range(400))
    with pytest.raises(CompileError) as refused:
        compile_file(written(tmp_path, f"{HEAD}    if pkt.mark == 1000:\n        return OK\n{arms}    return OK\n"))
    assert [found.code for found in refused.value.diagnostics] == ["size"]
    assert refused.value.diagnostics[0].span.line == 3


@pytest.mark.parametrize("value", ["+".join("1" * 50_000), "-" * 50_000 + "1"])
def test_a_value_too_deep_for_python_is_named(value: str, tmp_path: Path) -> None:
    with pytest.raises(CompileError) as refused:
        compile_file(written(tmp_path, f"{HEAD}    return OK\n\nX = {value}\n"))
    assert [found.code for found in refused.value.diagnostics] == ["size"]


def test_a_value_deeper_than_the_compiler_reaches_is_pythons_own(tmp_path: Path) -> None:
    assert compile_file(written(tmp_path, f"{HEAD}    return OK if X == 2000 else DROP\n\nX = {'+'.join('1' * 2000)}\n"))


@pytest.mark.slow
def test_a_function_whose_jumps_would_be_too_far_is_named(tmp_path: Path) -> None:
    # Each store is some ten instructions behind a branch to the end of the function.
    arm = "    if pkt.mark == {0}:\n        return DROP\n    counts[{1}] += pkt.priority\n"
    body = "".join(arm.format(number, number % 8) for number in range(5000))
    text = HEAD.replace("@seg6local", "counts = Array(u64, 8)\n\n@seg6local")
    with pytest.raises(CompileError) as refused:
        compile_file(written(tmp_path, f"{text}{body}    return OK\n"))
    assert [found.code for found in refused.value.diagnostics] == ["size"]


def test_what_a_file_prints_does_not_get_between_our_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compile_file(written(tmp_path, f"print('hello')\n{HEAD}    return OK\n"))
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")
