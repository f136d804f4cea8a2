"""The verifier's log, read: which instruction it stopped at, what it said, and the source line that stands for it.

Up to Linux 7.2 the message is what follows the last instruction printed:

    ; tag = srh[5] @ probe.py:14
    7: (71) r0 = *(u8 *)(r2 +5)
    invalid access to packet, off=5 size=1, R2(id=0,off=5,r=0)
    R2 offset is outside of the packet
    processed 8 insns (limit 1000000) ...

Linux 7.3 adds a report with sections (kernel/bpf/diagnostics.c):

    Verification failed: Memory Safety: Packet access out of bounds

    Reason:
      ...
    At:
      probe @ probe.py:14:5
      ...
      >>> 7 | r0 = *(u8 *)(r2 +5)

    Suggestion:
      ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import final

from pybpfnf.diagnostics import Diagnostic, Span
from pybpfnf.image.model import ProgramImage
from pybpfnf.kernel.expressions import end_of_expression
from pybpfnf.kernel.verifier_frames import calls_at_the_end
from pybpfnf.kernel.verifier_origins import Chain, origins
from pybpfnf.kernel.verifier_states import Note, notes
from pybpfnf.kernel.verifier_words import TOO_LARGE, advice
from pybpfnf.records import dataclass

_LONGEST_STATEMENT = 60  # characters of one that is shown within a message
_INSN = re.compile(r"^(\d+): \([0-9a-f]{2}\) ")
# What the verifier prints beside instructions and messages (kernel/bpf/verifier.c and log.c): states, statistics, notes.
_NOISE = re.compile(
    r"^(\d+: (R\d|frame\d|\(|safe$|\.)|;|from \d+ to \d+|processed \d+ insns|verification time|stack depth|mark_precise|"
    r"func#\d+ @|Live regs before insn|\s*\d+: [.0-9]{10} |caller:|callee:|returning from callee|to caller at|propagating|"
    r"Validating |Func#|last_idx|first_idx|regs=|parent |max_states|arg#\d+ reference type|\s*R\d+=|\s*frame\d+: |$)"
)
_AT_INSN = re.compile(r"\binsn (\d+)")
_REPORT = re.compile(r"^Verification failed: (.+)$", re.MULTILINE)
_SECTION = re.compile(r"^(Reason|At|Suggestion):\n((?:[ \t]+.*\n?|\n(?=[ \t]))*)", re.MULTILINE)
_FOCUS = re.compile(r"^\s*>>> +(\d+) \| ", re.MULTILINE)
_INSN_LINE = re.compile(r"^\s*insn (\d+)$", re.MULTILINE)
_STATISTICS = re.compile(r"processed \d+ insns .*")  # also at the end of a message that has no line's end
_CAUSES = re.compile(r"^Causal path:\n((?:[ \t]+.*\n?|\n(?=[ \t]))*)", re.MULTILINE)
_INVALIDATED = re.compile(r"\^-- invalidated: (.*(?:\n +\| {5,}\S.*)*)")


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """`slot` of the instruction that the verifier refused, None where the log names none; `suggestion` from Linux 7.3 on.
    `notes`: what led there; `calls`: the slots of the calls of subprograms that led there, the innermost first; `origins`: which
    instructions made the values of the registers that it names."""

    slot: int | None
    message: str
    suggestion: str | None = None
    notes: tuple[Note, ...] = ()
    calls: tuple[int, ...] = ()
    origins: Mapping[str, Chain] = field(default_factory=dict)


def read_log(log: str) -> Reading:
    """What a log of either format says. An empty one reads as an empty message."""
    report = _REPORT.search(log)
    return _read_report(log[report.start() :], report[1], log[: report.start()]) if report else _read_lines(log)


def _read_report(text: str, problem: str, before: str) -> Reading:
    sections = dict(_SECTION.findall(text))
    reason = " ".join(sections.get("Reason", "").split())
    suggestion = " ".join(sections.get("Suggestion", "").split())
    place = sections.get("At", "")
    # Source lines and instructions carry the same marker; the instructions come last.
    focus = [*_INSN_LINE.findall(place), *_FOCUS.findall(place.partition("Instruction context:")[2])]
    slot = int(focus[-1]) if focus else None
    message = f"{problem}: {reason.rstrip('.')}" if reason else problem
    lines = before.splitlines()
    made = origins(lines, f"{_read_lines(before).message} {message}")
    return Reading(slot, message, suggestion or None, _causes(text), calls_at_the_end(lines), made)


def _causes(text: str) -> tuple[Note, ...]:
    """The last event of the causal path that made a value unusable, in the kernel's words."""
    path = _CAUSES.search(text)
    events = list(_INVALIDATED.finditer(path[1])) if path else []
    if path is None or not events:
        return ()
    words = " ".join(re.sub(r"\n\s*\|", " ", events[-1][1]).split())
    focus = _FOCUS.search(path[1][events[-1].end() :].partition("Instruction context:")[2])
    return (Note(words.partition("; previous value")[0], int(focus[1]) if focus else None),)


