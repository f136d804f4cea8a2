"""Kernel functions by name: their numbers are ids of types in the running kernel's own BTF."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from pybpfnf.abi.kfuncs import KFUNCS
from pybpfnf.errors import SystemLacksError
from pybpfnf.image.btf import HEADER, TYPE, Kind, trailer_size

_VMLINUX = Path("/sys/kernel/btf/vmlinux")


def kfunc_ids(names: Sequence[str]) -> Mapping[str, int]:
    """The number of each; raises SystemLacksError for one that this kernel does not have, and where it says nothing
    of its functions."""
    if not names:
        return {}
    found = _functions(frozenset(names))
    for name in names:
        if name not in found:
            row = KFUNCS.get(name)
            since = "none that is known has it" if row is None else f"Linux {row.since} is the first that has it"
            raise SystemLacksError(f"this kernel has no function {name} for programs to call: {since}")
    return found


@cache
def _functions(names: frozenset[str]) -> Mapping[str, int]:
    try:
        data = _VMLINUX.read_bytes()
    except OSError as error:
        hint = "the kernel is built without CONFIG_DEBUG_INFO_BTF, or /sys is not mounted"
        raise SystemLacksError(f"cannot read {_VMLINUX}, which says what functions the kernel has: {error.strerror}", hint=hint) from None
    _, _, _, header_size, type_offset, type_size, string_offset, string_size = HEADER.unpack_from(data)
    strings = data[header_size + string_offset :][:string_size]
    # Each name stands there once, so that comparing offsets is enough.
    offsets = {strings.find(b"\0" + name.encode() + b"\0") + 1: name for name in names}
    types = data[header_size + type_offset :][:type_size]
    return {offsets[place]: number for place, number in _named_functions(types) if place in offsets}


def _named_functions(types: bytes) -> Iterator[tuple[int, int]]:
    """The offset of the name of each FUNC, and its id."""
    offset, number, unpack = 0, 1, TYPE.unpack_from
    while offset < len(types):
        name, info, _ = unpack(types, offset)
        kind = info >> 24 & 0x1F
        if kind == Kind.FUNC:
            yield name, number
        offset += TYPE.size + trailer_size(kind, info & 0xFFFF)
        number += 1
