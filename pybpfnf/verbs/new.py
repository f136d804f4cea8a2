"""`new`: the files that a network function begins with."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import final

from pybpfnf.dsl.building.rules import symbol_problem
from pybpfnf.errors import InputError
from pybpfnf.records import dataclass
from pybpfnf.unusable import unreadable
from pybpfnf.verbs.new_texts import HOOK_TEXTS, README_HEADING, fill

HOOK_NAMES = tuple(HOOK_TEXTS)
_LINE = re.compile(r"- \[(?P<name>\w+)\]\(")


@final
@dataclass(frozen=True, slots=True)
class NewFile:
    """A file and all of its text; `changed`: it was there before, and keeps what it had."""

    path: Path
    text: str
    changed: bool = False


def new(name: str, directory: Path | str = ".", *, hook: str = "seg6local") -> tuple[NewFile, ...]:
    """The files of a new function for a hook (one of HOOK_NAMES), none written yet: its source, its test, and the
    README with a line for it, in `directory`. Where that has `functions/` and `tests/functions/`, as this project
    has, they go there.

    Raises InputError for a name that cannot be a program's, and where one of the files is there already.
    """
    _check(name, hook)
    root = Path(directory)
    if not root.is_dir():
        raise InputError(f"{root} is not a directory", hint="make it first")
    sources, tests = root / "functions", root / "tests" / "functions"
    if not (sources.is_dir() and tests.is_dir()):
        sources = tests = root
    source, test = sources / f"{name}.py", tests / f"test_{name}.py"
    for path in (source, test):
        if path.exists():
            raise InputError(f"{path} is there already", hint="choose another name")
    texts = HOOK_TEXTS[hook]
    up = "/".join([".."] * len(tests.relative_to(root).parts))
    place = "/".join(part for part in (up, *sources.relative_to(root).parts, source.name) if part)
    return (
        NewFile(source, fill(texts.source, name=name)),
        NewFile(test, fill(texts.test, name=name, place=place)),
        _readme(root, name, source.relative_to(root).as_posix(), texts.summary),
    )


def _check(name: str, hook: str) -> None:
    if hook not in HOOK_TEXTS:
        raise InputError(f"no hook {hook!r}", hint=f"there are: {', '.join(HOOK_TEXTS)}")
    if keyword.iskeyword(name):
        raise InputError(f"`{name}` is a word of Python's own, and cannot be a function's name", hint="choose another name")
    if not name.isidentifier() or not name.isascii():
        raise InputError(f"{name!r} cannot be a function's name", hint="letters, digits and underscores, as in count_hops")
    problem = symbol_problem(name)
    if problem is not None:
        raise InputError(problem, hint="choose another name")


def _readme(root: Path, name: str, target: str, summary: str) -> NewFile:
    """The README with a line among those of the other functions, in the order of their names."""
    path = root / "README.md"
    line = f"- [{name}]({target}): {summary}"
    if not path.exists():
        return NewFile(path, f"{README_HEADING}\n\n{line}\n")
    lines = _lines(path)
    if README_HEADING not in lines:
        return NewFile(path, "\n".join([*lines, "", README_HEADING, "", line, ""]), changed=True)
    at = lines.index(README_HEADING) + 1
    while at < len(lines) and not lines[at]:
        at += 1
    while at < len(lines) and (found := _LINE.match(lines[at])) is not None and found["name"] < name:
        at += 1
    return NewFile(path, "\n".join([*lines[:at], line, *lines[at:], ""]), changed=True)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError:
        raise InputError(f"cannot read {path}: it is not UTF-8", hint="the list of functions would go into it") from None
