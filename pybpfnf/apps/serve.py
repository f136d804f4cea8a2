"""`serve`: a function with its control, from the attachment to the detachment. The daemon of the thesis (section 5.3), for any function.

    loaded, attached -> control(nf) -> detached

Whatever ends it (the control returns or fails, SIGTERM, SIGINT), the function is detached; what cannot be attached leaves nothing behind.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import final

from pybpfnf.apps.control import Control, check_control
from pybpfnf.apps.log import Log
from pybpfnf.apps.served import OfCapture, OfKernel, Served
from pybpfnf.apps.stopping import Stopping
from pybpfnf.errors import ControlError, Error, InputError
from pybpfnf.kernel.attach import Attachment, Destination, find, there
from pybpfnf.kernel.events import with_readers
from pybpfnf.runner import Environment
from pybpfnf.targets import Target, prepare
from pybpfnf.verbs.attach import attach, detach
from pybpfnf.verbs.run import Simulation, simulate

_OURS = Path(__file__).resolve().parents[1]  # a control's mistake is in the file that calls something here


def serve(
    target: Target,
    control: Control,
    destination: Destination,
    *,
    dev: str | None = None,
    via: str | None = None,
    headroom: int | None = None,
    table: int | None = None,
    program: str | None = None,
    type: str | None = None,  # noqa: A002 the word of the command line
    config: Mapping[str, object] | None = None,
    log: Log | None = None,
    stopping: Stopping | None = None,
) -> None:
    """Attach a function (root), run its control with it, and detach it when the control returns or `stopping` says so.

    The arguments of the binding are those of `attach`; until it ends, `pybpfnf status`, `get` and `set` see it as any other. In the main
    thread SIGTERM and SIGINT stop it. Raises ControlError where the control fails, InputError where it cannot be called, and what
    `attach` raises.
    """
    check_control(control)
    log = log or Log(sys.stderr)
    with ExitStack() as stack:
        stop = stack.enter_context(Stopping()) if stopping is None else stopping
        try:
            made = attach(target, destination, dev=dev, via=via, headroom=headroom, table=table, program=program, type=type, config=config)
        except InputError as error:
            found = there(destination, table)
            if found is None or found.problems:
                raise
            raise InputError(error.message, hint=f"{error.hint}; or use what is there, with --attached") from None
        stack.callback(_detach, destination, table, log)
        _control(control, made, "attached", stop, log)


def serve_attached(
    target: Target,
    control: Control,
    destination: Destination,
    *,
    table: int | None = None,
    program: str | None = None,
    log: Log | None = None,
    stopping: Stopping | None = None,
) -> None:
    """As `serve`, with the function that is attached there already, as it is: it stays attached. Raises InputError where nothing is, or
    another function than the target."""
    check_control(control)
    log = log or Log(sys.stderr)
    with ExitStack() as stack:
        stop = stack.enter_context(Stopping()) if stopping is None else stopping
        wanted = prepare(target, {}, program=program).program.name
        found = find(destination, table)
        if found.record is not None and found.record.program != wanted:
            raise InputError(f"{found.destination_text} has {found.record.program} attached, not {wanted}")
        _control(control, found, "found", stop, log)


def serve_packets(
    target: Target,
    control: Control,
    packets: Iterable[bytes],
    *,
    program: str | None = None,
    type: str | None = None,  # noqa: A002
    config: Mapping[str, object] | None = None,
    environment: Environment | None = None,
    log: Log | None = None,
    stopping: Stopping | None = None,
) -> None:
    """As `serve`, in the VM and without root: packets (from the IP header on) are run as the control asks for their records, and the
    function is served until the last one."""
    check_control(control)
    log = log or Log(sys.stderr)
    with ExitStack() as stack:
        stop = stack.enter_context(Stopping()) if stopping is None else stopping
        simulation = stack.enter_context(simulate(target, program=program, type=type, environment=environment, config=config))
        log("loaded", program=simulation.program.name, runner="vm")
        runs = _Runs(simulation, packets)
        nf = Served(simulation.image, simulation.session.maps, OfCapture(runs.run_next, lambda: bool(stop)), log)
        _run(control, nf, stop, log)
        while not stop and runs.run_next():  # packets that the control did not wait for
            pass
        log("unloaded", packets=runs.packets, forwarded=runs.forwarded)


def _control(control: Control, attachment: Attachment, event: str, stop: Stopping, log: Log) -> None:
    """Open what is attached, say so, and run the control with it."""
    with ExitStack() as stack:
        opened = stack.enter_context(attachment.open())
        maps = with_readers(opened.maps, stack)
        assert attachment.record is not None  # it could be opened
        name = attachment.record.program
        log(event, destination=attachment.destination_text, table=attachment.table, program=name, id=attachment.program_id)
        _run(control, Served(opened.image, maps, OfKernel(lambda: bool(stop)), log), stop, log)


@final
class _Runs:
    """Packets of a capture, one when it is asked for."""

    def __init__(self, simulation: Simulation, packets: Iterable[bytes]) -> None:
        self._simulation = simulation
        self._packets = iter(packets)
        self.packets = self.forwarded = 0

    def run_next(self) -> bool:
        for packet in self._packets:
            self.packets += 1
            self.forwarded += self._simulation.run(packet).forwarded
            return True
        return False


def _run(control: Control, nf: Served, stop: Stopping, log: Log) -> None:
    """The control from its beginning to its end, with a word for why it ended and what faulted meanwhile."""
    try:
        with _OfTheAuthor(log), stop.interruptible():
            if not stop:
                control(nf)
        log("stopped", by=stop.signal or ("request" if stop else "control"))
    finally:
        for fault in nf.faults():
            if fault.count:
                log("faults", file=fault.site.file, line=fault.site.line, message=fault.site.message, count=fault.count)


@final
class _OfTheAuthor:
    """A block of an author's code, which may raise anything: it is said in the log, and is a ControlError to our caller."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> bool:
        if isinstance(error, SystemExit) and not error.code:
            return True  # `sys.exit()` ends the control, and not what serves it
        if not isinstance(error, Exception | SystemExit) or kind is None:
            return False
        frames = traceback.extract_tb(trace)
        of_the_author = [frame for frame in frames if not Path(frame.filename).is_relative_to(_OURS)]
        last = (of_the_author or frames)[-1]
        self._log("failed", error=kind.__name__, message=str(error), file=last.filename, line=last.lineno)
        hint = error.hint if isinstance(error, Error) else None
        raise ControlError(f"control failed: {kind.__name__}: {error} ({last.filename}:{last.lineno})", hint=hint) from error


def _detach(destination: Destination, table: int | None, log: Log) -> None:
    """Detach what was attached, unless somebody else has done it meanwhile."""
    with suppress(InputError):
        detach(destination, table=table)
        log("detached", destination=str(destination))
