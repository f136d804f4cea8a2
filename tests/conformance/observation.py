"""A packet and what became of it on one engine, with the questions that rules ask of the two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS, ROUTING_TYPES, SEGMENT_SIZE, SRH_FLAGS, SRH_TLVS
from pybpfnf.abi.seg6 import ACTIONS
from pybpfnf.runner import Environment, Outcome
from tests.conformance.probe import Op, Script, Step

IPV6_SIZE: Final = HEADERS["ipv6"].size
FIXED: Final = HEADERS["srh"].size  # of an SRH, before its segments
NO_SCRIPT: Final = Script(())
HMAC_SIZE: Final = 40
_EXTENSIONS = {name: NEXT_HEADERS[name] for name in ("hop_by_hop", "destination_options", "routing")}


@final
@dataclass(frozen=True, slots=True)
class Srh:
    """A packet's first routing header with segments left, right or wrong, to the end of the packet; `before` are the headers before it."""

    before: tuple[int, ...]
    header: bytes

    @property
    def size(self) -> int:
        return 8 * (self.header[1] + 1)

    @property
    def is_segment_routing(self) -> bool:
        return self.header[2] == ROUTING_TYPES["srh"]

    @property
    def segments_left(self) -> int:
        return self.header[3]

    @property
    def last_entry(self) -> int:
        return self.header[4]

    @property
    def tlvs_at(self) -> int:
        return FIXED + SEGMENT_SIZE * (self.last_entry + 1)

    @property
    def area(self) -> bytes:
        """Its TLVs, as far as its length and Last Entry say."""
        return self.header[self.tlvs_at : self.size]

    @property
    def area_ends(self) -> bool:
        """The TLVs end where the SRH does."""
        offset = 0
        while offset + 2 <= len(self.area):
            offset += 2 + self.area[offset + 1]
        return offset == len(self.area)

    @property
    def has_hmac(self) -> bool:
        """The last 40 bytes are an HMAC TLV."""
        return self.area[-HMAC_SIZE:][:2] == bytes((SRH_TLVS["hmac"], HMAC_SIZE - 2))

    @property
    def has_flag(self) -> bool:
        return bool(self.header[5] & SRH_FLAGS["hmac"])

    def segment(self, index: int) -> bytes:
        return self.header[FIXED + SEGMENT_SIZE * index : FIXED + SEGMENT_SIZE * (index + 1)]


def srh_of(packet: bytes) -> Srh | None:
    """The header that the kernel takes for the SRH, valid or not; None where there is none."""
    before: list[int] = []
    number, offset = packet[6], IPV6_SIZE
    while offset + FIXED <= len(packet) and number in _EXTENSIONS.values():
        header = packet[offset:]
        if number == NEXT_HEADERS["routing"] and header[3] > 0:
            return Srh(tuple(before), header)
        before.append(number)
        number, offset = header[0], offset + 8 * (header[1] + 1)
    return None


@final
@dataclass(frozen=True, slots=True)
class Observation:
    """One packet on one engine; `results` are those of the script's steps, where there was a script."""

    packet: bytes
    outcome: Outcome
    environment: Environment
    script: Script = NO_SCRIPT
    results: tuple[int, ...] = ()

    @property
    def srh(self) -> Srh | None:
        return srh_of(self.packet)

    @property
    def after(self) -> bytes:
        """What left; empty where nothing did."""
        return self.outcome.packet or b""

    @property
    def refused(self) -> bool:
        """Dropped before the program."""
        return self.outcome.runs == 0 and not self.outcome.forwarded

    @property
    def accepted(self) -> bool:
        """The program ran, and the packet left."""
        return self.outcome.runs > 0 and self.outcome.forwarded

    @property
    def dropped_after_ok(self) -> bool:
        """The program ran and said OK, and the packet was dropped all the same."""
        return self.outcome.runs > 0 and self.outcome.verdict == 0 and not self.outcome.forwarded

    def left_with(self, verdict: int) -> bool:
        return self.outcome.forwarded and self.outcome.verdict == verdict

    def steps(self) -> Iterator[tuple[Step, int]]:
        """The script's steps, each with its result."""
        return zip(self.script.steps, self.results, strict=True)

    def gave(self, op: Op, result: int) -> bool:
        """Whether a step of this kind gave this result."""
        return any(step.op is op and given == result for step, given in self.steps())

    def action(self, name: str, result: int) -> bool:
        """Whether this seg6 action gave this result."""
        number = ACTIONS[name].number
        return any(step.op is Op.ACTION and step.first == number and given == result for step, given in self.steps())
