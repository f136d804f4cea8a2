"""What a direction of a link does to frames, by the kernel's own emulator (net/sched/sch_netem.c; include/uapi/linux/pkt_sched.h)."""

from __future__ import annotations

import errno
import struct
from typing import final

from pybpfnf.kernel.netlink import CREATE, EXCL, Netlink, NetlinkError, explained
from pybpfnf.kernel.route_message import encoded
from pybpfnf.records import dataclass

_NEWQDISC, _DELQDISC = 36, 37
_ROOT = 0xFFFFFFFF  # TC_H_ROOT
_KIND, _OPTIONS = 1, 2  # TCA_*
_RATE, _RATE64, _LATENCY64, _JITTER64, _SEED = 6, 8, 10, 11, 14  # TCA_NETEM_*, the last since Linux 6.6; before it is passed over
_MESSAGE = struct.Struct("=BBHiIII")  # struct tcmsg
_QOPT = struct.Struct("=IIIIII")  # struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter
_RATE_STRUCT = struct.Struct("=IiIi")  # struct tc_netem_rate: rate in bytes a second, packet and cell overhead, cell size
_CERTAIN = 0xFFFFFFFF
_UNSPEC = 0


@final
@dataclass(frozen=True, slots=True)
class Netem:
    """Times in nanoseconds, `rate` in bits a second, `limit`: frames that it holds, those that are only delayed too."""

    delay: int
    jitter: int
    rate: int | None
    loss: float
    limit: int
    seed: int


def add_netem(netlink: Netlink, index: int, netem: Netem) -> None:
    """At the way out of a device. Frames keep their order where it has a rate."""
    try:
        netlink.send(_payload(index, _options(netem)), _NEWQDISC, CREATE | EXCL)
    except NetlinkError as error:
        raise explained("emulate a link by netem", error) from None


def has_netem(netlink: Netlink, index: int) -> bool:
    """Whether the kernel has it, tried at a device without a queueing discipline of its own, which is as it was afterwards."""
    try:
        netlink.send(_payload(index, _options(Netem(0, 0, None, 0.0, 1, 0))), _NEWQDISC, CREATE | EXCL)
    except NetlinkError as error:
        if error.errno in (errno.ENOENT, errno.EOPNOTSUPP):
            return False
        raise explained("try netem", error) from None
    netlink.send(_MESSAGE.pack(_UNSPEC, 0, 0, index, 0, _ROOT, 0), _DELQDISC)
    return True


def _payload(index: int, options: bytes) -> bytes:
    head = _MESSAGE.pack(_UNSPEC, 0, 0, index, 0, _ROOT, 0)
    return head + encoded(((_KIND, b"netem\0"), (_OPTIONS, options)))


def _options(netem: Netem) -> bytes:
    """Its structure, and attributes behind that. The times of the structure are old ticks: the attributes take their place."""
    rate = 0 if netem.rate is None else max(1, netem.rate // 8)
    attributes = [
        (_LATENCY64, struct.pack("=q", netem.delay)),
        (_JITTER64, struct.pack("=q", netem.jitter)),
        (_SEED, struct.pack("=Q", netem.seed)),
    ]
    if rate:
        attributes += [(_RATE, _RATE_STRUCT.pack(min(rate, 0xFFFFFFFF), 0, 0, 0)), (_RATE64, struct.pack("=Q", rate))]
    return _QOPT.pack(0, netem.limit, round(netem.loss * _CERTAIN), 0, 0, 0) + encoded(attributes)
