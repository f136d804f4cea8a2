"""End.DM: put the time of arrival into a probe's DM TLV, and say it to who asked for it.

    pybpfnf attach end_dm SID --dev DEV
    pybpfnf delay responder SID --dev DEV     # attaches it, and sends the answers

A one-way probe (control code 1) names a collector in its URO TLV: a record with both times goes to user space, and the packet goes on.
Where one segment is left, which then is there only because the kernel runs no program without, an IPv6 packet inside goes on alone, by
the routes of TABLE (End.DT6); what is no IPv6 packet, and with DECAPSULATE=false all, goes to that segment. A two-way probe (control
code 0) gets T2 and T3, and takes them to its next segment, which is the way back. Control code 2 asks for nobody to be told.

T2 is the kernel's stamp of the packet's arrival where there is one (`pkt.received`: the responder asks for stamps), else the clock's
time when the function runs, which has in it what the packet has waited for that. `clocks` counts which it was, and `stamped` in a record
says it of its probe.

A two-way probe that is wrong comes back with a code of the error; another wrong probe is dropped. `seen` counts what came, by `Seen`.
"""

from enum import IntEnum

from pybpfnf import (
    DROP,
    OK,
    Config,
    Header,
    IPv6Address,
    PerCpuArray,
    RingBuf,
    Seg6Packet,
    Struct,
    Verdict,
    array,
    func,
    octets,
    realtime,
    seg6local,
    u8,
    u16,
    u32,
    u64,
)
from pybpfnf.headers import Ipv6
from pybpfnf.tlvs import DM_IN_BAND, DM_NONE, DM_OUT_OF_BAND, DM_PTP, DM_QUERY, DM_RESPONSE, DelayMeasurement, ReplyTo, dm_timestamp

DECAPSULATE = Config(bool, default=True)
TABLE = Config(u32, default=254)  # the main table

SECOND = 1_000_000_000
MOST_SEGMENTS = 16  # of a path that a record has room for


class Seen(IntEnum):
    """What `seen` counts."""

    ONE_WAY = 0
    TWO_WAY = 1
    SILENT = 2  # control code 2
    ANSWERED_WRONG = 3  # a two-way probe that went back with an error
    DROPPED_WRONG = 4
    UNHEARD = 5  # a one-way probe for whose record there was no room: it went on
    TOO_LONG = 6  # one of more segments than a record has room for: it went on


class Code(IntEnum):
    """Control codes of a response."""

    SUCCESS = 0x01
    GENERIC = 0x10
    VERSION = 0x11  # another version, or a response already
    CONTROL = 0x12


class Path(Struct):
    """What an answer says of a probe's SRH."""

    next_header: u8
    segments_left: u8
    last_entry: u8
    flags: u8
    tag: u16


class Measured(Struct):
    """A one-way probe. Times are as in the DM TLV (seconds above nanoseconds), since 1970 by the clocks of two machines."""

    t1: u64
    t2: u64
    session: u32  # its low 8 bits: the traffic class
    port: u16
    srh: Path
    collector: IPv6Address
    ipv6: bytes = octets(40)  # the outer header
    segments: list[IPv6Address] = array(IPv6Address, MOST_SEGMENTS)  # as on the wire; the first last_entry + 1
    stamped: bool  # T2 is the kernel's stamp of the arrival, not the time at which the function ran


class Outer(Header):
    octets: bytes = octets(40)


measured = RingBuf(Measured, 1 << 22)
seen = PerCpuArray(u64, 8)
clocks = PerCpuArray(u64, 2)  # arrivals by the clock, and by the kernel's stamp


@func
def is_stamped(pkt: Seg6Packet, now: u64) -> bool:
    """Whether the packet has a stamp of its arrival, by the clock that tells `now`, and of less than a second ago."""
    stamp = pkt.received
    return stamp != 0 and stamp <= now and now - stamp < SECOND


@func
def wrong_of(probe: DelayMeasurement) -> u8:
    """The code of what is wrong with a probe; 0 where nothing is."""
    if probe.version != DM_QUERY:
        return Code.VERSION
    if probe.control > DM_NONE:
        return Code.CONTROL
    return 0 if probe.formats == DM_PTP else Code.GENERIC


@func
def answer(probe: DelayMeasurement, code: u8, t2: u64) -> None:
    """Make a two-way probe the response."""
    probe.t2 = t2
    probe.control = code
    probe.version = DM_RESPONSE
    probe.t3 = dm_timestamp(realtime())


@func
def report(pkt: Seg6Packet, probe: DelayMeasurement, to: ReplyTo, t2: u64, stamped: bool) -> None:
    """Send the record of a one-way probe. Without room for it the probe goes on, and is counted."""
    srh = pkt.srh
    if srh.last_entry >= MOST_SEGMENTS:
        seen[Seen.TOO_LONG] += 1
        return
    record = measured.reserve()
    if record is None:
        seen[Seen.UNHEARD] += 1
        return
    record.t1 = probe.t1
    record.t2 = t2
    record.session = probe.session
    record.stamped = stamped
    record.port = to.port
    record.collector = to.address
    record.srh = Path(next_header=srh.next_header, segments_left=srh.segments_left, last_entry=srh.last_entry, flags=srh.flags, tag=srh.tag)
    record.ipv6 = pkt.view(Outer, at=0).octets
    for i in range(min(srh.last_entry + 1, MOST_SEGMENTS)):
        record.segments[i] = srh.segments[i]
    measured.submit(record)
    seen[Seen.ONE_WAY] += 1


@seg6local
def end_dm(pkt: Seg6Packet) -> Verdict:
    """Take the time of a probe, answer it as it asks to be, and let it go on."""
    now = realtime()
    stamped = is_stamped(pkt, now)
    clocks[1 if stamped else 0] += 1
    t2 = dm_timestamp(pkt.received if stamped else now)
    probe = pkt.srh.find(DelayMeasurement)
    if probe is None:
        seen[Seen.DROPPED_WRONG] += 1
        return DROP
    to = pkt.srh.find(ReplyTo)
    wrong = wrong_of(probe)
    if wrong != 0 and (to is None or probe.control == DM_IN_BAND):
        answer(probe, wrong, t2)
        seen[Seen.ANSWERED_WRONG] += 1
        return OK
    if wrong != 0 or (to is None and probe.control == DM_OUT_OF_BAND):
        seen[Seen.DROPPED_WRONG] += 1
        return DROP
    if probe.control == DM_IN_BAND:
        answer(probe, Code.SUCCESS, t2)
        seen[Seen.TWO_WAY] += 1
        return OK
    inner = DECAPSULATE and pkt.srh.segments_left == 0 and pkt.find(Ipv6) is not None  # first: a packet cut off in there leaves no record
    if to is not None and probe.control == DM_OUT_OF_BAND:
        report(pkt, probe, to, t2, stamped)
    else:
        seen[Seen.SILENT] += 1
    if inner:
        return pkt.end_dt6(table=TABLE)
    probe.t2 = t2
    return OK
