"""A capture file in parts that can be read each by itself: found in one pass over the records' lengths, without a look at packets."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, final

from pybpfnf.captures.capture import LONGEST_RECORD, Capture, Interface, Source
from pybpfnf.captures.link import LINK_TYPES
from pybpfnf.captures.pcap import Pcap, read_capture
from pybpfnf.captures.pcapng import ENHANCED_PACKET, Pcapng
from pybpfnf.errors import InputError
from pybpfnf.records import dataclass

_BLOCK = 1 << 20


@final
@dataclass(frozen=True, slots=True)
class Cut:
    """Records of a file from `offset` to `end` (None: to the file's end), the first of which has the number `record`; and what is known of
    the file there. `interfaces` as numbers: link type, longest frame, ticks a second, offset in seconds."""

    offset: int
    end: int | None
    record: int
    in_blocks: bool
    big_endian: bool
    interfaces: tuple[tuple[int, int, int, int], ...]


def cuts(stream: BinaryIO, name: str, size: int) -> Iterator[Cut]:
    """Parts of about `size` bytes, in order. What is wrong in the file is in the last of them, for its reader to report.

    Raises InputError for what does not begin as a capture."""
    capture = read_capture(stream, name)
    source, begin = capture.source, _here(capture)
    is_right = True
    while is_right and source.read_ahead(_BLOCK):
        is_right = _skip(capture)
        if is_right and source.offset - begin.offset >= size:
            yield _ended(begin, source.offset)
            begin = _here(capture)
    yield begin


def read_cut(stream: BinaryIO, path: Path, cut: Cut) -> Capture:
    """The records of a part. `stream` is the file's; errors name the place in the whole file."""
    stream.seek(cut.offset)
    source = Source(stream if cut.end is None else _Until(stream, cut.end - cut.offset), str(path))
    source.offset, source.record = cut.offset, cut.record
    interfaces = [Interface(LINK_TYPES[link], *numbers) for link, *numbers in cut.interfaces]
    order = ">" if cut.big_endian else "<"
    if cut.in_blocks:
        return Pcapng(source, order, interfaces)
    return Pcap(source, order, 10**9 // interfaces[0].ticks, interfaces[0].link)


def _here(capture: Capture) -> Cut:
    interfaces = tuple((each.link.number, each.snaplen, each.ticks, each.offset) for each in capture.interfaces)
    return Cut(capture.source.offset, None, capture.source.record, capture.in_blocks, capture.big_endian, interfaces)


def _ended(cut: Cut, end: int) -> Cut:
    return Cut(cut.offset, end, cut.record, cut.in_blocks, cut.big_endian, cut.interfaces)


def _skip(capture: Capture) -> bool:
    """Go to the end of the whole records that have been read ahead; what needs a closer look is read. False at the end, and where something
    is wrong."""
    source, records = capture.source, iter(capture)
    order = ">" if capture.big_endian else "<"
    while True:
        source.taken(*(_skip_blocks if capture.in_blocks else _skip_records)(*source.ahead, order))
        data, position = source.ahead
        if len(data) - position < 12 or _is_begun(data, position, capture):
            return True
        try:
            if next(records, None) is None:
                return False
        except InputError:
            return False
        order = ">" if capture.big_endian else "<"


def _is_begun(data: bytes, position: int, capture: Capture) -> bool:
    """Whether a usual record begins there, and only its end is missing."""
    order: Literal["big", "little"] = "big" if capture.big_endian else "little"
    first, second, third = (int.from_bytes(data[at : at + 4], order) for at in range(position, position + 12, 4))
    left = len(data) - position
    if capture.in_blocks:
        return first == ENHANCED_PACKET and left < second <= LONGEST_RECORD
    return left < 16 + third <= 16 + LONGEST_RECORD


def _skip_records(data: bytes, position: int, order: str) -> tuple[int, int]:
    """The position after the whole pcap records from that position on, and how many they are."""
    length_at = struct.Struct(f"{order}I").unpack_from
    end, count = len(data) - 16, 0
    while position <= end:
        (size,) = length_at(data, position + 8)
        if size > LONGEST_RECORD or position + size > end:
            break
        position += 16 + size
        count += 1
    return position, count


def _skip_blocks(data: bytes, position: int, order: str) -> tuple[int, int]:
    """The same of enhanced packet blocks."""
    head_at, number_at = struct.Struct(f"{order}II").unpack_from, struct.Struct(f"{order}I").unpack_from
    end, count = len(data), 0
    while position + 32 <= end:
        kind, size = head_at(data, position)
        if kind != ENHANCED_PACKET or size < 32 or size % 4 or size > LONGEST_RECORD or position + size > end:
            break
        if number_at(data, position + size - 4)[0] != size or number_at(data, position + 20)[0] > size - 32:
            break
        position += size
        count += 1
    return position, count


@final
class _Until:
    """The next bytes of a stream, and no more."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._left = stream, size

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        return data
