"""What is newer than a kernel: helpers, map types and instruction forms, each named once, where it is first needed."""

from __future__ import annotations

import pytest

from pybpfnf.abi.codec import make
from pybpfnf.abi.forms import FORMS
from pybpfnf.abi.helpers import HELPERS
from pybpfnf.abi.text import parse
from pybpfnf.abi.versions import Newer, form_since, newer_than, parse_kernel
from pybpfnf.errors import InputError


def test_a_helper_newer_than_the_kernel_is_named_at_the_slot_of_its_first_call() -> None:
    program = parse("r1 = 1 ll\ncall ktime_get_tai_ns\ncall ktime_get_tai_ns\nexit")
    assert newer_than(program, {}, "6.0") == [Newer("helper ktime_get_tai_ns", "6.1", 2)]
    assert newer_than(program, {}, "6.1") == []


def test_instructions_of_version_4_are_newer_than_6_1() -> None:
    program = parse("r1 = 0\nr1 s/= 3\nr1 = (s8)r1\nr1 s/= 5\nexit")
    assert newer_than(program, {}, "6.1") == [Newer("instruction sdiv64_imm", "6.6", 1), Newer("instruction movsx8_64", "6.6", 2)]


def test_a_function_of_the_kernel_is_newer_than_calls_of_such_functions() -> None:
    program = parse("call kfunc[bpf_iter_num_next]\nexit")
    assert newer_than(program, {}, "6.3") == [Newer("kernel function bpf_iter_num_next", "6.4", 0)]
    assert newer_than(program, {}, "6.4") == []


def test_map_types_are_named_with_the_map_also_when_no_instruction_names_it() -> None:
    program = (make("ld_map", 1, ref="used"), make("exit"))
    maps = {"used": "user_ringbuf", "unused": "arena", "old": "hash"}
    assert newer_than(program, maps, "5.10") == [
        Newer("map type user_ringbuf (of `used`)", "6.1", 0),
        Newer("map type arena (of `unused`)", "6.9", None),
    ]


def test_a_helper_that_came_later_to_the_lightweight_tunnel_types_is_new_there_alone() -> None:
    program = parse("call get_current_uid_gid\nexit")
    assert newer_than(program, {}, "6.1", "lwt_seg6local") == [Newer("helper get_current_uid_gid", "6.16", 0)]
    assert newer_than(program, {}, "6.1", "xdp") == []


@pytest.mark.parametrize(
    ("form", "since"),
    [
        ("add64_imm", "3.18"), ("jlt64_reg", "4.14"), ("jeq32_imm", "5.1"), ("ldxs16", "6.6"), ("bswap32", "6.6"), ("jal", "6.6"),
        ("atomic_add64", "3.18"), ("atomic_fetch_add64", "5.12"), ("atomic_xchg32", "5.12"), ("load_acquire8", "6.15"),
        ("store_release64", "6.15"), ("call_local", "4.16"), ("ld_map_value", "5.2"), ("ld_map", "3.18"),
    ],
)  # fmt: skip
def test_a_form_came_with_the_kernel_of_its_version_or_of_its_own(form: str, since: str) -> None:
    assert form_since(FORMS[form]) == since


def test_nothing_that_seg6local_programs_need_to_act_is_newer_than_6_1() -> None:
    program = tuple(make("call", imm=HELPERS[name].id) for name in ("lwt_seg6_store_bytes", "lwt_seg6_adjust_srh", "lwt_seg6_action"))
    assert newer_than(program, {"m": "percpu_array"}, "6.1") == []


@pytest.mark.parametrize(("text", "version"), [("6.1", (6, 1)), ("v5.10", (5, 10)), ("6.1.0-18-amd64", (6, 1)), ("6.18.44", (6, 18))])
def test_kernel_versions_are_read_with_whatever_follows(text: str, version: tuple[int, int]) -> None:
    assert parse_kernel(text) == version


@pytest.mark.parametrize("text", ["", "6", "new", "6."])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a kernel version"):
        parse_kernel(text)
