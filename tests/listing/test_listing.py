"""What a listing shows, on programs written as assembler text, and on objects that clang made."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpfnf import image
from pybpfnf.abi.text import parse
from pybpfnf.image.model import (
    FaultCounters,
    FaultSite,
    FunctionRecord,
    LineRecord,
    MapSpec,
    ObjectImage,
    ProgramImage,
    Role,
    Variable,
)
from pybpfnf.listing import listing
from pybpfnf.types.layout import ADDRESS, BOOL, S16, U32, U64

OBJECTS = Path(__file__).parent.parent / "image" / "data"

PROBE = ProgramImage(
    "probe",
    "lwt_seg6local",
    "lwt_seg6local",
    parse(
        """
        r6 = r1
        r2 = map[.data]+8
        r2 = *(u32 *)(r2 + 0)
        if r2 != 0 goto counted
        r3 = map[.bss]+0
        r4 = 1
        lock *(u64 *)(r3 + 8) += r4
        r0 = 2
        exit
    counted:
        r1 = map[packets]
        r2 = *(u32 *)(r6 + 8)
        *(u32 *)(r6 + 48) = r2
        call half
        r0 = 0
        exit
    half:
        r0 = r1
        exit
        """
    ),
    functions=(FunctionRecord(0, "probe", 0), FunctionRecord(18, "half", 0)),
    lines=(
        LineRecord(0, "functions/probe.py", 7, 4, "    if pkt.mark % RATIO != 0:\n"),
        LineRecord(1, "functions/probe.py", 7, 18, "    if pkt.mark % RATIO != 0:\n"),
        LineRecord(12, "functions/probe.py", 9, 4, "    packets[0] += half(1)\n"),
        LineRecord(16, "functions/probe.py", 0, 0, ""),
    ),
    on_fault=2,
    doc="Count one packet in RATIO.\n\nMore words.",
)

IMAGE = ObjectImage(
    (PROBE,),
    {
        ".data": MapSpec(".data", "array", 4, 12, 1, initial=bytes(8) + b"\x64\0\0\0"),
        ".bss": MapSpec(".bss", "array", 4, 16, 1, initial=bytes(16)),
        "packets": MapSpec("packets", "percpu_array", 4, 8, 2, key_type=U32, value_type=U64),
        "unused": MapSpec("unused", "hash", 4, 8, 2),
    },
    license="GPL",
    variables={
        "RATIO": Variable("RATIO", Role.STATE, U32, ".data", 8, 4, False, b"\x64\0\0\0"),
        "ELSEWHERE": Variable("ELSEWHERE", Role.CONFIG, U32, ".rodata", 0, 4, True, bytes(4)),
    },
    faults=FaultCounters(
        ".bss",
        0,
        (
            FaultSite(0, "functions/other.py", 3, 1, "no such key", "other"),
            FaultSite(1, "functions/probe.py", 7, 8, "division by zero", "probe"),
        ),
    ),
)

WHOLE = """\
program probe
    Count one packet in RATIO.
  type      lwt_seg6local
  section   lwt_seg6local
  license   GPL
  packet    read only
  verdicts  OK 0, DROP 2, REDIRECT 7
  on fault  DROP
  stack     probe 0 + half 0: 64 of 512 bytes
  length    20 slots, 160 bytes

maps
  .data    array         data     12 bytes
  .bss     array         data     16 bytes
  packets  percpu_array  key u32  value u64  max_entries 2

variables
  RATIO  State  u32  .data+8  = 100

probe:
; functions/probe.py:7  if pkt.mark % RATIO != 0:
     0: r6 = r1
     1: r2 = map[.data]+8
     3: r2 = *(u32 *)(r2 + 0)                           ; RATIO
     4: if r2 != 0 goto L11
     5: r3 = map[.bss]+0                                ; fault counters
     7: r4 = 1
     8: lock *(u64 *)(r3 + 8) += r4                     ; fault site 1: division by zero
     9: r0 = 2
    10: exit
L11:
    11: r1 = map[packets]
    13: r2 = *(u32 *)(r6 + 8)                           ; __sk_buff.mark
    14: *(u32 *)(r6 + 48) = r2                          ; __sk_buff.cb
    15: call half
    16: r0 = 0
    17: exit

half:
    18: r0 = r1
    19: exit

fault sites
  1  functions/probe.py:7:8  division by zero  returns DROP
