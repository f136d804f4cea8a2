"""What to do about a refusal of which the verifier's log of today says only what it is (Linux 7.3 suggests something itself).

The words are those of kernel/bpf/verifier.c. Of programs of the language none of this is for the author: a refusal is our bug.
"""

from __future__ import annotations

import re
from typing import final

from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Advice:
    words: re.Pattern[str]
    hint: str


TOO_LARGE = re.compile(r"BPF program is too large|The sequence of \d+ jumps is too complex")  # BPF_COMPLEXITY_LIMIT_*


def _row(words: str, hint: str) -> Advice:
    return Advice(re.compile(words), hint)


_REFERENCE = "docs/reference.md has"
ADVICE: tuple[Advice, ...] = (
    _row(r"invalid mem access '\w+_or_null'", "compare what the call gave with NULL before"),
    _row(r"invalid access to packet", "compare the end of the access with data_end before, through the same pointer"),
    _row(r"cannot write into packet", "write through a helper, or from lwt_xmit"),
    _row(r"write into map forbidden", "what is in .rodata is constant once the program is loaded"),
    _row(r"invalid mem access 'scalar'", "it is a number here: a call may have moved what it pointed at, so read data and data_end again"),
    _row(r"!read_ok", "give it a value on every path to here"),
    _row(r"unbounded memory access|outside of the allowed memory range|access to map value", "check the offset against the size"),
    _row(r"stack size of|invalid (write to|read from) stack", "there are 512 bytes of stack, over all functions of a call chain"),
    _row(r"misaligned (stack|value) access", "align it to its size"),
    _row(r"modified ctx ptr", "read the context through the pointer that the program was given"),
    _row(r"bpf_context access|stores into R\d ctx", f"{_REFERENCE} which fields this type reads and writes"),
    _row(r"cannot use helper|invalid func unknown", f"{_REFERENCE} which helpers this type has"),
    _row(r"GPL-restricted function", 'give the object the license "GPL"'),
    _row(r"Unreleased reference", "submit or discard the record on every path"),
    _row(r"infinite loop detected", "let the loop count towards its end in each iteration"),
    _row(r"unreachable insn|last insn is not an exit|jump out of range|back-edge", "the instructions are damaged: build the object again"),
    _row(r"frames is too deep|recursive", "there are 8 frames at most: write calls as loops"),
    _row(r"has to have BTF", "build it with debug information, so that it has types"),
    _row(r"zero-sized read", "show that the size is above 0"),
    _row(r"type=\S+ expected=|cannot pass map_type|expected prog array map", f"{_REFERENCE} what the helper takes"),
    _row(r"pointer arithmetic|subtract pointer", "add to pointers into packets, maps and the stack alone, and numbers alone"),
    _row(r"div by zero|invalid shift|frame pointer is read only", "the instruction is none that the kernel has"),
    _row(TOO_LARGE.pattern, "the verifier follows every way through a program, and gave up: make fewer branches, above all in loops"),
)


def advice(message: str) -> str | None:
    return next((row.hint for row in ADVICE if row.words.search(message)), None)
