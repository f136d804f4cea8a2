"""Changes to a running program that are made together: each is found possible before the first, and undone where a later one fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeAlias, final

from pybpfnf.records import dataclass
from pybpfnf.runner import MapAccess

Undo: TypeAlias = Callable[[], None]

_ENTRY = re.compile(r"([^\[\]=]+)\[(.*)\]", re.DOTALL)


class Change(Protocol):
    def make(self) -> Undo:
        """Make it; what makes it as it was again."""
        ...


@final
@dataclass(frozen=True, slots=True)
class EntryChange:
    """One entry of a map as bytes, to be written, or with `value` None to be taken away."""

    access: MapAccess
    key: bytes
    value: bytes | None

    def make(self) -> Undo:
        before = self.current()
        _put(self.access, self.key, self.value)
        return lambda: _put(self.access, self.key, before)

    def current(self) -> bytes | None:
        """The value of exactly this key as it is; None where there is no such entry."""
        # A trie's look-up finds the longest prefix, which may be another entry's.
        found = self.access.spec.type != "lpm_trie" or self.key in self.access.keys()  # noqa: SIM118 an access is no dict
        return self.access.lookup(self.key) if found else None


def make_all(changes: Iterable[Change]) -> None:
    """All of them, or none: where one cannot be made, those before it are undone, and with them what packets did meanwhile to the same."""
    undo: list[Undo] = []
    try:
        for change in changes:
            undo.append(change.make())
    except BaseException:
        for each in reversed(undo):
            each()
        raise


def entry_of(text: str) -> tuple[str, str] | None:
    """The map's name and the key of `NAME[KEY]`; None for another text."""
    match = _ENTRY.fullmatch(text)
    return None if match is None else (match[1], match[2])


def without_entries(config: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """What is for variables, and what is for entries of maps."""
    entries = {name: value for name, value in config.items() if entry_of(name) is not None}
    return {name: value for name, value in config.items() if name not in entries}, entries


def _put(access: MapAccess, key: bytes, value: bytes | None) -> None:
    if value is None:
        access.delete(key)
    else:
        access.update(key, value)
