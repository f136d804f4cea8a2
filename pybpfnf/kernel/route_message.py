"""A route exactly as the kernel says it, so that it can be put back as it was: rtnetlink's header and attributes, as bytes.

Encapsulations stand beside the next hop, or in each of several (RTA_MULTIPATH).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import final

from pybpfnf.kernel.links import Network, family_of
from pybpfnf.kernel.route_numbers import ENCAP_BPF, PROTOCOL
from pybpfnf.records import dataclass

# include/uapi/linux/rtnetlink.h, include/uapi/linux/lwtunnel.h
DST, OIF, GATEWAY, PRIORITY, MULTIPATH, CACHEINFO, TABLE, ENCAP_TYPE, ENCAP, NH_ID = 1, 4, 5, 6, 9, 12, 15, 21, 22, 30
BPF_PLACES = {1: "in", 2: "out", 3: "xmit"}  # LWT_BPF_IN, OUT, XMIT
_XMIT_HEADROOM = 4
_SEG6_LOCAL_ACTION, _SEG6_LOCAL_BPF = 1, 8  # include/uapi/linux/seg6_local.h
_END_BPF = 15  # SEG6_LOCAL_ACTION_END_BPF
_NESTED = 0x8000  # NLA_F_NESTED
_RTN_UNICAST = 1
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_PROG_FD, _PROG_NAME = 1, 2
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_ONLINK = 4  # RTNH_F_ONLINK: the one flag of a next hop that is configuration, not state
_HEADER = struct.Struct("=BBBBBBBBI")  # struct rtmsg
_NETLINK_HEADER = 16
_ATTRIBUTE = struct.Struct("=HH")
_NEXT_HOP = struct.Struct("=HBBi")  # struct rtnexthop
_EXPIRES = struct.Struct("=8xi")  # rta_expires of struct rta_cacheinfo

Attributes = tuple[tuple[int, bytes], ...]


@final
@dataclass(frozen=True, slots=True)
class RouteMessage:
    """`protocol`, `scope`, `type`: RTPROT_*, RT_SCOPE_*, RTN_*. Attributes by number, in the order in which they stand."""

    family: int
    length: int
    tos: int
    table: int
    protocol: int
    scope: int
    type: int
    flags: int
    attributes: Attributes

    @classmethod
    def decode(cls, answer: bytes) -> RouteMessage:
        """Of a netlink message with its header."""
        return cls.read(answer[_NETLINK_HEADER:])

    @classmethod
    def read(cls, payload: bytes) -> RouteMessage:
        family, length, _, tos, table, protocol, scope, kind, flags = _HEADER.unpack_from(payload)
        return cls(family, length, tos, table, protocol, scope, kind, flags, tuple(attributes_of(payload[_HEADER.size :])))

    def encode(self) -> bytes:
        """As a request takes it: without what is state of the kernel and no configuration."""
        header = _HEADER.pack(self.family, self.length, 0, self.tos, self.table, self.protocol, self.scope, self.type, self.flags & _ONLINK)
        return header + encoded((number, data) for number, data in self.attributes if number != CACHEINFO)

    def get(self, number: int) -> bytes | None:
        return next((data for each, data in self.attributes if each == number), None)

    def integer(self, number: int) -> int:
        """An attribute of 32 bits, 0 where it is not there."""
        return int.from_bytes(self.get(number) or b"", "little")

    @property
    def metric(self) -> int:
        return self.integer(PRIORITY)

    @property
    def expires(self) -> bool:
        """The kernel removes it by itself after a while."""
        cache = self.get(CACHEINFO)
        return cache is not None and _EXPIRES.unpack_from(cache)[0] != 0

    @property
    def encapsulation(self) -> tuple[int, bytes] | None:
        """Type and data of the first next hop's, None where it has none."""
        for attributes in (self.attributes, *(inner for _, inner in _next_hops(self.get(MULTIPATH) or b""))):
            found = dict(attributes)
            if ENCAP_TYPE in found and ENCAP in found:
                return int.from_bytes(found[ENCAP_TYPE], "little"), found[ENCAP]
        return None

    @property
    def devices(self) -> tuple[int, ...]:
        """The interface indexes of its next hops."""
        several = tuple(_NEXT_HOP.unpack(head)[3] for head, _ in _next_hops(self.get(MULTIPATH) or b""))
        return several or ((self.integer(OIF),) if self.get(OIF) else ())

    def encapsulated(self, encap: bytes, protocol: int, kind: int = ENCAP_BPF) -> RouteMessage:
        """The same route with an encapsulation at each next hop."""
        added = ((ENCAP_TYPE, kind.to_bytes(2, "little")), (ENCAP, encap))
        return self._changed(lambda attributes: (*attributes, *added), protocol)

    def bare(self, protocol: int) -> RouteMessage:
        """The same route without encapsulations."""
        return self._changed(lambda attributes: tuple(each for each in attributes if each[0] not in (ENCAP, ENCAP_TYPE)), protocol)

    def _changed(self, change: Callable[[Attributes], Attributes], protocol: int) -> RouteMessage:
        several = self.get(MULTIPATH)
        if several is None:
            return replace(self, protocol=protocol, attributes=change(self.attributes))
        changed = b"".join(_next_hop(head, change(attributes)) for head, attributes in _next_hops(several))
        attributes = tuple((number, changed if number == MULTIPATH else data) for number, data in self.attributes)
        return replace(self, protocol=protocol, attributes=attributes)


