"""The VM against the kernel: the same packets through both, and what of the outcomes is not the same.

What the two cannot have in common, the time and what is random, is found by running the VM several times, at other times and with other
seeds: what differs between those runs depends on them. It is left out of the comparison, and named. What is compared, and what the
kernel hides, is in docs/runners.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple, Self, final

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.runner import Environment, Outcome, Runner, Session
from pybpfnf.testing.fields import diff, fields
from pybpfnf.vm import ipv4

_HOP_LIMIT = 7
_TTL = 8
_BEFORE_FORWARDING = ("lwt_seg6local", "lwt_in")


class _Elsewhen(NamedTuple):
    clock_tai: int
    clock_boot: int
    seed: int

    def of(self, environment: Environment) -> Environment:
        return replace(environment, clock_tai=self.clock_tai, clock_boot=self.clock_boot, seed=self.seed)


# Each byte of a clock is another than in the usual Environment, and than in the others.
_SHADOWS = (
    _Elsewhen(clock_tai=0x2001_1203_0405_0607, clock_boot=0x0A0B_0C0D_0E0F_1011, seed=101),
    _Elsewhen(clock_tai=0x2112_2324_2526_2728, clock_boot=0x0B2B_2C2D_2E2F_3031, seed=202),
    _Elsewhen(clock_tai=0x2243_4445_4647_4849, clock_boot=0x0C4B_4C4D_4E4F_5051, seed=303),
)


@final
@dataclass(frozen=True, slots=True)
class Difference:
    """One packet on which they differ: `lines` say in what, the kernel's value first, `vm` why it dropped the packet, where it did."""

    index: int
    packet: bytes
    kernel: Outcome
    vm: Outcome
    lines: tuple[str, ...]


@final
@dataclass(slots=True)
class Comparison:
    """What a run of packets has shown so far. `masked`: what depends on time or chance, with how many packets it was left out of."""

    packets: int = 0
    forwarded: int = 0
    faults: int = 0
    differences: list[Difference] = field(default_factory=list)
    masked: dict[str, int] = field(default_factory=dict)


@final
class Differential:
    """A program in the VM, and by `kernel`. A context manager: both are closed at its end."""

    def __init__(self, image: ObjectImage, program: ProgramImage, environment: Environment, vm: Runner, kernel: Runner) -> None:
        self._type = program.type or ""
        self._frames = PROGRAM_TYPES[self._type].l2 if self._type else False
        with ExitStack() as stack:
            self._kernel: Session = stack.enter_context(kernel.open(image, program, environment))
            self._vm, *self._shadows = (
                stack.enter_context(vm.open(image, program, each)) for each in (environment, *(when.of(environment) for when in _SHADOWS))
            )
            self._stack = stack.pop_all()

    @property
    def sessions(self) -> tuple[Session, ...]:
        """To write maps before the first packet: of the kernel and of the VM."""
        return (self._kernel, self._vm, *self._shadows)

    def run(self, packets: Iterable[bytes], comparison: Comparison) -> Iterator[Difference]:
        """Run each by both; gives the differences as they come."""
        for packet in packets:
            kernel, vm = self._kernel.run(packet), self._shown(self._vm.run(packet))
            others = [self._shown(shadow.run(packet)) for shadow in self._shadows]
            lines = tuple(_lines(kernel, vm, others, lambda name: _count(comparison, name), frames=self._frames))
            comparison.packets += 1
            comparison.forwarded += kernel.forwarded
            comparison.faults += kernel.fault is not None
            if lines:
                found = Difference(comparison.packets - 1, packet, kernel, vm, lines)
                comparison.differences.append(found)
                yield found

    def _shown(self, outcome: Outcome) -> Outcome:
        return after_forwarding(outcome) if self._type in _BEFORE_FORWARDING else outcome

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def after_forwarding(outcome: Outcome) -> Outcome:
    """What the kernel shows for this outcome of a hook that forwarding comes after: it keeps some packets (docs/runners.md)."""
    if outcome.packet is None or _forwards(outcome.packet):
        return outcome
    return replace(outcome, packet=None, forwarded=False, reason="forwarding: it has no hop left, or a destination that stays on its link")


