"""What a packet of every hook has beside its bytes: fields of `__sk_buff`, rows of `abi.contexts`."""

from __future__ import annotations

from pybpfnf.dsl.surface.definitions import only_compiled
from pybpfnf.dsl.surface.scalars import u32, u64
from pybpfnf.dsl.surface.views import ViewedPacket


class ContextPacket(ViewedPacket):
    """`mark` and `priority` can be written."""

    mark: u32
    priority: u32

    @property
    def len(self) -> u32:
        """Bytes of the packet, from its IP header on."""
        only_compiled("a packet")

    @property
    def received(self) -> u64:
        """When the packet came in: nanoseconds since the Unix epoch, as `realtime()` counts them, by the kernel's stamp on it. 0 where
        it has none: while no socket asks for such stamps (SO_TIMESTAMPING with SOF_TIMESTAMPING_RX_SOFTWARE), and before Linux 6.2."""
        only_compiled("a packet")

    @property
    def pkt_type(self) -> u32:
        """Whom the frame is for: 0 this host, 1 all, 2 a group, 3 another host."""
        only_compiled("a packet")

    @property
    def queue_mapping(self) -> u32:
        """The queue."""
        only_compiled("a packet")

    @property
    def protocol(self) -> u32:
        """The EtherType of what follows the link-layer header: 0x86DD for IPv6, 0x0800 for IPv4."""
        only_compiled("a packet")

    @property
    def vlan_present(self) -> u32:
        """1 where a VLAN tag was taken off, else 0."""
        only_compiled("a packet")

    @property
    def vlan_tci(self) -> u32:
        """The VLAN tag that was taken off."""
        only_compiled("a packet")

    @property
    def vlan_proto(self) -> u32:
        """The EtherType of that tag: 0x8100, or 0x88A8."""
        only_compiled("a packet")

    @property
    def ingress_ifindex(self) -> u32:
        """The device that the packet came in on."""
        only_compiled("a packet")

    @property
    def ifindex(self) -> u32:
        """The device that the packet is on."""
        only_compiled("a packet")

    @property
    def tc_index(self) -> u32:
        """Traffic control's class index."""
        only_compiled("a packet")

    @property
    def hash(self) -> u32:
        """The flow hash, 0 where the kernel has computed none."""
        only_compiled("a packet")

    @property
    def napi_id(self) -> u32:
        """The NAPI instance that received the packet."""
        only_compiled("a packet")

    @property
    def gso_segs(self) -> u32:
        """Segments that the packet stands for."""
        only_compiled("a packet")

    @property
    def gso_size(self) -> u32:
        """Payload bytes in each segment."""
        only_compiled("a packet")
