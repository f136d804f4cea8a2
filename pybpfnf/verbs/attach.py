"""`attach`, `attached`, `detach`, `status`: programs bound to SIDs and routes that outlive this process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self, final

from pybpfnf.errors import InputError
from pybpfnf.kernel import attach as attachments
from pybpfnf.kernel.attach import Attachment, Destination, OpenAttachment
from pybpfnf.kernel.events import with_readers
from pybpfnf.kernel.info import ProgramInfo, statistics
from pybpfnf.kernel.load import LoadedProgram
from pybpfnf.kernel.replace import Keep
from pybpfnf.kernel.replace import replace as replace_attached
from pybpfnf.live import FaultCount, Live
from pybpfnf.live.changes import without_entries
from pybpfnf.records import dataclass
from pybpfnf.targets import Target, prepare


@final
class Attached(Live):
    """The maps and variables of an attached program, by the same names as before. A context manager."""

    def __init__(self, opened: OpenAttachment) -> None:
        self._opened = opened
        self._stack = ExitStack()
        self._stack.enter_context(opened)
        super().__init__(opened.image, with_readers(opened.maps, self._stack))

    def info(self) -> ProgramInfo:
        return self._opened.info()

    def close(self) -> None:
        """Let go of the maps; the program stays attached."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


@final
@dataclass(frozen=True, slots=True)
class Status:
    """One binding. `info` is None and `faults` empty where its pins are gone, which `problems` says in words.

    `runs` and `run_ns` (nanoseconds in all) are those of the interval that was asked for, None without one.
    """

    attachment: Attachment
    info: ProgramInfo | None
    faults: tuple[FaultCount, ...]
    runs: int | None
    run_ns: int | None

    @property
    def problems(self) -> tuple[str, ...]:
        return self.attachment.problems


def attach(
    target: Target,
    destination: Destination,
    *,
    dev: str | None = None,
    via: str | None = None,
    headroom: int | None = None,
    table: int | None = None,
    program: str | None = None,
    type: str | None = None,  # noqa: A002 the word of the command line
    config: Mapping[str, object] | None = None,
    replace: bool = False,
    keep_maps: bool = False,
    **values: object,
) -> Attachment:
    """Load a program, pin it, and bind a destination (an address or a prefix) to it in this network namespace (root).

    A seg6local program's is a SID, on the device `dev`. The other hooks' is a route, IPv6 or IPv4: one that is there keeps its next
    hops and metric, and `detach` puts it back as it was; else `dev` or `via` say where packets go. `headroom`: bytes that an
    lwt_xmit program puts in front. When a step fails nothing is left of it. `table` is the main one unless given; the
    Config comes by name, in `config` or as keywords of their own, and so do first entries of maps (`allowed[fd00::1]`).

    `replace`: what is attached there is replaced, if anything is, by a program of the same hook, with no moment at which a packet comes to
    neither; the route stays as it is, and `dev`, where it is given, must be its device. `keep_maps`: maps that both objects have
    are the same maps, with what is in them; State that both have keeps its value, unless it is given.
    """
    if keep_maps and not replace:
        raise InputError("maps are kept of what is replaced", hint="attach with --replace, too")
    variables, entries = without_entries({**(config or {}), **values})
    prepared = prepare(target, variables, program=program, type_name=type)

    def fill(loaded: LoadedProgram) -> None:
        Live(loaded.image, loaded.maps).update(entries)

    before = attachments.there(destination, table) if replace else None
    if before is not None:
        _check_same_way(before, dev, via)
        keep = Keep(tuple(variables)) if keep_maps else None
        return replace_attached(prepared.image, prepared.program, before, headroom=headroom, digest=prepared.digest, fill=fill, keep=keep)
    return attachments.attach(
        prepared.image, prepared.program, destination, dev, via=via, headroom=headroom, table=table, digest=prepared.digest, fill=fill
    )


def _check_same_way(before: Attachment, dev: str | None, via: str | None) -> None:
    """Raises InputError where packets are to go another way than the route that is there sends them."""
    device = before.route.device if before.route is not None else dev
    if via is not None or dev not in (None, device):
        hint = "leave out --dev and --via, or detach it and attach anew"
        raise InputError(f"{before.destination_text} keeps its route, on {device}, when its program is replaced", hint=hint)


def attached(destination: Destination, *, table: int | None = None) -> Attached:
    """The maps and variables of what is attached to a SID or a route; raises InputError where nothing is."""
    return Attached(attachments.find(destination, table).open())


def detach(destination: Destination, *, table: int | None = None) -> None:
    """Remove a binding made by `attach`, and nothing that is not ours; a route that was there before is there again. Raises InputError
    where there is none."""
    attachments.detach(destination, table)


def status(*, interval: float | None = None) -> list[Status]:
    """What is attached in this network namespace; with `interval`, also what ran in so many seconds from now.

    The kernel's run statistics are on only during the interval.
    """
    with ExitStack() as stack:
        found = attachments.attachments()
        opened = [stack.enter_context(Attached(each.open())) if each.can_be_opened else None for each in found]
        before: list[ProgramInfo | None] = [None] * len(found)
        if interval is not None:
            stack.enter_context(statistics())
            before = [None if each is None else each.info() for each in opened]
            time.sleep(interval)
        return [_status(*row) for row in zip(found, opened, before, strict=True)]


def _status(attachment: Attachment, opened: Attached | None, before: ProgramInfo | None) -> Status:
    if opened is None:
        return Status(attachment, None, (), None, None)
    info = opened.info()
    runs, run_ns = (None, None) if before is None else (info.run_count - before.run_count, info.run_ns - before.run_ns)
    return Status(attachment, info, opened.faults(), runs, run_ns)
