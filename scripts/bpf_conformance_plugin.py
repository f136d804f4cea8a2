"""What `scripts/bpf_conformance_plugin` runs: one program in the VM, by the protocol of the bpf_conformance suite."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from pybpfnf.abi.codec import decode
from pybpfnf.errors import InputError, SystemLacksError
from pybpfnf.image.objfile import read_object
from pybpfnf.vm import Engine, run_program


def octets(text: str, what: str) -> bytes:
    """Hex digits, with or without blanks between bytes. Raises InputError."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InputError(f"{what}: not hexadecimal bytes") from None


def only_code(elf: bytes) -> bytes:
    """The instructions of an ELF file that has one section of them, as the suite's runner writes one. Raises InputError."""
    code = [section for section in read_object(elf).sections if section.executable and section.data]
    if len(code) != 1:
        raise InputError(f"the program: an ELF file with one section of instructions is run here; this one has {len(code)}")
    return code[0].data


def words(arguments: Sequence[str]) -> list[str]:
    """The arguments one by one: older runners of the suite give all options as one argument, empty where there are none."""
    return [word for argument in arguments for word in (argument.split() if argument.lstrip().startswith("--") else [argument]) if word]


def main(arguments: Sequence[str]) -> int:
    """Exit status 0 with r0 on stdout; 1 where the program is no program, or faults."""
    parser = ArgumentParser(description="Run a BPF program given as hex bytes on stdin; print r0 in hex.")
    parser.add_argument("memory", nargs="?", default="", help="what r1 points to, as hex bytes; r2 is their count")
    parser.add_argument("--program", metavar="HEX", help="the program, instead of stdin")
    parser.add_argument("--elf", action="store_true", help="the program is an ELF file with one section of instructions")
    parser.add_argument("--debug", action="store_true", help="say on stderr how many instructions ran")
    engines = [engine.value for engine in Engine if engine is not Engine.AUTO]
    parser.add_argument("--engine", choices=engines, default=engines[0], help="which of the VM's engines runs it")
    given = parser.parse_args(words(arguments))
    try:
        program = octets(given.program if given.program is not None else sys.stdin.read(), "the program")
        if given.elf:
            program = only_code(program)
        result = run_program(decode(program), memory=octets(given.memory, "the memory"), engine=Engine(given.engine))
    except (InputError, SystemLacksError) as error:
        print(error, file=sys.stderr)
        return 1
    if given.debug:
        print(f"{result.instructions} instructions", file=sys.stderr)
    if result.r0 is None:
        print(f"fault: {result.fault.message if result.fault is not None else ''}", file=sys.stderr)
        return 1
    print(f"{result.r0:x}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
