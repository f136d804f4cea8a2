"""XDP: a frame as a driver hands it to a program, and what a verdict does to it (include/net/xdp.h, net/core/filter.c; Linux 6.18).

As in BPF_PROG_TEST_RUN: 256 bytes of room before the frame, a page of 4 KiB for all of it, receive queue 0.
"""

from __future__ import annotations

from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.runner import Environment
from pybpfnf.vm.ethernet import ETHERNET
from pybpfnf.vm.frames import device_hook, dropped, redirected
from pybpfnf.vm.host import Host
from pybpfnf.vm.skb import Skb, XdpRoom

_HEADROOM = 256  # XDP_PACKET_HEADROOM
_PAGE = 4096
_TAILROOM = 320  # struct skb_shared_info, aligned
_VERDICTS = PROGRAM_TYPES["xdp"].verdicts


def _frame(data: bytes, environment: Environment) -> Skb:
    room = XdpRoom(bytearray(_HEADROOM), max(0, _PAGE - _TAILROOM - _HEADROOM - len(data)))
    return Skb(bytearray(data), environment.ifindex, link=ETHERNET, room=room)


def _goes_on(host: Host, skb: Skb) -> bytes:
    return bytes(skb.data[skb.meta :])


_ABORTED = dropped("the program returned XDP_ABORTED")

HOOK = device_hook(
    _frame,
    {
        _VERDICTS["ABORTED"]: _ABORTED,
        _VERDICTS["DROP"]: dropped("the program returned XDP_DROP"),
        _VERDICTS["PASS"]: _goes_on,
        _VERDICTS["TX"]: _goes_on,  # by the device that it came in by
        _VERDICTS["REDIRECT"]: redirected,
    },
    dropped("bpf_warn_invalid_xdp_action: the program returned no XDP action"),
)
