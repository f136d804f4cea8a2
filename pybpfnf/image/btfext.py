"""Decode .BTF.ext: which function, which source line, which CO-RE relocation belongs to an instruction (struct btf_ext_header
in tools/lib/bpf/libbpf_internal.h)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import final

from pybpfnf.errors import ObjectError
from pybpfnf.image.btf import MAGIC, Btf
from pybpfnf.records import dataclass

_HEADER = struct.Struct("<HBBI")  # magic, version, flags, hdr_len
_PART = struct.Struct("<II")  # offset from the end of the header, length; as many as hdr_len has room for
_SECTION = struct.Struct("<II")  # sec_name_off, num_info


@final
@dataclass(frozen=True, slots=True)
class Record:
    """What belongs to the instruction `offset` bytes into `section`: the record's words after its offset."""

    section: str
    offset: int
    words: tuple[int, ...]


@final
@dataclass(frozen=True, slots=True)
class BtfExt:
    """Words of `functions`: type_id. Of `lines`: file_name_off, line_off, line_col. Of `core`: type_id, access_str_off, kind."""

    functions: tuple[Record, ...] = ()
    lines: tuple[Record, ...] = ()
    core: tuple[Record, ...] = ()


# Of each part, in the order of the header: how many words a record has at least, its instruction's offset among them.
_WORDS = (2, 4, 4)


def decode_btf_ext(data: bytes, btf: Btf) -> BtfExt:
    """Decode a .BTF.ext section; raises ObjectError where it is malformed."""
    if len(data) < _HEADER.size:
        raise ObjectError("section .BTF.ext is truncated")
    magic, version, _flags, header_size = _HEADER.unpack_from(data)
    if (magic, version) != (MAGIC, 1):
        raise ObjectError(f"section .BTF.ext has magic {magic:#x}, version {version}; {MAGIC:#x}, version 1 are known")
    if header_size > len(data):
        raise ObjectError("section .BTF.ext is truncated")
    parts = [tuple(_records(data, header_size, index, words, btf)) for index, words in enumerate(_WORDS)]
    return BtfExt(*parts)


def _records(data: bytes, header_size: int, index: int, words: int, btf: Btf) -> Iterator[Record]:
    """The records of one part: a record size, then for each section its name, a count, and that many records."""
    start = _HEADER.size + index * _PART.size
    if start + _PART.size > header_size:
        return  # older headers have no CO-RE part
    offset, length = _PART.unpack_from(data, start)
    part = data[header_size + offset :][:length]
    if len(part) < length or 0 < length < 4:
        raise ObjectError("section .BTF.ext is truncated")
    if not part:
        return
    (size,) = struct.unpack_from("<I", part)
    if size < 4 * words:
        raise ObjectError(f"section .BTF.ext: records of {size} bytes; at least {4 * words} are known")
    position = 4
    while position < length:
        if position + _SECTION.size > length:
            raise ObjectError("section .BTF.ext is truncated")
        name, count = _SECTION.unpack_from(part, position)
        position += _SECTION.size
        if position + count * size > length:
            raise ObjectError("section .BTF.ext is truncated")
        section = btf.string(name)
        for _ in range(count):
            place, *rest = struct.unpack_from(f"<{words}I", part, position)
            yield Record(section, place, tuple(rest))
            position += size
