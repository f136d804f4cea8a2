"""Timers of functions on a lab's clock: called at their time, packet or no packet."""

from __future__ import annotations

from ipaddress import IPv6Network

from pybpfnf.abi.text import parse
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.lab.topology import Direction, End, Function, Link, Node, Sid, Topology
from pybpfnf.lab.virtual import VirtualLab
from pybpfnf.testing.packets import srv6

MS = 10**6
AHEAD = 10**9
TIMED = MapSpec("timed", "array", 4, 24, 1)
RING = MapSpec("ring", "ringbuf", 0, 0, 4096)
# A packet starts the timer; its function says what time it is, and starts it again: so does each run after it.
TEXT = """
    *(u32 *)(r10 - 4) = 0
    r1 = map[timed]
    r2 = r10
    r2 += -4
    call map_lookup_elem
    if r0 == 0 goto out
    r6 = r0
    r6 += 8
    r1 = r6
    r2 = map[timed]
    r3 = 1
    call timer_init
    r1 = r6
    r2 = func[expired]
    call timer_set_callback
    r1 = r6
    r2 = 1500000
    r3 = 0
    call timer_start
out:
    r0 = 0
    exit
expired:
    r6 = r3
    call ktime_get_tai_ns
    *(u64 *)(r10 - 8) = r0
    r1 = map[ring]
    r2 = r10
    r2 += -8
    r3 = 8
    r4 = 0
    call ringbuf_output
    r1 = r6
    r1 += 8
    r2 = 1500000
    r3 = 0
    call timer_start
    r0 = 0
    exit
"""


def test_a_timer_expires_at_its_time_without_a_packet() -> None:
    program = ProgramImage("timed", "lwt_seg6local", "lwt_seg6local", parse(TEXT))
    image = ObjectImage((program,), {TIMED.name: TIMED, RING.name: RING}, "GPL")
    b = Node("b", sids=(Sid(IPv6Network("fc00:2::1"), Function(image)),), clock_offset=AHEAD)
    link = Link((End("a", Direction(MS)), End("b", Direction(MS))))
    with VirtualLab(Topology("timed", (Node("a"), b), (link,))) as lab:
        said: list[tuple[int, int]] = []
        tai = 37 * 10**9
        lab.node("b").on_record(
            "fc00:2::1", "ring", lambda record: said.append((lab.now, int.from_bytes(record, "little") - tai - lab.node("b").realtime()))
        )
        lab.send("a", srv6(["fd00::1", "fc00:2::1"], source="fd00::1"))
        lab.run(until=6 * MS)
        assert said == [(2_500_000, 0), (4_000_000, 0), (5_500_000, 0)]
