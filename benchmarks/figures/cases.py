"""The figures as rows: what each case binds to the router, and what packets it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Final, TypeAlias, final

import pybpfnf
from benchmarks.figures import paper
from benchmarks.figures.forwarder import Forwarder, frame
from benchmarks.figures.source import Mix
from pybpfnf.apps.delay.protocol import SECOND, DelayMeasurement, Query, ReplyTo
from pybpfnf.routes import MAIN_TABLE, Encap, Seg6, Seg6Local
from pybpfnf.testing import packets

_ROOT: Final = Path(__file__).resolve().parents[2]
_PADDING = bytes((4, 2, 0, 0))  # PadN, up to a multiple of 8 (RFC 8754 section 2.1.1.2)
_PAYLOAD = packets.udp(bytes(64))  # section 4.3: UDP with 64 bytes
_SINK, _SID, _TUNNELLED = "fc00:c::1", "fc00:a::1", "fc00:b::1"
_NEXT, _LAST, _COLLECTOR = "fc00:c::2", "fc00:c::3", "fc00:c::4"
REACHABLE: Final = (IPv6Network("fc00:c::/64"),)
Setup: TypeAlias = Callable[[Forwarder], None]


@final
@dataclass(frozen=True, slots=True)
class Case:
    """`mix` is what comes in after `setup`. `static` names the case that is the kernel's own action of the same meaning, `point` is
    what the thesis has for it. With `interpreted` the setup's programs are loaded while the kernel's JIT is off."""

    name: str
    setup: Setup
    mix: Mix
    static: str | None = None
    point: paper.Point | None = None
    interpreted: bool = False


@final
@dataclass(frozen=True, slots=True)
class Figure:
    """`cases` are measured against `baseline`, which is 100 %. `title` is also the picture's."""

    name: str
    title: str
    baseline: Case
    cases: Sequence[Case]


def _nothing(forwarder: Forwarder) -> None:
    """Plain forwarding needs the routes to the sinks alone."""


def _told(prefix: str, encap: Encap) -> Setup:
    return lambda forwarder: forwarder.tell(prefix, encap)


def _bound(prefix: str, source: str, **variables: object) -> Setup:
    def setup(forwarder: Forwarder) -> None:
        image = pybpfnf.read(pybpfnf.build(_ROOT / source))
        forwarder.bind(prefix, pybpfnf.image.configure(image, variables))

    return setup


# The packet of section 4.3, two segments, on its way to the first; and the same on its way to the last, which no SID here is.
_AT_SID = Mix(frame(packets.srv6([_SINK, _SID], payload=_PAYLOAD)))
_PAST_SID = Mix(frame(packets.srv6([_SINK, _SID], segments_left=0, payload=_PAYLOAD)))
_PLAIN = Mix(frame(packets.ipv6(_SINK, payload=_PAYLOAD)))
_TO_TUNNEL = Mix(frame(packets.ipv6(_TUNNELLED, payload=_PAYLOAD)))


def _figure_4_2() -> Figure:
    add_tlv, add_tlv_20 = _bound(_SID, "functions/add_tlv.py"), _bound(_SID, "functions/add_tlv_20.py")
    points = paper.FIGURE_4_2
    cases = (
        Case("End, static", _told(_SID, Seg6Local("End")), _AT_SID, None, points["End, static"]),
        Case("End", _bound(_SID, "functions/end.py"), _AT_SID, "End, static", points["End"]),
        Case("tag_increment", _bound(_SID, "functions/tag_increment.py"), _AT_SID, "End, static", points["tag_increment"]),
        Case("End.T, static", _told(_SID, Seg6Local("End.T", table=MAIN_TABLE)), _AT_SID, None, points["End.T, static"]),
        Case("End.T", _bound(_SID, "functions/end_t.py"), _AT_SID, "End.T, static", points["End.T"]),
        Case("add_tlv", add_tlv, _AT_SID, "End, static", points["add_tlv"]),
        Case("add_tlv, no JIT", add_tlv, _AT_SID, "End, static", points["add_tlv, no JIT"], interpreted=True),
        Case("add_tlv_20", add_tlv_20, _AT_SID, "End, static", points["add_tlv_20"]),
        Case("add_tlv_20, no JIT", add_tlv_20, _AT_SID, "End, static", points["add_tlv_20, no JIT"], interpreted=True),
    )
    return Figure("fig4.2", "Forwarding through a network function", Case("plain IPv6", _nothing, _PAST_SID), cases)


def _figure_6_3() -> Figure:
    static = "seg6 encap, static"
    encap = Seg6("encap", (IPv6Address(_NEXT), IPv6Address(_LAST)))
    cases = [Case(static, _told(f"{_TUNNELLED}/128", encap), _TO_TUNNEL, None, paper.FIGURE_6_3[static])]
    for ratio in (10000, 100, 1):
        name = f"delay_probe 1:{ratio}"
        variables = {"END_DM": _NEXT, "EXIT": _LAST, "COLLECTOR": _COLLECTOR, "RATIO": ratio}
        setup = _bound(_TUNNELLED, "functions/delay/delay_probe.py", **variables)
        cases.append(Case(name, setup, _TO_TUNNEL, static, paper.FIGURE_6_3[name]))
    return Figure("fig6.3", "Encapsulating probes of delay", Case("plain IPv6", _nothing, _PLAIN), cases)


def _figure_6_4() -> Figure:
    """A probe comes as `delay_probe` makes it, is decapsulated, and its record lies in a ring buffer that has room for all of a run."""
    setup = _bound(_SID, "functions/delay/end_dm.py")
    tlvs = DelayMeasurement(Query.OUT_OF_BAND, session=1, t1=SECOND).encode() + ReplyTo(IPv6Address(_COLLECTOR), 8888).encode() + _PADDING
    inner = packets.ipv6(_SINK, payload=_PAYLOAD)
    probe = frame(packets.srv6([_NEXT, _SID], tlvs=tlvs, payload=packets.inner(inner)))
    usual = frame(packets.ipv6(_SINK, payload=packets.udp(bytes(len(probe) - len(frame(inner)) + 64))))
    points = paper.FIGURE_6_4
    cases = [Case("no probes", setup, Mix(usual), None, points["no probes"])]
    for every in (10000, 1000, 100):
        name = f"end_dm 1:{every}"
        cases.append(Case(name, setup, Mix(usual, probe, every), None, points[name]))
    return Figure("fig6.4", "Taking the times of probes", Case("plain IPv6", _nothing, Mix(usual)), cases)


FIGURES: Final[Mapping[str, Callable[[], Figure]]] = {"fig4.2": _figure_4_2, "fig6.3": _figure_6_3, "fig6.4": _figure_6_4}
