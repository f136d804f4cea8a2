"""Packets that a function hands to another device; what the device makes of them is the router's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pybpfnf.dsl import ir
from pybpfnf.runner import Redirected
from pybpfnf.testing.evaluate.run import Look, Run


def _redirect(run: Run, node: ir.Redirect) -> Look:
    """With the Ethernet header (IEEE 802.3) that the function gives."""
    ifindex = run.value(node.ifindex)
    link = b"".join(bytes(run.value(address)) for address in node.link or ())
    packet = run.packet.encode()
    if link:
        link += b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
    run.redirected.append(Redirected(ifindex, link + packet))
    return next(number for number, name in run.verdicts.items() if name == "REDIRECT")


def _clone(run: Run, node: ir.CloneRedirect) -> Look:
    run.redirected.append(Redirected(run.value(node.ifindex), run.packet.encode()))
    return None


EXPRESSIONS: Mapping[type, Callable[[Run, Any], Look]] = {ir.Redirect: _redirect, ir.CloneRedirect: _clone}
