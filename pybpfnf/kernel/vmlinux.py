"""The running kernel's own types, as it gives them in /sys/kernel/btf/vmlinux (BTF, Documentation/bpf/btf.rst)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import final

from pybpfnf.errors import SystemLacksError
from pybpfnf.image.btf import HEADER, TYPE, Kind, trailer_size

_VMLINUX = Path("/sys/kernel/btf/vmlinux")
_MEMBER = struct.Struct("<III")  # name_off, type, offset in bits (its low 24 bits where the structure has bit fields)
_OFFSET = 0xFFFFFF
_BYTE = 8


def functions(names: frozenset[str]) -> Mapping[str, int]:
    """The ids of the functions of these names that there are. Raises SystemLacksError where the kernel does not say its types."""
    return _vmlinux().numbers(Kind.FUNC, names)


@cache
def member_offset(structure: str, member: str) -> int:
    """Bytes from the structure's start to a member, also one of an unnamed structure or union in it. Raises SystemLacksError where
    the kernel has none of that name."""
    found = _vmlinux().member(structure, member)
    if found is None:
        raise SystemLacksError(f"this kernel's struct {structure} has no {member}")
    return found


@cache
def _vmlinux() -> _Types:
    try:
        data = _VMLINUX.read_bytes()
    except OSError as error:
        hint = "the kernel is built without CONFIG_DEBUG_INFO_BTF, or /sys is not mounted"
        raise SystemLacksError(f"cannot read {_VMLINUX}, which says what the kernel has: {error.strerror}", hint=hint) from None
    return _Types(data)


@final
class _Types:
    """A hundred thousand types: nothing is made of them but what is asked for."""

    def __init__(self, data: bytes) -> None:
        _, _, _, header_size, type_offset, type_size, string_offset, string_size = HEADER.unpack_from(data)
        self._strings = data[header_size + string_offset :][:string_size]
        self._types = data[header_size + type_offset :][:type_size]

    def numbers(self, kind: Kind, names: frozenset[str]) -> Mapping[str, int]:
        # Each name stands there once, so that comparing offsets is enough.
        offsets = {self._name(name): name for name in names}
        return {offsets[name]: number for number, of_kind, name, _ in self._walk() if of_kind == kind and name in offsets}

    def member(self, structure: str, member: str) -> int | None:
        wanted, name = self._name(structure), self._name(member)
        places = {number: place for number, kind, _, place in self._walk() if kind in (Kind.STRUCT, Kind.UNION)}
        for number, kind, found, _ in self._walk() if name else ():
            if kind == Kind.STRUCT and found == wanted:
                return self._member(places, number, name)
        return None

    def _member(self, places: Mapping[int, int], number: int, name: int) -> int | None:
        place = places[number]
        count = TYPE.unpack_from(self._types, place)[1] & 0xFFFF
        for member_name, type_, bits in _MEMBER.iter_unpack(self._types[place + TYPE.size :][: count * _MEMBER.size]):
            at = int(bits & _OFFSET) // _BYTE
            if member_name == name:
                return at
            inner = self._member(places, type_, name) if member_name == 0 and type_ in places else None
            if inner is not None:
                return at + inner
        return None

    def _name(self, name: str) -> int:
        """Where it is among the strings; 0, the name of what has none, where it is not."""
        return self._strings.find(b"\0" + name.encode() + b"\0") + 1

    def _walk(self) -> Iterator[tuple[int, int, int, int]]:
        """Of each type its id, kind, the offset of its name, and where it begins."""
        offset, number, unpack, types = 0, 1, TYPE.unpack_from, self._types
        while offset < len(types):
            name, info, _ = unpack(types, offset)
            kind = info >> 24 & 0x1F
            yield number, kind, name, offset
            offset += TYPE.size + trailer_size(kind, info & 0xFFFF)
            number += 1