"""


def test_a_whole_listing() -> None:
    assert listing(PROBE, IMAGE) == WHOLE


def bare(text: str, type_: str | None = "lwt_xmit") -> str:
    """The code of a program without records of any kind."""
    program = ProgramImage("bare", "prog", type_, parse(text))
    return listing(program, ObjectImage((program,), {}))


def code(text: str, type_: str | None = "lwt_xmit") -> list[str]:
    return bare(text, type_).partition("bare:\n")[2].splitlines()


def test_a_program_without_type_maps_lines_or_license_is_listed_by_what_there_is() -> None:
    head = "program bare\n  section  prog\n  license  none\n  stack    0 of 512 bytes\n  length   2 slots, 16 bytes\n"
    assert bare("r0 = *(u32 *)(r1 + 8)\nexit", None) == head + "\nbare:\n     0: r0 = *(u32 *)(r1 + 8)\n     1: exit\n"


def test_the_source_line_is_said_again_after_a_label_but_not_for_another_column() -> None:
    program = ProgramImage(
        "p", "xdp", "xdp", parse("r0 = 0\nr0 = 1\nback:\nr0 = 2\ngoto back"),
        lines=(LineRecord(0, "p.py", 3, 1, "return 2"), LineRecord(1, "p.py", 3, 8, "return 2"), LineRecord(2, "p.py", 3, 8, "return 2")),
    )  # fmt: skip
    shown = listing(program, ObjectImage((program,), {})).splitlines()
    assert [line for line in shown if "p.py" in line or line == "L2:"] == ["; p.py:3  return 2", "L2:", "; p.py:3  return 2"]


@pytest.mark.parametrize(
    ("text", "commented"),
    [
        ("r6 = r1\ncall get_prandom_u32\nr0 = *(u32 *)(r6 + 8)\nexit", True),
        ("call get_prandom_u32\nr0 = *(u32 *)(r1 + 8)\nexit", False),
        ("r1 = *(u32 *)(r1 + 76)\nr0 = *(u32 *)(r1 + 8)\nexit", False),
        ("r1 += 4\nr0 = *(u32 *)(r1 + 4)\nexit", True),
        ("r1 += r2\nr0 = *(u32 *)(r1 + 8)\nexit", False),
        ("r2 = atomic_fetch_add((u64 *)(r10 - 8), r2)\nr0 = *(u32 *)(r1 + 8)\nexit", True),
        ("r1 = atomic_fetch_add((u64 *)(r10 - 8), r1)\nr0 = *(u32 *)(r1 + 8)\nexit", False),
        ("*(u32 *)(r1 + 8) = 0\nr0 = 0\nexit", True),
    ],
)
def test_a_context_field_is_named_only_where_the_register_surely_holds_the_context(text: str, commented: bool) -> None:
    assert any("; __sk_buff.mark" in line for line in code(text)) == commented


def test_two_ways_that_disagree_about_a_register_leave_it_unnamed() -> None:
    shown = code("r2 = r1\nif r3 == 0 goto there\nr2 = 0\nthere:\nr0 = *(u32 *)(r2 + 8)\nr0 = *(u32 *)(r1 + 8)\nexit")
    assert [("mark" in line) for line in shown if "+ 8" in line] == [False, True]


def test_a_loop_that_moves_a_pointer_ends_and_leaves_it_unnamed() -> None:
    shown = code("again:\nr0 = *(u32 *)(r1 + 0)\nr1 += 4\nif r0 != 0 goto again\nexit")
    assert not any("__sk_buff" in line for line in shown)


def test_a_subprogram_knows_nothing_of_its_arguments() -> None:
    shown = code("call sub\nexit\nsub:\nr0 = *(u32 *)(r1 + 8)\nexit")
    assert "     2: r0 = *(u32 *)(r1 + 8)" in shown


def test_a_jump_out_of_the_program_keeps_its_distance() -> None:
    assert code("goto +100\nexit")[0] == "     0: goto +100"


def test_variables_that_must_be_given_and_addresses_are_shown_as_the_language_writes_them() -> None:
    program = ProgramImage("p", "lwt_in", "lwt_in", parse("r1 = map[.rodata]+0\nr0 = 0\nexit"))
    address = bytes.fromhex("fc000002000000000000000000000001")
    variables = {
        "EXIT": Variable("EXIT", Role.CONFIG, ADDRESS, ".rodata", 0, 16, True, bytes(16)),
        "PEER": Variable("PEER", Role.CONFIG, ADDRESS, ".rodata", 16, 16, False, address),
        "SHIFT": Variable("SHIFT", Role.CONFIG, S16, ".rodata", 32, 2, False, b"\xfe\xff"),
        "LOUD": Variable("LOUD", Role.CONFIG, BOOL, ".rodata", 34, 1, False, b"\x01"),
    }
    maps = {".rodata": MapSpec(".rodata", "array", 4, 35, 1, initial=bytes(35), frozen=True)}
    shown = listing(program, ObjectImage((program,), maps, variables=variables))
    for line in ("EXIT   Config  IPv6Address  .rodata+0   must be given", "= fc00:2::1", "= -2", "= True", "read-only data  35 bytes"):
        assert line in shown


@pytest.mark.parametrize("name", ["programs", "maps", "meta"])
def test_objects_that_clang_made_are_listed_with_every_instruction_and_their_c_lines(name: str) -> None:
    found = image.read((OBJECTS / f"{name}.o").read_bytes(), name=name)
    for program in found.programs:
        shown = listing(program, found).splitlines()
        slots = [int(line[:6]) for line in shown if line[:6].strip().isdigit() and line[6:8] == ": "]
        assert len(slots) == len(program.insns)
        assert any(line.startswith(f"; ./{name}.c:") for line in shown)
        for used in program.map_names:
            assert any(line.startswith(f"  {used} ") for line in shown)
