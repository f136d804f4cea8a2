"""What RFC 9669 reserves, our codec refuses with its reason; and so does the running kernel, but where its row says `takes it`."""

from __future__ import annotations

import platform

import pytest

from pybpfnf.abi.codec import DecodeError, decode
from pybpfnf.abi.versions import newer_than
from tests.abi.bpf import load_bytes
from tests.abi.reserved import GOLDEN, HEADER, Case, cases

CASES = tuple(cases())
_TAKES_IT = "takes it"
_SOCKET_FILTER = 1  # the type that has the legacy packet loads of section 5.5


def codec_reason(code: bytes) -> str:
    with pytest.raises(DecodeError) as raised:
        decode(code)
    return str(raised.value)


def linux_reason(case: Case) -> str:
    """The verifier's last word on the whole program, without the changed instruction's neighbours."""
    result, log = load_bytes(_SOCKET_FILTER, case.program)
    return _TAKES_IT if result == 0 else next(line for line in reversed(log.splitlines()) if not line.startswith("processed "))


def columns(case: Case) -> list[str]:
    return [case.section, case.text, f"{case.field} = {case.value}", case.code.hex(" ", 8), codec_reason(case.code)]


def recorded() -> list[list[str]]:
    return [line.split(" | ") for line in GOLDEN.read_text().splitlines() if not line.startswith("#")]


def test_the_table_is_what_the_codec_says(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-data"):
        GOLDEN.write_text(HEADER + "".join(" | ".join([*columns(case), linux_reason(case)]) + "\n" for case in CASES))
    assert [row[:-1] for row in recorded()] == [columns(case) for case in CASES]


def test_each_case_is_another_and_every_section_with_instructions_has_some() -> None:
    assert len({case.code for case in CASES}) == len(CASES) > 45
    assert {case.section for case in CASES} == {"3.1", "4.1", "4.2", "4.3", "4.3.2", "5.1", "5.2", "5.3", "5.4", "5.5"}


@pytest.mark.kernel
def test_the_kernel_takes_each_instruction_as_long_as_the_field_is_right() -> None:
    known = [case for case in CASES if not newer_than(decode(case.valid), {}, platform.release())]
    assert [(case.text, case.after) for case in known if load_bytes(_SOCKET_FILTER, case.valid)[0]] == []


@pytest.mark.kernel
def test_the_kernel_refuses_the_same() -> None:
    refused = [case for case, row in zip(CASES, recorded(), strict=True) if row[-1] != _TAKES_IT]
    assert len(CASES) - len(refused) == 1  # an exit with an offset, which Linux 6.18 does not look at
    assert [(case.text, case.field) for case in refused if load_bytes(_SOCKET_FILTER, case.program)[0] == 0] == []
