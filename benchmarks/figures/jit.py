"""The kernel's JIT, which some kernels can do without: a program runs as it was loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from pybpfnf.errors import KernelError, SystemLacksError
from pybpfnf.kernel.netns import set_sysctl, sysctl

_SETTING = "core/bpf_jit_enable"  # of the whole machine, not of a namespace


@contextmanager
def jit_off() -> Iterator[None]:
    """Programs that are loaded within the block are interpreted; so are those that anybody else loads in this time.

    Raises SystemLacksError where the kernel always compiles (CONFIG_BPF_JIT_ALWAYS_ON).
    """
    before = sysctl(_SETTING)
    try:
        set_sysctl(_SETTING, 0)
    except KernelError as error:
        raise SystemLacksError("this kernel interprets no program (CONFIG_BPF_JIT_ALWAYS_ON)") from error
    try:
        yield
    finally:
        set_sysctl(_SETTING, 1 if before is None else before)


@cache
def can_be_off() -> bool:
    try:
        with jit_off():
            return True
    except SystemLacksError:
        return False
