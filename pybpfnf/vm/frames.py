"""What the hooks of a device share: how a frame comes, and what a verdict does to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address
from typing import TypeAlias

from pybpfnf.runner import Environment
from pybpfnf.vm.ethernet import ETHERNET
from pybpfnf.vm.hooks import Hook, Passage, RunProgram, run_with_clear_cb
from pybpfnf.vm.host import Host
from pybpfnf.vm.ip import Address
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.redirect import follow
from pybpfnf.vm.skb import Skb

_NOWHERE = IPv6Address("::")  # a device's hook is on no route

Leave: TypeAlias = Callable[[Host, Skb], bytes]
"""A frame's way on after a verdict: the frame as it goes on; or Drop."""


def device_hook(make: Callable[[bytes, Environment], Skb], ways: Mapping[int, Leave], other: Leave) -> Hook:
    """A hook that runs its program once: `make` a packet of a frame, and what each verdict does; `other` what is none."""

    def receive(frame: bytes, environment: Environment) -> tuple[Skb, Address]:
        if len(frame) < ETHERNET:
            raise Drop(f"{len(frame)} bytes are less than an Ethernet header")
        return make(frame, environment), _NOWHERE

    def input_packet(host: Host, skb: Skb, run_program: RunProgram) -> Passage:
        passage = Passage()
        host.map_packet()
        try:
            run_with_clear_cb(skb, run_program, passage)
            passage.packet = ways.get(passage.verdict or 0, other)(host, skb)
        except Drop as drop:
            passage.reason = drop.reason
        passage.mark = skb.mark
        return passage

    return Hook(receive, input_packet)


def dropped(reason: str) -> Leave:
    def leave(host: Host, skb: Skb) -> bytes:
        raise Drop(reason)

    return leave


def redirected(host: Host, skb: Skb) -> bytes:
    """By the device that the program has chosen, and by no other."""
    follow(host, skb)
    raise AssertionError("a packet that was redirected has left")
