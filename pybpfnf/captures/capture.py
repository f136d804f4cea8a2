"""What a capture file gives, whatever its format; and reading bytes so that an error can say where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, final

from pybpfnf.abi.programs import ProgramType
from pybpfnf.captures.link import ETHERNET, LINK_TYPES, LinkType, NotIpv6, ipv6_packet
from pybpfnf.errors import InputError

LONGEST_RECORD = 262_144  # bytes; what tcpdump captures at most (MAXIMUM_SNAPLEN), so that a garbage length cannot fill the memory


@final
@dataclass(slots=True)  # not frozen, which would cost as much as reading it
class Record:
    """One captured frame.

    `index` counts from 0; `timestamp` is nanoseconds since the Unix epoch (0 where the file gives none); `frame` is what
    was captured, link header first. `packet` is the IPv6 packet in it, or None with the `reason`; `ipv4` is then the IPv4 packet, with
    what follows it in the frame, where it is one.
    """

    index: int
    timestamp: int
    link: LinkType
    frame: bytes
    packet: bytes | None
    reason: str | None
    header: bytes  # the link header, b"" without one
    ipv4: bytes | None = None
    is_cut: bool = False  # of which only the first bytes were captured

    def for_hook(self, row: ProgramType) -> bytes | None:
        """What a program of that type begins with: its IP packet, or for the hooks of devices the Ethernet frame; None where it is none."""
        if row.l2:
            return self.frame if self.link.number == ETHERNET and not self.is_cut else None
        return self.packet if self.packet is not None or row.name == "lwt_seg6local" else self.ipv4

    def why_not(self, row: ProgramType) -> str | None:
        """Why it is nothing for such a program."""
        if row.l2 and not self.is_cut:
            return f"a frame of link type {self.link.name}: {row.name} begins with an Ethernet header"
        return self.reason

    @classmethod
    def of(cls, index: int, timestamp: int, link: LinkType, frame: bytes, original: int) -> Record:
        """`original` is the frame's length on the wire, of which the capture may have only the first bytes."""
        if original > len(frame):
            return cls(index, timestamp, link, frame, None, f"only {len(frame)} of its {original} bytes were captured", b"", is_cut=True)
        found = ipv6_packet(link, frame)
        if isinstance(found, NotIpv6):
            at = found.ipv4_at
            header, ipv4 = (b"", None) if at is None else (frame[:at], frame[at:])
            return cls(index, timestamp, link, frame, None, found.reason, header, ipv4)
        start, packet = found
        return cls(index, timestamp, link, frame, packet, None, frame[:start])


@final
@dataclass(frozen=True, slots=True)
class Interface:
    """Where frames were captured: `ticks` a second in time stamps, that count from `offset` seconds after the epoch; `snaplen` 0 means no
    limit."""

    link: LinkType
    snaplen: int
    ticks: int
    offset: int

    def nanoseconds(self, ticks: int) -> int:
        return self.offset * 10**9 + ticks * 10**9 // self.ticks


class Capture(Protocol):
    """A capture file that is being read, record after record. Between two records `source` is where the next begins, and whoever knows the
    format may take records from there himself."""

    @property
    def source(self) -> Source: ...
    @property
    def in_blocks(self) -> bool:
        """pcapng's blocks, not pcap's records."""
        ...

    @property
    def big_endian(self) -> bool: ...
    @property
    def interfaces(self) -> Sequence[Interface]:
        """Those of the records that come, by their numbers; of pcapng more can follow."""
        ...

    def __iter__(self) -> Iterator[Record]: ...


_BLOCK = 1 << 16


class Stream(Protocol):
    """Where bytes come from: a file, a pipe, or a part of one."""

    def read(self, size: int, /) -> bytes: ...


class Source:
    """A stream read forward, that knows its name, the offset and which record is being read."""

    def __init__(self, stream: Stream, name: str) -> None:
        self.name = name
        self.record = 0  # index of the record being read; the file's own header comes before record 0
        self.offset = 0  # of the next byte
        # What is there, without waiting for more than that: packets of a pipe are run as they come.
        self._more: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
        self._ahead, self._used = b"", 0  # bytes read, and how many of them were taken

    @property
    def ahead(self) -> tuple[bytes, int]:
        """What has been read, and how much of it has been taken."""
        return self._ahead, self._used

    def read_ahead(self, size: int) -> bool:
        """Read `size` bytes more, or what there is; False at the end."""
        piece = self._more(size)
        self._ahead, self._used = self._ahead[self._used :] + piece, 0
        return bool(piece)

    def taken(self, position: int, records: int) -> None:
        """What is ahead has been dealt with up to there, and so many records in it."""
        self.offset += position - self._used
        self._used = position
        self.record += records

    def take(self, size: int, what: str) -> bytes:
        """Exactly `size` bytes; raises InputError where the file ends before."""
        data = self._read(size)
        if len(data) < size:
            raise self.error(f"the file ends inside {what} ({len(data)} of {size} bytes)", at=self.offset - len(data))
        return data

    def take_or_end(self, size: int, what: str) -> bytes | None:
        """Exactly `size` bytes, or None where the file ends before the first of them."""
        data = self._read(size)
        if len(data) < size and data:
            raise self.error(f"the file ends inside {what} ({len(data)} of {size} bytes)", at=self.offset - len(data))
        return data or None

    def skip(self, size: int, what: str) -> None:
        while size:
            size -= len(self.take(min(size, LONGEST_RECORD), what))

    def error(self, problem: str, *, at: int | None = None) -> InputError:
        return InputError(f"{self.name}: record {self.record}, offset {self.offset if at is None else at}: {problem}")

    def link_type(self, number: int) -> LinkType:
        link = LINK_TYPES.get(number)
        if link is None:
            known = ", ".join(f"{row.name} ({row.number})" for row in LINK_TYPES.values())
            raise InputError(f"{self.name}: link type {number} is not supported", hint=f"these are: {known}")
        return link

    def _read(self, size: int) -> bytes:
        """As much of `size` bytes as the stream has: a pipe may give less at a time."""
        while len(self._ahead) - self._used < size:
            piece = self._more(max(size, _BLOCK))
            if not piece:
                break
            self._ahead, self._used = self._ahead[self._used :] + piece, 0
        data = self._ahead[self._used : self._used + size]
        self._used += len(data)
        self.offset += len(data)
        return data
