"""The VM as a `runner.Runner`: an object's program with its maps, run on one packet after another."""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, final

from pybpfnf.abi.kernels import NEWEST, Kernel, kernel_named
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.errors import InputError
from pybpfnf.image import set_by_loader
from pybpfnf.image.meta import TAI_OFFSET_SYMBOL, TSTAMP_OFFSET_SYMBOL
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.image.needs import require_kernel
from pybpfnf.image.tails import reached_programs
from pybpfnf.runner import Environment, Event, Fault, FaultKind, MapAccess, Outcome
from pybpfnf.vm import ip, lwt, seg6, tc, xdp
from pybpfnf.vm.chance import Chance
from pybpfnf.vm.dst import Route
from pybpfnf.vm.engines import Engine, Engines
from pybpfnf.vm.events import EventMap
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.hooks import HANDED_OUT, Hook, InputPacket, RunProgram
from pybpfnf.vm.host import Host
from pybpfnf.vm.ip import Address
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.machine import Result
from pybpfnf.vm.map_types import MAP_CLASSES, make_map
from pybpfnf.vm.memory import Region, StackFrame
from pybpfnf.vm.native.files import FileBatch
from pybpfnf.vm.native.hook import Begun
from pybpfnf.vm.network import Network
from pybpfnf.vm.skb import TSTAMP_OFFSET, Skb
from pybpfnf.vm.tails import Chained, chain
from pybpfnf.vm.trace import Tracer

_HOOKS: Mapping[str, Hook] = {
    "lwt_seg6local": seg6.HOOK,
    "lwt_in": lwt.IN,
    "lwt_out": lwt.OUT,
    "lwt_xmit": lwt.XMIT,
    "xdp": xdp.HOOK,
    "sched_cls": tc.HOOK,
}
"""By program type."""