def _forwards(packet: bytes) -> bool:
    """ip6_forward (net/ipv6/ip6_output.c), ip_forward (net/ipv4/ip_forward.c): a hop left, and no destination that stays on its link."""
    if packet[0] >> 4 == 4:
        return packet[_TTL] > 1 and ipv4.is_forwardable(IPv4Address(packet[16:20]))
    source = IPv6Address(packet[8:24])
    return packet[_HOP_LIMIT] > 1 and not (source.is_unspecified or source.is_link_local)


# ------------------------------------------------------------------------------------------------------- one packet


Mask = Callable[[str], None]


def _count(comparison: Comparison, name: str) -> None:
    comparison.masked[name] = comparison.masked.get(name, 0) + 1


def _lines(kernel: Outcome, vm: Outcome, others: Sequence[Outcome], mask: Mask, *, frames: bool) -> Iterator[str]:
    """What differs, a line each; `mask` is told of what depends on time or chance."""
    for name, value in _ASPECTS.items():
        if any(value(other) != value(vm) for other in others):
            mask(name)
        elif value(kernel) != value(vm):
            yield f"{name}: the kernel {value(kernel)}, the VM {value(vm)}"
    if kernel.forwarded and vm.forwarded and all(other.forwarded for other in others):
        yield from _packet_lines(kernel.packet or b"", vm.packet or b"", [other.packet or b"" for other in others], mask, frames)
    yield from _event_lines(kernel, vm, others, mask)


_ASPECTS: dict[str, Callable[[Outcome], object]] = {
    "verdict": lambda outcome: outcome.verdict,
    "forwarded": lambda outcome: outcome.forwarded,
    "fault": lambda outcome: None if outcome.fault is None else f"{outcome.fault.message} ({outcome.fault.file}:{outcome.fault.line})",
    "runs": lambda outcome: outcome.runs,
    "mark": lambda outcome: outcome.mark,
    "log": lambda outcome: outcome.log,
    "records": lambda outcome: [event.map for event in outcome.events],
}


def _packet_lines(kernel: bytes, vm: bytes, others: Sequence[bytes], mask: Mask, frames: bool) -> Iterator[str]:
    varying = _varying(vm, others)
    if varying is None:
        mask("the packet's length")
        return
    for name in sorted(_names_at(vm, others, frames)):
        mask(name)
    text = diff(_without(kernel, varying), _without(vm, varying), frame=frames)
    yield from (line.replace(": expected ", ": the kernel ").replace(", found ", ", the VM ") for line in text.splitlines())


def _event_lines(kernel: Outcome, vm: Outcome, others: Sequence[Outcome], mask: Mask) -> Iterator[str]:
    if any(len(outcome.events) != len(vm.events) for outcome in (kernel, *others)):
        return  # said already, of the records
    for index, (ours, theirs) in enumerate(zip(vm.events, kernel.events, strict=True)):
        varying = _varying(ours.data, [other.events[index].data for other in others])
        if varying:
            mask(f"bytes of a record of {ours.map}")
        if varying is not None and _without(ours.data, varying) != _without(theirs.data, varying):
            yield f"record {index} of {ours.map}: the kernel {theirs.data.hex()}, the VM {ours.data.hex()}"


def _varying(data: bytes, others: Sequence[bytes]) -> frozenset[int] | None:
    """The offsets of bytes that are not the same in all; None where the lengths are not."""
    if any(len(other) != len(data) for other in others):
        return None
    return frozenset(at for other in others for at in range(len(data)) if other[at] != data[at])


def _without(data: bytes, offsets: frozenset[int]) -> bytes:
    return bytes(0 if at in offsets else octet for at, octet in enumerate(data)) if offsets else data


def _names_at(packet: bytes, others: Sequence[bytes], frames: bool) -> set[str]:
    """The fields that are not the same in all."""
    own = fields(packet, frame=frames)
    return {name for other in others for name, value in fields(other, frame=frames).items() if own.get(name) != value}
