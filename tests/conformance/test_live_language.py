"""What a function leaves in its maps, as ordinary Python reads it with the author's classes: on the VM and in the kernel."""

from __future__ import annotations

import pytest

from pybpfnf import (
    DROP,
    OK,
    Hash,
    IPv6Address,
    LwtOutPacket,
    PerCpuArray,
    PerCpuHash,
    PerfEventArray,
    RingBuf,
    Seg6Packet,
    Struct,
    Verdict,
    array,
    bits,
    lwt_out,
    octets,
    seg6local,
    u8,
    u16,
    u32,
    u64,
)
from pybpfnf.errors import InputError
from pybpfnf.runner import Runner
from tests.conformance.running import SOURCE, packet, running


class Inner(Struct):
    low: u16 = 0
    each: list[u8] = array(u8, 2)


class Count(Struct):
    packets: u64 = 0
    kind: u32 = bits(4, default=0)
    rest: u32 = bits(28, default=0)
    inner: Inner


class Seen(Struct):
    by: IPv6Address
    size: u32
    raw: bytes = octets(3, default=b"abc")


class Weight(Struct):
    share: u32 = 5
    by: IPv6Address = IPv6Address("fc00::1")


counts = PerCpuArray(Count, 1)
last = PerCpuHash(IPv6Address, Seen, 4)
weights = Hash(u16, Weight, 4, default=Weight())
events = RingBuf(Seen, 4096)
samples = PerfEventArray(Seen)


@seg6local
def counted(pkt: Seg6Packet) -> Verdict:
    count = counts[0]
    count.packets += 1
    count.kind = 9
    count.inner.low += 2
    count.inner.each[1] = 200
    last[pkt.ipv6.source] = Seen(by=pkt.ipv6.source, size=pkt.len)
    events.emit(Seen(by=pkt.ipv6.source, size=pkt.srh.tag))
    weights[7].share -= 1
    return OK


@lwt_out(on_fault=DROP)
def sampled(pkt: LwtOutPacket) -> Verdict:
    if pkt.ipv6 is None:
        return OK
    samples.emit(Seen(by=pkt.ipv6.source, size=pkt.len), packet=8)
    return OK


def test_structs_of_all_cpus_are_one_of_the_authors_class_with_the_sums(runner: Runner) -> None:
    with running(runner, counted) as (nf, run):
        run(packet())
        run(packet())
        found = nf[counts][0]
        assert isinstance(found, Count)
        assert (found.packets, found.kind, found.inner) == (2, 9, Inner(low=4, each=[0, 200]))
        assert sum(each.packets for each in nf[counts].per_cpu(0)) == 2


def test_a_sum_may_be_more_than_a_field_holds(runner: Runner) -> None:
    """What another CPU has is written over the values that the function left: there is a second CPU in the VM and may be here."""
    with running(runner, counted) as (nf, _):
        access = nf[counts]
        cpus = len(access.per_cpu(0))
        access[0] = Count(kind=15, inner=Inner(low=65535, each=[255, 0]))
        assert access[0].inner.low == 65535
        assert [each.inner.low for each in access.per_cpu(0)] == [65535] + [0] * (cpus - 1)


def test_fields_without_a_sum_are_named_and_read_of_each_cpu(runner: Runner) -> None:
    with running(runner, counted) as (nf, run):
        run(packet())
        with pytest.raises(InputError, match="each CPU has its own, and by, raw have no sum"):
            nf[last][SOURCE]
        assert SOURCE in [each.by for each in nf[last].per_cpu(SOURCE)]


def test_a_missing_key_of_structs_reads_as_the_default_until_the_function_makes_it(runner: Runner) -> None:
    with running(runner, counted) as (nf, run):
        assert (nf[weights][7], len(nf[weights])) == (Weight(), 0)
        run(packet())
        assert dict(nf[weights]) == {7: Weight(share=4)}


def test_records_are_the_authors_structs(runner: Runner) -> None:
    with running(runner, counted) as (nf, run):
        assert list(nf[events]) == []
        run(packet(tag=3))
        run(packet(tag=4))
        assert nf[events].wait(0)
        assert list(nf[events]) == [Seen(by=SOURCE, size=3), Seen(by=SOURCE, size=4)]
        assert (list(nf[events]), nf[events].lost) == ([], 0)


def test_a_sample_has_the_start_of_the_packet_after_its_record(runner: Runner) -> None:
    with running(runner, sampled) as (nf, run):
        sent = run(packet()).packet
        assert sent is not None
        ((record, rest),) = nf[samples].samples()
        assert (record.by, record.size) == (SOURCE, len(sent))
        assert rest[:7] == sent[:7]  # the hop limit, the eighth byte, is one less behind the hook
        assert 8 <= len(rest) < 16
