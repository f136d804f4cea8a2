"""Frames: the link-layer header that packets come in with, and what End.DX2 makes of one that was inside (net/ipv6/seg6_local.c)."""

from __future__ import annotations

from pybpfnf.abi.headers import HEADERS
from pybpfnf.vm.ipv6 import Drop
from pybpfnf.vm.router.state import Device

SIZE = HEADERS["ethernet"].size
_FIRST_ETHER_TYPE = 0x600  # below it, the field is a length (IEEE 802.3)


def header(ifindex: int, ether_type: int) -> bytes:
    """As a frame has it that a device takes in: for its own address, from one of zeros."""
    return bytes((2, 0, 0, 0, 0, ifindex & 0xFF)) + bytes(6) + ether_type.to_bytes(2, "big")


def forward(frame: bytes, device: Device) -> bytes:
    """`input_action_end_dx2`: the packet in a frame that leaves by the device, whoever it is for; or Drop."""
    if len(frame) < SIZE:
        raise Drop("input_action_end_dx2: the inner frame is shorter than an Ethernet header")
    if int.from_bytes(frame[12:14], "big") < _FIRST_ETHER_TYPE:
        raise Drop("input_action_end_dx2: the inner frame says a length, and no protocol")
    if len(frame) - SIZE > device.mtu:
        raise Drop(f"input_action_end_dx2: {len(frame) - SIZE} bytes are more than the MTU of {device.mtu}")
    return frame[SIZE:]
