"""Tail calls: on the VM and in the kernel, from functions of the language and from objects that clang made."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from pybpfnf import backend, image, simulate
from pybpfnf.dsl import compile_module, ir, load_programs
from pybpfnf.errors import InputError, VerifierError
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.runner import Environment, Outcome, Runner
from pybpfnf.testing.evaluate import Evaluator
from pybpfnf.testing.packets import ipv4, srv6, udp
from tests.conformance.running import SID, fault_of, packet
from tests.image.objects import committed

CHAIN = """
from pybpfnf import *

NEXT = ProgArray(Seg6Packet, 4)
seen = Array(u64, 4)


@seg6local
def dispatch(pkt: Seg6Packet) -> Verdict:
    seen[0] += 1
    index = pkt.srh.tag
    return NEXT[{index}](pkt)


@seg6local
def again(pkt: Seg6Packet) -> Verdict:
    seen[1] += 1
    return NEXT[1](pkt)


@seg6local(on_fault=OK)
def divide(pkt: Seg6Packet) -> Verdict:
    seen[2] += 1
    pkt.mark = 100 // pkt.srh.flags
    pkt.srh.tag += 3
    return OK


NEXT[0] = divide
NEXT[1] = again
NEXT[3] = dispatch
"""
NO_PROGRAM = "no program to go on in, or more than 33 tail calls"


def module_of(text: str, directory: Path) -> ir.Module:
    file = directory / "chain.py"
    file.write_text(text)
    return compile_module(load_programs(file))


def observed(runner: Runner, module: ir.Module, sent: bytes, program: str = "dispatch") -> tuple[Outcome, list[int]]:
    """What became of the packet, and what the functions counted."""
    built = image.read(backend.build(module))
    with runner.open(built, built.program(program), Environment(sid=SID)) as session:
        outcome = session.run(sent)
        values = (session.maps["seen"].lookup(index.to_bytes(4, "little")) or b"" for index in range(4))
        return outcome, [int.from_bytes(value, "little") for value in values]


@pytest.mark.parametrize(
    ("tag", "verdict", "counts", "fault"),
    [
        (0, 0, [1, 0, 1, 0], None),
        (1, 2, [1, 33, 0, 0], NO_PROGRAM),  # 33 times after the first function, and no more
        (2, 2, [1, 0, 0, 0], NO_PROGRAM),  # an empty slot
        (3, 2, [34, 0, 0, 0], NO_PROGRAM),  # it calls itself
        (4, 2, [1, 0, 0, 0], NO_PROGRAM),  # no slot
        (0xFFFF, 2, [1, 0, 0, 0], NO_PROGRAM),
    ],
)
def test_a_tail_call_goes_on_in_the_program_of_the_slot_or_faults(
    runner: Runner, tmp_path: Path, tag: int, verdict: int, counts: list[int], fault: str | None
) -> None:
    module = module_of(CHAIN.format(index="index"), tmp_path)
    sent = packet(tag=tag, flags=4)
    outcome, counted = observed(runner, module, sent)
    assert (outcome.verdict, counted, fault_of(outcome), outcome.runs) == (verdict, counts, fault, 1)
    evaluator = Evaluator(module, module.functions[0], Environment(sid=SID))
    evaluated = evaluator.run(srv6(segments=["fc00:3::3", str(SID)], tag=tag, flags=4, segments_left=0))
    message = None if evaluated.fault is None else evaluated.fault.message
    assert (evaluated.verdict, evaluator.maps["seen"], message) == (verdict, counts, fault)


def test_what_the_program_does_is_done_and_its_verdict_is_the_functions(runner: Runner, tmp_path: Path) -> None:
    outcome, _ = observed(runner, module_of(CHAIN.format(index="0"), tmp_path), packet(tag=7, flags=4))
    assert outcome.packet == srv6(segments=["fc00:3::3", str(SID)], tag=10, flags=4, segments_left=0)
    assert outcome.mark == 25


def test_a_fault_is_that_of_the_program_in_which_it_happens(runner: Runner, tmp_path: Path) -> None:
    """With its own verdict: `divide` lets pass, `dispatch` would drop."""
    outcome, _ = observed(runner, module_of(CHAIN.format(index="0"), tmp_path), packet(tag=7))
    assert (outcome.verdict, fault_of(outcome), outcome.forwarded) == (0, "division by zero", True)
    assert outcome.fault is not None
    assert outcome.fault.line == CHAIN[: CHAIN.index("100 //")].count("\n") + 1


@pytest.mark.parametrize(
    ("index", "counts"),
    [
        ("u64(index) << 32", [1, 0, 0, 0]),  # its low half is the number of a slot that is filled
        ("(u64(index) << 32) - u64(index) * 4294967296", [1, 0, 1, 0]),
        ("s8(index) - 2", [1, 0, 0, 0]),
        ("s64(index) - 2", [1, 0, 0, 0]),
        ("s64(index)", [1, 33, 0, 0]),
        ("u8(index + 255)", [1, 0, 1, 0]),
        ("index if pkt.srh.flags == 0 else 3", [1, 33, 0, 0]),
    ],
)
def test_an_index_of_any_type_is_the_number_that_it_is_in_python(runner: Runner, tmp_path: Path, index: str, counts: list[int]) -> None:
    assert observed(runner, module_of(CHAIN.format(index=index), tmp_path), packet(tag=1))[1] == counts


ARRAYS = """
from pybpfnf import *

