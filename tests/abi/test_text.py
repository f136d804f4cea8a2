"""Assembler text: what is written is read back; labels, comments, other spellings; every mistake has its line."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess

import pytest
from hypothesis import given

from pybpfnf.abi.codec import encode, make
from pybpfnf.abi.forms import FORMS, Form, Insn, Kind
from pybpfnf.abi.helpers import HELPERS
from pybpfnf.abi.text import TextError, format_insn, parse
from pybpfnf.abi.versions import form_since, parse_kernel
from tests.abi.bpf import kernel_version, need_bpf, verifier_log
from tests.abi.operands import insns, samples


@given(insns())
def test_what_is_written_is_read_back(insn: Insn) -> None:
    assert parse(format_insn(insn)) == (insn,)


@pytest.mark.parametrize("insn", [make("ld_map", 1, ref="packets"), make("ld_map_value", 2, imm=4 << 32, ref=".rodata.str1.1")])
def test_maps_are_written_by_name(insn: Insn) -> None:
    assert parse(format_insn(insn)) == (insn,)


def test_a_negative_offset_into_a_map_value_is_written_with_its_sign() -> None:
    assert format_insn(make("ld_map_value", 2, imm=0xFFFFFFFC << 32, ref=".data")) == "r2 = map[.data]-4"


def test_labels_stand_for_distances_in_slots() -> None:
    program = parse(
        """
        # counts down
                r1 = 0x100000000 ll     ; two slots
        again:  // the loop
                r1 += -1
                if r1 == 0 goto done
                gotol again
                call helper_of_mine
        done:
                exit
        helper_of_mine:
                r1 = func[done]
                exit
        """
    )
    assert program == (
        make("lddw", 1, imm=1 << 32),
        make("add64_imm", 1, imm=-1),
        make("jeq64_imm", 1, off=2, imm=0),
        make("jal", imm=-3),
        make("call_local", imm=1),
        make("exit"),
        make("ld_func", 1, imm=0xFFFFFFFE),
        make("exit"),
    )


@pytest.mark.parametrize(
    ("text", "insn"),
    [
        ("goto pc+3", make("ja", off=3)),
        ("goto +3 <LBB0_2>", make("ja", off=3)),
        ("w1 = *(u8 *)(r2 + 4)", make("ldx8", 1, 2, off=4)),
        ("r1 = *(u8 *)(r2 +4)", make("ldx8", 1, 2, off=4)),
        ("*(u32 *)(r2 + 4) = w1", make("stx32", 2, 1, off=4)),
        ("r1=0x10", make("mov64_imm", 1, imm=16)),
        ("w1 = 0xffffffff", make("mov32_imm", 1, imm=-1)),
        ("r1 = -1 ll", make("lddw", 1, imm=0xFFFFFFFFFFFFFFFF)),
        ("r0 = *(u16 *)skb[r3]", make("ldind16", src=3)),
        ("r3 = atomic64_fetch_add((u64 *)(r1 +8), r3)", make("atomic_fetch_add64", 1, 3, off=8)),
        ("call lwt_seg6_action", make("call", imm=76)),
        ("call bpf_lwt_seg6_action", make("call", imm=76)),
        ("call 76", make("call", imm=76)),
        ("call helper#300", make("call", imm=300)),
        ("call pc+2", make("call_local", imm=2)),
        ("call kfunc#9@2", make("call_kfunc", off=2, imm=9)),
        ("call kfunc[bpf_iter_num_next]", make("call_kfunc", ref="bpf_iter_num_next")),
    ],
)
def test_other_spellings_are_read_too(text: str, insn: Insn) -> None:
    assert parse(text) == (insn,)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("exit\nr1 += ", 2, "not an instruction: 'r1 +='"),
        ("r1 += r2 r3", 1, "not an instruction"),
        ("r1 = @", 1, "cannot read '@'"),
        ("\n\nr11 = 0", 3, "there is no register r11"),
        ("r1 = 0x100000000", 1, "4294967296 does not fit"),
        ("r1 = *(u8 *)(r2 + 32768)", 1, "32768 does not fit"),
        ("r1 = -r2", 1, "not an instruction"),
        ("r1 = be16 r2", 1, "not an instruction"),
        ("w1 = *(s8 *)(r2 + 0)", 1, "not an instruction"),
        ("r1 = cmpxchg_64(r2 + 0, r1, r3)", 1, "not an instruction"),
        ("goto nowhere", 1, "no label 'nowhere'"),
        ("a:\nexit\na:", 3, "label 'a' is defined twice"),
        ("call no_such_helper", 1, "no helper or label 'no_such_helper'"),
        ("call lwt_seg6_action#75", 1, "helper lwt_seg6_action has number 76, not 75"),
        ("call", 1, "not a call"),
        ("call 4294967296", 1, "4294967296 does not fit"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(TextError, match=re.escape(f"line {line}: {reason}")) as caught:
        parse(text)
    assert caught.value.line == line


@pytest.mark.parametrize("helper", sorted(HELPERS))
def test_helpers_are_written_by_name_and_number(helper: str) -> None:
    assert format_insn(make("call", imm=HELPERS[helper].id)) == f"call {helper}#{HELPERS[helper].id}"


# ----------------------------------------------------------------------------------------------- other disassemblers


def known_to_llvm(form: Form) -> bool:
    """LLVM 14 has the first three versions of the instruction set, less what it never prints (`<unknown>`)."""
    return form.isa <= 3


@pytest.fixture(scope="session")
def llvm_text(tmp_path_factory: pytest.TempPathFactory) -> dict[Insn, str]:
    """What llvm-objdump prints for each sample of the forms that it knows."""
    for tool in ("llvm-mc", "llvm-objdump"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    directory = tmp_path_factory.mktemp("llvm")
    program = [insn for form in FORMS.values() if known_to_llvm(form) for insn in samples(form)]
    words = struct.unpack(f"<{sum(insn.slots for insn in program)}Q", encode(program))
    source, target = directory / "forms.s", directory / "forms.o"
    source.write_text("".join(f".quad {word:#x}\n" for word in words))
    subprocess.run(["llvm-mc", "-triple", "bpfel", "-filetype=obj", source, "-o", target], check=True)
    command = ["llvm-objdump", "-d", "--no-show-raw-insn", "--mattr=+alu32", str(target)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    by_slot = {int(slot): text for slot, text in re.findall(r"^\s*(\d+):\t(.*?)\s*$", output, re.MULTILINE)}
    found, slot = {}, 0
    for insn in program:
        found[insn] = by_slot.get(slot, "<unknown>")
        slot += insn.slots
    return found


def test_llvm_reads_our_bytes_as_we_do(llvm_text: dict[Insn, str]) -> None:
    known = {insn: text for insn, text in llvm_text.items() if "<unknown>" not in text}
    assert len(known) > 180, "llvm-objdump knows fewer forms than it should"
    # LLVM does not print the source field of a 64-bit immediate load and of a call, nor the immediate of an indirect packet load.
    # LLVM 14 has the register of an indirect call in its immediate, newer ones in dst as here.
    silent = (Kind.LOAD_IMM64, Kind.CALL_HELPER, Kind.CALL_LOCAL, Kind.CALL_KFUNC, Kind.CALL_REG)
    printed = {insn: text for insn, text in known.items() if insn.form.kind not in silent and insn.form.op != "ind"}
    wrong = {text: format_insn(insn) for insn, text in printed.items() if parse(text) != (insn,)}
    assert not wrong


# What the kernel resolves, or refuses, before its verifier prints anything: it needs a real map, variable or function.
RESOLVED_FIRST = {"ld_map", "ld_map_value", "ld_var", "ld_func", "ld_map_idx", "ld_map_idx_value", "call_local", "call_kfunc", "callx"}


@pytest.mark.kernel
@pytest.mark.parametrize("form", [form for form in FORMS.values() if form.name not in RESOLVED_FIRST], ids=lambda form: form.name)
def test_the_kernel_reads_our_bytes_as_we_do(form: Form) -> None:
    """Its disassembler prints an instruction before it checks it, so it need not be a right one."""
    need_bpf()
    if parse_kernel(form_since(form)) > kernel_version():
        pytest.skip(f"{form.name} needs Linux {form_since(form)}")
    insn = make(form.name) if form.kind is Kind.GOTO else samples(form)[0]
    start = [make("mov64_imm", register, imm=1) for register in range(10)]
    end = [] if form.kind is Kind.EXIT else [make("mov64_imm", 0, imm=0)] * 4 + [make("exit")]
    printed = re.search(rf"^{len(start)}: \(([0-9a-f]{{2}})\) (.*?)\s*(?:;.*)?$", verifier_log([*start, insn, *end]), re.MULTILINE)
    assert printed is not None
    assert int(printed[1], 16) == form.opcode
    text = printed[2]
    if form.kind is Kind.LOAD_IMM64:
        text += " ll"
    assert parse(text) == (insn,)
