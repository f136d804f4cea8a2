"""`diff`: the same packets through the VM and through the kernel, and where the two do not agree."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv6Address
from typing import final

from pybpfnf.abi.kernels import kernel_like
from pybpfnf.abi.programs import PROGRAM_TYPES, ProgramType
from pybpfnf.lazy import load_module
from pybpfnf.live import Live
from pybpfnf.live.changes import without_entries
from pybpfnf.runner import Environment, Runner
from pybpfnf.targets import Target, prepare
from pybpfnf.testing.differential import Comparison, Difference, Differential
from pybpfnf.testing.hostile import SID, any_ipv6, generated_frames, mutated_packets, well_formed
from pybpfnf.vm import VmRunner

PACKETS = 1000
"""That are generated where none are given."""


@final
class Comparing:
    """A program that is open in both. `run` gives the differences as they come; `comparison` has the sums."""

    def __init__(self, differential: Differential, row: ProgramType) -> None:
        self._differential = differential
        self.row = row
        self.comparison = Comparison()

    def run(self, packets: Iterable[bytes]) -> Iterator[Difference]:
        return self._differential.run(packets, self.comparison)

    def generated(self, seed: int, count: int) -> Iterator[bytes]:
        """Packets for the program's hook, right ones and broken ones, to `generated_sid`."""
        if self.row.l2:
            return generated_frames(seed, count)
        return mutated_packets(seed, count, well_formed if self.row.name == "lwt_seg6local" else any_ipv6)


def generated_sid(environment: Environment) -> Environment:
    """The router with the function where generated packets go."""
    return replace(environment, sid=IPv6Address(SID))


@contextmanager
def comparing(
    target: Target,
    *,
    program: str | None = None,
    type: str | None = None,  # noqa: A002 the word of the command line
    environment: Environment | None = None,
    kernel: Runner | None = None,
    config: Mapping[str, object] | None = None,
    **values: object,
) -> Iterator[Comparing]:
    """Open a program in both; the keywords are those of `simulate`. Raises SystemLacksError where no kernel can be asked."""
    variables, entries = without_entries({**(config or {}), **values})
    prepared = prepare(target, variables, program=program, type_name=type)
    like = kernel_like(platform.release())
    runner: Runner = kernel if kernel is not None else load_module("pybpfnf.kernel.runner").KernelRunner()
    with Differential(prepared.image, prepared.program, environment or Environment(), VmRunner(kernel=like.name), runner) as differential:
        for session in differential.sessions:
            Live(session.image, session.maps).update(entries)
        yield Comparing(differential, PROGRAM_TYPES[prepared.program.type or ""])


def diff(
    target: Target,
    packets: Iterable[bytes] | None = None,
    *,
    seed: int = 0,
    program: str | None = None,
    type: str | None = None,  # noqa: A002
    environment: Environment | None = None,
    kernel: Runner | None = None,
    config: Mapping[str, object] | None = None,
    **values: object,
) -> Comparison:
    """Run packets (given from their IP header on; else `PACKETS` generated ones) in the VM and on a real route in the kernel (root).

    The VM follows the running kernel, and is right where `differences` of the result is empty.
    What depends on time and chance is left out, and named in `masked`.
    """
    router = environment or Environment()
    router = router if packets is not None else generated_sid(router)
    with comparing(target, program=program, type=type, environment=router, kernel=kernel, config=config, **values) as both:
        for _ in both.run(packets if packets is not None else both.generated(seed, PACKETS)):
            pass
        return both.comparison
