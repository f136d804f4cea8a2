"""What must never reach the kernel, because it can take the machine down or cannot work; refused before any system call."""

from __future__ import annotations

from pybpfnf.abi.forms import Insn, Kind
from pybpfnf.abi.helpers import HELPERS
from pybpfnf.abi.programs import ProgramType
from pybpfnf.diagnostics import Diagnostic, Span
from pybpfnf.errors import CompileError
from pybpfnf.image.model import ProgramImage


def refuse_dangerous(program: ProgramImage, row: ProgramType) -> None:
    """Raises CompileError for a program that must not be loaded as one of the type `row`."""
    slot = 0
    for insn in program.insns:
        if insn.form.kind is Kind.CALL_KFUNC and insn.ref is None:
            message = "calls a kernel function (kfunc) by a number, which is another function's on another kernel"
            raise CompileError([_at(program, slot, "unsupported", message, "declare it `extern ... __ksym`, and call it by its name")])
        if insn.form.kind is Kind.CALL_REG:
            message = "calls through a register (callx), which no verifier of Linux takes"
            raise CompileError([_at(program, slot, "unsupported", message, "compile it with optimization, so that the call is direct")])
        for helper in row.withdrawn:
            # Some kernels still accept it here (abi.programs says why they should not).
            if calls(insn, helper):
                message = f"calls bpf_{helper}, which makes the kernel use freed memory in {row.name}"
                raise CompileError([_at(program, slot, "not-here", message, "read the packet with bpf_skb_load_bytes")])
        slot += insn.slots


def refuse_trial_run(program: ProgramImage, row: ProgramType) -> None:
    """Raises CompileError for a program that BPF_PROG_TEST_RUN must not run.

    bpf_prog_test_run_skb gives the packet a route only for LWT_XMIT (net/bpf/test_run.c); bpf_lwt_push_encap reads the
    route of an LWT_IN packet, which is NULL there. A tail call could reach a program that does it.
    """
    slot = 0
    for insn in program.insns:
        for helper in ("lwt_push_encap", "tail_call"):
            if row.name == "lwt_in" and calls(insn, helper):
                message = f"calls bpf_{helper}, which may crash the kernel in a test run of lwt_in"
                raise CompileError([_at(program, slot, "not-here", message, "run it on a route, in a network namespace")])
        slot += insn.slots


def calls(insn: Insn, helper: str) -> bool:
    return insn.form.kind is Kind.CALL_HELPER and insn.imm == HELPERS[helper].id


def _at(program: ProgramImage, slot: int, code: str, message: str, hint: str) -> Diagnostic:
    record = program.line_at(slot)
    text = f"{program.name} {message}"
    if record is None:
        return Diagnostic(code, f"{text} (instruction {slot})", Span(program.section, 0, 0, 0, 0), hint=hint)
    column = max(record.column, 1)
    return Diagnostic(code, text, Span(record.file, record.line, column, record.line, column + 1), record.text, hint)
