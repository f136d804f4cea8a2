"""Sums of the Internet's checksums (RFC 1071), and mending a checksum for bytes that have changed (RFC 1624 section 3).

    checksum' = ~(~checksum + ~old + new)

in one's complement, on words as they lie in memory: such sums are right in either byte order.
"""

from __future__ import annotations

from typing import final

from pybpfnf.abi.checksums import Checksum
from pybpfnf.backend.building.frame import CONTEXT, Frame
from pybpfnf.records import dataclass

_NOT_MENDED = "the kernel refused to mend the checksum"
_WORD = 0xFFFF
# Flags of bpf_l4_csum_replace (include/uapi/linux/bpf.h). Without the first, the kernel leaves the checksum alone that a device is
# going to complete over the bytes as they are then (CHECKSUM_PARTIAL); with it, it changes the part that has the addresses.
_PSEUDO_HEADER, _ZERO_IS_NONE = 1 << 4, 1 << 5


@final
@dataclass(frozen=True, slots=True)
class Before:
    """The sum of `size` bytes before they were written, an i64, less what makes the difference positive."""

    pointer: str
    size: int
    total: str


def sum_before(frame: Frame, pointer: str, size: int) -> Before:
    return Before(pointer, size, _total(frame, pointer, size))


def difference(frame: Frame, before: Before, offset: int | str) -> str:
    """What the bytes at the pointer add to the sum more than before, 16 bits in an i64. `offset`: of the first from where the sum
    begins, a number or an i64; at an odd one, a word's bytes are exchanged."""
    w = frame.writer
    zeros = sum((1 << 8 * max(width, 2)) - 1 for _, width in _words(before.size))  # each a zero, in one's complement
    now = w.op("add", "i64", _total(frame, before.pointer, before.size), zeros)
    folded = fold(frame, w.op("sub", "i64", now, before.total))
    if isinstance(offset, int):
        return folded if offset % 2 == 0 else _turned(frame, folded, "8")
    return _turned(frame, folded, w.op("shl", "i64", w.op("and", "i64", offset, 1), 3))


def fold(frame: Frame, value: str) -> str:
    """An i64 below 2**48, its carries added to its low 16 bits."""
    w = frame.writer
    for _ in range(3):
        value = w.op("add", "i64", w.op("and", "i64", value, _WORD), w.op("lshr", "i64", value, 16))
    return value


def mend_here(frame: Frame, pointer: str, changed: str) -> None:
    """Mend the checksum at a pointer for what `difference` gave."""
    w = frame.writer
    before = w.op("xor", "i64", w.cast("zext", "i16", w.load("i16", pointer, 1), "i64"), _WORD)
    # One more zero, so that the sum is never the other one: as the kernel has it (include/net/checksum.h, csum_replace_by_diff).
    total = w.op("add", "i64", w.op("add", "i64", before, changed), _WORD)
    after = w.op("xor", "i64", fold(frame, total), _WORD)
    w.store("i16", w.cast("trunc", "i64", after, "i16"), pointer, 1)


def mend_upper(frame: Frame, row: Checksum, header: str, changed: str) -> None:
    """Mend the checksum of the upper-layer header at an i64 offset, for bytes in or behind that header."""
    offset = frame.writer.op("add", "i64", header, row.offset)
    _replace(frame, offset, changed, str(_ZERO_IS_NONE if row.optional else 0))


def mend_for_address(frame: Frame, checksum: str, is_optional: str, changed: str) -> None:
    """Mend the checksum at an i64 offset for an address of the packet; `is_optional`, an i64: 1 where zero stands for none."""
    w = frame.writer
    flags = w.op("or", "i64", w.op("mul", "i64", is_optional, _ZERO_IS_NONE), _PSEUDO_HEADER)
    _replace(frame, checksum, changed, flags)


def _replace(frame: Frame, offset: str, changed: str, flags: str) -> None:
    """With a size of 0, the helper takes a difference."""
    w = frame.writer
    place = w.cast("trunc", "i64", offset, "i32")
    arguments = (f"ptr {CONTEXT}", f"i32 {place}", "i64 0", f"i64 {changed}", f"i64 {flags}")
    frame.fault_if(w.icmp("ne", "i64", frame.call("l4_csum_replace", *arguments), 0), _NOT_MENDED)


def _total(frame: Frame, pointer: str, size: int) -> str:
    w = frame.writer
    total = "0"
    for start, width in _words(size):
        word = w.cast("zext", f"i{width * 8}", w.load(f"i{width * 8}", w.offset(pointer, start), 1), "i64")
        total = w.op("add", "i64", total, word)
    return total


def _words(size: int) -> list[tuple[int, int]]:
    """(start, width) of the words that so many bytes are: all start at an even byte, and a last one is filled with zeros."""
    words, start = [], 0
    while start < size:
        width = next(width for width in (4, 2, 1) if width <= size - start)
        words.append((start, width))
        start += width
    return words


def _turned(frame: Frame, word: str, bits: str) -> str:
    """16 bits in an i64, turned to the left."""
    w = frame.writer
    left = w.op("shl", "i64", word, bits)
    right = w.op("lshr", "i64", word, w.op("sub", "i64", 16, bits))
    return w.op("and", "i64", w.op("or", "i64", left, right), _WORD)
