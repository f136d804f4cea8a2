"""A packet that came out against one that is expected: nothing where they agree, else a line for each part that differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import final

from pybpfnf.records import dataclass
from pybpfnf.testing.seg.model import Expectation, Layer, Packet, Payload, Segments
from pybpfnf.testing.seg.text import kind, parts
from pybpfnf.testing.seg.wire import as_met


@final
@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet that came out, and by which device."""

    device: str
    packet: Packet


def differences(expected: Packet, found: Packet) -> list[str]:
    """As `srh.tag: expected 13, found 12`; a second header of a kind is `srh#2`. Empty where the packets agree."""
    return list(_differences(expected, found))


def _differences(expected: Packet, found: Packet) -> Iterator[str]:
    seen: dict[str, int] = {}
    for index in range(max(len(expected), len(found))):
        wanted, got = _at(expected, index), _at(found, index)
        if wanted is None or got is None or kind(wanted) != kind(got):
            if isinstance(wanted, Payload) and wanted.data is None and got is None:
                return
            yield f"header {index + 1}: expected {_named(wanted)}, found {_named(got)}"
            return
        number = seen[kind(wanted)] = seen.get(kind(wanted), 0) + 1
        yield from _in_layer(wanted, got, "" if number == 1 else f"#{number}")


def _at(packet: Packet, index: int) -> Layer | None:
    return packet[index] if index < len(packet) else None


def _named(layer: Layer | None) -> str:
    return "nothing" if layer is None else kind(layer)


def _in_layer(expected: Layer, found: Layer, number: str) -> Iterator[str]:
    if isinstance(expected, Segments) and isinstance(found, Segments):
        expected = _with_any_tlvs(as_met(expected), found)
    wanted, got = dict(parts(expected)), dict(parts(found))
    for name in dict.fromkeys([*wanted, *got]):
        before, after = wanted.get(name, "nothing"), got.get(name, "nothing")
        if before is not None and before != after:
            head, dot, tail = name.partition(".")
            yield f"{head}{number}{dot}{tail}: expected {before}, found {after}"


def _with_any_tlvs(expected: Segments, found: Segments) -> Segments:
    """With the TLVs that were found where any may be."""
    got = found.tlvs
    tlvs = tuple(
        got[index] if tlv.value is None and index < len(got) and got[index].type == tlv.type else tlv
        for index, tlv in enumerate(expected.tlvs)
    )
    if not expected.any_tlvs:
        return replace(expected, tlvs=tlvs)
    return replace(expected, tlvs=tlvs + got[len(tlvs) :], rest=found.rest)


# -------------------------------------------------------------------------------------------------- all of a test


def judge(expected: Sequence[Expectation], found: Sequence[Arrival]) -> list[str]:
    """What is wrong with all that came out; empty where it is what was expected, in any order of devices."""
    left, missing = list(found), []
    for each in expected:
        match = next((arrival for arrival in left if not _mismatch(each, arrival)), None)
        if match is None:
            missing.append(each)
        else:
            left.remove(match)
    lines: list[str] = []
    for each in missing:
        lines += _mismatch(each, left.pop(0)) if left else ["a packet is missing"]
    extra = "a packet came out" if not expected else "one packet more came out"
    return lines + [f"{extra}, by {arrival.device}" for arrival in left]


def _mismatch(expected: Expectation, arrival: Arrival) -> list[str]:
    device = [] if expected.device in (None, arrival.device) else [f"device: expected {expected.device}, found {arrival.device}"]
    return device + differences(expected.packet, arrival.packet)
