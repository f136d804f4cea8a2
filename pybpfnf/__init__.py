"""Network functions for IPv6 Segment Routing, written in Python: compiled to eBPF, run in process, bound to routes.

Names are imported when they are first used, so that `import pybpfnf` costs nothing and a router without a compiler can
run objects. The language's names are documented in `pybpfnf.dsl.surface`, the verbs in `pybpfnf.verbs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pybpfnf.lazy import load_module

if TYPE_CHECKING:
    from pybpfnf.apps.serve import serve as serve
    from pybpfnf.apps.serve import serve_attached as serve_attached
    from pybpfnf.apps.serve import serve_packets as serve_packets
    from pybpfnf.apps.served import Served as Served
    from pybpfnf.diagnostics import Diagnostic as Diagnostic
    from pybpfnf.diagnostics import Span as Span
    from pybpfnf.dsl.surface import DROP as DROP
    from pybpfnf.dsl.surface import OK as OK
    from pybpfnf.dsl.surface import REDIRECT as REDIRECT
    from pybpfnf.dsl.surface import REROUTE as REROUTE
    from pybpfnf.dsl.surface import Array as Array
    from pybpfnf.dsl.surface import Config as Config
    from pybpfnf.dsl.surface import Hash as Hash
    from pybpfnf.dsl.surface import Header as Header
    from pybpfnf.dsl.surface import Hook as Hook
    from pybpfnf.dsl.surface import Ipv4 as Ipv4
    from pybpfnf.dsl.surface import Ipv6 as Ipv6
    from pybpfnf.dsl.surface import IPv6Address as IPv6Address
    from pybpfnf.dsl.surface import LpmTrie as LpmTrie
    from pybpfnf.dsl.surface import LruHash as LruHash
    from pybpfnf.dsl.surface import LruPerCpuHash as LruPerCpuHash
    from pybpfnf.dsl.surface import LwtInPacket as LwtInPacket
    from pybpfnf.dsl.surface import LwtOutPacket as LwtOutPacket
    from pybpfnf.dsl.surface import LwtXmitPacket as LwtXmitPacket
    from pybpfnf.dsl.surface import PerCpuArray as PerCpuArray
    from pybpfnf.dsl.surface import PerCpuHash as PerCpuHash
    from pybpfnf.dsl.surface import PerfEventArray as PerfEventArray
    from pybpfnf.dsl.surface import Prefix as Prefix
    from pybpfnf.dsl.surface import ProgArray as ProgArray
    from pybpfnf.dsl.surface import Program as Program
    from pybpfnf.dsl.surface import Queue as Queue
    from pybpfnf.dsl.surface import RingBuf as RingBuf
    from pybpfnf.dsl.surface import Seg6Packet as Seg6Packet
    from pybpfnf.dsl.surface import SpinLock as SpinLock
    from pybpfnf.dsl.surface import Srh as Srh
    from pybpfnf.dsl.surface import Stack as Stack
    from pybpfnf.dsl.surface import State as State
    from pybpfnf.dsl.surface import Struct as Struct
    from pybpfnf.dsl.surface import Tlv as Tlv
    from pybpfnf.dsl.surface import Verdict as Verdict
    from pybpfnf.dsl.surface import XmitIpv4 as XmitIpv4
    from pybpfnf.dsl.surface import XmitIpv6 as XmitIpv6
    from pybpfnf.dsl.surface import array as array
    from pybpfnf.dsl.surface import bits as bits
    from pybpfnf.dsl.surface import cpu as cpu
    from pybpfnf.dsl.surface import func as func
    from pybpfnf.dsl.surface import helpers as helpers
    from pybpfnf.dsl.surface import log as log
    from pybpfnf.dsl.surface import lwt_in as lwt_in
    from pybpfnf.dsl.surface import lwt_out as lwt_out
    from pybpfnf.dsl.surface import lwt_xmit as lwt_xmit
    from pybpfnf.dsl.surface import monotonic as monotonic
    from pybpfnf.dsl.surface import octets as octets
    from pybpfnf.dsl.surface import random_u32 as random_u32
    from pybpfnf.dsl.surface import realtime as realtime
    from pybpfnf.dsl.surface import s8 as s8
    from pybpfnf.dsl.surface import s16 as s16
    from pybpfnf.dsl.surface import s32 as s32
    from pybpfnf.dsl.surface import s64 as s64
    from pybpfnf.dsl.surface import seg6local as seg6local
    from pybpfnf.dsl.surface import u8 as u8
    from pybpfnf.dsl.surface import u16 as u16
    from pybpfnf.dsl.surface import u32 as u32
    from pybpfnf.dsl.surface import u64 as u64
    from pybpfnf.errors import CompileError as CompileError
    from pybpfnf.errors import ControlError as ControlError
    from pybpfnf.errors import Error as Error
    from pybpfnf.errors import InputError as InputError
    from pybpfnf.errors import InternalError as InternalError
    from pybpfnf.errors import KernelError as KernelError
    from pybpfnf.errors import ObjectError as ObjectError
    from pybpfnf.errors import SystemLacksError as SystemLacksError
    from pybpfnf.errors import VerifierError as VerifierError
    from pybpfnf.image.model import MapSpec as MapSpec
    from pybpfnf.image.model import ObjectImage as ObjectImage
    from pybpfnf.image.model import ProgramImage as ProgramImage
    from pybpfnf.kernel.runner import KernelRunner as KernelRunner
    from pybpfnf.runner import Environment as Environment
    from pybpfnf.runner import Event as Event
    from pybpfnf.runner import Fault as Fault
    from pybpfnf.runner import FaultKind as FaultKind
    from pybpfnf.runner import HmacKey as HmacKey
    from pybpfnf.runner import MapAccess as MapAccess
    from pybpfnf.runner import Outcome as Outcome
    from pybpfnf.runner import Runner as Runner
    from pybpfnf.runner import Session as Session
    from pybpfnf.verbs.attach import attach as attach
    from pybpfnf.verbs.attach import attached as attached
    from pybpfnf.verbs.attach import detach as detach
    from pybpfnf.verbs.attach import status as status
    from pybpfnf.verbs.build import build as build
    from pybpfnf.verbs.check import check as check
    from pybpfnf.verbs.diff import diff as diff
    from pybpfnf.verbs.load import load as load
    from pybpfnf.verbs.read import read as read
    from pybpfnf.verbs.replay import Replayed as Replayed
    from pybpfnf.verbs.replay import replay as replay
    from pybpfnf.verbs.run import Simulation as Simulation
    from pybpfnf.verbs.run import run as run
    from pybpfnf.verbs.run import simulate as simulate
    from pybpfnf.vm import Engine as Engine
    from pybpfnf.vm import VmRunner as VmRunner

_NAMES: Mapping[str, str] = {  # module: the public names that it has
    "pybpfnf.dsl.surface": (
        "Array Config DROP Hash Header Hook IPv6Address Ipv4 Ipv6 LpmTrie LruHash LruPerCpuHash LwtInPacket LwtOutPacket "
        "LwtXmitPacket OK PerCpuArray PerCpuHash PerfEventArray Prefix ProgArray Program Queue REDIRECT REROUTE RingBuf "
        "Seg6Packet SpinLock Srh Stack State Struct Tlv Verdict XmitIpv4 XmitIpv6 array bits cpu func helpers log lwt_in "
        "lwt_out lwt_xmit monotonic octets random_u32 realtime s16 s32 s64 s8 seg6local u16 u32 u64 u8"
    ),
    "pybpfnf.apps.serve": "serve serve_attached serve_packets",
    "pybpfnf.apps.served": "Served",
    "pybpfnf.diagnostics": "Diagnostic Span",
    "pybpfnf.errors": "CompileError ControlError Error InputError InternalError KernelError ObjectError SystemLacksError VerifierError",
    "pybpfnf.image.model": "MapSpec ObjectImage ProgramImage",
    "pybpfnf.kernel.runner": "KernelRunner",
    "pybpfnf.runner": "Environment Event Fault FaultKind HmacKey MapAccess Outcome Runner Session",
    "pybpfnf.verbs.attach": "attach attached detach status",
    "pybpfnf.verbs.build": "build",
    "pybpfnf.verbs.check": "check",
    "pybpfnf.verbs.diff": "diff",
    "pybpfnf.verbs.load": "load",
    "pybpfnf.verbs.read": "read",
    "pybpfnf.verbs.replay": "Replayed replay",
    "pybpfnf.verbs.run": "Simulation run simulate",
    "pybpfnf.vm": "Engine VmRunner",
}
_MODULE_OF: Mapping[str, str] = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [
    "Array",
    "CompileError",
    "Config",
    "ControlError",
    "DROP",
    "Diagnostic",
    "Engine",
    "Environment",
    "Error",
    "Event",
    "Fault",
    "FaultKind",
    "Hash",
    "Header",
    "HmacKey",
    "Hook",
    "IPv6Address",
    "InputError",
    "InternalError",
    "Ipv4",
    "Ipv6",
    "KernelError",
    "KernelRunner",
    "LpmTrie",
    "LruHash",
    "LruPerCpuHash",
    "LwtInPacket",
    "LwtOutPacket",
    "LwtXmitPacket",
    "MapAccess",
    "MapSpec",
    "OK",
    "ObjectError",
    "ObjectImage",
    "Outcome",
    "PerCpuArray",
    "PerCpuHash",
    "PerfEventArray",
    "Prefix",
    "ProgArray",
    "Program",
    "ProgramImage",
    "Queue",
    "REDIRECT",
    "REROUTE",
    "Replayed",
    "RingBuf",
    "Runner",
    "Seg6Packet",
    "Served",
    "Session",
    "Simulation",
    "Span",
    "SpinLock",
    "Srh",
    "Stack",
    "State",
    "Struct",
    "SystemLacksError",
    "Tlv",
    "Verdict",
    "VerifierError",
    "VmRunner",
    "XmitIpv4",
    "XmitIpv6",
    "array",
    "attach",
    "attached",
    "bits",
    "build",
    "check",
    "cpu",
    "detach",
    "diff",
    "func",
    "helpers",
    "load",
    "log",
    "lwt_in",
    "lwt_out",
    "lwt_xmit",
    "monotonic",
    "octets",
    "random_u32",
    "read",
    "realtime",
    "replay",
    "run",
    "s16",
    "s32",
    "s64",
    "s8",
    "seg6local",
    "serve",
    "serve_attached",
    "serve_packets",
    "simulate",
    "status",
    "u16",
    "u32",
    "u64",
    "u8",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(load_module(module), name)
    globals()[name] = value  # asked for once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
