"""Capture files: reading pcap and pcapng one record at a time, writing pcap.

Classic pcap is draft-ietf-opsawg-pcap, in either byte order, with micro- or nanoseconds. pcapng is in `pcapng`, link types in `link`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, final

from pybpfnf.captures.capture import LONGEST_RECORD, Capture, Interface, Record, Source, Stream
from pybpfnf.captures.link import LINK_TYPES, RAW_IP, LinkType
from pybpfnf.captures.pcapng import MAGIC as PCAPNG_MAGIC
from pybpfnf.captures.pcapng import Pcapng
from pybpfnf.errors import InputError

# First four bytes of a file: byte order, and nanoseconds in one unit of a time stamp's second half.
_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
HEADER_SIZE = 24  # of a file
_RECORD = struct.Struct("<IIII")  # as we write them
_LINK_TYPE_BITS = 0xFFFF  # above them: the length of a frame check sequence, which ip6_rcv cuts off with the padding


def read_capture(stream: Stream, name: str) -> Capture:
    """The records of a capture, in constant memory. `name` is for errors.

    Raises InputError, at once or while iterating, for anything that is not a whole capture, with record and offset.
    """
    source = Source(stream, name)
    magic = source.take_or_end(4, "the file header")
    if magic is None:
        raise InputError(f"{name} is empty", hint="give a capture in pcap or pcapng format")
    if magic == PCAPNG_MAGIC:
        return Pcapng.of_file(source)
    if magic not in _MAGICS:
        raise InputError(f"{name} is not a capture: it begins with {magic.hex(' ')}", hint="give a file in pcap or pcapng format")
    order, unit = _MAGICS[magic]
    header = source.take(20, "the file header")
    major, _minor, _zone, _accuracy, _snaplen, network = struct.unpack(f"{order}HHiIII", header)
    if major != 2:
        raise source.error(f"pcap version {major} is not known", at=4)
    return Pcap(source, order, unit, source.link_type(network & _LINK_TYPE_BITS))


@final
class Pcap:
    """The records of a file whose header has been read; `unit` is nanoseconds in one of a time stamp's second half."""

    in_blocks = False

    def __init__(self, source: Source, order: str, unit: int, link: LinkType) -> None:
        self.source = source
        self.big_endian = order == ">"
        self.interfaces = (Interface(link, 0, 10**9 // unit, 0),)
        self._order, self._unit = order, unit

    def __iter__(self) -> Iterator[Record]:
        source, unit, link = self.source, self._unit, self.interfaces[0].link
        parse = struct.Struct(f"{self._order}IIII").unpack
        while (head := source.take_or_end(16, "a record's header")) is not None:
            seconds, fraction, captured, original = parse(head)
            if captured > LONGEST_RECORD:
                raise source.error(f"a record of {captured} bytes is longer than any packet", at=source.offset - 16)
            frame = source.take(captured, "a record")
            record = Record.of(source.record, seconds * 10**9 + fraction * unit, link, frame, original)
            source.record += 1
            yield record


@final
class Writer:
    """Writes a pcap file with nanoseconds, little-endian: the same records, the same bytes. The caller closes the stream.

    The link type is that of the first record; `finish` makes an empty capture where there was none.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._link: LinkType | None = None
        self.first = 0  # the index of the first record that was written

    def write(self, record: Record, packet: bytes, *, whole: bool = False) -> None:
        """`packet`, with the record's link header before it (of the packet's IP version), at the record's time. `whole`: it is a frame,
        with its own link header."""
        self._check(record.link, record.index)
        seconds, nanoseconds = divmod(record.timestamp, 10**9)
        if not 0 <= seconds < 1 << 32:
            raise InputError(f"the time of packet {record.index} does not fit in a pcap file ({seconds} seconds since 1970)")
        frame = packet if whole else record.link.header_for(record.header, packet) + packet
        self._stream.write(_RECORD.pack(seconds, nanoseconds, len(frame), len(frame)) + frame)

    @property
    def link(self) -> LinkType | None:
        """That of the records so far; None before the first."""
        return self._link

    def write_records(self, link: LinkType, records: memoryview, *, first: int) -> None:
        """Records that are as `write` makes them, of frames with that link header, from the record with the index `first` on."""
        self._check(link, first)
        self._stream.write(records)

    def finish(self, link: LinkType | None = None) -> None:
        """After the last record; `link` is for a capture without any (raw IP when not given)."""
        if self._link is None:
            self._begin(link or LINK_TYPES[RAW_IP])

    def _check(self, link: LinkType, index: int) -> None:
        if self._link is None:
            self.first = index
            self._begin(link)
        elif self._link is not link and self._link != link:
            raise InputError(
                f"packet {index} has link type {link.name}, those before it {self._link.name}; one pcap file has one",
                hint="write captures of several interfaces one at a time",
            )

    def _begin(self, link: LinkType) -> None:
        self._link = link
        self._stream.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, LONGEST_RECORD, link.number))