def plain_route(prefix: Network, table: int, *, index: int | None = None, gateway: bytes | None = None) -> RouteMessage:
    """A route of ours to the prefix, through the device of that index, a gateway, or both."""
    attributes = [(DST, prefix.network_address.packed)] if prefix.prefixlen else []
    attributes += [(GATEWAY, gateway)] if gateway is not None else []
    attributes += [(OIF, index.to_bytes(4, "little"))] if index is not None else []
    scope = _SCOPE_LINK if gateway is None and prefix.version == 4 else _SCOPE_UNIVERSE
    return RouteMessage(
        family_of(prefix), prefix.prefixlen, 0, table if table < 256 else 0, PROTOCOL, scope, _RTN_UNICAST, 0,
        (*attributes, (TABLE, table.to_bytes(4, "little"))),
    )  # fmt: skip


def programs_encap(programs: Iterable[tuple[str, int, str]], headroom: int | None) -> bytes:
    """The data of a `bpf` encapsulation: places, each with its program's descriptor and name."""
    places = {known: number for number, known in BPF_PLACES.items()}
    room = [] if headroom is None else [(_XMIT_HEADROOM, struct.pack("=I", headroom))]
    return encoded([*((places[place] | _NESTED, _program(fd, name)) for place, fd, name in programs), *room])


def bpf_encap(place: str, fd: int, name: str, headroom: int | None) -> bytes:
    """The data of a `bpf` encapsulation: one program, at "in", "out" or "xmit"."""
    return programs_encap([(place, fd, name)], headroom)


def end_bpf_encap(fd: int, name: str) -> bytes:
    """The data of a seg6local End.BPF encapsulation."""
    return encoded([(_SEG6_LOCAL_ACTION, struct.pack("=I", _END_BPF)), (_SEG6_LOCAL_BPF | _NESTED, _program(fd, name))])


def _program(fd: int, name: str) -> bytes:
    return encoded([(_PROG_FD, struct.pack("=I", fd)), (_PROG_NAME, name.encode() + b"\0")])


def bpf_program(encap: bytes) -> tuple[str, str] | None:
    """The place and the name of the first program of a `bpf` encapsulation; the kernel tells no more of it."""
    for number, data in attributes_of(encap):
        name = dict(attributes_of(data)).get(_PROG_NAME) if number in BPF_PLACES else None
        if name is not None:
            return BPF_PLACES[number], name.rstrip(b"\0").decode(errors="replace")
    return None


def end_bpf_program(encap: bytes) -> tuple[int, str] | None:
    """The id and the name of the program of a seg6local End.BPF encapsulation; in what the kernel tells, the attribute of the
    descriptor holds the id."""
    bpf = dict(attributes_of(encap)).get(_SEG6_LOCAL_BPF)
    if bpf is None:
        return None
    program = dict(attributes_of(bpf))
    return int.from_bytes(program.get(_PROG_FD, b""), "little"), program.get(_PROG_NAME, b"").rstrip(b"\0").decode(errors="replace")


def attributes_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, number = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield number & _TYPE_MASK, data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]


def encoded(attributes: Iterable[tuple[int, bytes]]) -> bytes:
    """Attributes as they stand in a message, each filled to 4 bytes."""
    whole = b""
    for number, data in attributes:
        length = _ATTRIBUTE.size + len(data)
        whole += (_ATTRIBUTE.pack(length, number) + data).ljust(_aligned(length), b"\0")
    return whole


def _next_hops(data: bytes) -> Iterator[tuple[bytes, Attributes]]:
    """Each next hop of several: its fixed part, and its attributes."""
    while len(data) >= _NEXT_HOP.size:
        length = _NEXT_HOP.unpack_from(data)[0]
        if length < _NEXT_HOP.size:
            return
        yield data[: _NEXT_HOP.size], tuple(attributes_of(data[_NEXT_HOP.size : length]))
        data = data[_aligned(length) :]


def next_hop(index: int, weight: int, attributes: Attributes) -> bytes:
    """One of several next hops, as MULTIPATH has them."""
    return _next_hop(_NEXT_HOP.pack(0, 0, weight - 1, index), attributes)


def _next_hop(head: bytes, attributes: Attributes) -> bytes:
    _, flags, weight, index = _NEXT_HOP.unpack(head)
    inner = encoded(attributes)
    return _NEXT_HOP.pack(_NEXT_HOP.size + len(inner), flags & _ONLINK, weight, index) + inner


def _aligned(length: int) -> int:
    return (length + 3) // 4 * 4
