"""The protocol of delay monitoring as bytes: what the paper's tables say, what functions have, and what is no message."""

from __future__ import annotations

import random
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybpfnf.apps.delay import protocol
from pybpfnf.apps.delay.protocol import Answer, DelayMeasurement, ProtocolError, Query, Reply, ReplyTo
from pybpfnf.tlvs import DelayMeasurement as DmOfFunctions
from pybpfnf.tlvs import ReplyTo as UroOfFunctions

SECOND = 1_000_000_000
# After the paper: type, length, reserved; version, control, reserved; formats, preferred, reserved; session, traffic class; T1 to T4.
QUERY = bytes.fromhex("072e0000 01010000 33300000 abcdef05 6553f100 075bcd15 00000000 00000000 00000000 00000000 00000000 00000000")
URO = bytes.fromhex("8312 22b8 20010db8000000000000000000000042")
PATH = (IPv6Address("fc00:3::3"), IPv6Address("fc00:2::2"))

times = st.integers(0, (1 << 32) * SECOND - 1)
measurements = st.builds(
    DelayMeasurement,
    control=st.sampled_from(list(Reply)),
    session=st.integers(0, protocol.LARGEST_SESSION),
    t1=times,
    t2=times,
    t3=times,
    t4=times,
    response=st.just(True),
    traffic_class=st.integers(0, 255),
)
addresses = st.integers(0, (1 << 128) - 1).map(IPv6Address)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    segments = tuple(draw(st.lists(addresses, min_size=1, max_size=127)))
    return Answer(draw(measurements), draw(addresses), segments, draw(st.integers(0, len(segments))))


def test_a_query_is_the_bytes_of_the_papers_table() -> None:
    query = DelayMeasurement(Query.OUT_OF_BAND, 0xABCDEF, 1_700_000_000 * SECOND + 123_456_789, traffic_class=5)
    assert query.encode() == QUERY
    assert protocol.parse_measurement(QUERY) == query


def test_a_reply_to_is_the_bytes_of_the_papers_table() -> None:
    reply_to = ReplyTo(IPv6Address("2001:db8::42"), 8888)
    assert reply_to.encode() == URO
    assert protocol.parse_reply_to(URO) == reply_to


def test_functions_have_the_same_tlvs() -> None:
    for row, type_, tlv in ((protocol.DM, protocol.DM_TYPE, DmOfFunctions), (protocol.URO, protocol.URO_TYPE, UroOfFunctions)):
        assert (row.size, type_) == (tlv.layout.size, tlv.layout.number)
    places = {field.name: field.offset for field in DmOfFunctions.layout.fields}
    named = ("version", "control", "formats", "session", "t1", "t2", "t3", "t4")
    assert [places[name] for name in named] == [4, 5, 8, 12, 16, 24, 32, 40]


@given(measurements)
def test_a_measurement_comes_back_as_it_was(measurement: DelayMeasurement) -> None:
    assert protocol.parse_measurement(measurement.encode()) == measurement


@given(answers())
def test_an_answer_comes_back_as_it_was(answer: Answer) -> None:
    assert protocol.parse_answer(protocol.build_answer(answer)) == answer


def test_the_delays_are_those_of_the_paper() -> None:
    measurement = DelayMeasurement(Reply.SUCCESS, 1, t1=1000, t2=6000, t3=6500, t4=26_600, response=True)
    assert Answer(measurement, PATH[0], PATH, 0).delay == 5000
    assert protocol.two_way_delay(measurement) == 25_100


@pytest.mark.parametrize(
    ("at", "octet", "reason"),
    [
        (0, 8, "no DM TLV"),
        (1, 45, "no DM TLV"),
        (4, 0x02, "another version or flag"),
        (4, 0x41, "another version or flag"),
        (5, 3, "no control code of a query"),
        (8, 0x32, "another format of times"),
        (20, 0x40, "a second or more"),
    ],
)
def test_what_is_no_dm_tlv_of_ours_says_why(at: int, octet: int, reason: str) -> None:
    wrong = QUERY[:at] + bytes([octet]) + QUERY[at + 1 :]
    with pytest.raises(ProtocolError, match=reason):
        protocol.parse_measurement(wrong)


