"""Objects as clang made them before libbpf had BTF: maps as structs, sections with any name, tail calls by section name, no -g."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import cache, partial
from itertools import product
from pathlib import Path

import pytest

from pybpfnf import image
from pybpfnf.errors import ObjectError
from pybpfnf.image.model import ObjectImage
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.runner import Environment, Outcome, Runner
from pybpfnf.vm import VmRunner
from tests.conformance.running import SID, packet

# The committed object, for where there is no clang:
#     clang -O2 -target bpf -DELF_MAPS -c before_libbpf.c -o before_libbpf.o
FOREIGN = Path(__file__).parent / "foreign"
OPTIONS = [
    tuple(filter(None, chosen))
    for chosen in product(("-O0", "-O1", "-O2"), ("-mcpu=v1", "-mcpu=v2", "-mcpu=v3"), ("", "-g"), ("-DELF_MAPS", "-DMAP_DEFS"))
]
TAG = 7


@cache
def compiled(options: tuple[str, ...]) -> bytes:
    clang = shutil.which("clang") or shutil.which("clang-14")
    if clang is None:
        pytest.skip("clang is not installed")
    command = [clang, "-w", *options, "-target", "bpf", "-c", "before_libbpf.c", "-o", "-"]
    return subprocess.run(command, cwd=FOREIGN, check=True, capture_output=True).stdout


def typed(data: bytes) -> ObjectImage:
    """As `--type lwt_seg6local` has it for each of the programs."""
    return image.read(data, types={program.name: "lwt_seg6local" for program in image.read(data).programs})


def run(runner: Runner, built: ObjectImage, program: str) -> Outcome:
    with runner.open(built, built.program(program), Environment(sid=SID)) as session:
        return session.run(packet(tag=TAG))


# Verdict and mark.
EXPECTED = {
    "nf_end": (0, 0),
    "nf_end_t": (7, 0),
    "nf_tag_inc": (0, 0),
    "nf_add_tlv": (0, 0),
    "nf_choose": (0, 2),
    "nf_variables": (0, 41 + 7 + 5 + 1 + ord("a")),
    "nf_entry": (0, 77),
}
TAIL = frozenset({"nf_entry"})


def expected_tag(program: str) -> int:
    return TAG + 1 if program == "nf_tag_inc" else TAG


@pytest.mark.parametrize("program", sorted(EXPECTED.keys() - TAIL))
def test_a_program_of_the_committed_object_does_what_its_source_says(runner: Runner, program: str) -> None:
    outcome = run(runner, typed((FOREIGN / "before_libbpf.o").read_bytes()), program)
    assert (outcome.fault, (outcome.verdict, outcome.mark)) == (None, EXPECTED[program])
    assert outcome.packet is not None
    assert int.from_bytes(outcome.packet[46:48], "big") == expected_tag(program)


@pytest.mark.parametrize(
    "made", [VmRunner, pytest.param(partial(KernelRunner, exact=True), marks=pytest.mark.kernel)], ids=["vm", "kernel"]
)
def test_a_tail_call_leads_to_the_program_of_the_section(made: Callable[[], Runner]) -> None:
    """Without BTF the kernel has no tail calls in subprograms, so it runs unwrapped; what goes on nowhere is dropped."""
    assert run(made(), typed((FOREIGN / "before_libbpf.o").read_bytes()), "nf_entry").forwarded


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_whatever_the_options_the_programs_do_the_same(options: tuple[str, ...]) -> None:
    """-O0 calls helpers through registers, which only the VM takes."""
    built = typed(compiled(options))
    for program in EXPECTED if "-DELF_MAPS" in options else EXPECTED.keys() - TAIL:
        outcome = run(VmRunner(), built, program)
        assert (program, outcome.fault, (outcome.verdict, outcome.mark)) == (program, None, EXPECTED[program])


def test_a_section_of_two_numbers_says_the_map_and_the_slot_of_its_program() -> None:
    maps = image.read((FOREIGN / "before_libbpf.o").read_bytes()).maps
    assert {name: spec.programs for name, spec in maps.items() if spec.type == "prog_array"} == {
        "others": ((0x11, "second"),),
        "more": ((2, "third"),),
    }


def test_a_slot_that_the_map_does_not_have_is_refused() -> None:
    data = (FOREIGN / "before_libbpf.o").read_bytes()
    assert data.count(b"\x003/2\x00") == 1
    with pytest.raises(ObjectError, match="section '3/9' is for slot 9 of map 'more', which has 4"):
        image.read(data.replace(b"\x003/2\x00", b"\x003/9\x00"))
