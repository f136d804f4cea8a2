"""`delay_probe`: one packet in RATIO gets an outer header, an SRH of two segments, and in it the DM and the URO TLV."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import pybpfnf
from pybpfnf import FaultKind, ObjectImage, Runner, Simulation
from pybpfnf.testing.packets import Tlv, ipv4, ipv6, pack, srh, srv6, tcp, udp
from tests.functions.cases import LOST, SID
from tests.functions.conftest import ROUTER
from tests.functions.delay_checks import COLLECTOR, PORT, dm, time_at, timed, uro

FUNCTION = "delay_probe"
END_DM, EXIT, SOURCE = "fc00:c::d", "fc00:c::6", "fc00:b::1"
CONFIG: dict[str, object] = {
    "END_DM": END_DM, "EXIT": EXIT, "COLLECTOR": COLLECTOR, "PORT": PORT, "SESSION": 0xABCDEF, "SOURCE": SOURCE, "RATIO": 1
}  # fmt: skip
T1 = 40 + 8 + 2 * 16 + 16  # where it stands in a probe
PACKETS = {
    "UDP": ipv6(SID, payload=udp()),
    "TCP": ipv6(SID, payload=tcp(b"x" * 1000)),
    "traffic class and flow label": ipv6(SID, payload=udp(), traffic_class=0xB9, flow_label=0xABCDE, hop_limit=2),
    "SRv6": srv6([EXIT, SID]),
}


@pytest.fixture(scope="module")
def built() -> ObjectImage:
    return pybpfnf.read(FUNCTION)


@pytest.fixture
def nf(built: ObjectImage, runner: Runner) -> Iterator[Simulation]:
    with pybpfnf.simulate(built, environment=ROUTER, runner=runner, config=CONFIG) as simulation:
        yield simulation


def probe_header(t1: int) -> bytes:
    """What stands between the outer IPv6 header and the packet, after its Next Header byte."""
    tlvs = [dm(session=0xABCDEF, times=(t1, 0, 0, 0)), uro(), Tlv(4, bytes(2))]
    return srh([EXIT, END_DM], tlvs=tlvs).body


@pytest.mark.parametrize("packet", PACKETS.values(), ids=PACKETS)
def test_a_probe_is_the_packet_with_the_time_and_the_collector_in_front(nf: Simulation, runner: Runner, packet: bytes) -> None:
    outcome, times = timed(runner, nf.run, packet)
    assert (outcome.verdict, outcome.fault) == (0, None)
    assert outcome.packet is not None
    t1 = time_at(outcome.packet, T1)
    assert t1 in times
    header = b"\x29" + probe_header(t1)
    outer = pack("ipv6", payload_length=len(header) + len(packet), next_header=43, source=str(ROUTER.device_address), destination=END_DM)
    assert outcome.packet == packet[:4] + outer[4:7] + packet[7:8] + outer[8:] + header + packet


def test_one_packet_in_ratio_is_a_probe(nf: Simulation) -> None:
    nf["RATIO"] = 5
    packet = PACKETS["UDP"]
    probes = [index for index in range(1, 21) if nf.run(packet).packet != packet]
    assert probes == [5, 10, 15, 20]


def test_the_ratio_changes_while_packets_flow_and_0_is_none(nf: Simulation) -> None:
    packet = PACKETS["UDP"]
    for ratio, expected in ((1, False), (0, True), (2, False)):
        nf["RATIO"] = ratio
        assert all(nf.run(packet).packet == packet for _ in range(2)) == expected
        assert nf.run(packet).fault is None


def test_ipv4_passes_as_it_is(built: ObjectImage, runner: Runner) -> None:
    packet = ipv4("198.51.100.1", payload=udp())
    with pybpfnf.simulate(built, runner=runner, config=CONFIG) as nf:
        assert [nf.run(packet).packet for _ in range(3)] == [packet] * 3


def test_an_ipv4_probe_is_the_whole_packet_in_ipv6_where_it_is_wanted(built: ObjectImage, runner: Runner) -> None:
    packet = ipv4("198.51.100.1", payload=udp())
    with pybpfnf.simulate(built, runner=runner, config={**CONFIG, "PROBE_IPV4": True}) as nf:
        outcome, times = timed(runner, nf.run, packet)
    assert (outcome.verdict, outcome.fault) == (128, None)
    assert outcome.packet is not None
    t1 = time_at(outcome.packet, T1)
    assert t1 in times
    header = b"\x04" + probe_header(t1)
    outer = pack(
        "ipv6", version=6, payload_length=len(header) + len(packet), next_header=43, hop_limit=64, source=SOURCE, destination=END_DM
    )
    assert outcome.packet == outer + header + packet


def test_without_a_route_to_end_dm_the_probe_is_a_fault_and_other_packets_pass(built: ObjectImage, runner: Runner) -> None:
    config = {**CONFIG, "END_DM": LOST, "RATIO": 2}
    with pybpfnf.simulate(built, environment=ROUTER, runner=runner, config=config) as nf:
        first, second = (nf.run(PACKETS["UDP"]) for _ in range(2))
    assert (first.packet, first.fault) == (PACKETS["UDP"], None)
    assert second.fault is not None
    assert (second.fault.kind, second.fault.message, second.verdict) == (FaultKind.EXIT, "the encapsulation failed", 0)
