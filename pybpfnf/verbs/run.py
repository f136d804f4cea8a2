"""`run` and `simulate`: a program on packets, in this process and without root unless another runner is given."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, final, overload

from pybpfnf.errors import InputError
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.live import Live
from pybpfnf.live.changes import without_entries
from pybpfnf.runner import Environment, Outcome, Runner, Session
from pybpfnf.targets import Target, prepare
from pybpfnf.testing.recording import Recorder
from pybpfnf.unusable import unwritable
from pybpfnf.vm import VmRunner, VmSession


@final
class Simulation(Live):
    """A program with packets to run on: its maps and variables live from packet to packet, by their names."""

    def __init__(self, session: Session, data: bytes | None = None) -> None:
        """`data`: the object's bytes, where they are known."""
        super().__init__(session.image, session.maps)
        self._session = session
        self._recorder: Recorder | None = None
        self.object = data

    @property
    def session(self) -> Session:
        return self._session

    @property
    def program(self) -> ProgramImage:
        return self._session.program

    @property
    def image(self) -> ObjectImage:
        return self._session.image

    def run(self, packet: bytes) -> Outcome:
        """What becomes of a packet, given from its IPv6 header on."""
        return self._session.run(packet) if self._recorder is None else self._recorder.run(packet)

    def run_many(self, packets: Sequence[bytes]) -> list[Outcome]:
        """What becomes of each, in turn. The VM runs many at once in machine code, where the hook is seg6local."""
        return self._session.run_many(packets) if self._recorder is None else [self._recorder.run(packet) for packet in packets]

    @contextmanager
    def record(self, path: str | os.PathLike[str]) -> Iterator[None]:
        """Write down the packets that are run in this context, with all that their runs depend on, for `replay`: the maps as they are now,
        times and random numbers.

        Raises InputError on the kernel's runner, whose clocks and numbers are its own, and for a file that cannot be written."""
        session = self._session
        if not isinstance(session, VmSession):
            raise InputError("the kernel's clocks and random numbers cannot be recorded", hint="record in the VM")
        with ExitStack() as stack:
            try:
                stream = stack.enter_context(Path(path).open("w", encoding="utf-8"))
            except OSError as error:
                raise unwritable(path, error) from None
            self._recorder = Recorder(stream, session, self.object)
            try:
                yield
            finally:
                self._recorder = None

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
    runner: Runner | None = None,
    config: Mapping[str, object] | None = None,
    **values: object,
) -> Simulation:
    """Load a program into the VM. What `load` is for the kernel.

    Its Config comes by name, in `config` or as keywords of their own; so do first entries of maps
    (`{"allowed[fd00::1]": True}`). `program` picks one of several, `type` says a
    program type where the object does not. `runner` is what runs it: with `KernelRunner()` (root) the same packets cross a
    real route, in a network namespace of their own.
    """
    variables, entries = without_entries({**(config or {}), **values})
    prepared = prepare(target, variables, program=program, type_name=type)
    session = (runner or VmRunner()).open(prepared.image, prepared.program, environment or Environment())
    return _with_entries(Simulation(session, prepared.data), entries)


def _with_entries(simulation: Simulation, entries: Mapping[str, object]) -> Simulation:
    """The same, its maps written before the first packet; closed where they cannot be."""
    try:
        simulation.update(entries)
    except BaseException:
        simulation.close()
        raise
    return simulation


@overload
def run(
    target: Target,
    packets: bytes,
    *,
    program: str | None = ...,
    type: str | None = ...,
    environment: Environment | None = ...,
    runner: Runner | None = ...,
    config: Mapping[str, object] | None = ...,
    **values: object,
) -> Outcome: ...
@overload
def run(
    target: Target,
    packets: Iterable[bytes],
    *,
    program: str | None = ...,
    type: str | None = ...,
    environment: Environment | None = ...,
    runner: Runner | None = ...,
    config: Mapping[str, object] | None = ...,
    **values: object,
) -> list[Outcome]: ...
def run(
    target: Target,
    packets: bytes | Iterable[bytes],
    *,
    program: str | None = None,
    type: str | None = None,  # noqa: A002
    environment: Environment | None = None,
    runner: Runner | None = None,
    config: Mapping[str, object] | None = None,
    **values: object,
) -> Outcome | list[Outcome]:
    """Run a program in the VM (or by `runner`) on one packet, or on several in turn with the maps kept between them.

    A packet begins at its IPv6 header. A drop and a fault are outcomes, not exceptions. The keywords are those of `simulate`.
    """
    with simulate(target, program=program, type=type, environment=environment, runner=runner, config=config, **values) as simulation:
        if isinstance(packets, str):
            raise InputError("a packet is bytes, not text", hint="bytes.fromhex(...) makes it from hexadecimal digits")
        if isinstance(packets, bytes):
            return simulation.run(packets)
        return simulation.run_many(list(packets))
