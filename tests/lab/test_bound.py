"""What is wrong with a function of a topology is said with its node and its route, before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpfnf.errors import InputError
from pybpfnf.lab.build import build_programs
from pybpfnf.lab.plan import plan
from pybpfnf.lab.read_topology import read_topology

TWO = """\
[nodes.r1]
[nodes.r2]
[[links]]
ends = ["r1", "r2"]
"""
SID = '[[nodes.r2.sids]]\nsid = "fc00:2::e"\n'
ROUTE = '[[nodes.r1.routes]]\nto = "fc00:2::/64"\nvia = "r2"\n'


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            ROUTE + 'function = "delay_probe"\nconfig = { END_DM = "a::", EXIT = "a::" }\n',
            "node r1: the function at fc00:2::/64: it needs a value for COLLECTOR",
            "`config = { COLLECTOR = ... }`",
        ),
        (SID + 'function = "end_t"\nconfig = { TABEL = 1 }\n', "node r2: the function at fc00:2::e: no variable 'TABEL'", "TABLE (u32)"),
        (
            SID + 'function = "end_t"\nconfig = { TABLE = 4294967296 }\n',
            "node r2: the function at fc00:2::e: TABLE: 4294967296 is not",
            None,
        ),
        (SID + 'function = "end"\nprogram = "x"\n', "node r2: the function at fc00:2::e: no program 'x'", "it has: end"),
        (
            SID + 'function = "delay_probe"\nconfig = { END_DM = "a::", EXIT = "a::", COLLECTOR = "a::" }\n',
            "a SID takes lwt_seg6local",
            None,
        ),
        (ROUTE + 'function = "end"\n', "node r1: the function at fc00:2::/64: end is lwt_seg6local, and a route takes lwt_in", None),
    ],
)
def test_a_function_that_does_not_fit_is_said_with_its_place(tmp_path: Path, text: str, message: str, hint: str | None) -> None:
    (tmp_path / "two.toml").write_text(TWO + text)
    with pytest.raises(InputError) as caught:
        build_programs(plan(read_topology(tmp_path / "two.toml")))
    assert message in caught.value.message
    assert caught.value.message == str(caught.value)
    assert (hint is None) == (caught.value.hint is None)
    assert (hint or "") in (caught.value.hint or "")


def test_a_function_with_its_values_is_ready(tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(TWO + SID + 'function = "end_t"\nconfig = { TABLE = 254 }\n')
    (found,) = build_programs(plan(read_topology(tmp_path / "two.toml")))["r2"]
    assert found.prepared.program.name == "end_t"
