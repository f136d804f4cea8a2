"""What a test file says: packets as layers, commands, and tests. A value of None in a layer is `*`: anything."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias, final

from pybpfnf.abi.headers import SRH_FLAGS
from pybpfnf.diagnostics import Span
from pybpfnf.records import dataclass
from pybpfnf.routes import Route, Rule
from pybpfnf.runner import HmacKey

FLAG_LETTERS = {"P": SRH_FLAGS["protected"], "O": SRH_FLAGS["oam"], "A": SRH_FLAGS["alert"], "H": SRH_FLAGS["hmac"]}


@final
@dataclass(frozen=True, slots=True)
class Ip:
    """An IPv6 header, or one of IPv4 without options; `version` is 4 or 6, and that of the addresses."""

    source: IPv4Address | IPv6Address | None
    destination: IPv4Address | IPv6Address | None
    version: int = 6


@final
@dataclass(frozen=True, slots=True)
class Ethernet:
    """The header of a frame, whatever its addresses; the packet in it follows."""


@final
@dataclass(frozen=True, slots=True)
class Tlv:
    """As on the wire: the value is all that follows the length byte."""

    type: int
    value: bytes | None


@final
@dataclass(frozen=True, slots=True)
class Segments:
    """A Segment Routing Header. Segments stand as on the wire, the last hop first; `rest` is what of its TLV area is no TLV. `any_tlvs`:
    whatever TLVs follow those that are listed."""

    segments: tuple[IPv6Address | None, ...]
    left: int | None
    last_entry: int | None
    tag: int | None = 0
    flags: int | None = 0
    tlvs: tuple[Tlv, ...] = ()
    rest: bytes = b""
    any_tlvs: bool = False


@final
@dataclass(frozen=True, slots=True)
class Transport:
    """`protocol` is "UDP" or "TCP"."""

    protocol: str
    source_port: int | None = 0
    destination_port: int | None = 0


@final
@dataclass(frozen=True, slots=True)
class Payload:
    data: bytes | None


@final
@dataclass(frozen=True, slots=True)
class Other:
    """A header that files have no words for, met in a packet that came out: its Next Header value, and all that follows."""

    number: int
    data: bytes


Layer: TypeAlias = Ip | Ethernet | Segments | Transport | Payload | Other
Packet: TypeAlias = tuple[Layer, ...]

# ------------------------------------------------------------------------------------------------------- commands


@final
@dataclass(frozen=True, slots=True)
class AddDevice:
    name: str


@final
@dataclass(frozen=True, slots=True)
class ChangeRoute:
    """`verb` is add, append, replace, change or del."""

    verb: str
    route: Route


@final
@dataclass(frozen=True, slots=True)
class ChangeRule:
    """`verb` is add or del."""

    verb: str
    rule: Rule


@final
@dataclass(frozen=True, slots=True)
class ChangeAddress:
    """`verb` is add or del."""

    verb: str
    address: IPv6Address
    length: int
    device: str


@final
@dataclass(frozen=True, slots=True)
class SetTunnelSource:
    address: IPv6Address


@final
@dataclass(frozen=True, slots=True)
class SetHmac:
    number: int
    key: HmacKey


@final
@dataclass(frozen=True, slots=True)
class SetSysctl:
    """`name` without `net.`, its parts divided by slashes, as below /proc/sys/net."""

    name: str
    value: int


@final
@dataclass(frozen=True, slots=True)
class Shell:
    """A line that is not understood here: a shell's, where that is allowed."""

    line: str


Action: TypeAlias = AddDevice | ChangeRoute | ChangeRule | ChangeAddress | SetTunnelSource | SetHmac | SetSysctl | Shell

# -------------------------------------------------------------------------------------------------------- the file


@final
@dataclass(frozen=True, slots=True)
class Command:
    action: Action
    text: str
    span: Span
    source_line: str


@final
@dataclass(frozen=True, slots=True)
class Expectation:
    """A packet that comes out by `device` (None: by any)."""

    device: str | None
    packet: Packet


@final
@dataclass(frozen=True, slots=True)
class Case:
    """A packet in, and what must come out; None: whatever does, `()`: nothing (`< none`)."""

    name: str
    line: int
    packet: Packet
    expected: tuple[Expectation, ...] | None


Statement: TypeAlias = Command | Case


@final
@dataclass(frozen=True, slots=True)
class SegFile:
    path: str
    statements: tuple[Statement, ...]
