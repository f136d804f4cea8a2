"""The emulated kernel around a running program: what helpers act on. One a session; `begin_run` makes it ready for a packet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address
from typing import final

from pybpfnf.abi.kernels import NEWEST, Kernel
from pybpfnf.abi.programs import PacketRights, ProgramType
from pybpfnf.records import dataclass
from pybpfnf.runner import Environment, FaultKind, Redirected
from pybpfnf.vm.chance import Chance
from pybpfnf.vm.dynptr import Dynptrs
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.ip import Address
from pybpfnf.vm.maps import VmMap
from pybpfnf.vm.memory import Handle, Memory, Region
from pybpfnf.vm.network import Described, Network
from pybpfnf.vm.skb import ContextRegion, KernelSkb, Skb
from pybpfnf.vm.timer import Timers

_PACKET_GAP_NS = 1_000_000  # from one packet to the next on the emulated clocks; within a run they stand still


@final
@dataclass(slots=True)
class SrhState:
    """`struct seg6_bpf_srh_state`, what the seg6 helpers remember of the SRH (include/net/seg6_local.h).

    `offset` is where it is in the packet, None after a decapsulation that left none. `hdrlen` is in bytes, without the
    first 8, and runs ahead of the header's own byte until the next validation.
    """

    offset: int | None = None
    hdrlen: int = 0
    valid: bool = False


@final
class Host:
    """`call` runs a subprogram with up to five arguments and gives its r0; the machine sets it."""

    def __init__(
        self, memory: Memory, maps: Mapping[str, VmMap], environment: Environment, program_type: ProgramType | None, kernel: Kernel = NEWEST
    ) -> None:
        self.memory = memory
        self.kernel = kernel
        self.maps = maps
        self.environment = environment
        self.network: Network = Described(environment)
        self.program_type = program_type
        self.random = Chance(environment.seed)
        self.call: Callable[[int, tuple[int, ...]], int] = _no_machine
        self.packets = 0
        self.starts: Mapping[str, int] = {}  # the first slot of each program that the run may go on in
        self.tail: int | None = None  # where to go on, after a tail call
        self.tail_calls = 0  # of this run
        self.lock: int | None = None  # the address of the spin lock that is held
        self.log: list[str] = []  # what the program said about this packet
        self.answer: tuple[str, int] | None = None  # the last helper that it called for this packet, and what that returned
        self.records: dict[int, tuple[Region, VmMap]] = {}  # reserved in a ring buffer, neither submitted nor discarded, by address
        self.chosen: tuple[int, int] | None = None  # the device, and flags, that `redirect` was called with
        self.chosen_all: tuple[int, ...] | None = None  # the devices of a map that each get a copy
        self.redirected: list[Redirected] = []  # what left by other devices, of this packet
        self.iterators: set[int] = set()  # addresses of those that have begun and are to be destroyed
        self.dynptrs = Dynptrs(memory)
        self.timers = Timers(memory)
        self.forward = 0  # nanoseconds that the clocks were put forward by
        self.srh = SrhState()
        self.sid: Address = IPv6Address(0)  # the function's own, or the destination that its route is for
        self.context: ContextRegion | None = None
        if program_type is not None:
            self.context = ContextRegion(program_type)
            memory.add(self.context)
        self._packet: Region | None = None
        self._kernel_skb: KernelSkb | None = None

    @property
    def skb(self) -> Skb:
        if self.context is None:
            raise GuestFault(FaultKind.HELPER, "a helper for packets is called by a program that has none")
        return self.context.skb

    @property
    def packet_region(self) -> Region | None:
        """Where programs find the packet's bytes; None between packets."""
        return self._packet

    @property
    def elapsed(self) -> int:
        """Nanoseconds since the session's first packet."""
        return self.elapsed_at(self.packets)

    def elapsed_at(self, packet: int) -> int:
        """The same at the packet of that number, the first being 1."""
        return max(0, packet - 1) * _PACKET_GAP_NS + self.forward

    @property
    def realtime(self) -> int:
        """CLOCK_REALTIME, nanoseconds since the Unix epoch."""
        return self.environment.clock_tai - self.environment.tai_offset + self.elapsed

    @property
    def now(self) -> int:
        """Nanoseconds since the router started."""
        return self.environment.clock_boot + self.elapsed

    def begin_packet(self, skb: Skb, sid: Address) -> None:
        assert self.context is not None
        self.context.skb = skb
        self.sid = sid
        self.packets += 1
        if self.environment.received is not None:
            skb.tstamp = self.realtime - self.environment.received
        self.log = []
        self.answer = None
        self.chosen, self.chosen_all = None, None
        self.redirected = []
        self.srh = SrhState()

    def begin_program(self) -> None:
        self.tail_calls, self.lock = 0, None
        self.iterators.clear()
        self.dynptrs.clear()

    def unfinished(self) -> str | None:
        """What the program would have to give back, at its end; None where it has nothing."""
        if self.lock is not None:
            return "a spin lock is held when the program ends"
        if self.records or self.dynptrs.held:
            return "a ring buffer record is neither submitted nor discarded"
        return "an iterator is not destroyed when the program ends" if self.iterators else None

    def kernel_context(self) -> int:
        """The address of the kernel's own structure behind the context."""
        if self._kernel_skb is None:
            self._kernel_skb = KernelSkb(self.skb)
            self.memory.add(self._kernel_skb)
        self._kernel_skb.skb = self.skb
        return self._kernel_skb.address

    def map_packet(self) -> None:
        """Give the packet a new address: pointers to where it was are stale from now on."""
        if self._packet is not None:
            self.memory.retire(self._packet, "the packet may have moved since it was taken; load data again after the helper")
        writable = self.program_type is not None and self.program_type.packet is PacketRights.READ_WRITE
        self._packet = Region("the packet", self.skb.data, writable=writable)
        self.skb.data_address = self.memory.add(self._packet)

    def end_packet(self) -> None:
        if self._packet is not None:
            self.memory.retire(self._packet, "the packet is gone")
            self._packet = None
        self.records.clear()
        self.memory.end_run()

    def packet_holds(self, address: int) -> bool:
        return self._packet is not None and address >> 32 == self._packet.address >> 32

    def map_at(self, address: int) -> VmMap:
        """The map whose handle this is."""
        region = self.memory.region(address)
        if isinstance(region, Handle) and isinstance(region.object, VmMap) and address == region.address:
            return region.object
        raise GuestFault(FaultKind.HELPER, f"expected a map and got {region.name}")


def _no_machine(slot: int, arguments: tuple[int, ...]) -> int:
    raise GuestFault(FaultKind.INSTRUCTION, f"there is no subprogram at slot {slot}")
