"""Every key and value of a TOML file has its place: what stands there, read alone, is that value again."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path as FilePath

import pytest

from pybpfnf.lab.places import Path, places

ROOT = FilePath(__file__).resolve().parent.parent.parent
ODD = r"""
# a comment with = and [brackets]
plain = 1 # behind
"quoted \"key\" \u00e9" = 0
"quoted key" = "a # no comment, \"quotes\" and ]"
'literal.key' = 'C:\path\'
dotted.to . the = { depth = [1, 2, { of = "x" }], "and more" = '''
several
"lines" ''' }
dates = [1979-05-27 07:32:00, 1979-05-27T07:32:00Z, 07:32:00]
empty = []
none = {}
numbers = [
    0x1F, # one
    -1_000.5e3,
    true, inf,
]
multi = '''
x'y''
'''
[table]
x = 1
[table.below."odd ]"]
y = [[1, [2]], [{ z = 3 }]]
[[several]]
n = 1
[several.inner]
m = 2
[[several]]
n = 3
[[several.deep]]
k = 4
[[several.deep]]
k = 5
"""


def values(value: object, at: Path = ()) -> Iterator[tuple[Path, object]]:
    """Everything below a value, with the way to it."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in pairs:
        yield (*at, key), each
        yield from values(each, (*at, key))


FILES = [path.read_text(encoding="utf-8") for path in [*sorted((ROOT / "examples" / "lab").glob("*.toml")), ROOT / "pyproject.toml"]]


@pytest.mark.parametrize("text", [ODD, *FILES])
def test_what_stands_at_a_values_place_is_that_value(text: str) -> None:
    found = places(text)
    for at, value in values(tomllib.loads(text)):
        assert at in found, at
        start, end = found[at].value
        written = text[start:end]
        if not is_header(written, value):
            shown = tomllib.loads(f"value = {written}")["value"]
            assert shown == value or isinstance(value, dict), at  # a table by dotted keys has the first of them


def is_header(written: str, value: object) -> bool:
    """Whether a table, or tables, stand below a line of their own."""
    tables = isinstance(value, list) and value != [] and all(isinstance(each, dict) for each in value)
    return (isinstance(value, dict) and written.startswith("[")) or (tables and written.startswith("[["))


@pytest.mark.parametrize("text", [ODD, *FILES])
def test_a_keys_place_has_the_key(text: str) -> None:
    for at, place in places(text).items():
        if isinstance(at[-1], str):
            assert written_key(text[slice(*place.key)]) in at, at


def test_an_array_of_tables_has_a_place_for_each() -> None:
    found = places(ODD)
    assert ODD[slice(*found["several", 1, "deep", 1].value)] == "[[several.deep]]"
    assert ODD[slice(*found["several", 1, "deep", 1, "k"].value)] == "5"
    assert ODD[slice(*found["several", 0, "inner", "m"].value)] == "2"


def written_key(written: str) -> str:
    """The key that is written so."""
    return next(iter(tomllib.loads(f"{written} = 0")))
