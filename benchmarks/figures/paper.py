"""What the thesis printed: points read off its vector plots, in percent of plain IPv6 forwarding (bars within 0.1).

Xhonneux, "An interface for programmable IPv6 Segment Routing network functions in Linux", 2018: a Xeon X3440 at 2.53 GHz, one core, an
82599 at 10 Gb/s, 3 million packets a second offered, of which plain forwarding passes 610,000.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

PLAIN_PER_SECOND: Final = 610_000
"""Packets a second that are 100 %."""


@final
@dataclass(frozen=True, slots=True)
class Point:
    """A bar or a median, in percent; where the plot has whiskers, their ends."""

    percent: float
    whiskers: tuple[float, float] | None = None

    @property
    def added_nanoseconds(self) -> float:
        """What a packet costs more than plain forwarding, there."""
        return 1e9 / PLAIN_PER_SECOND * (100 / self.percent - 1)


# Section 4.3. The key is the case's name in `cases`.
FIGURE_4_2: Final[Mapping[str, Point]] = {
    "End, static": Point(83.0),
    "End": Point(80.5),
    "tag_increment": Point(77.8),
    "End.T, static": Point(89.9),
    "End.T": Point(84.2),
    "add_tlv": Point(75.2),
    "add_tlv, no JIT": Point(42.7),
    "add_tlv_20": Point(66.6),
    "add_tlv_20, no JIT": Point(35.0),
}
# Section 6.1: what encapsulates, by how many packets go by for one probe.
FIGURE_6_3: Final[Mapping[str, Point]] = {
    "seg6 encap, static": Point(87.9),
    "delay_probe 1:10000": Point(94.1),
    "delay_probe 1:100": Point(93.9),
    "delay_probe 1:1": Point(71.3),
}
# Section 6.1: End.DM, by the share of probes in what passes.
FIGURE_6_4: Final[Mapping[str, Point]] = {
    "no probes": Point(99.90, (99.72, 100.0)),
    "end_dm 1:10000": Point(99.75, (99.55, 99.96)),
    "end_dm 1:1000": Point(99.46, (99.13, 99.64)),
    "end_dm 1:100": Point(98.25, (97.87, 98.52)),
}
