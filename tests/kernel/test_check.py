"""`pybpfnf.check`: what the running kernel's verifier says of a target's programs."""

from __future__ import annotations

from pathlib import Path

import pytest

import pybpfnf
from pybpfnf import InputError, MapSpec, ObjectImage, VerifierError
from tests.kernel.programs import OK, image, program

TWO = """\
from pybpfnf import DROP, OK, Config, LwtInPacket, Seg6Packet, Verdict, lwt_in, seg6local, u32

LIMIT = Config(u32)

@seg6local
def first(pkt: Seg6Packet) -> Verdict:
    return OK if pkt.srh.tag < LIMIT else DROP

@lwt_in(on_fault=OK)
def second(pkt: LwtInPacket) -> Verdict:
    return OK
"""


def written(folder: Path) -> Path:
    path = folder / "two.py"
    path.write_text(TWO)
    return path


@pytest.mark.kernel
def test_each_program_of_an_object_is_asked_about(tmp_path: Path) -> None:
    found = pybpfnf.check(written(tmp_path), LIMIT=3)
    assert [(each.program.name, each.info.name, each.info.type, each.btf_refused) for each in found] == [
        ("first", "first", "lwt_seg6local", None),
        ("second", "second", "lwt_in", None),
    ]


@pytest.mark.kernel
def test_one_program_is_asked_about_by_its_name(tmp_path: Path) -> None:
    (found,) = pybpfnf.check(written(tmp_path), program="second", config={"LIMIT": 3})
    assert found.program.name == "second"


@pytest.mark.kernel
def test_a_refusal_is_one_diagnostic() -> None:
    with pytest.raises(VerifierError) as caught:
        pybpfnf.check(image("r0 = r7\nexit"))
    assert "R7 !read_ok" in caught.value.diagnostic.message


@pytest.mark.kernel
def test_a_type_is_given_where_the_object_does_not_say_it() -> None:
    unknown: dict[str, MapSpec] = {}
    found = pybpfnf.check(ObjectImage((program(OK, type_name=None),), unknown, "GPL"), type="lwt_in")
    assert found[0].info.type == "lwt_in"


def test_a_config_without_a_value_is_named_before_the_kernel_is_asked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="LIMIT"):
        pybpfnf.check(written(tmp_path))
