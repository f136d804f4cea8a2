"""Measure the delay to a SID on real traffic: one packet in RATIO goes by it, with its time of departure in a DM TLV.

    pybpfnf attach delay_probe 2001:db8:9::/48 --set END_DM=fc00:1::d --set EXIT=fc00:1::6 --set COLLECTOR=2001:db8::c --set RATIO=1000

END_DM runs `end_dm`, whose responder sends COLLECTOR both times. EXIT is behind it in the segment list, because the kernel runs
no program where no segment is left: `end_dm` takes the outer header off itself, or leaves that to an End.DT6 (End.DT4 for IPv4) at EXIT.
RATIO may be changed while packets flow; 0 makes no probes.

On a route of IPv4 traffic passes as it is, unless PROBE_IPV4 says otherwise: then it is encapsulated by `push_ip`, with SOURCE in
front. (The kernel's own SRv6 encapsulation damages IPv4.)
"""

from pybpfnf import OK, REROUTE, Config, IPv6Address, LwtInPacket, PerCpuArray, Srh, State, Verdict, lwt_in, realtime, u16, u32
from pybpfnf.tlvs import DelayMeasurement, ReplyTo, dm_timestamp

END_DM = Config(IPv6Address)
EXIT = Config(IPv6Address)
COLLECTOR = Config(IPv6Address)
PORT = Config(u16, default=8888)
SESSION = Config(u32, default=1)  # its low 24 bits: tells the probes of one router from another's
PROBE_IPV4 = Config(bool, default=False)
SOURCE = Config(IPv6Address, default=IPv6Address("::"))  # of the outer header around IPv4
RATIO = State(u32, initial=100)
packets = PerCpuArray(u32, 1)


@lwt_in(on_fault=OK)
def delay_probe(pkt: LwtInPacket) -> Verdict:
    """Send one packet in RATIO by END_DM, with a DM and a URO TLV."""
    if RATIO == 0 or (pkt.ipv6 is None and not PROBE_IPV4):
        return OK
    packets[0] += 1
    if packets[0] % RATIO != 0:
        return OK
    session, now = SESSION << 8, dm_timestamp(realtime())
    if pkt.ipv6 is None:
        pkt.push_ip(
            Srh(path=[END_DM, EXIT], tlvs=[DelayMeasurement(session=session, t1=now), ReplyTo(port=PORT, address=COLLECTOR)]),
            source=SOURCE,
        )
        return REROUTE
    pkt.push_encap(Srh(path=[END_DM, EXIT], tlvs=[DelayMeasurement(session=session, t1=now), ReplyTo(port=PORT, address=COLLECTOR)]))
    return OK
