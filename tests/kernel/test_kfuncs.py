"""Functions of the kernel that programs call: found by name in the running kernel, and named where it lacks them."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from pybpfnf.abi.codec import make
from pybpfnf.abi.kfuncs import KFUNCS, Kfunc
from pybpfnf.errors import SystemLacksError, VerifierError
from pybpfnf.image.model import ObjectImage
from pybpfnf.kernel import load_program
from tests.kernel.programs import program


@pytest.mark.kernel
def test_a_function_that_the_kernel_does_not_have_is_named_with_the_version_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = program("r0 = 0\nexit")
    called = replace(unknown, insns=(make("call_kfunc", ref="bpf_made_up"), *unknown.insns))
    with pytest.raises(SystemLacksError, match="this kernel has no function bpf_made_up for programs to call: none that is known has it"):
        load_program(ObjectImage((called,), {}, "GPL"), called)
    row = replace(KFUNCS["bpf_iter_num_new"], name="bpf_made_up", since="9.9")
    monkeypatch.setitem(cast("dict[str, Kfunc]", KFUNCS), "bpf_made_up", row)
    with pytest.raises(SystemLacksError, match=r"Linux 9\.9 is the first that has it"):
        load_program(ObjectImage((called,), {}, "GPL"), called)


@pytest.mark.kernel
@pytest.mark.linux("6.4", "there are no number iterators")
def test_a_function_of_the_kernel_is_found_by_its_name() -> None:
    text = "r1 = r10\nr1 += -8\n{}call kfunc[bpf_iter_num_destroy]\nr0 = 0\nexit"
    new = "r2 = 0\nr3 = 4\ncall kfunc[bpf_iter_num_new]\nr1 = r10\nr1 += -8\n"
    whole = ObjectImage((program(text.format(new)),), {}, "GPL")
    load_program(whole, whole.program()).close()
    without = ObjectImage((program(text.format("")),), {}, "GPL")
    with pytest.raises(VerifierError, match="expected an initialized iter_num"):
        load_program(without, without.program())
