"""Make .BTF what the kernel takes: what a compiler leaves to the loader is filled in, what the kernel refuses is reworded.

Compilers record sections with size 0 and global variables at offset 0; libbpf completes them (bpf_object__fixup_btf and
bpf_object__sanitize_btf in tools/lib/bpf/libbpf.c), and this does the same for kernels from 6.1 on. Type ids stay.

    DATASEC           size and offsets from the section and symbol tables, variables in order of offset
    DATASEC name      any character but letters, digits, `_` and `.` becomes `_` (Linux 6.1 refuses others, btf_name_valid_section)
    DATASEC of what is not in the file (.ksyms, .kconfig), extern VAR and FUNC     an empty anonymous struct
    FUNC, hidden      static: it is verified where it is called, not on its own
    FUNC_PROTO of a FUNC, parameter without name        gets the name `_`
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import replace
from typing import final

from pybpfnf.image.btf import HEADER, MAGIC, TYPE, Btf, Kind, Type
from pybpfnf.image.objfile import ObjectFile, Section

_STATIC, _EXTERN = 0, 2  # BTF_FUNC_STATIC, BTF_FUNC_EXTERN; a VAR's linkage has the same number for extern
_REFUSED = re.compile(r"[^A-Za-z0-9_.]")


def fixup_datasec(btf: Btf, obj: ObjectFile) -> bytes:
    """The bytes that BPF_BTF_LOAD takes for this object's types."""
    fixer = _Fixer(btf, obj)
    types = [fixer.fixed(found) for found in btf.types[1:]]
    return _encode(types, btf.strings + bytes(fixer.added))


def variable_offset(obj: ObjectFile, section: Section, name: str, recorded: int) -> int:
    """Where a variable of BTF is: where the symbol of its name says, else where BTF does (statically linked objects)."""
    symbol = obj.named_symbols.get(name)
    return symbol.value if symbol is not None and symbol.section == section.index else recorded


@final
class _Fixer:
    def __init__(self, btf: Btf, obj: ObjectFile) -> None:
        self.btf = btf
        self.obj = obj
        self.added = bytearray()
        self.hidden = {name for name, symbol in obj.named_symbols.items() if symbol.hidden}
        self.signatures = {found.value for found in btf.types if found.kind is Kind.FUNC}

    def fixed(self, found: Type) -> Type:
        if found.kind is Kind.DATASEC:
            return self._datasec(found)
        if found.kind is Kind.VAR and found.trailer[0] == _EXTERN:
            return _empty(found)
        if found.kind is Kind.FUNC:
            if found.vlen == _EXTERN:
                return _empty(found)
            return replace(found, vlen=_STATIC) if found.name in self.hidden else found
        if found.id in self.signatures and found.kind is Kind.FUNC_PROTO:
            return self._signature(found)
        return found

    def _datasec(self, found: Type) -> Type:
        section = self.obj.section(found.name)
        variables = [self.btf.type(number) for number, _, _ in found.entries()]
        if section is None or not section.data or any(variable.kind is not Kind.VAR for variable in variables):
            return _empty(found)
        if found.value:  # linked statically: complete already
            return self._renamed(found)
        entries = [
            (number, variable_offset(self.obj, section, variable.name, offset), size)
            for variable, (number, offset, size) in zip(variables, found.entries(), strict=True)
        ]
        entries.sort(key=lambda entry: entry[1])
        return self._renamed(replace(found, value=len(section.data), trailer=_flat(entries)))

    def _renamed(self, found: Type) -> Type:
        name = _REFUSED.sub("_", found.name)
        return found if name == found.name else replace(found, name=name, name_offset=self._string(name))

    def _signature(self, found: Type) -> Type:
        """A last parameter of type 0 is the `...` of a variadic function and has no name."""
        unnamed = [name == 0 and number != 0 for name, number in found.entries()]
        if not any(unnamed):
            return found
        name_offset = self._string("_")
        entries = [(name_offset if lacks else name, number) for lacks, (name, number) in zip(unnamed, found.entries(), strict=True)]
        return replace(found, trailer=_flat(entries))

    def _string(self, text: str) -> int:
        offset = len(self.btf.strings) + len(self.added)
        self.added += text.encode() + b"\0"
        return offset


def _empty(found: Type) -> Type:
    """Something harmless that keeps the ids of the types after it."""
    return Type(found.id, Kind.STRUCT, "", 0, 0, False, 0)


def _flat(entries: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(word for entry in entries for word in entry)


def _encode(types: Iterable[Type], strings: bytes) -> bytes:
    body = bytearray()
    for found in types:
        body += TYPE.pack(found.name_offset, found.flag << 31 | found.kind << 24 | found.vlen, found.value)
        body += struct.pack(f"<{len(found.trailer)}I", *found.trailer)
    return HEADER.pack(MAGIC, 1, 0, HEADER.size, 0, len(body), len(body), len(strings)) + bytes(body) + strings
