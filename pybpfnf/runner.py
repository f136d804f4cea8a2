"""The seam between the in-process VM and the kernel: what both take and what both give.

Neither is imported here. A function's tests are written against `Session`, and run on both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from enum import Enum
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from types import TracebackType
from typing import Protocol, Self, final, runtime_checkable

from pybpfnf.errors import InputError
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.records import dataclass

_UNSPECIFIED = IPv6Address("::")
_ROUTER = IPv6Address("fc00:b::b")
DEVICE_KINDS = ("ethernet", "ip")
RUNNERS_DEVICES = 4  # from `ifindex` on: the one that packets come in by, the one that they leave by, and the far ends of both
HMAC_ALGORITHMS = ("sha1", "sha256")
HMAC_SECRET_SIZE = 64  # SEG6_HMAC_SECRET_LEN


_S32, _U32, _U64 = (1 << 31) - 1, (1 << 32) - 1, (1 << 64) - 1
# What an Environment's numbers may be, both ends included.
_RANGES = (
    ("ifindex", 1, _S32),
    ("mark", 0, _U32),
    ("fuel", 1, _U64),
    ("gso_size", 0, (1 << 16) - 1),
    ("clock_tai", 0, _U64),
    ("tai_offset", 0, _U64),
    ("clock_boot", 0, _U64),
    ("received", 0, _U32),
)


@cache
def _network(prefix: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(prefix)
    except ValueError as error:
        raise InputError(f"{prefix!r} is no prefix: {error}") from None


@final
@dataclass(frozen=True, slots=True)
class HmacKey:
    """An HMAC key of the router (`ip sr hmac set`): `algorithm` is "sha1" or "sha256", `secret` 1 to 64 bytes.

    Raises InputError for another (include/uapi/linux/seg6_hmac.h).
    """

    algorithm: str
    secret: bytes

    def __post_init__(self) -> None:
        if self.algorithm not in HMAC_ALGORITHMS:
            raise InputError(f"no HMAC algorithm {self.algorithm!r}", hint=f"the kernel has {' and '.join(HMAC_ALGORITHMS)}")
        if not 1 <= len(self.secret) <= HMAC_SECRET_SIZE:
            raise InputError(f"an HMAC secret has 1 to {HMAC_SECRET_SIZE} bytes, not {len(self.secret)}")


@final
@dataclass(frozen=True, slots=True)
class Environment:
    """Everything outside the packet that a run can depend on. The default is one fixed router: same run, same result.

    Times are nanoseconds. `clock_tai` is CLOCK_TAI at the first packet, `tai_offset` how far it is ahead of CLOCK_REALTIME (37 seconds
    since 2017), `clock_boot` CLOCK_MONOTONIC and BOOTTIME.
    """

    clock_tai: int = 1_700_000_000_000_000_000
    tai_offset: int = 37_000_000_000
    clock_boot: int = 1_000_000_000_000
    seed: int = 0
    cpu: int = 0
    cpus: int = 2
    ifindex: int = 32  # of the device the packet came in on; below are tunnel devices that a kernel may put into each new namespace
    mark: int = 0
    tunnel_source: IPv6Address = _UNSPECIFIED  # `ip sr tunsrc`; :: means the address of the outgoing device
    device_address: IPv6Address = _ROUTER  # of the outgoing device
    hmac_keys: Mapping[int, HmacKey] = field(default_factory=dict)
    require_hmac: int = 0  # net.ipv6.conf.*.seg6_require_hmac: < 0 ignore, 0 check if present, > 0 mandatory
    flowlabel: int = 0  # net.ipv6.seg6_flowlabel
    tables: frozenset[int] = frozenset({0, 253, 254, 255})  # routing tables that exist; 0 stands for the ordinary rules
    unreachable: tuple[str, ...] = ()  # prefixes without a route, of either version: look-ups answer -ENETUNREACH
    sid: IPv6Address | IPv4Address | None = None  # the route's destination, a SID in seg6local; None: the packet's
    devices: Mapping[int, str] = field(default_factory=dict)  # other devices: index to "ethernet", or "ip" for one without a link layer
    linear: int | None = None  # bytes of a packet, from its IP header on, that are in one piece in the kernel's memory; None: all
    gso_size: int = 0  # a packet stands for several, with so many bytes of TCP's or UDP's payload each
    offloaded: bool = False  # a device is to complete the checksum of TCP or UDP (CHECKSUM_PARTIAL), which has the pseudo-header's sum
    received: int | None = None  # how long before the function a packet came in, by the kernel's stamp on it; None: it has no stamp
    fuel: int = 16_000_000  # instructions before a run is called endless: more than the longest loop that the language takes

    def __post_init__(self) -> None:
        """Raises InputError for a router that cannot be."""
        if not 0 <= self.cpu < self.cpus:
            raise InputError(f"there is no CPU {self.cpu} where there are {self.cpus}", hint="they count from 0")
        for name, low, high in _RANGES:
            if getattr(self, name) is not None and not low <= getattr(self, name) <= high:
                raise InputError(f"{name} is {getattr(self, name)}, and goes from {low} to {high}")
        for prefix in self.unreachable:
            _network(prefix)
        for index, kind in self.devices.items():
            if kind not in DEVICE_KINDS:
                raise InputError(f"device {index} is {kind!r}", hint=f"write one of {', '.join(DEVICE_KINDS)}")
            if not 2 <= index <= _S32 or self.ifindex <= index < self.ifindex + RUNNERS_DEVICES:
                first = self.ifindex + RUNNERS_DEVICES
                raise InputError(f"device {index} is the runner's own, or none", hint=f"give {first} or more: ifindex + {RUNNERS_DEVICES}")

    def is_unreachable(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether the router has no route to it."""
        return any(address in _network(prefix) for prefix in self.unreachable)


