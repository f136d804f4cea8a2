"""`pybpfnf run --replay`: the packets of a recording again, and what became of them differently."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pybpfnf.testing.fields import fields
from pybpfnf.verbs.replay import Changed, Replayed, replay
from pybpfnf.vm import Engine


def replay_file(recording: Path, target: str | None, program: str | None, engine: str, *, as_json: bool) -> int:
    """Print what the replay shows; 0 where nothing differs, else 1."""
    found = replay(recording, target, program=program, engine=Engine(engine))
    if as_json:
        click.echo(json.dumps(_document(found)))
    else:
        _print(found)
    return int(found.changed is not None)


def _print(found: Replayed) -> None:
    for note in found.notes:
        click.echo(f"not as it was recorded: {note}")
    packets = "1 packet" if found.packets == 1 else f"{found.packets} packets"
    by = "the recorded object" if found.same_object else "another build"
    if found.changed is None:
        click.echo(f"{packets} replayed by {by}: nothing differs")
        return
    click.echo(f"{packets} replayed by {by}: packet {found.changed.index} differs")
    _print_changed(found.changed)


def _print_changed(changed: Changed) -> None:
    for line in changed.lines:
        click.echo(f"    {line}")
    if changed.now.reason is not None:
        click.echo(f"    the reason now: {changed.now.reason}")
    click.echo("  the packet:")
    for name, value in fields(changed.packet).items():
        click.echo(f"    {name} = {value}")
    click.echo(f"  in hex: {changed.packet.hex()}")


def _document(found: Replayed) -> dict[str, object]:
    changed = found.changed
    differs = None
    if changed is not None:
        differs = {"index": changed.index, "packet": changed.packet.hex(), "differs": list(changed.lines), "reason": changed.now.reason}
    return {"packets": found.packets, "same_object": found.same_object, "notes": list(found.notes), "changed": differs}
