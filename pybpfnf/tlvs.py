"""TLVs that several functions share, for `find`, `append` and `Srh(tlvs=...)`: from pybpfnf.tlvs import DelayMeasurement.

Those of delay measurement are of "Leveraging eBPF for programmable network functions with IPv6 Segment Routing" (CoNEXT 2018, section
4.1), after RFC 6374 section 3.2. User space reads and writes the same bytes by `pybpfnf.apps.delay.protocol`; a test compares the two.
"""

from __future__ import annotations

from pybpfnf.dsl.surface import IPv6Address, Tlv, func, u8, u16, u32, u64

__all__ = ["DM_IN_BAND", "DM_NONE", "DM_OUT_OF_BAND", "DM_PTP", "DM_QUERY", "DM_RESPONSE", "DelayMeasurement", "ReplyTo", "dm_timestamp"]

# Control codes of a query: who wants the times.
DM_IN_BAND = 0  # two-way: the packet itself brings them to its next segment
DM_OUT_OF_BAND = 1  # one-way: they are sent by UDP to the address in a `ReplyTo`
DM_NONE = 2  # nobody

# `version` and flags in one byte: the version, 1, in its low half; the flag R, a response, in its high half.
DM_QUERY = 0x01
DM_RESPONSE = 0x81

DM_PTP = 0x33  # `formats`: both are 32 bits of seconds and 32 bits of nanoseconds (RFC 6374 section 3.4, format 3)

_SECOND = 1_000_000_000


class DelayMeasurement(Tlv, type=7):
    """The DM TLV, 48 bytes. T1 to T4: when the query left, came, when the response left, came; 0 is not yet. See `dm_timestamp`."""

    reserved: u16 = 0
    version: u8 = DM_QUERY
    control: u8 = DM_OUT_OF_BAND  # in a response what became of it: 1 success, 0x10 error, 0x11 version or response, 0x12 control
    reserved_2: u16 = 0
    formats: u8 = DM_PTP  # of the querier's times in the low half, of the responder's in the high one
    preferred: u8 = 0x30  # the responder's preferred format in the high half
    reserved_3: u16 = 0
    session: u32  # its low 8 bits are the traffic class, not a part of the session's number
    t1: u64
    t2: u64 = 0
    t3: u64 = 0
    t4: u64 = 0


class ReplyTo(Tlv, type=131):
    """The URO TLV (UDP return object, RFC 7876), 20 bytes: where the times are sent."""

    port: u16
    address: IPv6Address


@func
def dm_timestamp(nanoseconds: u64) -> u64:
    """Nanoseconds as they stand in a DM TLV: seconds in the high 32 bits, nanoseconds of the second in the low ones."""
    return nanoseconds // _SECOND << 32 | nanoseconds % _SECOND
