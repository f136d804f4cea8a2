"""Why a packet did not leave: one sentence for each, that names the kernel's check or the function's line; for all hooks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pybpfnf
from pybpfnf.runner import Environment, Outcome
from pybpfnf.testing.hostile import any_ipv6, mutated_packets, well_formed
from pybpfnf.vm import Engine, VmRunner

ONCE = True  # see conftest
COUNT = 400

TEXTS = {
    "lwt_seg6local": """
from pybpfnf import DROP, OK, Seg6Packet, Verdict, seg6local


@seg6local
def f(pkt: Seg6Packet) -> Verdict:
    if pkt.srh.tag & 3 == 1:
        return DROP
    if pkt.srh.tag & 3 == 2 and pkt.srh.segments[3] == pkt.ipv6.source:
        return OK
    return DROP if pkt.srh.tag & 3 == 3 else OK
""",
    "lwt_in": """
from pybpfnf import DROP, OK, REROUTE, LwtInPacket, Verdict, func, lwt_in


@func
def chosen(pkt: LwtInPacket) -> Verdict:
    if pkt.len & 1 == 0:
        return DROP
    return OK


@lwt_in(on_fault=DROP)
def f(pkt: LwtInPacket) -> Verdict:
    if pkt.mark == 1:
        return chosen(pkt)
    return REROUTE if pkt.mark == 2 else OK
""",
    "lwt_out": """
from pybpfnf import DROP, OK, LwtOutPacket, Verdict, lwt_out


@lwt_out(on_fault=DROP)
def f(pkt: LwtOutPacket) -> Verdict:
    return DROP if pkt.mark == 1 else OK
""",
    "lwt_xmit": """
from pybpfnf import DROP, OK, REROUTE, LwtXmitPacket, Verdict, lwt_xmit


@lwt_xmit(on_fault=DROP)
def f(pkt: LwtXmitPacket) -> Verdict:
    if pkt.mark == 1:
        return DROP
    if pkt.mark == 3:
        return pkt.redirect(91)
    return REROUTE if pkt.mark == 2 else OK
""",
}
PLACES = {"lwt_seg6local": "f.py:8 or 11", "lwt_in": "f.py:15", "lwt_out": "f.py:7", "lwt_xmit": "f.py:8"}
# A function of the kernel and what it found, or what there is no route or device for.
_NAMED = re.compile(
    r"^([a-z]\w+_\w+|lwtunnel): |^there is no route to |is the router's own: |is multicast, which is not forwarded"
    r"|answered -\d+ \(E|^the packet left by another device$"
)
ROUTERS = [Environment(mark=mark) for mark in range(4)] + [Environment(mark=3, devices={91: "ip"}, unreachable=("fc00::/16",))]


@pytest.fixture(params=TEXTS)
def image(request: pytest.FixtureRequest, tmp_path: Path) -> pybpfnf.ObjectImage:
    path = tmp_path / "f.py"
    path.write_text(TEXTS[request.param])
    return pybpfnf.read(pybpfnf.build(path))


def says_why(outcome: Outcome, place: str) -> bool:
    reason = outcome.reason or ""
    if outcome.fault is not None:
        return bool(reason) and outcome.fault.line is not None
    returned = re.fullmatch(r"the program returned BPF_DROP at (.*)", reason)
    return (returned is not None and returned[1].endswith(place)) or bool(_NAMED.search(reason))


@pytest.mark.parametrize("by", [Engine.REFERENCE, Engine.COMPILED])
def test_every_packet_that_does_not_leave_has_its_reason(image: pybpfnf.ObjectImage, by: Engine) -> None:
    program = image.programs[0]
    place = PLACES[program.type or ""]
    seen = set()
    for router in ROUTERS:
        session = VmRunner(engine=by).open(image, program, router)
        packets = list(mutated_packets(6, COUNT, well_formed if program.type == "lwt_seg6local" else any_ipv6))
        for packet, outcome in zip(packets, session.run_many(packets), strict=True):
            if not outcome.forwarded:
                assert says_why(outcome, place), (packet.hex(), outcome)
                seen.add(outcome.reason)
            else:
                assert outcome.reason is None
    assert len(seen) > 10


def test_a_drop_that_another_program_may_have_made_names_no_line(tmp_path: Path) -> None:
    path = tmp_path / "f.py"
    path.write_text(
        "from pybpfnf import DROP, ProgArray, Seg6Packet, Verdict, seg6local\n\nNEXT = ProgArray(Seg6Packet, 2)\n\n\n@seg6local\n"
        "def f(pkt: Seg6Packet) -> Verdict:\n    if pkt.srh.tag == 1:\n        return DROP\n    return NEXT[0](pkt)\n"
    )
    assert pybpfnf.read(pybpfnf.build(path)).programs[0].drops == ""
