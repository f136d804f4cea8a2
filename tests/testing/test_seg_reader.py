"""The syntax of test files: what is read, and every mistake with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybpfnf.errors import CompileError
from pybpfnf.routes import Bpf, ProgramRef, Seg6, Seg6Local, srh
from pybpfnf.testing.seg.compare import differences
from pybpfnf.testing.seg.model import (
    Action,
    AddDevice,
    Case,
    ChangeRoute,
    ChangeRule,
    Command,
    Ip,
    Packet,
    Payload,
    Segments,
    SetSysctl,
    Shell,
    Tlv,
    Transport,
)
from pybpfnf.testing.seg.reader import read_file
from pybpfnf.testing.seg.text import packet_text
from pybpfnf.testing.seg.wire import decode, encode

SENT = 'fc00::2 -> fd00::3 / [fc00::14,+fd00::3] <tag 12> {Ingr: fc00::2} {Pad: 2} / UDP(4242, 51) / "foobar"'


def cases(text: str) -> list[Case]:
    return [each for each in read_file(text, "t.seg").statements if isinstance(each, Case)]


def actions(text: str) -> list[Action]:
    return [each.action for each in read_file(text, "t.seg").statements if isinstance(each, Command)]


def packet_of(text: str) -> Packet:
    return cases(f"> {text}")[0].packet


def expected_of(text: str) -> Packet:
    expected = cases(f"> fc00::1 -> fc00::2\n< {text}")[0].expected
    assert expected is not None
    return expected[0].packet


def srh_of(text: str) -> Segments:
    layer = packet_of(f"fc00::1 -> fc00::2 / {text}")[1]
    assert isinstance(layer, Segments)
    return layer


def route_of(command: str) -> ChangeRoute:
    (action,) = actions(f"`{command}`")
    assert isinstance(action, ChangeRoute)
    return action


# ------------------------------------------------------------------------------------------------------------ packets


def test_a_packet_is_the_bytes_that_its_text_says() -> None:
    packet = encode(packet_of(SENT))
    assert packet[6] == 43
    assert packet[24:40].hex() == "fd000000000000000000000000000003"
    header = packet[40:104]
    assert header[:8].hex() == "110704010100000c"  # UDP, 8 * (7 + 1) bytes, type 4, segments left 1, last entry 1, no flags, tag 12
    assert header[8:24].hex() == "fc000000000000000000000000000014"
    assert header[40:60].hex() == "01120000" + "fc000000000000000000000000000002"
    assert header[60:].hex() == "04020000"
    assert packet[104:108].hex() == "10920033"
    assert packet[112:] == b"foobar"


def test_text_and_bytes_and_text_again_are_the_same() -> None:
    assert packet_text(decode(encode(packet_of(SENT)))) == SENT


@pytest.mark.parametrize(
    ("written", "kind", "value"),
    [
        ("{Egr: fc00::3}", 2, "0000fc000000000000000000000000000003"),
        ("{Opaq: 000102030405060708090a0b0c0d0e0f}", 3, "0000000102030405060708090a0b0c0d0e0f"),
        ("{Pad: 3}", 4, "000000"),
        ("{NSH: 0102030405}", 6, "000102030405"),
        ("{HMAC: 1042, " + "ab" * 32 + "}", 5, "000000000412" + "ab" * 32),
        ("{124: 0a0B}", 124, "0a0b"),
        ("{7:}", 7, ""),
        ("{Type:131 Value:2a2a}", 131, "2a2a"),
        ("{Type:7 Value: 00}", 7, "00"),
    ],
)
def test_tlvs(written: str, kind: int, value: str) -> None:
    assert srh_of(f"[fc00::2] {written}").tlvs == (Tlv(kind, bytes.fromhex(value)),)


def test_segments_left_is_where_the_plus_is_or_what_sl_says_or_the_first_hop() -> None:
    assert srh_of("[fc00::1,+fc00::2,fc00::3]").left == 1
    assert srh_of("[fc00::1,fc00::2,fc00::3] <sl 2, le 1>").left == 2
    assert srh_of("[fc00::1,fc00::2,fc00::3]").left == 2


def test_flags_are_letters() -> None:
    assert srh_of("[fc00::1] <fl POAH>").flags == 0x78
    assert srh_of("[fc00::1] <fl 0x81>").flags == 0x81


def test_headers_are_chained_and_nested() -> None:
    text = "fc00::1 -> fc00::2 / [+fc00::3,fc00::2] / [fc00::9,+fc00::8] / dead::1 -> dead::2 / TCP(1, 2)"
    assert [type(layer) for layer in packet_of(text)] == [Ip, Segments, Segments, Ip, Transport]
    assert packet_text(decode(encode(packet_of(text)))) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10.0.0.1 -> 10.0.0.2 / UDP(1, 2)", 28),
        ('10.0.0.1 -> 10.0.0.2 / dead::1 -> dead::2 / TCP(1, 2) / "x"', 81),
        ("fc00::1 -> fc00::2 / [+fc00::3] / 10.0.0.1 -> 10.0.0.2 / 10.0.0.3 -> 10.0.0.4", 104),
        ("fc00::1 -> fc00::2 / [+fc00::3] / Ether / 10.0.0.1 -> 10.0.0.2", 98),
        ("fc00::1 -> fc00::2 / Ether / dead::1 -> dead::2", 94),
    ],
)
def test_packets_of_ipv4_and_frames(text: str, size: int) -> None:
    packet = encode(packet_of(text))
    assert len(packet) == size
    assert packet_text(decode(packet)) == text


def test_a_packet_of_one_ip_version_is_none_of_the_other() -> None:
    found = differences(expected_of("10.0.0.1 -> *"), packet_of("fc00::1 -> fc00::2"))
    assert found == ["header 1: expected IPv4, found IPv6"]
    assert differences(expected_of("* -> 10.0.0.2"), packet_of("10.0.0.1 -> 10.0.0.2")) == []
    assert differences(expected_of("* -> 10.0.0.2"), packet_of("10.0.0.1 -> 10.0.0.3")) == [
        "ipv4.destination: expected 10.0.0.2, found 10.0.0.3"
    ]


def test_what_of_ipv4_has_no_words_is_shown_as_bytes() -> None:
    packet = bytearray(encode(packet_of("10.0.0.1 -> 10.0.0.2 / UDP(1, 2)")))
    packet[7] = 3  # a later fragment
    assert packet_text(decode(bytes(packet))) == f"(ipv4: {packet.hex()})"


def test_blanks_ends_of_lines_and_comments_do_not_matter() -> None:
    text = '  > fc00::2->fd00::3/[fc00::14 ,\n+ fd00::3]  # first hop\n <tag 12>{Ingr:fc00::2}\n{ Pad : 2 }/UDP(4242,51)/"foobar"'
    assert cases(text)[0].packet == packet_of(SENT)


def test_a_hash_in_a_payload_is_no_comment_and_bytes_have_escapes() -> None:
    assert packet_of('fc00::1 -> fc00::2 / UDP / "a # b\\x00"')[-1] == Payload(b"a # b\0")


def test_a_wildcard_is_anything() -> None:
    expected = expected_of("* -> * / [*,+fd00::3] <tag *> {Ingr: fc00::2} {Pad: 2} / UDP(*, *) / *")
    assert differences(expected, decode(encode(packet_of(SENT)))) == []


@pytest.mark.parametrize(
    ("tlvs", "found"),
    [
        ("{Ingr: *} {4: *}", []),
        ("{*}", []),
        ("{Ingr: fc00::2} {*}", []),
        ("{Ingr: *} {Pad: 2} {*}", []),
        ("{Egr: *} {*}", ["srh.tlv[0]: expected {2: *}, found {Ingr: fc00::2}"]),
        ("{Ingr: *}", ["srh.tlv[1]: expected nothing, found {Pad: 2}"]),
        ("{Ingr: *} {Pad: 2} {7: *}", ["srh.tlv[2]: expected {7: *}, found nothing"]),
    ],
)
def test_the_value_of_a_tlv_and_all_that_follow_may_be_anything(tlvs: str, found: list[str]) -> None:
    expected = expected_of(f"* -> * / [fc00::14,+fd00::3] <tag 12> {tlvs} / UDP(*, *) / *")
    assert differences(expected, decode(encode(packet_of(SENT)))) == found


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("tag 12", "tag 13", "srh.tag: expected 13, found 12"),
        ("fc00::14,+fd00::3", "+fc00::14,fd00::3", "srh.segments_left: expected 0, found 1"),
        ("{Pad: 2}", "{Pad: 2} {7: 00}", "srh.tlv[2]: expected {7: 00}, found nothing"),
        ("{Ingr: fc00::2}", "{Egr: fc00::2}", "srh.tlv[0]: expected {Egr: fc00::2}, found {Ingr: fc00::2}"),
        ("4242", "4243", "udp.source_port: expected 4243, found 4242"),
        ("foobar", "foo", 'payload: expected "foo", found "foobar"'),
        ("UDP", "TCP", "header 3: expected TCP, found UDP"),
        (SENT[18:], "", "header 2: expected nothing, found SRH"),
    ],
)
def test_what_differs_is_said_by_its_field(before: str, after: str, said: str) -> None:
    assert differences(expected_of(SENT.replace(before, after)), decode(encode(packet_of(SENT)))) == [said]


def test_a_list_that_last_entry_cuts_short_is_compared_as_it_lies_on_the_wire() -> None:
    text = "fc00::2 -> fd00::42 / [fc00::1,+fd00::42,fc00::beef] <le 1>"
    assert differences(expected_of(text), decode(encode(packet_of(text)))) == []
    assert differences(expected_of(text.replace("beef", "beee")), decode(encode(packet_of(text)))) != []


_ADDRESSES = st.ip_addresses(v=6)
_TLVS = st.builds(Tlv, st.integers(0, 255), st.integers(0, 6).map(lambda units: bytes(8 * units + 6)))
_SRHS = st.lists(_ADDRESSES, min_size=1, max_size=4).flatmap(
    lambda segments: st.builds(
        Segments,
        st.just(tuple(segments)),
        st.integers(0, len(segments) - 1),
        st.just(len(segments) - 1),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFF),
        st.lists(_TLVS, max_size=3).map(tuple),
    )
)
_PAYLOADS = st.binary(min_size=1, max_size=20).map(lambda data: (Payload(data),))
_TRANSPORTS = st.builds(Transport, st.sampled_from(["UDP", "TCP"]), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)).map(
    lambda each: (each,)
)


@given(st.builds(Ip, _ADDRESSES, _ADDRESSES), st.lists(_SRHS, max_size=2), st.one_of(st.just(()), _PAYLOADS, _TRANSPORTS))
def test_any_packet_is_read_again_from_its_text_and_from_its_bytes(head: Ip, chain: list[Segments], end: Packet) -> None:
    packet: Packet = (head, *chain, *end)
    assert decode(encode(packet)) == packet
    assert packet_of(packet_text(packet)) == packet


@given(st.binary(max_size=200))
def test_any_bytes_have_a_text(data: bytes) -> None:
    assert packet_text(decode(b"\x60" + data))


# ----------------------------------------------------------------------------------------------------------- commands


def test_a_program_is_named_by_today_s_spelling_and_by_the_first_one() -> None:
    today = route_of("ip -6 route add fd00::1 encap seg6local action End.BPF endpoint obj t.o section pass dev dum0")
    assert today == route_of("/home/a/ip -6 route add fd00::1 encap seg6local action End.BPF obj t.o section pass dev dum0")
    assert today.route.encap == Seg6Local("End.BPF", program=ProgramRef("t.o", "pass"))
    assert today.route.hops[0].device == "dum0"


def test_a_device_is_added_with_backticks_and_without() -> None:
    assert actions("if add dum1\n`if add dum2`\n") == [AddDevice("dum1"), AddDevice("dum2")]


def test_a_program_s_variables_are_set_behind_it() -> None:
    route = route_of("ip -6 route add fd00::1 encap seg6local action End.BPF obj end_t set TABLE=100 set NAME=a=b dev dum0").route
    assert route.encap == Seg6Local("End.BPF", program=ProgramRef("end_t", values=(("TABLE", "100"), ("NAME", "a=b"))))


@pytest.mark.parametrize(
    ("words", "message"),
    [("set TABLE", "is set by NAME=VALUE"), ("set =1", "is set by NAME=VALUE"), ("set A=1 set A=2", "A is set twice")],
)
def test_a_variable_that_is_set_wrongly_is_said_at_its_word(words: str, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        route_of(f"ip -6 route add fd00::1 encap seg6local action End.BPF obj end_t {words} dev dum0")


def test_a_bpf_route_has_programs_by_place() -> None:
    route = route_of("ip -6 route add fc00::42 encap bpf in obj a.o sec x out obj b.o sec y headroom 112 dev dum1").route
    assert route.encap == Bpf((("in", ProgramRef("a.o", "x")), ("out", ProgramRef("b.o", "y"))), 112)


def test_an_action_s_table_is_not_the_route_s() -> None:
    inner = route_of("ip -6 route add dead::42 encap seg6local action End.T table 42 dev dum0").route
    assert isinstance(inner.encap, Seg6Local)
    assert (inner.encap.table, inner.table) == (42, 254)
    assert route_of("ip -6 route add fc01::42 encap seg6local action End dev dum0 table 100").route.table == 100
    assert route_of("ip -6 route add fc01::42 encap seg6local action End table 100 dev dum0").route.table == 100


def test_segments_are_in_the_order_of_travel_and_an_srh_the_other_way_round() -> None:
    encap = route_of("ip -6 route add dead::/48 encap seg6 mode inline segs fc00::1,fc00::2 dev dum0").route.encap
    assert isinstance(encap, Seg6)
    listed = "fc000000000000000000000000000002" + "fc000000000000000000000000000001"
    assert srh(encap.segments, inline=True).hex() == "0006040202000000" + "00" * 16 + listed  # as iproute2 6.1 tells the kernel
    assert srh(encap.segments).hex() == "0004040101000000" + listed


def test_several_next_hops() -> None:
    route = route_of("ip -6 route add dead::8 nexthop via fc00::7 dev dum0 weight 3 nexthop via fe80::23b dev dum0").route
    assert [(str(hop.via), hop.device, hop.weight) for hop in route.hops] == [("fc00::7", "dum0", 3), ("fe80::23b", "dum0", 1)]


@pytest.mark.parametrize(
    ("command", "prefix"),
    [
        ("ip route add default dev d", "0.0.0.0/0"),
        ("ip -6 route add default dev d", "::/0"),
        ("ip -f inet6 route add default dev d", "::/0"),
        ("ip route add default via fe80::1 dev d", "::/0"),
        ("ip route add default via 10.0.0.1", "0.0.0.0/0"),
        ("ip route add 10.0.0.0/8 dev d", "10.0.0.0/8"),
        ("ip route add d::/16 dev d", "d::/16"),
    ],
)
def test_a_route_s_ip_version_is_its_prefix_s_or_its_gateway_s_or_what_is_said(command: str, prefix: str) -> None:
    assert str(route_of(command).route.prefix) == prefix


@pytest.mark.parametrize(
    ("command", "version"),
    [("ip rule add to 10.0.0.0/8 lookup 7", 4), ("ip -6 rule add iif d lookup 7", 6), ("ip rule add iif d lookup 7", 4)],
)
def test_a_rule_s_ip_version_is_its_prefix_s_or_what_is_said(command: str, version: int) -> None:
    (action,) = actions(f"`{command}`")
    assert isinstance(action, ChangeRule)
    assert action.rule.version == version


def test_lines_without_backticks_that_change_devices_and_routes() -> None:
    found = actions("if add dum1 # watched\nadd route ::/0 dev dum1\n")
    assert found == [AddDevice("dum1"), route_of("ip -6 route add default dev dum1")]


@pytest.mark.parametrize("line", ["sleep 1", "./end_otp_usr", "ip -6 route", "ip link add x type dummy", 'echo "a b"'])
def test_what_is_not_understood_is_a_shell_s(line: str) -> None:
    assert actions(f"`{line}`") == [Shell(line)]


def test_a_sysctl() -> None:
    assert actions("`sysctl -w net.ipv6.conf.all.seg6_require_hmac=-1`") == [SetSysctl("ipv6/conf/all/seg6_require_hmac", -1)]


def test_a_test_is_called_by_the_first_line_of_the_comment_above_it() -> None:
    text = "# An introduction\n\n# A title\n# and more of it\n> fc00::1 -> fc00::2\n< none\n> fc00::1 -> fc00::3\n< none\n"
    assert [case.name for case in cases(text)] == ["A title", "A title (2)"]
    drawn = "# A title\n\n#+-+-+\n#| a |\n# 0 1 2\n> fc00::1 -> fc00::2\n"
    assert [case.name for case in cases(drawn)] == ["A title"]
    assert [case.name for case in cases("> fc00::1 -> fc00::2\n")] == ["fc00::1 -> fc00::2"]


# ----------------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("> fc00::1 - fc00::2", "1:11: error: expected `->`, found `-` [seg-syntax]"),
        ("> fc00::1 -> fc00::1::2", "1:14: error: `fc00::1::2` is no address [seg-value]"),
        ("> a:: -> b:: / [10.0.0.1]", "1:17: error: `10.0.0.1` is not an IPv6 address [seg-value]"),
        ("> a:: -> 10.0.0.1", "1:3: error: from an address of one IP version to one of the other [seg-value]"),
        ("> 10.0.0.1 -> 10.0.0.2 / [c::]", "1:26: error: an SRH follows an IPv6 header, and this is one of IPv4 [seg-syntax]"),
        ("> a:: -> b:: / Ether", "1:21: error: an Ethernet header has a packet in it [seg-syntax]"),
        ("> a:: -> b:: / Ether / UDP", "1:24: error: `UDP` is no address [seg-value]"),
        ("`ip -6 route add 10.0.0.0/8 dev d`", "1:18: error: `10.0.0.0/8` is not an IPv6 prefix [seg-value]"),
        (
            f"`ip -6 route add d:: encap seg6 mode encap segs {','.join(['a::'] * 128)} dev d`",
            "1:49: error: an SRH has room for 127 segments here, and these are 128 [seg-value]",
        ),
        ("`ip -4 route add d:: dev d`", "1:18: error: `d::` is not an IPv4 prefix [seg-value]"),
        ("`ip route add 10.0.0.0/8 via a:: dev d`", "1:38: error: 10.0.0.0/8 is of IPv4, and its gateway is not [seg-value]"),
        ("`ip rule add to a:: from 10.0.0.1 lookup 7`", "1:26: error: `10.0.0.1` is not an IPv6 prefix [seg-value]"),
        ("> a:: -> b:: / [+c::,+d::]", "1:22: error: a second segment is marked with `+` [seg-syntax]"),
        ("> a:: -> b::\n\n> * -> b::", "3:3: error: `*` in a packet that is sent [seg-value]"),
        ("> a:: -> b:: / [c::] <tag 65536>", "1:27: error: the value of `tag` is 65536, and goes up to 65535 [seg-value]"),
        ("> a:: -> b:: / [c::] <fl X>", "1:26: error: no flag `X` [seg-value]"),
        ("> a:: -> b:: / [c::] {Foo: 12}", "1:23: error: no TLV `Foo` [seg-syntax]"),
        ("> a:: -> b:: / [c::] {NSH: 123}", "1:28: error: `123` is not bytes in hexadecimal digits [seg-value]"),
        ("> a:: -> b:: / [c::] {Opaq: 12}", "1:29: error: this TLV holds 16 bytes, and these are 1 [seg-value]"),
        ("> a:: -> b:: / [c::] {7: *}", "1:26: error: `*` in a packet that is sent [seg-value]"),
        ("> a:: -> b::\n< a:: -> b:: / [c::] {*} {7: 00}", "2:26: error: a TLV after `{*}`, which is all that follow [seg-syntax]"),
        ("> a:: -> b:: / UDP(1)", "1:21: error: expected `,` and the destination's port, found `)` [seg-syntax]"),
        ("> a:: -> b:: / UDP(1, 70000)", "1:23: error: a port is 70000, and goes up to 65535 [seg-value]"),
        ("< none", "1:1: error: this expects a packet where none was sent [seg-syntax]"),
        ("foo", "1:1: error: expected a test or a command, found `foo` [seg-syntax]"),
        ("`ip -6 route add x::1 dev d", "1:1: error: a command has no closing backtick [seg-syntax]"),
        ("`ip -6 route add d::1/16 dev d`", "1:18: error: this prefix has bits behind its length: the kernel takes d::/16 [seg-value]"),
        ("`ip -6 route add d:: encap seg6local action End.Q dev d`", "1:45: error: `End.Q` is not an action [seg-value]"),
        ("`ip -6 route add d:: encap seg6local action End.X dev d`", "1:51: error: End.X needs `nh6` [seg-syntax]"),
        ("`ip -6 route add d:: encap seg6local action End nh6 a:: dev d`", "1:49: error: End takes no `nh6` [seg-syntax]"),
        ("`ip -6 route add d:: encap bpf dev d`", "1:32: error: expected `in`, `out` or `xmit`, and a program [seg-syntax]"),
        ("`ip -6 route add d:: dev d mtu 1400`", "1:28: error: `mtu` is not understood here [seg-syntax]"),
        ("`ip sr hmac set 1 sha256`", "1:24: error: the key's secret is missing [seg-syntax]"),
    ],
)
def test_a_mistake_says_where_and_what(text: str, said: str) -> None:
    with pytest.raises(CompileError) as caught:
        read_file(text, "t.seg")
    assert [found.headline() for found in caught.value.diagnostics] == [f"t.seg:{said}"]


def test_all_mistakes_of_a_file_are_said_at_once() -> None:
    with pytest.raises(CompileError) as caught:
        read_file("> a:: -> \n< none\n> b:: -> c::\n`ip -6 route add`\nfoo\n> c:: -> d:: /\n", "t.seg")
    assert [found.span.line for found in caught.value.diagnostics] == [1, 4, 6]
