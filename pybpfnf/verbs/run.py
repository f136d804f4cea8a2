"""`run` and `simulate`: a program in this process, without root."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self, final, overload

from pybpfnf.image.model import ProgramImage
from pybpfnf.live import Live
from pybpfnf.runner import Environment, Outcome, Session
from pybpfnf.targets import Target, prepare
from pybpfnf.vm import VmRunner


@final
class Simulation(Live):
    """A program in the VM: its maps and variables live from packet to packet, by the same names as in the kernel."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.image, session.maps)
        self._session = session

    @property
    def program(self) -> ProgramImage:
        return self._session.program

    def run(self, packet: bytes) -> Outcome:
        """What becomes of a packet, given from its IPv6 header on."""
        return self._session.run(packet)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


def simulate(
    target: Target,
    *,
    program: str | None = None,
    type: str | None = None,  # noqa: A002 the word of the command line
    environment: Environment | None = None,
    **config: object,
) -> Simulation:
    """Load a program into the VM; `config` gives its Config by name. What `load` is for the kernel.

    `program` picks one of several, `type` says a program type where the object does not.
    """
    return open_simulation(target, config, program=program, type=type, environment=environment)


def open_simulation(
    target: Target,
    config: Mapping[str, object],
    *,
    program: str | None = None,
    type: str | None = None,  # noqa: A002
    environment: Environment | None = None,
) -> Simulation:
    """`simulate`, with Config names that may be any (`program` too)."""
    prepared = prepare(target, config, program=program, type_name=type)
    return Simulation(VmRunner().open(prepared.image, prepared.program, environment or Environment()))


@overload
def run(
    target: Target,
    packets: bytes,
    *,
    program: str | None = ...,
    type: str | None = ...,
    environment: Environment | None = ...,
    **config: object,
) -> Outcome: ...
@overload
def run(
    target: Target,
    packets: Iterable[bytes],
    *,
    program: str | None = ...,
    type: str | None = ...,
    environment: Environment | None = ...,
    **config: object,
) -> list[Outcome]: ...
def run(
    target: Target,
    packets: bytes | Iterable[bytes],
    *,
    program: str | None = None,
    type: str | None = None,  # noqa: A002
    environment: Environment | None = None,
    **config: object,
) -> Outcome | list[Outcome]:
    """Run a program in the VM on one packet, or on several in turn with the maps kept between them.

    A packet begins at its IPv6 header. A drop and a fault are outcomes, not exceptions.
    """
    with open_simulation(target, config, program=program, type=type, environment=environment) as simulation:
        if isinstance(packets, bytes):
            return simulation.run(packets)
        return [simulation.run(packet) for packet in packets]
