"""What an author imports, in one place. `pybpfnf` re-exports it lazily."""

from __future__ import annotations

from ipaddress import IPv6Address
from ipaddress import IPv6Network as Prefix

from pybpfnf.dsl.surface.calls import cpu, helpers, monotonic, random_u32, realtime
from pybpfnf.dsl.surface.events import PerfEventArray, RingBuf
from pybpfnf.dsl.surface.functions import func
from pybpfnf.dsl.surface.hashes import Hash, LruHash, LruPerCpuHash, PerCpuHash
from pybpfnf.dsl.surface.header import Header
from pybpfnf.dsl.surface.locks import SpinLock
from pybpfnf.dsl.surface.packets import Ipv6, Seg6Packet, Srh, Verdict
from pybpfnf.dsl.surface.programs import DROP, OK, REDIRECT, REROUTE, Hook, Program, lwt_in, lwt_out, lwt_xmit, seg6local
from pybpfnf.dsl.surface.queues import Queue, Stack
from pybpfnf.dsl.surface.route_headers import Ipv4, XmitIpv4, XmitIpv6
from pybpfnf.dsl.surface.route_packets import LwtInPacket, LwtOutPacket, LwtXmitPacket
from pybpfnf.dsl.surface.scalars import s8, s16, s32, s64, u8, u16, u32, u64
from pybpfnf.dsl.surface.stores import Array, Config, PerCpuArray, State
from pybpfnf.dsl.surface.structs import Struct, bits
from pybpfnf.dsl.surface.tails import ProgArray
from pybpfnf.dsl.surface.tries import LpmTrie
from pybpfnf.dsl.surface.wire import Tlv, array, octets
from pybpfnf.dsl.surface.words import log

__all__ = [
    "Array",
    "Config",
    "DROP",
    "Hash",
    "Header",
    "Hook",
    "IPv6Address",
    "Ipv4",
    "Ipv6",
    "LpmTrie",
    "LruHash",
    "LruPerCpuHash",
    "LwtInPacket",
    "LwtOutPacket",
    "LwtXmitPacket",
    "OK",
    "PerCpuArray",
    "PerCpuHash",
    "PerfEventArray",
    "Prefix",
    "ProgArray",
    "Program",
    "Queue",
    "REDIRECT",
    "REROUTE",
    "RingBuf",
    "Seg6Packet",
    "SpinLock",
    "Srh",
    "Stack",
    "State",
    "Struct",
    "Tlv",
    "Verdict",
    "XmitIpv4",
    "XmitIpv6",
    "array",
    "bits",
    "cpu",
    "func",
    "helpers",
    "log",
    "lwt_in",
    "lwt_out",
    "lwt_xmit",
    "monotonic",
    "octets",
    "random_u32",
    "realtime",
    "s16",
    "s32",
    "s64",
    "s8",
    "seg6local",
    "u16",
    "u32",
    "u64",
    "u8",
]