FEW = ProgArray(Seg6Packet, 1)
MANY = ProgArray(Seg6Packet, 8)
seen = Array(u64, 4)


@func
def count(index: u32) -> None:
    seen[index] += 1


@seg6local
def dispatch(pkt: Seg6Packet) -> Verdict:
    count(0)
    for i in range(4):
        if pkt.srh.tag == i:
            return MANY[i](pkt)
        if pkt.srh.flags == i:
            return FEW[i](pkt)
    if pkt.srh.tag > 100:
        return MANY[7](pkt)
    return FEW[0](pkt)


@seg6local
def one(pkt: Seg6Packet) -> Verdict:
    count(1)
    return OK


@seg6local
def two(pkt: Seg6Packet) -> Verdict:
    count(2)
    return MANY[7](pkt)


@seg6local
def three(pkt: Seg6Packet) -> Verdict:
    count(3)
    return OK


FEW[0] = one
for slot in range(4):
    MANY[slot] = two
MANY[7] = three
"""


@pytest.mark.parametrize(
    ("tag", "flags", "counts"),
    [(0, 9, [1, 0, 1, 1]), (3, 9, [1, 0, 1, 1]), (9, 0, [1, 1, 0, 0]), (9, 9, [1, 1, 0, 0]), (200, 9, [1, 0, 0, 1])],
)
def test_several_arrays_in_loops_and_branches_lead_each_to_its_own(
    runner: Runner, tmp_path: Path, tag: int, flags: int, counts: list[int]
) -> None:
    assert observed(runner, module_of(ARRAYS, tmp_path), packet(tag=tag, flags=flags))[1] == counts


@pytest.mark.parametrize(("hook", "packet_class"), [("lwt_in", "LwtInPacket"), ("lwt_out", "LwtOutPacket"), ("lwt_xmit", "LwtXmitPacket")])
def test_each_hook_has_tail_calls(runner: Runner, tmp_path: Path, hook: str, packet_class: str) -> None:
    text = (
        f"from pybpfnf import *\n\nNEXT = ProgArray({packet_class}, 2)\n\n\n"
        f"@{hook}(on_fault=DROP)\ndef first(pkt: {packet_class}) -> Verdict:\n    pkt.mark = 5\n    return NEXT[1](pkt)\n\n\n"
        f"@{hook}(on_fault=DROP)\ndef second(pkt: {packet_class}) -> Verdict:\n"
        "    if pkt.ipv6 is not None:\n        return DROP\n    pkt.mark += 1\n    return OK\n\n\nNEXT[1] = second\n"
    )
    built = image.read(backend.build(module_of(text, tmp_path)))
    sent = ipv4("10.9.0.1", payload=udp())
    with runner.open(built, built.program("first"), Environment(sid=None)) as session:
        outcome = session.run(sent)
    assert (outcome.verdict, outcome.mark, outcome.fault) == (0, 6, None)


def test_a_program_brings_those_that_it_goes_on_in(runner: Runner, tmp_path: Path) -> None:
    """Given as a function: one of them is named only by another that it goes on in."""
    file = tmp_path / "chain.py"
    file.write_text(ARRAYS)
    (dispatch,) = [each for each in load_programs(file) if each.name == "dispatch"]
    with simulate(dispatch, runner=runner, environment=Environment(sid=SID)) as simulation:
        assert simulation.run(packet(tag=3, flags=9)).verdict == 0
        assert dict(simulation["MANY"]) == {0: "two", 1: "two", 2: "two", 3: "two", 7: "three"}


@pytest.mark.linux("6.12", "each function counts its own tail calls")
def test_in_a_subprogram_of_any_object_a_tail_call_replaces_that_alone(runner: Runner) -> None:
    """`first` calls a function that goes on in programs, whose results are then its own; the limit is one for the whole run."""
    built = image.read(committed("tails"))
    assert built.maps["next"].programs == ((1, "last"), (2, "again"))
    sent = packet()
    with runner.open(built, built.program("first"), Environment(sid=SID)) as session:
        for number in (1, 2):
            assert session.run(sent).verdict == 2
            result, kept, seen = struct.unpack("<3Q", session.maps[".bss"].lookup(bytes(4)) or b"")
            assert (result, kept, seen) == (1 + 10 * 5 + 100 * 7, len(sent), number * 32)


@pytest.mark.kernel
def test_what_the_verifier_refuses_in_a_program_of_a_slot_names_that_program() -> None:
    built = image.read(committed("tails"))
    last = built.program("last")
    unset = replace(last, insns=last.insns[-1:], functions=(), lines=(), func_info=b"", line_info=b"")
    whole = replace(built, programs=(*(each for each in built.programs if each is not last), unset))
    with pytest.raises(VerifierError, match=r"refused last: .*R0"):
        KernelRunner(exact=True).open(whole, whole.program("again"), Environment())


def test_a_program_of_another_type_in_a_slot_is_refused_before_it_runs(runner: Runner) -> None:
    built = image.read(committed("tails"), types={"last": "lwt_xmit"})
    with pytest.raises(InputError, match="slot 1 of next has program last, which is lwt_xmit: first is lwt_seg6local"):
        runner.open(built, built.program("first"), Environment())
