"""The packet in the kernel's hands (`struct sk_buff`, `struct xdp_buff`), and a program's view of it (`struct __sk_buff`, `xdp_md`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from operator import attrgetter
from typing import final

from pybpfnf.abi.contexts import ContextField
from pybpfnf.abi.headers import ETHER_TYPES
from pybpfnf.abi.programs import ProgramType
from pybpfnf.records import dataclass
from pybpfnf.vm.dst import Route
from pybpfnf.vm.memory import Region, memory_fault


@final
@dataclass(slots=True)
class VlanTag:
    """A tag that is beside the frame, not in it; `protocol` is its EtherType."""

    protocol: int
    tci: int


@final
@dataclass(slots=True)
class XdpRoom:
    """Around an XDP frame and its metadata: the bytes `before` them, and how many there may be behind."""

    before: bytearray
    behind: int


@final
@dataclass(slots=True)
class Skb:
    """One packet. `data` runs from the IP header on, in the hooks of devices from the link-layer header. `transport` is the transport
    header's offset in it, which the kernel keeps for its own ends and does not always move with the packet. `protocol` is an EtherType;
    `ifindex` the device that the packet is on, `ingress_ifindex` the one that it came in by (None: the same). `csum_level`: how many
    checksums are known to be right, less one; -1 where none is (CHECKSUM_NONE)."""

    data: bytearray
    ifindex: int = 0
    mark: int = 0
    priority: int = 0
    transport: int = 40
    protocol: int = ETHER_TYPES["ipv6"]
    ingress_ifindex: int | None = None
    encapsulation: bool = False
    linear: int | None = None  # bytes of `data` that are in one piece; None: all
    gso_size: int = 0
    gso_segs: int = 0
    tstamp: int = 0  # when it came in, nanoseconds since the Unix epoch; 0: nobody has asked for that
    offloaded: bool = False  # its checksum is to be completed by a device (CHECKSUM_PARTIAL)
    mac: bytes = b""  # in front of `data` in the frame that it came in, where a router keeps it
    link: int = 0  # bytes of a link-layer header before the IP header, which `data` begins with then
    csum_level: int = -1
    cb: bytearray = field(default_factory=lambda: bytearray(20))
    dst: Route | None = None
    data_address: int = 0  # where programs find `data`; changes each time it moves
    # Of traffic control, and of what it reads and writes.
    pkt_type: int = 0
    hash: int = 0  # as a program has set it
    vlan: VlanTag | None = None
    queue_mapping: int = 0
    tc_index: int = 0
    tc_classid: int = 0
    wire_len: int = 0
    # Of XDP.
    meta: int = 0  # bytes of metadata, which `data` begins with then
    room: XdpRoom | None = None

    @property
    def headlen(self) -> int:
        """Bytes in one piece."""
        return len(self.data) if self.linear is None else min(self.linear, len(self.data))

    def pull(self, size: int) -> None:
        """`pskb_may_pull`: so many bytes are in one piece now, of a packet that has them."""
        if self.linear is not None:
            self.linear = max(self.linear, size)

    def push(self, header: bytes) -> None:
        """Bytes in front."""
        self.data[0:0] = header
        self.grow(len(header))

    def grow(self, size: int) -> None:
        """So many bytes more, or less, in the part that is in one piece."""
        if self.linear is not None:
            self.linear += size


_OF_16_BITS = frozenset({"tc_index", "tc_classid"})  # in the kernel; a program sees 32
_NO_QUEUE = 0xFFFF  # NO_QUEUE_MAPPING: this, and what is above it, is not stored


def _on_the_wire(ether_type: int) -> int:
    """As a load of what is in network byte order gives it."""
    return int.from_bytes(ether_type.to_bytes(2, "big"), "little")


_VALUES: Mapping[str, Callable[[Skb], int]] = {
    "len": lambda skb: len(skb.data),
    "protocol": lambda skb: _on_the_wire(skb.protocol),
    "vlan_present": lambda skb: int(skb.vlan is not None),
    "vlan_tci": lambda skb: 0 if skb.vlan is None else skb.vlan.tci,
    "vlan_proto": lambda skb: 0 if skb.vlan is None else _on_the_wire(skb.vlan.protocol),
    "ifindex": lambda skb: skb.ifindex,
    "ingress_ifindex": lambda skb: skb.ifindex if skb.ingress_ifindex is None else skb.ingress_ifindex,
    "mark": lambda skb: skb.mark,
    "priority": lambda skb: skb.priority,
    "gso_size": lambda skb: skb.gso_size,
    "gso_segs": lambda skb: skb.gso_segs,
    **{name: attrgetter(name) for name in ("pkt_type", "hash", "queue_mapping", "tc_index", "tc_classid", "tstamp", "wire_len")},
}
"""What a field reads as. All others read as 0: no socket, no NAPI instance, receive queue 0."""

_POINTERS: Mapping[str, Callable[[Skb], int]] = {
    "data_meta": lambda skb: skb.data_address,
    "data": lambda skb: skb.data_address + skb.meta,
    "data_end": lambda skb: skb.data_address + skb.headlen,
}
"""Fields of 32 bits whose loads the verifier turns into loads of a 64-bit pointer."""


TSTAMP_OFFSET = 32  # of `tstamp` in struct sk_buff, as Linux 6.18 has it


@final
class KernelSkb(Region):
    """`struct sk_buff`, of which the time stamp alone is there to be read."""

    plain = False
    __slots__ = ("skb",)

    def __init__(self, skb: Skb) -> None:
        super().__init__("the kernel's sk_buff", bytearray(), writable=False)
        self.skb = skb

    def load(self, offset: int, size: int) -> int:
        if (offset, size) != (TSTAMP_OFFSET, 8):
            raise memory_fault(f"read of {size} bytes at offset {offset} of {self.name}, of which the VM has only tstamp")
        return self.skb.tstamp

    def store(self, offset: int, size: int, value: int) -> None:
        raise memory_fault(f"write to {self.name}, which programs may only read")


@final
class ContextRegion(Region):
    """`struct __sk_buff` or `xdp_md`: rights by row, values computed (bpf_skb_is_valid_access, net/core/filter.c)."""

    plain = False
    __slots__ = ("_at", "_fields", "_type", "skb")

    def __init__(self, program_type: ProgramType) -> None:
        super().__init__("the context", bytearray())
        self._type = program_type.name
        self._fields = tuple(program_type.context.fields.values())
        self._at: dict[int, ContextField] = {byte: row for row in self._fields for byte in range(row.offset, row.offset + row.size)}
        self.skb = Skb(bytearray())

    def load(self, offset: int, size: int) -> int:
        row = self._row("read", offset, size)
        if self._type not in row.readable:
            raise memory_fault(f"read of {row.name}, which programs of type {self._type} may not read")
        if row.name in _POINTERS:
            if offset != row.offset or size != row.size:
                raise memory_fault(f"read of a part of {row.name}")
            return _POINTERS[row.name](self.skb)
        if row.name == "cb":
            start = offset - row.offset
            return int.from_bytes(self.skb.cb[start : start + size], "little")
        value = _VALUES[row.name](self.skb) if row.name in _VALUES else 0
        return (value >> (offset - row.offset) * 8) & ((1 << size * 8) - 1)

    def store(self, offset: int, size: int, value: int) -> None:
        row = self._row("write", offset, size)
        if self._type not in row.writable:
            raise memory_fault(f"write to {row.name}, which programs of type {self._type} may not write")
        if row.name == "cb":
            start = offset - row.offset
            self.skb.cb[start : start + size] = value.to_bytes(size, "little")
            return
        if size != row.size:
            raise memory_fault(f"write of {size} bytes to {row.name}, which has {row.size}")
        if row.name in _OF_16_BITS:
            value &= 0xFFFF
        if row.name != "queue_mapping" or value < _NO_QUEUE:
            setattr(self.skb, row.name, value)

    def values(self) -> dict[str, int]:
        """For a tracer: the numbers that programs of this type may read by themselves, EtherTypes in the host's byte order."""
        rows = (row for row in self._fields if self._type in row.readable and row.count == 1 and row.name not in _POINTERS)
        found = {row.name: (_VALUES[row.name](self.skb) if row.name in _VALUES else 0, row) for row in rows}
        return {name: _on_the_wire(value) if row.wire_order else value for name, (value, row) in found.items()}

    def _row(self, verb: str, offset: int, size: int) -> ContextField:
        first, last = self._at.get(offset), self._at.get(offset + size - 1)
        if first is None or last is None or offset % size:
            raise memory_fault(f"{verb} of {size} bytes at offset {offset} of the context, where there is no field of that size")
        if first is not last:
            raise memory_fault(f"{verb} of {size} bytes of the context across {first.name} and {last.name}")
        return first