@final
class VmSession:
    """A `runner.Session`. Nothing outside the process is touched; closing it only ends its use."""

    def __init__(
        self,
        image: ObjectImage,
        program: ProgramImage,
        environment: Environment,
        tracer: Tracer | None = None,
        engine: Engine = Engine.AUTO,
        kernel: Kernel = NEWEST,
    ) -> None:
        if program.type is None or program.type not in _HOOKS:
            what = "says no program type" if program.type is None else f"is of type {program.type}"
            raise InputError(f"program {program.name!r} {what}; the VM runs {', '.join(_HOOKS)}", hint="name the type with --type")
        self._hook = _HOOKS[program.type]
        if kernel is not NEWEST:
            require_kernel(image, (program, *reached_programs(image, program)), kernel.name)
        image = set_by_loader(image, {TAI_OFFSET_SYMBOL: environment.tai_offset, TSTAMP_OFFSET_SYMBOL: TSTAMP_OFFSET})
        self._image = image
        self._program = program
        # A packet in pieces is known to the reference alone.
        self._engines = Engines(engine if environment.linear is None else Engine.REFERENCE, tracer)
        memory = self._engines.memory
        self._chained = chained = chain(program, reached_programs(image, program))
        needed = set(chained.program.map_names) | ({image.faults.map} if image.faults is not None else set())
        specs = {name: spec for name, spec in image.maps.items() if name in needed or spec.type in MAP_CLASSES}
        maps = {name: make_map(spec, memory, environment.cpus, environment.cpu) for name, spec in specs.items()}
        self._maps = maps
        self._host = Host(memory, maps, environment, PROGRAM_TYPES[program.type], kernel)
        self._host.starts = chained.starts
        self._engines.start(chained.program, self._host)
        self._executed = 0

    @property
    def image(self) -> ObjectImage:
        return self._image

    @property
    def program(self) -> ProgramImage:
        return self._program

    @property
    def chained(self) -> Chained:
        """For a tracer, whose slots are of this: the program, and those that it may go on in."""
        return self._chained

    @property
    def maps(self) -> Mapping[str, MapAccess]:
        return self._maps

    def run(self, packet: bytes) -> Outcome:
        try:
            skb, sid = self._hook.receive(packet, self._host.environment)
        except Drop as drop:
            return Outcome(None, None, False, reason=drop.reason, instructions=0, runs=0)
        return self._pass_through(skb, sid, self._run_program, self._fault_counts())

    def advance(self, nanoseconds: int) -> Fault | None:
        """Put the emulated clocks forward, and call the functions of timers whose time comes by then; the first fault among them."""
        self._host.forward += nanoseconds
        return self._engines.expire_timers()

    @property
    def environment(self) -> Environment:
        return self._host.environment

    @property
    def stacks(self) -> list[StackFrame]:
        """For a tracer, of the functions that run, the outermost first."""
        return self._engines.stacks

    @property
    def packet(self) -> bytes:
        """For a tracer, the packet's bytes as they are now."""
        return bytes(self._host.skb.data)

    @property
    def context(self) -> dict[str, int]:
        """For a tracer, what else there is of the packet as it is now, by the context's fields."""
        return {} if self._host.context is None else self._host.context.values()

    def name_of(self, address: int) -> str | None:
        """What lies at an address, with the offset in it; None where nothing does."""
        try:
            region = self._host.memory.region(address)
        except GuestFault:
            return None
        offset = address - region.address
        return f"{region.name}{f' + {offset}' if offset else ''}"

    @property
    def kernel(self) -> str:
        """The name of the kernel that it follows."""
        return self._host.kernel.name

    @property
    def chance(self) -> Chance:
        """Where the program's random numbers come from."""
        return self._host.random

    @property
    def realtime(self) -> int:
        """The time at which the next packet comes, in nanoseconds since 1970."""
        host = self._host
        return host.environment.clock_tai - host.environment.tai_offset + host.elapsed_at(host.packets + 1)

    def set_clock(self, realtime: int) -> None:
        """The next packet comes at that time, in nanoseconds since 1970; the other clocks move with it."""
        host = self._host
        host.forward = 0
        host.forward = realtime - self.realtime

    def pass_time(self, realtime: int) -> tuple[Fault | None, tuple[Event, ...]]:
        """It is that time, in nanoseconds since 1970, and no packet comes: the first fault of the functions of timers whose time has come,
        and their records."""
        host = self._host
        host.forward += realtime - (host.environment.clock_tai - host.environment.tai_offset + host.elapsed)
        fault = self._engines.expire_timers()
        return fault, self._events()

    @property
    def has_timers(self) -> bool:
        return self._engines.has_timers

    @property
    def next_timer(self) -> int | None:
        """When a timer's time comes, in nanoseconds since 1970; None where none runs."""
        environment, expires = self._host.environment, self._host.timers.first()
        return None if expires is None else environment.clock_tai - environment.tai_offset + expires - environment.clock_boot

    def run_many(self, packets: Sequence[bytes]) -> list[Outcome]:
        """As `run` on each in turn; where there are many, at once in machine code."""
        batch = self._engines.batch(len(packets), self._fault_counters())
        return [self.run(packet) for packet in packets] if batch is None else batch.run(packets, self.run, self.go_on)

    def files(self, size: int) -> FileBatch | None:
        """What runs a capture of so many bytes in machine code; None where packet after packet will do, or must."""
        return self._engines.files(size, self._fault_counters())

    def go_on(self, packet: bytes, begun: Begun) -> Outcome:
        """A packet of a batch, from where machine code has stopped."""
        skb, sid = self._hook.receive(packet, self._host.environment)
        runs = iter((lambda: self._resume(begun),))
        return self._pass_through(skb, sid, lambda: next(runs, self._run_program)(), begun.fault_counts())

    def _resume(self, begun: Begun) -> Result:
        """The hook has done what comes before the program; now the packet is as the program has left it so far."""
        host = self._host
        host.skb.data[:], host.skb.transport = begun.data, begun.transport
        host.srh = begun.srh
        if begun.routed:
            host.skb.dst = Route()
        host.memory.add(begun.stack)
        for _ in range(begun.moves):
            host.map_packet()
        result = self._engines.resume(begun)
        self._executed += result.instructions
        return result

    def step(self, skb: Skb, network: Network, environment: Environment, step: InputPacket) -> Outcome:
        """One stay of a packet of a router's at the program: `step` is what the hook does there."""
        self._host.network, self._host.environment = network, environment
        return self._pass_through(skb, ip.destination(skb.data, skb.protocol), self._run_program, self._fault_counts(), step)

    def _pass_through(
        self, skb: Skb, sid: Address, run_program: RunProgram, before: tuple[int, ...], input_packet: InputPacket | None = None
    ) -> Outcome:
        self._executed = 0
        self._host.begin_packet(skb, sid)
        late = self._engines.expire_timers()
        passage = (input_packet or self._hook.input_packet)(self._host, skb, run_program)
        self._host.end_packet()
        fault = passage.fault or self._fault_exit(before) or late
        return Outcome(
            verdict=passage.verdict,
            packet=passage.packet,
            forwarded=passage.packet is not None,
            reason=None if passage.reason is None else self._sentence(passage.reason, fault),
            fault=fault,
            events=self._events(),
            log=tuple(self._host.log),
            instructions=self._executed,
            runs=passage.runs,
            mark=passage.mark,
            redirected=tuple(self._host.redirected),
        )

    def _events(self) -> tuple[Event, ...]:
        """What programs have sent since it was asked last."""
        found = [(name, map_.read_records()) for name, map_ in self._maps.items() if isinstance(map_, EventMap)]
        return tuple(Event(name, data) for name, records in found for data in records)

    def close(self) -> None:
        """Nothing to give back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()

    def _run_program(self) -> Result:
        assert self._host.context is not None
        result = self._engines.run((self._host.context.address,))
        self._executed += result.instructions
        return result

    def _sentence(self, reason: str, fault: Fault | None) -> str:
        """Why a packet did not leave, with what is known of the place."""
        if fault is not None:
            return self._why(reason, fault)
        return self._program.dropped(reason) if reason == HANDED_OUT else reason

    def _why(self, reason: str, fault: Fault) -> str:
        """What the kernel said, where the fault is that a helper failed: such an exit follows the call at once."""
        if self._host.answer is None or not fault.message.endswith("failed"):
            return reason
        helper, status = self._host.answer
        error = errno.errorcode.get(-status)
        if error is None:
            return reason
        route = self._host.skb.dst
        detail = f": {route.reason}" if route is not None and route.error == status and route.reason is not None else ""
        return f"{helper} answered {status} ({error}){detail}"

    def _fault_counts(self) -> tuple[int, ...]:
        """The language's fault counters, by site; none where the object does not count."""
        faults = self._image.faults
        if faults is None:
            return ()
        value = self._maps[faults.map].lookup(bytes(4)) or b""
        return struct.unpack_from(f"<{len(faults.sites)}Q", value, faults.offset)

    def live_value(self, name: str) -> bytearray:
        """The bytes of the one value of a data section's map, which change as programs run."""
        return self._host.memory.region(self._maps[name].find(bytes(4))).data

    def _fault_counters(self) -> tuple[Region, int, int] | None:
        """The region that has the counters, their offset and size in it."""
        faults = self._image.faults
        if faults is None:
            return None
        place = self._maps[faults.map].find(bytes(4))
        return self._host.memory.region(place), faults.offset, 8 * len(faults.sites)

    def _fault_exit(self, before: tuple[int, ...]) -> Fault | None:
        """The first site whose counter moved."""
        faults = self._image.faults
        after = self._fault_counts()
        if faults is None or after == before:
            return None
        site = next(site for site in faults.sites if after[site.number] != before[site.number])
        return Fault(
            FaultKind.EXIT, site.message, file=site.file, line=site.line, column=site.column, site=site.number, callers=site.callers
        )


@final
class VmRunner:
    """A `runner.Runner` for the four lightweight-tunnel hooks, XDP and traffic control. `tracer` watches every session that it opens,
    which the reference engine runs then. `kernel` names the one that it follows, a row of `abi.kernels`; InputError for another."""

    name = "vm"

    def __init__(self, tracer: Tracer | None = None, engine: Engine = Engine.AUTO, kernel: str = NEWEST.name) -> None:
        self._tracer = tracer
        self._engine = engine
        self._kernel = kernel_named(kernel)

    def watched_by(self, tracer: Tracer) -> VmRunner:
        """One that follows the same kernel, with a tracer."""
        return VmRunner(tracer, self._engine, self._kernel.name)

    def open(self, image: ObjectImage, program: ProgramImage, environment: Environment) -> VmSession:
        """Raises InputError for a program of another type, or for maps that the VM does not have; CompileError for what the kernel lacks;
        SystemLacksError where the compiled engine is asked for and cannot be had."""
        return VmSession(image, program, environment, self._tracer, self._engine, self._kernel)
