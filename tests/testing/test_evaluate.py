"""The reference evaluator: each node of the IR has a meaning here, and it is Python's."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from pybpfnf.dsl import ir
from pybpfnf.errors import InputError
from pybpfnf.runner import Environment
from pybpfnf.testing.evaluate import EXPRESSIONS, NOT_EVALUATED, STATEMENTS, Evaluation, Evaluator
from pybpfnf.testing.packets import Tlv, pad, srv6
from tests.dsl.cases import compile_text, function

PACKET = srv6(segments=["fc00:3::3", "fc00:2::2"], tag=7, hop_limit=9)
OK, DROP = 0, 2
STATES = "a = State(s32)\nb = State(s8)\nc = State(u8)\nflag = State(bool)\nresult = State(s64)\n"
HASH = "m = Hash(u8, u8, 2)\ncounts = Hash(u8, u32, 2, default=40)\nlist = Array(u16, 3)\n"


def evaluator(tmp_path: Path, body: str, before: str = "", environment: Environment | None = None) -> Evaluator:
    module = compile_text(function(body, before=before), tmp_path)
    return Evaluator(module, module.functions[0], environment or Environment())


def result(tmp_path: Path, expression: str, **states: int) -> int | bytes:
    """What `s64(expression)` is, where the States have these values."""
    made = evaluator(tmp_path, f"global result\nresult = s64({expression})\nreturn OK", STATES)
    made.variables.update({name: value for name, value in states.items() if name in made.variables})
    done = made.run(PACKET)
    assert done.fault is None
    return made.variables["result"]


def fault(tmp_path: Path, body: str, before: str = STATES + HASH) -> tuple[str, int | None, int]:
    """The message and the line in the body (from 1) of the fault exit, and the verdict."""
    lines_before = function("pass", before=before).count("\n") - 1
    done = evaluator(tmp_path, f"{body}\nreturn OK", before).run(PACKET)
    assert done.fault is not None
    assert done.fault.line is not None
    return done.fault.message, done.fault.line - lines_before, done.verdict


def test_every_node_class_has_a_meaning_or_a_reason_why_not() -> None:
    assert EXPRESSIONS.keys() | NOT_EVALUATED.keys() == set(get_args(ir.Expr))
    assert not EXPRESSIONS.keys() & NOT_EVALUATED.keys()
    assert STATEMENTS.keys() == set(get_args(ir.Stmt))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a // 2", -4),  # down, not towards zero
        ("a % 2", 1),  # the divisor's sign
        ("a % -2", -1),
        ("a >> 1", -4),
        ("a >> 100", -1),
        ("a << 100", 0),
        ("u8(a)", 249),
        ("b * b", 16384 % 256),  # an s8 times an s8 is an s8
        ("b + a", -135),  # the wider operand's type
        ("-b", -128),
        ("~c", 0),
        ("a - c", -262),
        ("c + c", 254),
        ("a < 0 < c", 1),
        ("c if flag else a", 255),
        ("flag and a == -7", 1),
        ("not flag or a > 0", 0),
    ],
)
def test_an_operator_is_pythons_and_its_result_is_reduced_to_its_type(tmp_path: Path, expression: str, expected: int) -> None:
    assert result(tmp_path, expression, a=-7, b=-128, c=255, flag=1) == expected


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("x = a // (b - b)", "division by zero"),
        ("x = a % (b - b)", "division by zero"),
        ("x = a << (b - 1)", "negative shift count"),
        ("x = list[c + 3]", "index out of range"),
        ("list[c + 3] //= 2", "index out of range"),
        ("counts[c] += 1 // (c - c)", "division by zero"),
        ("x = m[c]", "no such key"),
        ("del m[c]", "no such key"),
        ("assert flag", "assert flag"),
        ('assert flag, "the flag is down"', "the flag is down"),
    ],
)
def test_what_python_raises_is_a_fault_at_its_line(tmp_path: Path, statement: str, message: str) -> None:
    assert fault(tmp_path, f"pass\n{statement}") == (message, 2, DROP)


def test_a_full_map_is_a_fault(tmp_path: Path) -> None:
    assert fault(tmp_path, "m[1] = 1\nm[2] = 1\nm[1] = 5\nm[3] = 1") == ("the map is full", 4, DROP)


def test_a_fault_keeps_what_was_done_before_and_gives_the_verdict_of_the_function(tmp_path: Path) -> None:
    source = function("global a\na = 3\nassert flag\na = 4\nreturn DROP", before=STATES, decorator="@seg6local(on_fault=OK)")
    module = compile_text(source, tmp_path)
    made = Evaluator(module, module.functions[0], Environment())
    assert made.run(PACKET).verdict == OK
    assert made.variables["a"] == 3


def test_a_missing_key_reads_as_the_default_and_is_made_from_it(tmp_path: Path) -> None:
    made = evaluator(tmp_path, "list[0] = u16(counts[7])\ncounts[9] += 2\nreturn OK", HASH)
    made.run(PACKET)
    assert made.maps == {"counts": {9: 42}, "list": [40, 0, 0]}


def test_a_view_of_an_entry_sees_what_is_stored_there(tmp_path: Path) -> None:
    before = "class R(Struct):\n    n: u32\nentries = Array(R, 2)\nlist = Array(u32, 1)\n"
    made = evaluator(tmp_path, "view = entries[1]\nentries[1] = R(n=3)\nview.n += 4\nlist[0] = view.n\nreturn OK", before)
    made.run(PACKET)
    assert made.maps["list"] == [7]
    assert [bytes(entry) for entry in made.maps["entries"]] == [bytes(4), b"\x07\0\0\0"]


def test_get_is_none_for_a_missing_key(tmp_path: Path) -> None:
    made = evaluator(tmp_path, "n = m.get(1)\nif n is None:\n    return DROP\nlist[n] = 1\nreturn OK", HASH)
    assert made.run(PACKET).verdict == DROP
    made.maps["m"][1] = 2
    assert made.run(PACKET).verdict == OK
    assert made.maps["list"] == [0, 0, 1]


def test_fields_of_headers_are_read_from_the_packets_bytes_and_written_into_them(tmp_path: Path) -> None:
    done = evaluator(tmp_path, "pkt.srh.tag = pkt.srh.tag + pkt.ipv6.hop_limit\npkt.srh.flags |= 0x20\nreturn OK").run(PACKET)
    assert done == Evaluation(OK, srv6(segments=["fc00:3::3", "fc00:2::2"], tag=16, hop_limit=9, flags=0x20), 0)


def test_a_packet_without_an_srh_is_a_fault_where_it_is_read(tmp_path: Path) -> None:
    done = evaluator(tmp_path, "pkt.srh.tag = 1\nreturn OK").run(bytes((0x60,)) + bytes(5) + bytes((59, 64)) + bytes(32))
    assert done.fault is not None
    assert done.fault.message == "no SRH in the packet"


def test_an_appended_tlv_stands_before_padding_and_lengths_follow(tmp_path: Path) -> None:
    before = "class Hop(Tlv, type=124):\n    node: u32\n"
    old, new = Tlv(9, b"abcd"), Tlv(124, bytes((0, 0, 0, 7)))
    done = evaluator(tmp_path, "pkt.srh.append(Hop(node=7))\nreturn OK", before).run(srv6(segments=["fc00:3::3", "fc00:2::2"], tlvs=[old]))
    assert done.packet == srv6(segments=["fc00:3::3", "fc00:2::2"], tlvs=[old, new])


def test_an_appended_tlv_stands_before_an_hmac(tmp_path: Path) -> None:
    before = "class Hop(Tlv, type=124):\n    node: u32\n"
    new, hmac = Tlv(124, bytes((0, 0, 0, 7))), Tlv(5, bytes(38))
    packet = srv6(segments=["fc00:3::3", "fc00:2::2"], tlvs=[pad(8), hmac])
    done = evaluator(tmp_path, "pkt.srh.append(Hop(node=7))\nreturn OK", before).run(packet)
    assert done.packet == srv6(segments=["fc00:3::3", "fc00:2::2"], tlvs=[new, pad(2), hmac])


def test_the_environment_is_what_the_context_and_helpers_say(tmp_path: Path) -> None:
    environment = Environment(clock_boot=5, cpu=1, mark=9, ifindex=4)
    body = "global result\nresult = s64(monotonic()) * 1000 + s64(cpu() * 100 + pkt.mark * 10 + pkt.ifindex)\npkt.mark = 3\nreturn OK"
    made = evaluator(tmp_path, body, STATES, environment)
    assert made.run(PACKET).mark == 3
    assert made.variables["result"] == 5194


def test_what_only_a_router_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="get_prandom_u32"):
        evaluator(tmp_path, "global result\nresult = s64(random_u32())\nreturn OK", STATES).run(PACKET)


def test_a_config_without_default_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="LIMIT"):
        evaluator(tmp_path, "return OK if pkt.len < LIMIT else DROP", "LIMIT = Config(u32)\n")
