"""Give one packet in RATIO a delay-measurement TLV (section 6.1 of the thesis; RFC 6374's times, in an SRH)."""

from pybpfnf import OK, Config, IPv6Address, LwtInPacket, PerCpuArray, Srh, State, Tlv, Verdict, helpers, lwt_in, octets, u8, u16, u32, u64

END_DM = Config(IPv6Address)
EXIT = Config(IPv6Address)
COLLECTOR = Config(IPv6Address)
PORT = Config(u16, default=8888)
RATIO = State(u32, initial=100)
packets = PerCpuArray(u32, 1)

SECOND = 1_000_000_000


class DelayTlv(Tlv, type=7):
    """48 bytes; the times are seconds and nanoseconds."""

    reserved: u16 = 0
    version: u8 = 1
    control: u8 = 1  # out-of-band reply wanted
    reserved_2: u16 = 0
    formats: u8 = 0x33
    preferred: u8 = 0x30
    reserved_3: u16 = 0
    session: bytes = octets(3)
    traffic_class: u8 = 0
    t1_seconds: u32
    t1_nanoseconds: u32
    t2: u64 = 0
    t3: u64 = 0
    t4: u64 = 0


class ReturnTo(Tlv, type=131):
    """Where the reply goes, by UDP."""

    port: u16
    address: IPv6Address


@lwt_in(on_fault=OK)
def delay_probe(pkt: LwtInPacket) -> Verdict:
    """Give one packet in RATIO a delay-measurement TLV."""
    if pkt.ipv6 is None:
        return OK
    packets[0] += 1
    if packets[0] % RATIO != 0:
        return OK
    now = helpers.ktime_get_tai_ns()  # as the C beside it; the catalogue's function stamps UTC, which its collector reckons by
    pkt.push_encap(
        Srh(
            path=[END_DM, EXIT],
            tlvs=[
                DelayTlv(
                    session=b"\0\0\1",
                    t1_seconds=u32(now // SECOND),
                    t1_nanoseconds=u32(now % SECOND),
                ),
                ReturnTo(address=COLLECTOR, port=PORT),
            ],
        )
    )
    return OK
