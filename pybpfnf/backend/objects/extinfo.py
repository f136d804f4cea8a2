"""The records of .BTF.ext as LLVM writes them, found and moved (struct btf_ext_header and btf_ext_info_sec in
tools/lib/bpf/libbpf_internal.h)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping

FUNCTIONS, LINES = 0, 1  # tables, in the order of the header
_WORD = struct.Struct("<I")
_PAIR = struct.Struct("<II")


def records(ext: bytes, btf: bytes, table: int) -> Iterator[tuple[str, int]]:
    """(section, byte offset of the instruction) of each record of a table."""
    for place, section in _places(ext, btf, table):
        yield section, _WORD.unpack_from(ext, place)[0]


def moved(ext: bytes, btf: bytes, shifts: Mapping[str, Callable[[int], int]]) -> bytes:
    """The same records where the instructions of some sections have moved: `shifts` says an offset's new one."""
    data = bytearray(ext)
    for table in (FUNCTIONS, LINES):
        for place, section in _places(ext, btf, table):
            if section in shifts:
                _WORD.pack_into(data, place, shifts[section](_WORD.unpack_from(ext, place)[0]))
    return bytes(data)


def _places(ext: bytes, btf: bytes, table: int) -> Iterator[tuple[int, str]]:
    """Where each record of a table begins, and the section that it is about. Its first word is the instruction's offset."""
    header_size, strings = (_WORD.unpack_from(btf, offset)[0] for offset in (4, 16))
    names = header_size + strings
    start, size = _PAIR.unpack_from(ext, 8 + 8 * table)
    position = _WORD.unpack_from(ext, 4)[0] + start
    end = position + size
    record_size = _WORD.unpack_from(ext, position)[0]
    position += 4
    while position < end:
        name, count = _PAIR.unpack_from(ext, position)
        section = btf[names + name : btf.index(b"\0", names + name)].decode()
        position += _PAIR.size
        for _ in range(count):
            yield position, section
            position += record_size
