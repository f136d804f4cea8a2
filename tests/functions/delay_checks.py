"""What holds of the two functions of delay monitoring: TLVs by hand, and the times that a runner's clock can tell.

Bytes are made here after the layouts in the paper, by neither engine and by none of our codecs.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Final

from pybpfnf import Environment, Outcome, Runner
from pybpfnf.testing.packets import Tlv

COLLECTOR: Final = "2001:db8::c"
PORT: Final = 9000
SECOND: Final = 1_000_000_000
_VM_CLOCK: Final = Environment().clock_tai - Environment().tai_offset
_LONGEST_TEST: Final = 60 * SECOND


def stamp(nanoseconds: int) -> bytes:
    return struct.pack(">II", *divmod(nanoseconds, SECOND))


def dm(
    *,
    version: int = 0x01,
    control: int = 1,
    formats: int = 0x33,
    session: int = 1,
    traffic_class: int = 0,
    times: tuple[int, int, int, int] = (0, 0, 0, 0),
    length: int | None = None,
) -> Tlv:
    value = struct.pack(">HBBHBBHI", 0, version, control, 0, formats, 0x30, 0, session << 8 | traffic_class)
    return Tlv(7, value + b"".join(map(stamp, times)), length)


def uro(address: str = COLLECTOR, port: int = PORT) -> Tlv:
    return Tlv(131, struct.pack(">H16s", port, IPv6Address(address).packed))


def time_at(packet: bytes, offset: int) -> int:
    seconds, nanoseconds = struct.unpack_from(">II", packet, offset)
    assert nanoseconds < SECOND
    return int(seconds * SECOND + nanoseconds)


def timed(runner: Runner, run: Callable[[bytes], Outcome], packet: bytes) -> tuple[Outcome, range]:
    """What became of a packet, and the times of day at which that can have been."""
    before = time.time_ns()
    outcome = run(packet)
    if runner.name == "vm":
        return outcome, range(_VM_CLOCK, _VM_CLOCK + _LONGEST_TEST)
    return outcome, range(before, time.time_ns() + 1)
