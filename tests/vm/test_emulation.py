"""Each helper row that lwt_seg6local may call is emulated, or says why not: adding a row without either fails here, by its name."""

from __future__ import annotations

import pytest

from pybpfnf.abi.helpers import HELPERS
from pybpfnf.abi.maps import MAP_TYPES
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.abi.seg6 import ACTIONS
from pybpfnf.vm.arguments import UNPACKED
from pybpfnf.vm.helpers import EMULATED, NOT_EMULATED
from pybpfnf.vm.maps import MAP_CLASSES
from pybpfnf.vm.seg6_helpers import ACTION_FUNCTIONS
from tests.vm.programs import PACKET, session

_ROW = PROGRAM_TYPES["lwt_seg6local"]


def test_every_helper_of_the_hook_is_emulated_or_says_why_not() -> None:
    missing = sorted((_ROW.helpers | _ROW.withdrawn) - set(EMULATED) - set(NOT_EMULATED))
    assert missing == [], "write a function in vm/helpers.py and put it in EMULATED, or a reason in NOT_EMULATED"


def test_every_emulated_helper_has_a_row() -> None:
    assert sorted(set(EMULATED) - set(HELPERS)) == []


def test_nothing_is_both_emulated_and_not() -> None:
    assert sorted(set(EMULATED) & set(NOT_EMULATED)) == []


def test_every_kind_of_argument_is_checked() -> None:
    assert sorted(kind.name for helper in HELPERS.values() for kind in helper.args if kind not in UNPACKED) == []


def test_every_action_has_a_function() -> None:
    assert set(ACTION_FUNCTIONS) == set(ACTIONS)


def test_every_map_class_has_a_row() -> None:
    assert sorted(set(MAP_CLASSES) - set(MAP_TYPES)) == []


@pytest.mark.parametrize("name", sorted(NOT_EMULATED))
def test_a_helper_that_is_not_emulated_is_a_fault_with_the_reason(name: str) -> None:
    outcome = session(f"call {name}\nr0 = 0\nexit").run(PACKET)
    assert outcome.fault is not None
    assert outcome.fault.message == f"{name} is not emulated: {NOT_EMULATED[name]}"
