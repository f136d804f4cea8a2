"""Real logs, one of each kind of refusal that we know: what is said of each, and that the running kernel still refuses the program."""

from __future__ import annotations

import platform

import pytest

from pybpfnf.abi.kernels import NEWEST, kernel_like
from pybpfnf.kernel.verifier_log import diagnose, read_log
from tests.kernel.verifier_corpus import LINUX_7_3, TODAY, Refused, refused

REFUSED = tuple(refused(TODAY))
REPORTED = tuple(refused(LINUX_7_3))
EACH = pytest.mark.parametrize("one", REFUSED, ids=lambda one: one.path.stem)


@pytest.mark.parametrize("one", REPORTED, ids=lambda one: one.path.stem)
def test_a_report_of_linux_7_3_is_one_diagnostic_at_its_line(one: Refused, request: pytest.FixtureRequest) -> None:
    found = diagnose(one.log, one.program).render()
    if request.config.getoption("--update-data"):
        one.rewrite(one.log, found)
    else:
        assert found == one.out


def test_a_report_stands_at_the_instruction_of_the_log_of_today() -> None:
    today = {one.path.name: read_log(one.log).slot for one in REFUSED}
    assert [read_log(one.log).slot for one in REPORTED] == [today[one.path.name] for one in REPORTED]


@EACH
def test_a_log_is_one_diagnostic_at_its_line(one: Refused) -> None:
    assert diagnose(one.log, one.program).render() == one.out


@EACH
def test_what_to_do_is_said_of_each_kind(one: Refused) -> None:
    assert "\nhint: " in one.out


ELSEWHERE = ("recursion", "too_many_instructions")
"""What older verifiers give up at another instruction: they look for circles of calls first, and join other ways."""


@pytest.mark.kernel
@EACH
def test_the_running_kernel_refuses_at_the_same_instruction(one: Refused, request: pytest.FixtureRequest) -> None:
    error = one.ask_the_kernel()
    assert error is not None
    if request.config.getoption("--update-data"):
        one.rewrite(error.log, error.diagnostic.render())
    elif one.path.stem not in ELSEWHERE or kernel_like(platform.release()) is NEWEST:
        assert read_log(error.log).slot == read_log(one.log).slot
