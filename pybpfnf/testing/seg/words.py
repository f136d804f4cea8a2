"""The words of a command between backticks, each with its place, and the values that they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, NetmaskValueError, ip_address, ip_network
from typing import TypeVar, final

from pybpfnf.records import dataclass
from pybpfnf.routes import LOCAL_TABLE, MAIN_TABLE, Network
from pybpfnf.testing.seg.cursor import Cursor, SegError

_TABLES = {"main": MAIN_TABLE, "local": LOCAL_TABLE, "default": 253}  # /etc/iproute2/rt_tables
_EVERYTHING: Mapping[int, Network] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}
T = TypeVar("T")
LARGEST = (1 << 32) - 1


@final
@dataclass(frozen=True, slots=True)
class Line:
    """A command's text, which begins at `start` of the file."""

    cursor: Cursor
    start: int
    text: str


@final
class Words:
    """The words of a line, taken from the left. Wrong values raise SegError at their word. `version`: the IP version that the line says its
    prefixes are of, None where it says none."""

    def __init__(self, line: Line, version: int | None = None) -> None:
        self.version = version
        self._line = line
        self._words = [(match.start(), match[0]) for match in re.finditer(r"\S+", line.text)]
        self._next = 0

    @property
    def here(self) -> str | None:
        """The word that comes next, None at the end."""
        return self._words[self._next][1] if self._next < len(self._words) else None

    @property
    def all(self) -> list[str]:
        return [word for _, word in self._words]

    @property
    def taken(self) -> int:
        return self._next

    def skip(self, count: int = 1) -> None:
        self._next += count

    def has(self, *words: str) -> bool:
        """Take the next word where it is one of these."""
        if self.here not in words:
            return False
        self._next += 1
        return True

    def take(self, what: str) -> str:
        word = self.here
        if word is None:
            raise self.error(f"expected {what}, and the line ends")
        self._next += 1
        return word

    def error(self, message: str, *, code: str = "seg-syntax", back: bool = False, hint: str | None = None) -> SegError:
        """What to raise at the next word, or with `back` at the one taken last."""
        index = self._next - back
        cursor = self._line.cursor
        if index < len(self._words):
            at, word = self._words[index]
            start, cursor.at = self._line.start + at, self._line.start + at + len(word)
        else:
            start = cursor.at = self._line.start + max(0, len(self._line.text.rstrip()) - 1)
            cursor.at += 1
        return cursor.error(message, code=code, start=start, hint=hint)

    def wrong(self, message: str, hint: str | None = None) -> SegError:
        """What to raise where the word taken last is no such value."""
        return self.error(message, code="seg-value", back=True, hint=hint)

    # ---------------------------------------------------------------------------------------------------- values

    def address(self) -> IPv6Address:
        return self._value(IPv6Address, "an IPv6 address")

    def any_address(self) -> IPv4Address | IPv6Address:
        return self._value(ip_address, "an address")

    def address_v4(self) -> IPv4Address:
        return self._value(IPv4Address, "an IPv4 address")

    def prefix(self) -> Network:
        """`default`, an address, or an address and a length; without bits behind the length. `default` is IPv4's, as in iproute2, where the
        line does not say."""
        if self.has("default", "all", "any"):
            return _EVERYTHING[self.version or 4]
        found = self._value(lambda text: ip_network(text, strict=False), "a prefix")
        if self.version not in (None, found.version):
            raise self.wrong(f"`{self._words[self._next - 1][1]}` is not an IPv{self.version} prefix")
        if ip_address(self._words[self._next - 1][1].partition("/")[0]) != found.network_address:
            raise self.wrong(f"this prefix has bits behind its length: the kernel takes {found}")
        return found

    def segments(self) -> tuple[IPv6Address, ...]:
        found = self._value(lambda text: tuple(IPv6Address(each) for each in text.split(",")), "IPv6 addresses divided by commas")
        if not found:
            raise self.wrong("no segments")
        return found

    def number(self, what: str, least: int = 0, largest: int = LARGEST) -> int:
        found = self._value(lambda text: int(text, 0), what)
        if not least <= found <= largest:
            raise self.wrong(f"{what} goes from {least} to {largest}")
        return found

    def table(self) -> int:
        """A table's number or one of the kernel's names."""
        if self.here in _TABLES:
            return _TABLES[self.take("a table")]
        return self.number("a routing table", least=1)

    def choice(self, what: str, among: list[str]) -> str:
        word = self.take(what)
        if word not in among:
            raise self.wrong(f"`{word}` is not {what}", hint=f"there are: {', '.join(among)}")
        return word

    def _value(self, make: Callable[[str], T], what: str) -> T:
        word = self.take(what)
        try:
            return make(word)
        except (AddressValueError, NetmaskValueError, ValueError):
            raise self.wrong(f"`{word}` is not {what}") from None
