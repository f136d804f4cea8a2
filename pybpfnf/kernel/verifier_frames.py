"""Which calls of subprograms lead to the instruction that the verifier stopped at, from its log.

    3: (85) call pc+5
    caller:
     R10=fp0
    callee:
     frame1: R1=ctx() R10=fp0
    9: (71) r0 = *(u8 *)(r1 +0)          in frame 1, which instruction 3 called

The log says a frame's number where it begins, ends, and where the verifier goes on at a branch (kernel/bpf/verifier.c: check_func_call,
prepare_func_exit, print_verifier_state).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_INSN = re.compile(r"^(\d+): \([0-9a-f]{2}\) ")
_BRANCH = re.compile(r"^from (\d+) to \d+:(?: frame(\d+):)?")
_CALLED, _RETURNED, _OTHER_FUNCTION = "caller:", "to caller at ", "Validating "


def calls_at_the_end(lines: Iterable[str]) -> tuple[int, ...]:
    """The slots of the calls around the last instruction that the log has, the innermost first."""
    calls: tuple[int, ...] = ()
    seen: dict[int, tuple[int, ...]] = {}  # the calls around an instruction when the verifier was last there
    last = 0
    for line in lines:
        if insn := _INSN.match(line):
            last = int(insn[1])
            seen[last] = calls
        elif line.startswith(_CALLED):
            calls = (last, *calls)
        elif line.startswith(_RETURNED):
            calls = calls[1:]
        elif line.startswith(_OTHER_FUNCTION):
            calls = ()
        elif branch := _BRANCH.match(line):
            calls = _of_depth(int(branch[2] or 0), int(branch[1]), seen.get(int(branch[1]), ()))
    return calls


def _of_depth(depth: int, slot: int, calls: tuple[int, ...]) -> tuple[int, ...]:
    """The verifier goes on where the instruction at `slot` led: in its frame, in what it calls, or in what it returns to."""
    return (slot, *calls) if depth > len(calls) else calls[len(calls) - depth :]
