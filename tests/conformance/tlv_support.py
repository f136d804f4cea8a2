"""What the tests of TLVs share: packets for one SID with TLVs, and a program that runs on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address
from typing import TypeAlias

from pybpfnf import Program, backend, image
from pybpfnf.dsl import compile_module
from pybpfnf.live import Live
from pybpfnf.runner import Environment, Outcome, Runner
from pybpfnf.testing import packets
from pybpfnf.testing.packets import srv6

SID = "fc00:2::2"
SEGMENTS = ["fc00:3::3", SID]
SRH_END = 40 + 8 + 16 * len(SEGMENTS)  # where the TLVs begin
Run: TypeAlias = Callable[[bytes], Outcome]


@contextmanager
def running(runner: Runner, program: Program) -> Iterator[tuple[Live, Run]]:
    """The program on a router that does not look at HMACs."""
    built = image.read(backend.build(compile_module([program])))
    with runner.open(built, built.program(), Environment(sid=IPv6Address(SID), require_hmac=-1)) as session:
        yield Live(built, session.maps), session.run


def packet(*tlvs: packets.Tlv, tag: int = 0) -> bytes:
    return srv6(segments=SEGMENTS, tlvs=tlvs, tag=tag)


def area(found: bytes | None) -> bytes:
    """The TLV area of a packet that came out, by its own length bytes."""
    assert found is not None
    _, length, _, _, last_entry = found[40:45]
    return found[48 + 16 * (last_entry + 1) : 48 + 8 * length]
