"""Programs run by the kernel itself: a real route in a private namespace, real packets in and out.

BPF_PROG_TEST_RUN answers ENOTSUPP for lwt_seg6local, and routes nothing for the others, so this
is how the kernel runs one packet and shows what became of it.
`docs/runners.md` says what of an Environment holds here, what is compared with the VM, and what the kernel hides.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address, ip_network
from types import TracebackType
from typing import Self, final

from pybpfnf.abi.headers import ETHER_TYPES
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.errors import InternalError
from pybpfnf.image.model import FaultCounters, ObjectImage, ProgramImage
from pybpfnf.kernel import wrapper
from pybpfnf.kernel.bpf import Fd
from pybpfnf.kernel.cpus import checked_cpu, on_cpu
from pybpfnf.kernel.drop_reasons import DropReasons, drop_reasons
from pybpfnf.kernel.hook_routes import HOOK_ROUTES, RouteOf
from pybpfnf.kernel.info import statistics
from pybpfnf.kernel.links import DELROUTE, MAIN_TABLE, NEWROUTE, Network
from pybpfnf.kernel.load import program_type
from pybpfnf.kernel.netlink import CREATE, EXCL, NetlinkError, explained
from pybpfnf.kernel.router import Router
from pybpfnf.kernel.stamps import receive_stamps
from pybpfnf.kernel.trial_session import TrialSession
from pybpfnf.kernel.watched import watched
from pybpfnf.runner import Environment, Fault, FaultKind, Outcome, Session

_REDIRECT = PROGRAM_TYPES["lwt_xmit"].verdicts["REDIRECT"]
_COUNTER_SIZE = 8
_KEY = bytes(4)


@final
class KernelRunner:
    """Runs in the kernel. `exact` loads a program's bytes as they are: neither verdict nor changes of the mark are known then,
    only what leaves the router and how often the program ran; without it, a wrapper calls the program (pybpfnf.kernel.wrapper)."""

    name = "kernel"

    def __init__(self, *, exact: bool = False) -> None:
        self._exact = exact

    def open(self, image: ObjectImage, program: ProgramImage, environment: Environment) -> Session:
        """Load the program and build its router; for a hook of devices, which has test runs, a device. Raises what `load_program` does,
        and SystemLacksError for no such routes."""
        if program_type(program).l2:
            return TrialSession(image, program, environment, exact=self._exact)
        return KernelSession(image, program, environment, exact=self._exact)


@final
class KernelSession:
    """One loaded program on its router, until closed."""

    def __init__(self, image: ObjectImage, program: ProgramImage, environment: Environment, *, exact: bool) -> None:
        self._hook = HOOK_ROUTES[program_type(program).name]
        self.image = image
        self.program = program
        self._cpu = checked_cpu(environment.cpu)
        self._mark = environment.mark
        with ExitStack() as stack:
            self._watched = stack.enter_context(watched(image, program, exact=exact, fields=("mark",)))
            self.maps = self._watched.maps
            self._router = stack.enter_context(Router(environment))
            if exact:
                stack.enter_context(statistics())
            if environment.received is not None:
                stack.enter_context(receive_stamps())
            self._binding = _Binding(self._router, self._hook.route_of, self._watched.loaded.fd, program.name)
            self._follow_destination = environment.sid is None
            if environment.sid is not None:
                self._binding.bind(environment.sid)
            self._drops = drop_reasons()
            self._stack = stack.pop_all()

    def run(self, packet: bytes) -> Outcome:
        """Send one packet, given from its IPv6 header on, and wait until it has left the router or was dropped."""
        ether_type = self._hook.ether_type(packet)
        if self._follow_destination and (destination := _destination(packet, ether_type)) is not None:
            self._binding.bind(destination)
        counts = self._fault_counts()
        runs_before = self._start()
        with on_cpu(self._cpu):
            if self._drops is not None:
                self._drops.begin()
            arrived = self._router.wire.cross(packet, ether_type)
        verdict, runs, mark = self._finish(runs_before)
        if len(arrived) > 1:
            raise InternalError(f"{len(arrived)} packets left the router for one that came in")
        fault = self._fault_since(counts)
        redirected = self._router.devices.redirected()
        left = self._hook.restore(packet, arrived[0], verdict) if arrived else None
        return Outcome(
            verdict=verdict,
            packet=left,
            forwarded=left is not None,
            reason=None if left is not None else _reason(self.program, runs, verdict, bool(redirected), self._drops),
            fault=fault,
            events=self._watched.take_events(),
            log=self._watched.take_log(),
            runs=runs,
            mark=mark,
            redirected=redirected,
        )

    def run_many(self, packets: Sequence[bytes]) -> list[Outcome]:
        return [self.run(packet) for packet in packets]

    def _start(self) -> int:
        """How often the program had run before, where that is what is counted."""
        if self._watched.results is None:
            return self._watched.loaded.info().run_count
        wrapper.reset(self._watched.results)
        return 0

    def _finish(self, runs_before: int) -> tuple[int | None, int, int]:
        """The verdict, the number of runs and the mark."""
        if self._watched.results is None:
            return None, self._watched.loaded.info().run_count - runs_before, self._mark
        results = wrapper.read_results(self._watched.results)
        return (results.verdict, results.runs, results.mark) if results.runs else (None, 0, self._mark)

    def _fault_counts(self) -> bytes:
        counters = self.image.faults
        if counters is None:
            return b""
        data = self.maps[counters.map].lookup(_KEY)
        assert data is not None  # an array always has its entries
        return data[counters.offset : counters.offset + len(counters.sites) * _COUNTER_SIZE]

    def _fault_since(self, before: bytes) -> Fault | None:
        counters = self.image.faults
        after = self._fault_counts()
        if counters is None or before == after:
            return None
        return _fault(counters, before, after)

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


@final
class _Binding:
    """The one route of a session that leads to its program. It moves with the packets' destinations where the SID is not fixed:
    were older ones left behind, a packet with one of them as its next segment would run the program again."""

    def __init__(self, router: Router, route_of: RouteOf, program: Fd, name: str) -> None:
        self._router = router
        self._route_of = route_of
        self._program = program
        self._name = name
        self._bound: Network | None = None

    def bind(self, address: IPv4Address | IPv6Address) -> None:
        prefix = ip_network(address)
        if prefix == self._bound:
            return
        if self._bound is not None:
            self._request(self._bound, DELROUTE, 0)
            self._bound = None
        self._request(prefix, NEWROUTE, CREATE | EXCL)
        self._bound = prefix

    def _request(self, prefix: Network, kind: int, flags: int) -> None:
        message = self._route_of(prefix, MAIN_TABLE, self._router.out_index, self._program, self._name)
        try:
            self._router.netlink.send(message.encode(), kind, flags)
        except NetlinkError as error:
            raise explained(f"bind {prefix} in the runner's namespace", error) from None


def _destination(packet: bytes, ether_type: int) -> IPv4Address | IPv6Address | None:
    """Where a packet goes; None where it is too short to say."""
    if ether_type == ETHER_TYPES["ipv4"]:
        return IPv4Address(packet[16:20]) if len(packet) >= 20 else None
    return IPv6Address(packet[24:40]) if len(packet) >= 40 else None


def _fault(counters: FaultCounters, before: bytes, after: bytes) -> Fault:
    """The first site that was counted since."""
    changed = next(at for at in range(0, len(after), _COUNTER_SIZE) if before[at : at + _COUNTER_SIZE] != after[at : at + _COUNTER_SIZE])
    site = counters.sites[changed // _COUNTER_SIZE]
    return Fault(FaultKind.EXIT, site.message, file=site.file, line=site.line, column=site.column, site=site.number, callers=site.callers)


def _reason(program: ProgramImage, runs: int, verdict: int | None, redirected: bool, drops: DropReasons | None) -> str:
    if verdict == 2:
        return program.dropped("the program returned DROP")
    if verdict == _REDIRECT and redirected:
        return "the packet left by another device"
    side = "after" if runs else "before"
    said = drops.reason() if drops is not None else None
    return f"the kernel dropped the packet {side} the program" + (f": {said}" if said is not None else "")
