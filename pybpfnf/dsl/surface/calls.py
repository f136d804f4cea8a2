"""What an author calls: the kernel's helpers, by row, and the few that have a name of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn, final

from pybpfnf.abi.helpers import HELPERS, Arg, Helper
from pybpfnf.dsl.surface.definitions import only_compiled
from pybpfnf.dsl.surface.scalars import u32, u64
from pybpfnf.dsl.types import U32, U64, IntType


@final
class HelperFunction:
    """One helper of the kernel, callable in a function with its scalar arguments; the context is given by the compiler."""

    def __init__(self, row: Helper) -> None:
        self.row = row
        self.__doc__ = row.doc
        self.__name__ = row.name

    def __call__(self, *_args: int) -> NoReturn:
        only_compiled(f"helpers.{self.row.name}")

    def __repr__(self) -> str:
        return f"<helper {self.row.name} ({self.row.id})>"


# Helpers that only the language's own forms may call, and those forms: called beside them, they would break what the
# compiler knows of the packet (how far the SRH has grown).
FORMS: Mapping[str, str] = {"lwt_seg6_adjust_srh": "write `pkt.srh.append(tlv)`, which grows the SRH and fills it"}


def is_scalar_helper(row: Helper) -> bool:
    """Whether the language can call it: its arguments are at most the context and scalars, its result a scalar."""
    return row.ret is Arg.SCALAR and all(arg in (Arg.CTX, Arg.SCALAR) for arg in row.args) and row.name not in FORMS


@final
class Helpers:
    """The kernel's helpers by name, as in `helpers.ktime_get_ns()`: every row whose arguments and result are scalars.

    The result is the kernel's number as a u64, an error's too: nothing faults here by itself.
    """

    def __getattr__(self, name: str) -> Callable[..., int]:
        row = HELPERS.get(name)
        if row is None:
            raise AttributeError(f"no helper {name!r}")
        return HelperFunction(row)

    def __dir__(self) -> list[str]:
        return sorted(name for name, row in HELPERS.items() if is_scalar_helper(row))

    def __repr__(self) -> str:
        return "<the kernel's helpers>"


helpers = Helpers()


def monotonic() -> u64:
    """Nanoseconds since the router started, without time asleep (CLOCK_MONOTONIC)."""
    only_compiled("monotonic()")


def realtime() -> u64:
    """Nanoseconds since the Unix epoch, 1 January 1970 UTC, as `time.time_ns()` counts them (CLOCK_REALTIME)."""
    only_compiled("realtime()")


def random_u32() -> u32:
    """32 pseudo-random bits."""
    only_compiled("random_u32()")


def cpu() -> u32:
    """The number of the CPU that handles the packet, from 0."""
    only_compiled("cpu()")


# The helper that each stands for, and the type that its result is reduced to.
NAMED_HELPERS: Mapping[Callable[[], int], tuple[str, IntType]] = {
    monotonic: ("ktime_get_ns", U64),
    random_u32: ("get_prandom_u32", U32),
    cpu: ("get_smp_processor_id", U32),
}
