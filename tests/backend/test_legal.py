"""What LLVM dies of is a diagnostic at the author's line."""

from __future__ import annotations

import pytest

from pybpfnf import backend, image
from pybpfnf.backend import legal
from pybpfnf.backend.building.spare import spare_name
from pybpfnf.dsl import ir
from pybpfnf.dsl.ir import Seg6Action
from pybpfnf.dsl.types import ADDRESS, U64
from pybpfnf.errors import CompileError
from pybpfnf.image.stack import deepest_chain
from tests.backend.build_ir import SPAN, action, assign, at, binary, const, function, give, local, module, new_srh, read


def refused(wrong: ir.Module) -> list[tuple[str, str, int]]:
    """(code, message, line) of each diagnostic."""
    with pytest.raises(CompileError) as caught:
        backend.build(wrong)
    return [(each.code, each.message, each.span.line) for each in caught.value.diagnostics]


def test_a_parameter_may_have_any_name() -> None:
    assert backend.build(module(function("f", give(), packet="päckchen")))


def test_what_is_too_large_for_the_stack_has_memory_of_its_own_which_the_other_functions_do_without() -> None:
    path = [const(bytes([number] * 16), ADDRESS) for number in range(40)]
    large = function("large", give(action(Seg6Action.END_B6_ENCAPS, new_srh(*path))), span=at(30))
    built = image.read(backend.build(module(function("small", give()), large)))
    assert {name: spec.type for name, spec in built.maps.items() if spec.initial is None} == {spare_name("large"): "percpu_array"}
    assert [deepest_chain(program).size <= 32 for program in built.programs] == [True, True]
    assert spare_name("large") not in built.program("small").map_names


def test_more_values_at_once_than_registers_and_stack_hold_are_refused() -> None:
    states = [ir.State(f"S{number}", U64, 1) for number in range(90)]
    locals_ = [local(f"l{number}", U64, number) for number in range(90)]
    reads = [assign(each, read(state)) for each, state in zip(locals_, states, strict=True)]
    pairs = zip(states, locals_, reversed(locals_), strict=True)
    writes = [ir.SetState(state, binary("*", read(one), read(other)), SPAN) for state, one, other in pairs]
    ((code, _, _),) = refused(module(function("f", *reads, *writes, give()), variables=tuple(states)))
    assert code == "stack"


@pytest.mark.parametrize("first", [True, False], ids=["the larger first", "the larger last"])
def test_too_far_a_jump_is_refused_at_the_function_with_the_most_in_it(first: bool) -> None:
    """Not at that with the longest name, or the first: LLVM does not say which."""
    small, large = (
        function("of_few_words", give(), span=at(12)),
        function("l", *([assign(local("n", U64, 0), const(1, U64))] * 9), give(), span=at(30)),
    )
    both = module(*((large, small) if first else (small, large)))
    mistake = legal.authors_mistake(both, "Branch target out of insn range")
    assert mistake is not None
    assert [(each.code, each.span.line) for each in mistake.diagnostics] == [("size", 30)]
