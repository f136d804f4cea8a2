"""bpf_trace_printk and bpf_trace_vprintk: the kernel's text of a format and its values.

What a format may have is in kernel/bpf/helpers.c, bpf_bprintf_prepare; how it becomes text in lib/vsprintf.c, bstr_printf.
"""

from __future__ import annotations

import errno
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import final

from pybpfnf.records import dataclass
from pybpfnf.vm.alu import U64, signed
from pybpfnf.vm.host import Host

_LONGEST = 1024  # MAX_BPRINTF_BUF, the zero at the end included
_MOST_VALUES = 12  # MAX_BPRINTF_VARARGS
_LONGEST_FORMAT_VALUES = 3  # of trace_printk
_TEXT = re.compile(rb"[\t-\r -~]*")  # isascii() and isprint() or isspace()
# A pointer to an address takes the letters and digits after it, without a trace.
_CONVERSION = re.compile(
    r"%(?:(?P<percent>%)|(?P<address>p[iI][46])[a-zA-Z0-9]*|(?P<flags>[0+\- ]*)(?P<width>[1-9]\d*)?"
    r"(?P<kind>c|s(?![a-zA-Z0-9])|p[KxsS](?![a-zA-Z0-9])|p(?![a-zA-Z0-9])|(?P<length>ll?)?[diuxX]))",
    re.ASCII,
)
_BITS = {None: 32, "l": 64, "ll": 64}
_WITH_PREFIX = frozenset("xX")


class _FormatError(Exception):
    """The kernel answers -EINVAL."""


def trace_printk(host: Host, text: bytes, size: int, *values: int) -> int:
    """Up to three values."""
    return _print(host, text, iter(values[:_LONGEST_FORMAT_VALUES]))


def trace_vprintk(host: Host, text: bytes, size: int, values: bytes, values_size: int) -> int:
    """Values in an array of u64."""
    if values_size % 8 or values_size > _MOST_VALUES * 8:
        return -errno.EINVAL
    return _print(host, text, iter(struct.unpack(f"<{values_size // 8}Q", values)))


def _print(host: Host, text: bytes, values: Iterator[int]) -> int:
    line, end, _ = text.partition(b"\0")
    if not end or not _TEXT.fullmatch(line):
        return -errno.EINVAL
    try:
        shown = _format(host, line.decode("ascii"), values)[: _LONGEST - 1]
    except _FormatError:
        return -errno.EINVAL
    host.log.append(shown)
    return len(shown)


def _format(host: Host, text: str, values: Iterator[int]) -> str:
    parts, at = [], 0
    while (start := text.find("%", at)) >= 0:
        match = _CONVERSION.match(text, start)
        if match is None:
            raise _FormatError
        parts += [text[at:start], _converted(host, match, values)]
        at = match.end()
    return "".join(parts) + text[at:]


def _converted(host: Host, match: re.Match[str], values: Iterator[int]) -> str:
    if match["percent"]:
        return "%"
    value = next(values, None)
    if value is None:
        raise _FormatError
    value &= U64
    if match["address"]:
        return _ADDRESSES[match["address"]](host, value)
    padding = _Padding.of(match["flags"], match["width"])
    kind = match["kind"][-1]
    if kind == "c":
        return padding.blank(chr(value & 0xFF))
    if kind == "s" and match["kind"] == "s":
        return padding.blank(_text_at(host, value))
    if match["kind"].startswith("p"):
        return padding.blank(format(value, "016x"))
    return padding.number(value, kind, _BITS[match["length"]])


@final
@dataclass(frozen=True, slots=True)
class _Padding:
    flags: str
    width: int

    @classmethod
    def of(cls, flags: str, width: str | None) -> _Padding:
        return cls(flags, int(width or 0))

    def blank(self, text: str) -> str:
        return text.ljust(self.width) if "-" in self.flags else text.rjust(self.width)

    def number(self, value: int, kind: str, bits: int) -> str:
        """Flags that do not go together: `-` is over `0`, and a sign is for signed numbers."""
        value &= (1 << bits) - 1
        if kind in _WITH_PREFIX:
            digits, sign = format(value, kind), ""
        elif kind == "u":
            digits, sign = str(value), ""
        else:
            number = signed(value, bits)
            plus = "+" if "+" in self.flags else " " if " " in self.flags else ""
            digits, sign = str(abs(number)), "-" if number < 0 else plus
        if "0" in self.flags and "-" not in self.flags:
            return sign + digits.rjust(self.width - len(sign), "0")
        return self.blank(sign + digits)


def _text_at(host: Host, address: int) -> str:
    octets = bytearray()
    while (octet := host.memory.load(address + len(octets), 1)) != 0:
        octets.append(octet)
    return octets.decode("ascii", errors="replace")


def _plain_ipv4(host: Host, address: int) -> str:
    return ".".join(f"{octet:03}" for octet in host.memory.read(address, 4))


_ADDRESSES: Mapping[str, Callable[[Host, int], str]] = {
    "pI4": lambda host, address: str(IPv4Address(host.memory.read(address, 4))),
    "pi4": _plain_ipv4,
    "pI6": lambda host, address: IPv6Address(host.memory.read(address, 16)).exploded,
    "pi6": lambda host, address: host.memory.read(address, 16).hex(),
}