@pytest.mark.parametrize("control", [0, 2, 3, 0x13])
def test_a_response_has_codes_of_its_own(control: int) -> None:
    with pytest.raises(ProtocolError, match="no control code of a response"):
        protocol.parse_measurement(QUERY[:4] + bytes([0x81, control]) + QUERY[6:])


@pytest.mark.parametrize("session", [-1, 1 << 24])
def test_a_session_has_24_bits(session: int) -> None:
    with pytest.raises(ProtocolError, match="has 24 bits"):
        DelayMeasurement(Query.IN_BAND, session, 0).encode()


@pytest.mark.parametrize("time", [-1, (1 << 32) * SECOND])
def test_a_time_has_32_bits_of_seconds(time: int) -> None:
    with pytest.raises(ProtocolError, match="32 bits of seconds"):
        DelayMeasurement(Query.IN_BAND, 0, time).encode()


GOOD = protocol.build_answer(Answer(protocol.parse_measurement(QUERY[:4] + b"\x81" + QUERY[5:]), PATH[1], PATH, 1))
SRH = protocol.DM.size + protocol.IPV6_SIZE


@pytest.mark.parametrize(
    ("at", "octet", "reason"),
    [
        (4, 0x01, "a query"),
        (48, 0x45, "no IPv6 header"),
        (SRH + 1, 5, "in a datagram of"),
        (SRH + 2, 3, "another routing header"),
        (SRH + 3, 3, "segments that the SRH does not have"),
        (SRH + 4, 2, "segments that the SRH does not have"),
        (SRH + 4, 255, "segments that the SRH does not have"),
    ],
)
def test_what_is_no_answer_says_why(at: int, octet: int, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        protocol.parse_answer(GOOD[:at] + bytes([octet]) + GOOD[at + 1 :])


@pytest.mark.parametrize("size", range(len(GOOD)))
def test_an_answer_that_is_cut_off_is_none(size: int) -> None:
    with pytest.raises(ProtocolError):
        protocol.parse_answer(GOOD[:size])


def test_a_reply_to_nobody_is_none() -> None:
    for wrong in (URO[:-1], b"\x84" + URO[1:], URO[:1] + b"\x11" + URO[2:], URO[:2] + bytes(2) + URO[4:]):
        with pytest.raises(ProtocolError):
            protocol.parse_reply_to(wrong)


def check_mutations(seed: int, count: int) -> None:
    """Changed, cut off and prolonged answers: each is refused, or says what is in its bytes, read here by offsets."""
    source = random.Random(seed)
    taken = 0
    for _ in range(count):
        wrong = bytearray(GOOD)
        for _ in range(source.randint(1, 4)):
            wrong[source.randrange(len(wrong))] = source.choice([0, 1, 7, 46, 0x33, 0x81, 255, source.randrange(256)])
        if source.random() < 0.2:
            wrong = wrong[: source.randrange(len(wrong))] if source.random() < 0.7 else wrong + bytes(source.randrange(1, 40))
        try:
            answer = protocol.parse_answer(wrong)
        except ProtocolError:
            continue
        taken += 1
        t1, t2 = (
            int.from_bytes(wrong[at : at + 4], "big") * SECOND + int.from_bytes(wrong[at + 4 : at + 8], "big") for at in (16, 24)
        )  # fmt: skip
        assert answer.delay == t2 - t1
        assert answer.measurement.session == int.from_bytes(wrong[12:15], "big")
        assert wrong[:2] + wrong[4:5] == b"\x07\x2e\x81"
        assert wrong[5] in (1, 0x10, 0x11, 0x12)
        places = [SRH + 8 + 16 * index for index in range(wrong[SRH + 4] + 1)]
        assert [each.packed for each in answer.segments] == [wrong[at : at + 16] for at in places]
    assert 0 < taken < count


def test_a_changed_answer_is_refused_or_says_what_it_is() -> None:
    check_mutations(1, 5_000)


@pytest.mark.slow
def test_of_a_million_changed_answers_each_is_refused_or_says_what_it_is() -> None:
    check_mutations(2, 1_000_000)


@given(st.binary(max_size=300))
def test_bytes_without_a_meaning_are_refused(data: bytes) -> None:
    for parse in (protocol.parse_answer, protocol.parse_measurement, protocol.parse_reply_to):
        with pytest.raises(ProtocolError):
            parse(data)
