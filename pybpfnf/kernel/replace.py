"""A new program in the place of an attached one, without a moment at which packets come to neither.

The new one is loaded and pinned beside the old; one message to the kernel leads the route to it (NLM_F_REPLACE); then the two directories
of pins exchange their names, and what was there before goes. Until that message nothing has changed, and a failure after it
leads the route back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import replace as changed

from pybpfnf.errors import InputError
from pybpfnf.held_signals import HeldSignals
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.kernel import bpffs, pins
from pybpfnf.kernel.attach import Attachment
from pybpfnf.kernel.binding import rebind
from pybpfnf.kernel.info import program_info
from pybpfnf.kernel.kept_maps import kept_maps, take_over
from pybpfnf.kernel.load import LoadedProgram, load_program, program_type
from pybpfnf.kernel.netlink import Netlink
from pybpfnf.kernel.record import Record
from pybpfnf.kernel.routes import Route, detach_command
from pybpfnf.records import dataclass


@dataclass(frozen=True, slots=True)
class Keep:
    """That maps which both programs have are to be kept; `given`: the State that is to have the new object's values all the same."""

    given: Collection[str] = ()


def replace(
    image: ObjectImage,
    program: ProgramImage,
    before: Attachment,
    *,
    headroom: int | None = None,
    type_name: str | None = None,
    digest: str = "",
    fill: Callable[[LoadedProgram], None] | None = None,
    keep: Keep | None = None,
) -> Attachment:
    """Put a program in the place of an attachment's, of the same hook. The route keeps its next hops and metric; `detach` puts back
    what was there before the first.

    When any step fails the old one is as it was. Raises InputError where the attachment is not whole, is of another hook, or has a map
    that cannot be kept; what `load_program` raises.
    """
    hook = program_type(program, type_name).name
    record, route = _whole(before, hook)
    headroom = record.headroom if headroom is None else headroom
    with Netlink() as netlink, bpffs.open_pin(before.directory / pins.PROGRAM, "program") as old, HeldSignals(), ExitStack() as undo:
        made = pins.make_next(before.directory)
        undo.callback(bpffs.remove_directory, made)
        existing = kept_maps(record, image, before.directory) if keep is not None else {}
        with load_program(image, program, type_name=type_name, shared=bpffs.mount_point(), existing=existing) as loaded:
            undo.callback(bpffs.unpin, loaded.new_pins)
            if keep is not None:
                take_over(record, before.directory, loaded, keep.given)
            if fill is not None:
                fill(loaded)
            new = _record(record, image, program, loaded, digest, headroom)
            pins.pin_all(made, loaded, new)
            program_id, old_id = loaded.info().id, program_info(old).id
            undo.callback(rebind, netlink, route, hook, old, old_id, record.program, record.headroom)
            bound = rebind(netlink, route, hook, loaded.fd, program_id, program.name, headroom)
            bpffs.exchange(made, before.directory)
            undo.pop_all()
        bpffs.remove_directory(made)  # what was there before
    return changed(before, record=new, route=bound, program_id=program_id)


def _whole(before: Attachment, hook: str) -> tuple[Record, Route]:
    """The record and the route. Raises InputError where something is missing, or the hook is another."""
    detach = detach_command(before.destination, before.table)
    if before.record is None or before.route is None or before.problems:
        problems = "; ".join(before.problems)
        raise InputError(f"what is attached to {before.destination_text} cannot be replaced: {problems}", hint=f"{detach}, and attach anew")
    if before.record.type != hook:
        message = f"{before.destination_text} has a program of type {before.record.type}, and this is {hook}"
        raise InputError(message, hint=f"{detach}, and attach anew")
    return before.record, before.route


def _record(old: Record, image: ObjectImage, program: ProgramImage, loaded: LoadedProgram, digest: str, headroom: int | None) -> Record:
    return changed(
        old,
        program=program.name,
        attached_at=time.time(),
        digest=digest,
        pins={name: pins.pin_name(position, name) for position, name in enumerate(loaded.maps)},
        image=changed(image, programs=()),
        headroom=headroom,
    )
