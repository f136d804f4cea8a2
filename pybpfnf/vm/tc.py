"""A classifier of traffic control, direct-action, where frames come in (net/sched/cls_bpf.c, net/bpf/test_run.c; Linux 6.18).

A VLAN tag of the frame is in it still, as in BPF_PROG_TEST_RUN; one that the program puts beside it (`skb_vlan_push`) is put into what
leaves.
"""

from __future__ import annotations

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.runner import Environment
from pybpfnf.vm.ethernet import ETHERNET, ether_type
from pybpfnf.vm.frames import device_hook, dropped, redirected
from pybpfnf.vm.host import Host
from pybpfnf.vm.skb import Skb
from pybpfnf.vm.vlan import with_tag

_VERDICTS = PROGRAM_TYPES["sched_cls"].verdicts
_HOST, _BROADCAST, _MULTICAST = 0, 1, 2


def _packet(data: bytes, environment: Environment) -> Skb:
    """The device has the address that the frame is for, unless that is one of several."""
    return Skb(
        bytearray(data),
        environment.ifindex,
        environment.mark,
        transport=ETHERNET,
        protocol=ether_type(data),
        link=ETHERNET,
        pkt_type=_pkt_type(data),
        wire_len=len(data),
    )


def _pkt_type(data: bytes) -> int:
    if data[:6] == b"\xff" * 6:
        return _BROADCAST
    return _MULTICAST if data[0] & 1 else _HOST


def _goes_on(host: Host, skb: Skb) -> bytes:
    return with_tag(skb)


HOOK = device_hook(
    _packet,
    {
        _VERDICTS["SHOT"]: dropped("the program returned TC_ACT_SHOT"),
        _VERDICTS["STOLEN"]: dropped("the program returned TC_ACT_STOLEN"),
        _VERDICTS["TRAP"]: dropped("the program returned TC_ACT_TRAP"),
        _VERDICTS["REDIRECT"]: redirected,
    },
    _goes_on,  # what cls_bpf_exec_opcode does not know counts as TC_ACT_UNSPEC: the next classifier decides, and there is none
)
