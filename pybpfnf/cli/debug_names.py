"""What a debugger's `print NAME` shows: a local, a register, a variable or a map, or a part of the packet."""

from __future__ import annotations

from collections.abc import Iterator

from pybpfnf.cli.debug_panes import Panes
from pybpfnf.errors import InputError

_PACKET = ("pkt", "packet")
_HINT = "`locals`, `registers`, `maps` and `fields` show what there is"


def named(panes: Panes, name: str) -> Iterator[str]:
    """The lines of the first of these that is called so. Raises InputError where nothing is."""
    found = [line for pane in (panes.locals, panes.registers, panes.maps) for line in pane() if _is_of(line, name)]
    yield from found or _map(panes, name) or _of_packet(panes, name)


def _is_of(line: str, name: str) -> bool:
    """Whether a line, behind its mark, is of what is called so, or of a part of it: `srh.tag`, `counts[2]`."""
    return name != "" and line[1:].strip().startswith((f"{name} ", f"{name}[", f"{name}."))


def _map(panes: Panes, name: str) -> list[str]:
    """Of a map of which there is nothing to show."""
    spec = panes.image.maps.get(name)
    if spec is None:
        return []
    if name not in panes.debugger.state.maps:
        return [f"  {name}: what is in a {spec.type} is not followed"]
    return [f"  {name}: all entries are zero" if spec.type in ("array", "percpu_array") else f"  {name}: no entries"]


def _of_packet(panes: Panes, name: str) -> list[str]:
    """`pkt`, `pkt.len`, `pkt.mark` and other fields of the context, and fields with their header: `srh.tag`, `pkt.srh.tag`, `pkt.ipv6`."""
    if name in _PACKET:
        return list(panes.packet())
    head, _, rest = name.partition(".")
    wanted = rest if head in _PACKET else name
    if head in _PACKET and rest == "len":
        return [f"  len = {len(panes.debugger.state.packet)}"]
    context = panes.debugger.state.context
    if head in _PACKET and rest in context:
        before = panes.debugger.before.context.get(rest)
        return [f"{'* ' if before not in (None, context[rest]) else '  '}{rest} = {context[rest]:#x}"]
    found = [line for line in panes.fields() if _is_of(line, wanted)]
    if not found:
        raise InputError(f"nothing is called {name!r} here", hint=_HINT)
    return found
