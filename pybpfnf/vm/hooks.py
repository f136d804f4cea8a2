"""What every hook has in common: a packet on its way through it, and a program's run in the middle. The hooks are in `seg6` and `lwt`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, final

from pybpfnf.records import dataclass
from pybpfnf.runner import Environment, Fault
from pybpfnf.vm.host import Host
from pybpfnf.vm.ip import Address
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.machine import Result
from pybpfnf.vm.skb import Skb

HANDED_OUT = "the program returned BPF_DROP"
"""Why a packet is dropped that the program wanted dropped."""

RunProgram: TypeAlias = Callable[[], Result]

# lwtunnel_input and lwtunnel_xmit refuse a packet that comes back to them for the tenth time (dev_xmit_recursion,
# net/core/lwtunnel.c).
MAX_NESTED_RUNS = 9


@final
@dataclass(slots=True)
class Passage:
    """What happened to one packet at the hook. `packet` is None where it was dropped."""

    packet: bytes | None = None
    verdict: int | None = None
    reason: str | None = None
    fault: Fault | None = None
    runs: int = 0
    mark: int = 0


InputPacket: TypeAlias = Callable[[Host, Skb, RunProgram], Passage]


@final
@dataclass(frozen=True, slots=True)
class Hook:
    """`receive`: the packet as the kernel brings it to the route, and the address that the function is bound to; Drop where it
    goes no further. `input_packet`: the route's hook around the program, as often as it runs."""

    receive: Callable[[bytes, Environment], tuple[Skb, Address]]
    input_packet: InputPacket


def run_with_clear_cb(skb: Skb, run_program: RunProgram, passage: Passage) -> None:
    """`bpf_prog_run_save_cb`: the program finds cb zeroed, the kernel gets its own back. Drop where the program faulted."""
    saved, skb.cb = skb.cb, bytearray(20)
    result = run_program()
    skb.cb = saved
    passage.runs += 1
    passage.verdict = None if result.r0 is None else result.r0 & 0xFFFFFFFF
    if result.fault is not None:
        passage.fault = result.fault
        raise Drop(f"the program faulted: {result.fault.message}")


def refuse_endless_return(passage: Passage) -> None:
    """Drop a packet whose route leads it into the function too often."""
    if passage.runs == MAX_NESTED_RUNS:
        raise Drop(f"lwtunnel: the packet came back to the function more than {MAX_NESTED_RUNS} times")
