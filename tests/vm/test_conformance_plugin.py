"""`scripts/bpf_conformance_plugin`: the protocol by which the public suite tries our VM."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from pybpfnf.abi.codec import encode
from pybpfnf.abi.text import parse
from pybpfnf.backend.objects import elf

E_IDENT = b"\x7fELF\2\1\1" + bytes(9)
ET_REL, EM_BPF = 1, 247
ROOT = Path(__file__).resolve().parent.parent.parent


def plugin(program: str, *arguments: str, stdin: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYBPFNF_VENV": sys.prefix}
    command: list[str] = [str(ROOT / "scripts" / "bpf_conformance_plugin"), *([] if stdin else ["--program", program]), *arguments]
    return subprocess.run(command, input=program if stdin else "", env=environment, capture_output=True, text=True)


def hex_bytes(text: str) -> str:
    """As the suite's runner writes bytes: two digits each, blanks between."""
    return encode(parse(text)).hex(" ")


def hex_elf(*programs: str) -> str:
    """An object as the suite's runner writes one for `--elf`: each program in a section of instructions of its own."""
    codes = [encode(parse(text)) for text in programs]
    sections = [elf.Section(f"code{at}", elf.SHT_PROGBITS, 6, code, len(code), 8) for at, code in enumerate(codes)]
    null = elf.Section("", 0, 0, b"", 0, 0)
    return elf.write(
        elf.Object(E_IDENT + struct.pack("<HHI", ET_REL, EM_BPF, 1), 0, (null, *sections), (elf.Symbol("", 0, 0, 0, 0, 0),))
    ).hex(" ")


@pytest.mark.parametrize("stdin", [True, False])
def test_r0_is_printed_in_hex_all_64_bits_of_it(stdin: bool) -> None:
    done = plugin(hex_bytes("r0 = 0x123456789abcdef0 ll; exit".replace("; ", "\n")), stdin=stdin)
    assert (done.returncode, done.stdout, done.stderr) == (0, "123456789abcdef0\n", "")


def test_r1_points_to_the_memory_and_r2_is_its_size() -> None:
    program = hex_bytes("r0 = *(u8 *)(r1 + 2)\nr0 <<= 8\nr0 |= r2\n*(u8 *)(r1 + 0) = r0\nexit")
    assert plugin(program, "aa bb 11 cc dd").stdout == "1105\n"


@pytest.mark.parametrize(
    "arguments",
    [[], [""], ["", ""], ["--engine=compiled"], ["", "--engine compiled"], ["--engine", "compiled"], ["", "--engine  compiled --debug "]],
)
def test_options_come_one_by_one_or_as_one_argument(arguments: list[str]) -> None:
    """Both are what runners of the suite do, and an empty argument where there is no memory or no option."""
    done = plugin(hex_bytes("r0 = r2\nexit"), *arguments)
    assert (done.returncode, done.stdout) == (0, "0\n")


def test_memory_is_told_from_options_that_are_one_argument() -> None:
    assert plugin(hex_bytes("r0 = r2\nexit"), "aa  bb  cc  ", "--engine compiled").stdout == "3\n"


def test_an_elf_file_is_run_where_the_runner_says_that_it_is_one() -> None:
    program = hex_elf("r0 = *(u8 *)(r1 + 1)\nexit")
    for arguments in (["aa bb", "--elf"], ["aa bb", "--engine compiled", "--elf"]):
        assert plugin(program, *arguments).stdout == "bb\n"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("b7 00 00 00 2a 00 00 00", "not an ELF object"),
        (hex_elf(), "this one has 0"),
        (hex_elf("exit", "exit"), "this one has 2"),
    ],
)
def test_an_elf_file_without_one_program_is_refused(program: str, message: str) -> None:
    done = plugin(program, "--elf")
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("program", "r0"),
    [
        ("r1 = -1\nr2 = 5\ncallx r2\nr0 = 2\nexit", "2"),  # helper 5, ktime_get_ns
        ("r1 = 0x42\nr2 = func[f]\ncallx r2\nexit\nf:\nr0 = r1\nexit", "42"),
    ],
)
def test_a_call_through_a_register_reaches_a_helper_or_a_function(program: str, r0: str) -> None:
    assert plugin(hex_bytes(program)).stdout == f"{r0}\n"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("zz", "the program: not hexadecimal bytes"),
        ("b7 00", "not whole 8-byte instructions"),
        (hex_bytes("r0 = *(u8 *)(r1 + 0)\nexit"), "fault: read of 1 byte at offset 0 of the memory"),
        (hex_bytes("r2 = 77\nr2 <<= 33\ncallx r2\nexit"), "fault: "),
        (hex_bytes("call kfunc#42\nexit"), "fault: "),
    ],
)
def test_what_cannot_be_run_prints_no_result(program: str, message: str) -> None:
    done = plugin(program)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