_TOO_LARGE = re.compile(r"BPF program is too large\. Processed \d+ insn")  # may stand behind an instruction, on its line


def _read_lines(log: str) -> Reading:
    slot: int | None = None
    message: list[str] = []
    for line in log.splitlines():
        if insn := _INSN.match(line):
            slot, message = int(insn[1]), _TOO_LARGE.findall(line)
        elif not _NOISE.match(line):
            message.append(_STATISTICS.sub("", line).strip().rstrip("."))
    text = "; ".join(message)
    if slot is None and (named := _AT_INSN.search(text)):
        # Structural refusals ("unreachable insn 5") come before the walk and name their instruction in words.
        slot = int(named[1])
    lines = log.splitlines()
    return Reading(slot, text, notes=notes(lines, text), calls=calls_at_the_end(lines), origins=origins(lines, text))


def diagnose(log: str, program: ProgramImage) -> Diagnostic:
    """The one diagnostic for a refusal, at the source line where the object has line records, else at the instruction."""
    reading = read_log(log)
    message = f"the kernel refused {program.name}: {reading.message or 'it gave no reason'}{_told(reading.notes, program)}"
    message += "".join(_named(reading, program))
    # Without an instruction the refusal is of the whole program: its first line stands for it.
    record = program.line_at(reading.slot or 0)
    hint = _hint(reading, program)
    if record is None:
        where = "" if reading.slot is None else f" (instruction {reading.slot})"
        return Diagnostic("verifier", message + where, Span(program.section, 0, 0, 0, 0), hint=hint)
    column = max(record.column, 1)
    span = Span(record.file, record.line, column, record.line, end_of_expression(record.text, column), _called_from(reading, program))
    return Diagnostic("verifier", message, span, source_line=record.text, hint=hint)


def _called_from(reading: Reading, program: ProgramImage) -> Span | None:
    """The chain of calls: through which functions an instruction was inlined, and from where its subprogram was called."""
    chain: list[str] = []
    for depth, slot in enumerate(() if reading.slot is None else (reading.slot, *reading.calls)):
        record = program.line_at(slot)
        if record is None:
            break
        if depth:
            chain.append(f"{record.file}:{record.line}:{max(record.column, 1)}")
        chain += record.callers
    return _linked(chain)


def _linked(chain: Sequence[str]) -> Span | None:
    """The calls as what one was reached by: FILE:LINE:COLUMN, the innermost first."""
    caller: Span | None = None
    for place in reversed(chain):
        file, line, column = place.rsplit(":", 2)
        caller = Span(file, int(line), int(column), int(line), int(column) + 1, caller)
    return caller


def _hint(reading: Reading, program: ProgramImage) -> str | None:
    """What to do. Of the language nothing but its size is the author's to mend: the compiler should have known."""
    if program.on_fault is not None and not TOO_LARGE.search(reading.message):
        return "the compiler has accepted this, so it is a bug of pybpfnf: please report it with the log"
    return reading.suggestion or advice(reading.message)


def _named(reading: Reading, program: ProgramImage) -> Iterator[str]:
    """The last statement before the refused one that made each register's value, where the object has its line: it names the variable."""
    refused = program.line_at(reading.slot or 0)
    for register, chain in reading.origins.items():
        for record in map(program.line_at, reversed(chain)):
            if (
                record is not None
                and record.text.strip()
                and (refused is None or (record.file, record.line) != (refused.file, refused.line))
            ):
                yield f"; {register} is from `{_shortened(record.text.strip())}` in line {record.line}"
                break


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_STATEMENT else f"{text[: _LONGEST_STATEMENT - 3]}..."


def _told(found: tuple[Note, ...], program: ProgramImage) -> str:
    """The notes as the end of a message, each with the line that it belongs to."""
    told = ""
    for note in found:
        record = None if note.slot is None else program.line_at(note.slot)
        where = f" in line {record.line}" if record is not None else "" if note.slot is None else f" at instruction {note.slot}"
        told += f"; {note.text}{where}"
    return told
