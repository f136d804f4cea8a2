"""Context layouts: `struct __sk_buff` and `struct xdp_md` (include/uapi/linux/bpf.h) as each program type may use them.

Rights are those of net/core/filter.c: lwt_is_valid_access (one function for the four lightweight-tunnel types),
tc_cls_act_is_valid_access, xdp_is_valid_access.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class ContextField:
    """One field: `offset` and `size` in bytes, host byte order. `readable`/`writable` name program types (rows of `programs`).

    An access lies within one of the `count` elements of `size / count` bytes each. `wire_order`: the content keeps network
    byte order.
    """

    name: str
    offset: int
    size: int
    readable: frozenset[str]
    writable: frozenset[str]
    doc: str = ""
    count: int = 1
    wire_order: bool = False


@final
@dataclass(frozen=True, slots=True)
class Context:
    name: str  # "__sk_buff"
    size: int
    fields: Mapping[str, ContextField]

    def at(self, offset: int) -> ContextField | None:
        """The field that covers the byte at `offset`, None in padding and outside."""
        return next((field for field in self.fields.values() if field.offset <= offset < field.offset + field.size), None)


_NONE: frozenset[str] = frozenset()
_LWT = frozenset({"lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local"})
_TC = frozenset({"sched_cls"})
_XDP = frozenset({"xdp"})
_SKB = _LWT | _TC

_SK_BUFF_FIELDS = (
    ContextField("len", 0, 4, _SKB, _NONE, "Length of the packet in bytes; from the network header on in the lightweight-tunnel hooks."),
    ContextField("pkt_type", 4, 4, _SKB, _NONE, "Whom the frame is for: 0 this host, 1 all, 2 a group, 3 another host; 4 outgoing."),
    ContextField("mark", 8, 4, _SKB, _SKB, "Firewall mark, which routing rules can match."),
    ContextField("queue_mapping", 12, 4, _SKB, _TC, "Transmit queue."),
    ContextField("protocol", 16, 4, _SKB, _NONE, "EtherType, in network byte order in the low half.", wire_order=True),
    ContextField("vlan_present", 20, 4, _SKB, _NONE, "Whether a VLAN tag was taken off the frame."),
    ContextField("vlan_tci", 24, 4, _SKB, _NONE, "The VLAN tag taken off."),
    ContextField("vlan_proto", 28, 4, _SKB, _NONE, "EtherType of the VLAN tag, in network byte order.", wire_order=True),
    ContextField("priority", 32, 4, _SKB, _SKB, "Queueing priority."),
    ContextField("ingress_ifindex", 36, 4, _SKB, _NONE, "Device that the packet came in on, 0 when it was made here."),
    ContextField("ifindex", 40, 4, _SKB, _NONE, "Device that the packet is on now."),
    ContextField("tc_index", 44, 4, _SKB, _TC, "Traffic control's class index."),
    ContextField("cb", 48, 20, _SKB, _SKB, "Five words for the program's own use; zero at its start.", count=5),
    ContextField("hash", 68, 4, _SKB, _NONE, "Flow hash, 0 where it was not computed."),
    ContextField("tc_classid", 72, 4, _TC, _TC, "Traffic control's class."),
    ContextField("data", 76, 4, _SKB, _NONE, "Start of the packet; a load of 32 bits gives a pointer."),
    ContextField("data_end", 80, 4, _SKB, _NONE, "End of the packet's linear part; a load of 32 bits gives a pointer."),
    ContextField("napi_id", 84, 4, _SKB, _NONE, "NAPI instance that received the packet."),
    ContextField("family", 88, 4, _NONE, _NONE, "Address family of the socket."),
    ContextField("remote_ip4", 92, 4, _NONE, _NONE, "Peer's IPv4 address.", wire_order=True),
    ContextField("local_ip4", 96, 4, _NONE, _NONE, "Own IPv4 address.", wire_order=True),
    ContextField("remote_ip6", 100, 16, _NONE, _NONE, "Peer's IPv6 address.", count=4, wire_order=True),
    ContextField("local_ip6", 116, 16, _NONE, _NONE, "Own IPv6 address.", count=4, wire_order=True),
    ContextField("remote_port", 132, 4, _NONE, _NONE, "Peer's port.", wire_order=True),
    ContextField("local_port", 136, 4, _NONE, _NONE, "Own port."),
    ContextField("data_meta", 140, 4, _TC, _NONE, "Start of the metadata in front of the packet; a load of 32 bits gives a pointer."),
    ContextField("flow_keys", 144, 8, _NONE, _NONE, "Result of a flow dissector."),
    ContextField("tstamp", 152, 8, _TC, _TC, "Timestamp in nanoseconds."),
    ContextField("wire_len", 160, 4, _TC, _NONE, "Length on the wire with the headers that segmentation will add."),
    ContextField("gso_segs", 164, 4, _SKB, _NONE, "Number of segments that the packet stands for."),
    ContextField("sk", 168, 8, _SKB, _NONE, "The socket, or null."),
    ContextField("gso_size", 176, 4, _SKB, _NONE, "Payload bytes in each segment."),
    ContextField("tstamp_type", 180, 1, _TC, _NONE, "Clock that `tstamp` counts in."),
    ContextField("hwtstamp", 184, 8, _TC, _NONE, "Timestamp of the hardware."),
)

SK_BUFF = Context("__sk_buff", 192, {field.name: field for field in _SK_BUFF_FIELDS})

_XDP_FIELDS = (
    ContextField("data", 0, 4, _XDP, _NONE, "Start of the frame; a load of 32 bits gives a pointer."),
    ContextField("data_end", 4, 4, _XDP, _NONE, "End of the frame; a load of 32 bits gives a pointer."),
    ContextField("data_meta", 8, 4, _XDP, _NONE, "Start of the metadata in front of the frame; a load of 32 bits gives a pointer."),
    ContextField("ingress_ifindex", 12, 4, _XDP, _NONE, "Device that the frame came in on."),
    ContextField("rx_queue_index", 16, 4, _XDP, _NONE, "Receive queue."),
    ContextField("egress_ifindex", 20, 4, _NONE, _NONE, "Device that the frame leaves by; for programs of a device map only."),
)

XDP_MD = Context("xdp_md", 24, {field.name: field for field in _XDP_FIELDS})