class FaultKind(Enum):
    EXIT = "fault exit"  # the language's: the function returned its on_fault verdict, and counted it
    MEMORY = "memory"  # an access that the verifier would have refused
    HELPER = "helper"  # a helper called against its contract, or not emulated
    INSTRUCTION = "instruction"  # something the VM cannot execute
    FUEL = "fuel"  # too many instructions


@final
@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong inside a guest, with the source line where the object has one. `slot` is None for fault exits.

    `callers`: where that line is in a function that was inlined, the calls that lead there as FILE:LINE:COLUMN, the innermost first.
    """

    kind: FaultKind
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    slot: int | None = None
    site: int | None = None
    callers: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Event:
    """Bytes that a program sent to user space through a ring buffer or a perf event array: a record, and what perf puts after it."""

    map: str
    data: bytes


@final
@dataclass(frozen=True, slots=True)
class Redirected:
    """A frame that left by one of `Environment.devices`, from its link-layer header on, where the device has one."""

    ifindex: int
    frame: bytes


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one packet.

    `verdict` is the program's last return value (32 bits, unsigned); None where it did not run or faulted. `packet` is
    what leaves the hook, from the IP header on; None when dropped. lwt_seg6local and lwt_in come before forwarding, lwt_out and
    lwt_xmit after it has taken a hop off. `reason`
    says in one sentence why a packet did not leave, or None. `runs` counts how often the program ran (more than once
    when it returned REDIRECT without having chosen a route). `events`
    are the records that it sent, map by map, `log` the lines that it logged, `redirected` what left by other devices than the
    route's, device by device. `instructions` is None where it cannot be counted.
    The hook lets a hop limit of 1 or 0 and packets larger than an MTU pass: forwarding drops those later, so the VM calls
    them forwarded, and on the kernel's wire they do not appear.
    """

    verdict: int | None
    packet: bytes | None
    forwarded: bool
    reason: str | None = None
    fault: Fault | None = None
    events: tuple[Event, ...] = ()
    log: tuple[str, ...] = ()
    instructions: int | None = None
    runs: int = 1
    mark: int = 0
    redirected: tuple[Redirected, ...] = ()


class MapAccess(Protocol):
    """A live map as bytes. For per-CPU maps a value is all CPUs' values, each padded to 8 bytes, in CPU order, as bpf(2) gives it."""

    @property
    def spec(self) -> MapSpec: ...
    @property
    def value_size(self) -> int:
        """Bytes of a value as `lookup` gives it and `update` takes it."""
        ...

    def lookup(self, key: bytes) -> bytes | None: ...
    def update(self, key: bytes, value: bytes, flags: int = 0) -> None: ...
    def delete(self, key: bytes) -> bool: ...
    def keys(self) -> Iterator[bytes]: ...


@runtime_checkable
class QueueAccess(MapAccess, Protocol):
    """A live queue or stack: `update` of the key b"" pushes, `lookup` of it gives the next value."""

    def take(self) -> bytes | None:
        """The next value, which is gone; None where there is none."""
        ...


MOST_UNREAD = 1 << 16
"""Records that a session keeps for who asks after its runs; of more, the oldest are lost."""


@runtime_checkable
class EventAccess(MapAccess, Protocol):
    """A live ring buffer or perf event array: its records as bytes, taken one by one."""

    @property
    def lost(self) -> int:
        """How many records are known not to be here: perf had no room, or nobody took them."""
        ...

    def gather(self) -> int:
        """Read what has arrived; how many records wait to be taken."""
        ...

    def take_record(self) -> bytes | None:
        """The oldest of those that wait, None where none does."""
        ...

    def wait(self, timeout: float | None) -> bool:
        """Wait for a record, at most so many seconds (None: without end); whether one waits to be taken."""
        ...


class Session(Protocol):
    """One loaded program: its maps live from packet to packet until it is closed."""

    @property
    def image(self) -> ObjectImage: ...
    @property
    def program(self) -> ProgramImage: ...
    @property
    def maps(self) -> Mapping[str, MapAccess]: ...
    def run(self, packet: bytes) -> Outcome:
        """Run on one packet, given from its IP header on, as it comes in at a device."""
        ...

    def run_many(self, packets: Sequence[bytes]) -> list[Outcome]:
        """As `run` on each in turn."""
        ...

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None: ...


class Runner(Protocol):
    """Something that can run programs: the VM or the kernel."""

    name: str  # "vm" or "kernel"

    def open(self, image: ObjectImage, program: ProgramImage, environment: Environment) -> Session: ...
