"""Each helper row is emulated, or says why not: one without either fails here, by its name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pybpfnf.abi.helpers import HELPERS
from pybpfnf.abi.maps import MAP_TYPES
from pybpfnf.abi.programs import LWT_TYPES, PROGRAM_TYPES
from pybpfnf.abi.seg6 import ACTIONS
from pybpfnf.runner import Environment
from pybpfnf.vm.arguments import UNPACKED
from pybpfnf.vm.helpers import EMULATED, NOT_EMULATED, WITHDRAWN
from pybpfnf.vm.map_types import MAP_CLASSES
from pybpfnf.vm.seg6_helpers import ACTION_FUNCTIONS
from tests.vm.programs import PACKET, image, runner

ONCE = True  # see conftest


def test_every_helper_of_the_hooks_is_emulated_or_says_why_not() -> None:
    callable_ = {name for row in PROGRAM_TYPES.values() for name in row.helpers}
    missing = sorted(callable_ - set(EMULATED) - set(NOT_EMULATED))
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


def test_what_is_withdrawn_from_a_hook_says_why() -> None:
    assert set(WITHDRAWN) == {name for hook in LWT_TYPES for name in PROGRAM_TYPES[hook].withdrawn}


def test_the_list_in_the_documents_is_the_list() -> None:
    text = (Path(__file__).parents[2] / "docs" / "vm.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in text.split("| not emulated | why |\n|---|---|\n")[1].split("\n\n")[0].splitlines()]
    written = {name: reason for names, reason in rows for name in re.findall(r"`(\w+)`", names.split(" in ")[0])}
    assert written == {**NOT_EMULATED, **WITHDRAWN}


def test_no_helper_is_in_the_list_that_no_hook_may_call() -> None:
    callable_ = {name for row in PROGRAM_TYPES.values() for name in row.helpers}
    assert sorted(set(NOT_EMULATED) - callable_) == []


def _message(name: str, hook: str) -> str | None:
    built = image(f"call {name}\nr0 = 0\nexit", type_name=hook)
    fault = runner().open(built, built.program(), Environment()).run(PACKET).fault
    return None if fault is None else fault.message


@pytest.mark.parametrize("name", sorted(NOT_EMULATED))
def test_a_helper_that_is_not_emulated_is_a_fault_with_the_reason(name: str) -> None:
    hook = next(row.name for row in PROGRAM_TYPES.values() if row.name != "lwt_seg6local" and name in row.helpers)
    assert _message(name, hook) == f"{name} is not emulated: {NOT_EMULATED[name]}"


@pytest.mark.parametrize("name", sorted(WITHDRAWN))
def test_a_helper_that_is_withdrawn_is_a_fault_with_the_reason(name: str) -> None:
    assert _message(name, "lwt_seg6local") == f"{name} is not emulated: {WITHDRAWN[name]}"


@pytest.mark.parametrize(
    ("hook", "name"), [("lwt_seg6local", "lwt_push_encap"), ("lwt_out", "lwt_push_encap"), ("lwt_in", "skb_store_bytes")]
)
def test_a_helper_of_another_hook_is_a_fault(hook: str, name: str) -> None:
    assert _message(name, hook) == f"{name}: programs of type {hook} cannot use this helper"
