"""Reading pcapng (draft-ietf-opsawg-pcapng): sections of either byte order, several interfaces, packets in three kinds of block.

Writing is classic pcap only (`pcap`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import final

from pybpfnf.captures.capture import LONGEST_RECORD, Interface, Record, Source

MAGIC = b"\x0a\x0d\x0d\x0a"  # block type of a section header, a palindrome
ENHANCED_PACKET = 6
_INTERFACE, _OBSOLETE_PACKET, _SIMPLE_PACKET = 1, 2, 3
_OPTION_END, _OPTION_TSRESOL, _OPTION_TSOFFSET = 0, 9, 14
_LONGEST_BLOCK = LONGEST_RECORD + 65_536  # a packet with its options


@final
class Pcapng:
    """The records of a section, and of those that follow; in the file's byte order, `<` or `>`."""

    in_blocks = True

    def __init__(self, source: Source, order: str, interfaces: Iterable[Interface] = ()) -> None:
        """`interfaces`: of the part of the section that has been read."""
        self.source = source
        self.interfaces: list[Interface] = list(interfaces)
        self._order = order

    @classmethod
    def of_file(cls, source: Source) -> Pcapng:
        """Of one whose first four bytes, MAGIC, have been read."""
        capture = cls(source, "")
        capture._begin_section()
        return capture

    @property
    def big_endian(self) -> bool:
        return self._order == ">"

    def __iter__(self) -> Iterator[Record]:
        source = self.source
        while (head := source.take_or_end(4, "a block's type")) is not None:
            if head == MAGIC:
                self._begin_section()
                continue
            (kind,) = struct.unpack(f"{self._order}I", head)
            size = self._size(source.take(4, "a block's length")) - 12
            if kind not in (_INTERFACE, _OBSOLETE_PACKET, _SIMPLE_PACKET, ENHANCED_PACKET):
                source.skip(size, "a block")
                self._end_block(size + 12)
                continue
            if size > _LONGEST_BLOCK:
                raise source.error(f"a block of {size} bytes is longer than any packet", at=source.offset - 8)
            start = source.offset
            body = source.take(size, "a block")
            self._end_block(size + 12)
            try:
                if kind == _INTERFACE:
                    self.interfaces.append(self._interface(body))
                    continue
                record = self._packet(kind, body)
            except struct.error:
                raise source.error(f"a block of {size} bytes is too short for its kind ({kind})", at=start) from None
            source.record += 1
            yield record

    def _begin_section(self) -> None:
        """The rest of a section header block: it sets the byte order, and interfaces count anew."""
        head = self.source.take(8, "a section header")
        orders = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
        order = orders.get(head[4:])
        if order is None:
            raise self.source.error("a section header without its byte-order magic", at=self.source.offset - 4)
        self._order = order
        self.interfaces = []
        size = self._size(head[:4])
        if size < 28:
            raise self.source.error(f"a section header of {size} bytes is too short", at=self.source.offset - 8)
        major, _minor = struct.unpack(f"{order}HH", self.source.take(4, "a section header"))
        if major != 1:
            raise self.source.error(f"pcapng version {major} is not known", at=self.source.offset - 4)
        self.source.skip(size - 20, "a section header")
        self._end_block(size)

    def _size(self, data: bytes) -> int:
        (size,) = struct.unpack(f"{self._order}I", data)
        if size < 12 or size % 4:
            raise self.source.error(f"a block's length is {size}; it is a multiple of 4, and at least 12", at=self.source.offset - 4)
        return int(size)

    def _end_block(self, size: int) -> None:
        (again,) = struct.unpack(f"{self._order}I", self.source.take(4, "a block's second length"))
        if again != size:
            raise self.source.error(f"a block's two lengths differ ({size} and {again})", at=self.source.offset - 4)

    def _interface(self, body: bytes) -> Interface:
        link, _reserved, snaplen = struct.unpack_from(f"{self._order}HHI", body)
        ticks, offset = 10**6, 0
        for code, value in self._options(body[8:]):
            if code == _OPTION_TSRESOL and len(value) == 1:
                ticks = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
            if code == _OPTION_TSOFFSET and len(value) == 8:
                (offset,) = struct.unpack(f"{self._order}q", value)
        return Interface(self.source.link_type(link), snaplen, ticks, offset)

    def _options(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        while len(data) >= 4:
            code, size = struct.unpack_from(f"{self._order}HH", data)
            if code == _OPTION_END:
                return
            yield code, data[4 : 4 + size]
            data = data[4 + (size + 3) // 4 * 4 :]

    def _packet(self, kind: int, body: bytes) -> Record:
        index = self.source.record
        if kind == _SIMPLE_PACKET:
            (original,) = struct.unpack_from(f"{self._order}I", body)
            interface = self._interface_at(0)
            captured = min(original, len(body) - 4, interface.snaplen or original)
            return Record.of(index, 0, interface.link, body[4 : 4 + captured], original)
        # The obsolete packet block has a 16-bit interface and 16 bits of drops where the enhanced one has 32 bits of interface.
        layout = "IIIII" if kind == ENHANCED_PACKET else "HxxIIII"
        number, high, low, captured, original = struct.unpack_from(self._order + layout, body)
        if captured > len(body) - 20:
            raise self.source.error(f"a packet of {captured} bytes is longer than its block")
        interface = self._interface_at(number)
        return Record.of(index, interface.nanoseconds(high << 32 | low), interface.link, body[20 : 20 + captured], original)

    def _interface_at(self, number: int) -> Interface:
        if number >= len(self.interfaces):
            raise self.source.error(f"a packet of interface {number}, which the section does not describe")
        return self.interfaces[number]
