"""What LLVM makes of IR text, and what the kernel takes: what the backend is built on, and a new LLVM must not change unseen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pybpfnf import image, llvm
from pybpfnf.backend.building.debuginfo import DebugInfo
from pybpfnf.backend.lowering.module import lower_module
from pybpfnf.backend.objects import elf
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import U8, U16, U32, U64
from pybpfnf.errors import VerifierError
from pybpfnf.image.model import ObjectImage
from pybpfnf.kernel.load import load_program
from tests.backend.build_ir import FILE, SOURCE, SPAN, append, function, give, layout, module, read, tlv

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(__file__).parent / "data"


def object_of(text: str) -> ObjectImage:
    return image.read(llvm.emit_object(text))


def loads(read_object: ObjectImage) -> None:
    with load_program(read_object, read_object.program()) as loaded:
        assert loaded.btf_refused is None


# ------------------------------------------------------------------------------------------------------- what LLVM does

_STORE_LOOP = """
define i32 @f(ptr %ctx, i64 %count) nounwind ATTRIBUTES section "lwt_seg6local" {
entry:
  %room = alloca [64 x i64], align 8
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %place = getelementptr i64, ptr %room, i64 %i
  store i64 0, ptr %place, align 8
  %next = add nuw i64 %i, 1
  %again = icmp ult i64 %next, %count
  br i1 %again, label %loop, label %end
end:
  %last = load volatile i32, ptr %room
  ret i32 %last
}
"""


def test_a_loop_of_stores_becomes_memset_and_kills_llvm_without_no_builtins() -> None:
    small = _STORE_LOOP.replace("64 x", "8 x")
    with pytest.raises(llvm.LlvmDiedError, match="built-in function"):
        llvm.emit_object(small.replace("ATTRIBUTES", ""))
    assert llvm.emit_object(small.replace("ATTRIBUTES", '"no-builtins"'))


def test_a_constant_is_compiled_in_unless_it_is_externally_initialized() -> None:
    text = '@C = dso_local KIND i32 254\ndefine i32 @f(ptr %ctx) nounwind section "s" { %v = load i32, ptr @C ret i32 %v }'
    assert ".rels" not in {section.name for section in elf.read(llvm.emit_object(text.replace("KIND", "constant"))).sections}
    kept = elf.read(llvm.emit_object(text.replace("KIND", "externally_initialized constant")))
    assert ".rels" in {section.name for section in kept.sections}
    assert ".rodata" in {section.name for section in kept.sections}


def test_a_constant_of_zero_stays_in_rodata() -> None:
    code = 'define i32 @f(ptr %c) nounwind section "s" { %v = load i32, ptr @C ret i32 %v }'
    text = "@C = dso_local externally_initialized constant i32 0\n" + code
    assert ".bss" not in {section.name for section in elf.read(llvm.emit_object(text)).sections}


def test_an_atomic_addition_whose_result_is_not_used_is_one_instruction() -> None:
    text = (
        '@x = global i64 0\ndefine i32 @f(ptr %c) nounwind section "lwt_seg6local" { %v = atomicrmw add ptr @x, i64 5 monotonic ret i32 0 }'
    )
    assert [insn.form.name for insn in object_of(text).program().insns if insn.form.kind.value == "atomic"] == ["atomic_add64"]


def test_a_loop_with_a_bound_known_only_when_it_runs_stays_a_loop() -> None:
    text = """declare i32 @llvm.umin.i32(i32, i32)
@out = global i32 0
define i32 @f(ptr %ctx) nounwind "no-builtins" section "lwt_seg6local" {
entry:
  %len = load volatile i32, ptr %ctx
  %n = call i32 @llvm.umin.i32(i32 %len, i32 16)
  br label %head
head:
  %i = phi i32 [ 0, %entry ], [ %next, %body ]
  %more = icmp ult i32 %i, %n
  br i1 %more, label %body, label %end
body:
  %old = load volatile i32, ptr @out
  %sum = add i32 %old, %i
  store volatile i32 %sum, ptr @out
  %next = add i32 %i, 1
  br label %head
end:
  ret i32 0
}"""
    assert object_of(text).program().slots < 30


# --------------------------------------------------------------------------------------------------- what the kernel takes


@pytest.mark.kernel
def test_subprograms_and_the_callback_of_bpf_loop_load_when_their_parameters_have_names() -> None:
    text = (DATA / "subprograms.ll").read_text()
    loads(object_of(text))


@pytest.mark.kernel
def test_maps_with_struct_types_and_data_sections_load() -> None:
    loads(object_of((DATA / "maps.ll").read_text()))


_WITH_THE_FEATURE = """
import sys
from pybpfnf import llvm_worker
binding, _ = llvm_worker.initialise()
target = binding.Target.from_triple(llvm_worker.TRIPLE)
machine = target.create_target_machine(cpu=llvm_worker.CPU, opt=2, features=sys.argv[1])
sys.stdout.buffer.write(machine.emit_object(llvm_worker._optimised(binding, machine, sys.stdin.read())))
"""


@pytest.mark.kernel
@pytest.mark.linux("6.12", "6.1 takes a jump of this text, which a whole build mends, for a loop")
@pytest.mark.parametrize(("feature", "taken"), [("", True), ("+allows-misaligned-mem-access", False)])
def test_misaligned_access_would_reach_the_stack_where_the_verifier_refuses_it(feature: str, taken: bool) -> None:
    """Why that feature of LLVM 22 is not asked for, though it makes loads from the packet shorter."""
    fields = layout("Odd", 77, ("a", 1, U8), ("b", 4, U32), ("c", 8, U64), ("d", 2, U16))
    states = tuple(ir.State(name, type_, 1) for name, type_ in (("A", U8), ("B", U32), ("C", U64), ("D", U16)))
    append_them = append(tlv(fields, *(read(state) for state in states)))
    text = lower_module(module(function("f", append_them, give()), variables=states), fault_counters=False).text
    done = subprocess.run(
        [sys.executable, "-c", _WITH_THE_FEATURE, feature],
        input=text.encode(),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    if b"not a recognized feature" in done.stderr:
        pytest.skip("this LLVM does not know the feature")
    read_object = image.read(done.stdout)
    if taken:
        loads(read_object)
    else:
        with pytest.raises(VerifierError, match="misaligned stack access"):
            loads(read_object)


# -------------------------------------------------------------------------------------------------------- debug metadata


def test_equal_metadata_is_one_node() -> None:
    debug = DebugInfo({FILE: SOURCE}, FILE)
    assert debug.type_of(U32) == debug.type_of(U32)
    assert debug.location(SPAN, "!9", FILE) == debug.location(SPAN, "!9", FILE)
