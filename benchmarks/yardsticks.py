"""The functions that are measured against C: each with its packet, its variables and what its maps hold.

In Python they are in the catalogue (`functions/`) or, where they are no whole functions for anybody, in `functions/` beside this file;
in C, with the same meaning, in `c/`. Some are in `c/fixed/` too, as the authors of the End.BPF paper wrote them: the SRH right behind the
IPv6 header, no TLV looked at. They do the same to the packets that are measured, and less or something else to others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final, final

import pybpfnf
from benchmarks import clang
from pybpfnf.image.model import ObjectImage
from pybpfnf.runner import MapAccess
from pybpfnf.testing import packets

ROOT: Final = Path(__file__).resolve().parent.parent
_PAYLOAD = packets.udp(bytes(64))
_FINAL = "fc00:c::1"
_PEER, _OTHER, _THIRD = "fc00:d::1", "fc00:d::2", "fc00:d::3"


@final
@dataclass(frozen=True, slots=True)
class Yardstick:
    """`packet` makes the good packet for an address that the function is bound to; `entries`: what maps hold before, as bytes."""

    name: str
    packet: Callable[[IPv6Address], bytes]
    variables: Mapping[str, object] = field(default_factory=dict)
    entries: Mapping[str, Mapping[bytes, bytes]] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        found = ROOT / "functions" / f"{self.name}.py"
        return found if found.is_file() else ROOT / "benchmarks" / "functions" / f"{self.name}.py"

    def fill(self, maps: Mapping[str, MapAccess]) -> None:
        """Put into the maps what the function expects there."""
        for name, entries in self.entries.items():
            for key, value in entries.items():
                maps[name].update(key, value)

    def ours(self, *, fault_counters: bool) -> ObjectImage:
        return self._with_variables(pybpfnf.build(self.source, fault_counters=fault_counters))

    def in_c(self, where: Path) -> ObjectImage:
        """Compiled by clang to a file in that directory."""
        return self._compiled(self.name, where / f"{self.name}.c.o")

    def in_fixed_c(self, where: Path) -> ObjectImage | None:
        """The same of the C that checks less; None where the function has none."""
        name = f"fixed/{self.name}"
        return self._compiled(name, where / f"{self.name}.fixed.o") if clang.source(name).is_file() else None

    def _compiled(self, name: str, output: Path) -> ObjectImage:
        clang.build(name, output, clang.RUN_FLAGS)
        return self._with_variables(output.read_bytes())

    def _with_variables(self, data: bytes) -> ObjectImage:
        return pybpfnf.image.configure(pybpfnf.read(data), self.variables)


def _two_segments(sid: IPv6Address) -> bytes:
    """A UDP datagram with two segments, as in the measurements of the End.BPF paper."""
    return packets.srv6([_FINAL, sid], payload=_PAYLOAD)


def _eight_tlvs(sid: IPv6Address) -> bytes:
    """The same with eight TLVs of 8 bytes, of which the last is looked for."""
    others = [packets.Tlv(6, bytes(6))] * 7
    return packets.srv6([_FINAL, sid], tlvs=[*others, packets.Tlv(124, bytes([0, 0, 0, 7, 0, 0]))], payload=_PAYLOAD)


def _plain(destination: IPv6Address) -> bytes:
    return packets.ipv6(destination, payload=_PAYLOAD)


def _path(sid: str, weight: int) -> bytes:
    """A Path of benchmarks/functions/weighted_round_robin.py with all its credit."""
    return IPv6Address(sid).packed + weight.to_bytes(4, "little") * 2


YARDSTICKS: Final[Mapping[str, Yardstick]] = {
    each.name: each
    for each in (
        Yardstick("end", _two_segments),
        Yardstick("end_t", _two_segments),
        Yardstick("tag_increment", _two_segments),
        Yardstick("add_tlv", _two_segments),
        Yardstick("add_tlv_20", _two_segments),
        Yardstick("find_tlv", _eight_tlvs),
        Yardstick("srv6_encap", _plain, {"FIRST": _PEER, "LAST": _OTHER}),
        Yardstick("delay_probe", _plain, {"END_DM": _PEER, "EXIT": _OTHER, "COLLECTOR": _THIRD, "RATIO": 1}),
        Yardstick(
            "weighted_round_robin",
            _plain,
            {"PEER": _PEER},
            {"paths": {bytes(4): _path(_OTHER, 3), bytes([1, 0, 0, 0]): _path(_THIRD, 1)}},
        ),
    )
}
