"""A topology file becomes the data that it says; each mistake in one is said at its line, with what to do."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path

import pytest

from pybpfnf.errors import CompileError, InputError
from pybpfnf.lab.read_topology import read_topology, topology_of
from pybpfnf.lab.topology import Bytes, Direction, End, Function, Link, Node, Packets, Route, Sid, Topology, Via
from pybpfnf.routes import Seg6, Seg6Local
from pybpfnf.runner import HmacKey

TWO = """\
[nodes.r1]
[nodes.r2]
[[links]]
ends = ["r1", "r2"]
"""


def read(text: str) -> Topology:
    return topology_of(text, "labs/two.toml")


def said(text: str) -> list[str]:
    """Each diagnostic's headline, without the file's name."""
    with pytest.raises(CompileError) as caught:
        read(text)
    return [found.headline().removeprefix("labs/two.toml:") for found in caught.value.diagnostics]


# --------------------------------------------------------------------------------------------------- what is written


def test_two_nodes_and_a_link_are_a_topology() -> None:
    link = Link((End("r1"), End("r2")))
    assert read(TWO) == Topology("two", (Node("r1"), Node("r2")), (link,), directory=Path("labs"))


def test_what_a_link_says_is_true_of_both_directions_but_for_what_one_says_itself() -> None:
    text = (
        TWO
        + 'delay = "5ms"\nrate = "100Mbit"\nback = { delay = "20 ms", jitter = "1.5ms", queue = "64kB", loss = "0.1%", reorder = true }\n'
    )
    there, back = (end.out for end in read(text).links[0].ends)
    assert there == Direction(5_000_000, rate=100_000_000)
    assert back == Direction(20_000_000, 1_500_000, 100_000_000, Bytes(64_000), 0.001, reorder=True)


@pytest.mark.parametrize(
    ("written", "queue"), [("1 packet", Packets(1)), ("50 packets", Packets(50)), ("9B", Bytes(9)), ("2KiB", Bytes(2048))]
)
def test_a_queue_is_of_frames_or_of_bytes(written: str, queue: Packets | Bytes) -> None:
    assert read(TWO + f'queue = "{written}"\n').links[0].ends[0].out.queue == queue


def test_a_node_has_what_its_table_says() -> None:
    text = """
[nodes.r1]
addresses = ["fd00:1::1/64", "fd00:1::2"]
prefixes = ["fc00:1::/48"]
tunnel_source = "fd00:1::2"
clock_offset = "-3ms"
hmac_keys = [{ number = 7, algorithm = "sha256", secret = "foobar" }]
sysctls = { net.ipv6.seg6_flowlabel = 1, "net/ipv6/conf/r2.7/mtu" = 1400 }
"""
    (node,) = read(text).nodes
    assert node == Node(
        "r1",
        addresses=(IPv6Interface("fd00:1::1/64"), IPv6Interface("fd00:1::2/128")),
        prefixes=(IPv6Network("fc00:1::/48"),),
        tunnel_source=IPv6Address("fd00:1::2"),
        hmac_keys=((7, HmacKey("sha256", b"foobar")),),
        clock_offset=-3_000_000,
        sysctls=(("ipv6/seg6_flowlabel", 1), ("ipv6/conf/r2.7/mtu", 1400)),
    )


def test_a_sid_has_an_action_or_a_function_with_values() -> None:
    text = (
        TWO
        + """
[[nodes.r2.sids]]
sid = "fc00:2::1"
action = "End.X"
nh6 = "r1"
flavors = ["psp"]
[[nodes.r2.sids]]
sid = "fc00:2::/64"
function = "end_t"
program = "end_t"
config = { TABLE = 100 }
"""
    )
    assert read(text).node("r2").sids == (
        Sid(IPv6Network("fc00:2::1"), Seg6Local("End.X", nh6=IPv6Address("fd00::1"), flavors=("psp",))),
        Sid(IPv6Network("fc00:2::/64"), Function("end_t", (("TABLE", 100),), "end_t")),
    )


def test_a_route_has_next_hops_and_an_encapsulation_or_a_function() -> None:
    text = (
        TWO
        + """
[[nodes.r1.routes]]
to = "r2"
segments = ["fc00:2::1", "r2"]
mode = "encap.red"
[[nodes.r1.routes]]
to = "default"
via = ["r2", { dev = "r2", weight = 3 }]
function = "srv6_encap"
table = 100
metric = 7
[[nodes.r1.routes]]
to = "fd00:bad::/32"
type = "blackhole"
"""
    )
    two = IPv6Address("fd00::2")
    assert read(text).node("r1").routes == (
        Route(IPv6Network(two), does=Seg6("encap.red", (IPv6Address("fc00:2::1"), two))),
        Route(IPv6Network("::/0"), (Via("r2"), Via("r2", 3)), Function("srv6_encap"), 100, 7),
        Route(IPv6Network("fd00:bad::/32"), type="blackhole"),
    )


def test_a_functions_file_is_looked_for_beside_the_topology(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    file = tmp_path / "two.toml"
    file.write_text(TWO + '[[nodes.r1.sids]]\nsid = "fc00::1"\nfunction = "mine.py"\n')
    assert read_topology(file).directory == tmp_path


@pytest.mark.parametrize(
    ("file", "name"), [("two_nodes.toml", "two-nodes"), ("Lab 3.toml", "lab-3"), ("_x_.toml", "x"), ("a" * 40 + ".toml", "a" * 32)]
)
def test_a_lab_without_a_name_is_called_as_its_file_in_the_letters_that_it_can_have(file: str, name: str) -> None:
    assert topology_of(TWO, f"labs/{file}").name == name


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text(TWO, encoding="utf-8-sig")
    assert read_topology(tmp_path / "two.toml").nodes == (Node("r1"), Node("r2"))


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml"):
        read_topology(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(InputError, match="not UTF-8"):
        read_topology(tmp_path / "latin.toml")


# ------------------------------------------------------------------------------------------------------------ mistakes

NAMES = "up to 32 small letters, digits and `-` between them"
SID = '[[nodes.r1.sids]]\nsid = "fc00::1"\n'
KEY = '[[nodes.r1.hmac_keys]]\nnumber = 1\nalgorithm = "sha1"\nsecret = "x"\n'
ROUTE = '[[nodes.r1.routes]]\nto = "r2"\n'


def many(count: int) -> str:
    """So many segments."""
    return f"segments = {['r2'] * count}\n".replace("'", '"')


@pytest.mark.parametrize(
    ("text", "headline"),
    [
        ('name = "a\n', "1:10: error: this is not TOML: illegal character '\\n' [lab-syntax]"),
        ("name = [1,\n", "1:11: error: this is not TOML: invalid value [lab-syntax]"),
        ("", "1:1: error: a topology without nodes [lab-value]"),
        ("seed = true\n" + TWO, "1:8: error: expected a whole number, found true or false (`True`) [lab-value]"),
        ('routing = "ospf"\n' + TWO, "1:11: error: `ospf` is no way to find routes [lab-value]"),
        ('name = "My Lab"\n' + TWO, f"1:8: error: `My Lab` cannot be the name of a lab: {NAMES} [lab-value]"),
        ("sed = 1\n" + TWO, "1:1: error: `sed` is not understood here [lab-syntax]"),
        ("nodes = 1\n", "1:9: error: expected a table, found a number (`1`) [lab-value]"),
        ("[nodes.R1]\n", "1:8: error: `R1` cannot be the name of a node: devices are called as the node behind them [lab-name]"),
        ("[nodes.all]\n", "1:8: error: `all` cannot be the name of a node: devices are called as the node behind them [lab-name]"),
        (TWO + "[[links]]\n", "5:1: error: `ends` is missing here [lab-syntax]"),
        (TWO.replace('"r2"]', '"r3"]'), "4:15: error: there is no node `r3` [lab-name]"),
        (TWO.replace('"r2"]', '"r1"]'), "4:8: error: a link from `r1` to itself [lab-value]"),
        (TWO.replace(', "r2"]', "]"), "4:8: error: a link has two ends: expected two nodes, found 1 [lab-value]"),
        (TWO + "mtu = 1279\n", "5:7: error: an MTU of 1279: IPv6 needs 1280 to 65535 [lab-value]"),
        (TWO + "delay = 5\n", "5:9: error: `5` has no unit [lab-value]"),
        (TWO + 'delay = "5 m"\n', "5:9: error: `m` is no unit of a time [lab-value]"),
        (TWO + 'delay = "5"\n', "5:9: error: `5` has no unit of a time [lab-value]"),
        (TWO + 'delay = "-5ms"\n', "5:9: error: a time cannot be negative [lab-value]"),
        (TWO + 'delay = "0.1ns"\n', "5:9: error: `0.1ns` is no whole number of nanoseconds [lab-value]"),
        (TWO + 'delay = "1ms, perhaps"\n', "5:9: error: `1ms, perhaps` is not a time [lab-value]"),
        (TWO + 'rate = "100Mb"\n', "5:8: error: `Mb` is no unit of a rate in bits a second [lab-value]"),
        (TWO + 'rate = "0bit"\n', "5:8: error: a rate of 0 would carry nothing [lab-value]"),
        (
            TWO + 'rate = "1Mbit"\nback = { queue = "1513B" }\n',
            "6:18: error: a queue of 1513 bytes, away from `r2`, has no room for a frame of the link's MTU, which has 1514 [lab-value]",
        ),
        (TWO + 'queue = "10ms"\n', "5:9: error: `ms` is no unit of the length of a queue [lab-value]"),
        (TWO + 'loss = "101%"\n', "5:8: error: `101%` is more than all [lab-value]"),
        (
            TWO + 'delay = "1ms"\nback = { jitter = "2ms" }\n',
            "6:19: error: a jitter of more than the delay, away from `r2`: frames would arrive before they are sent [lab-value]",
        ),
        (
            TWO + 'delay = "1ms"\njitter = "2ms"\nthere = { delay = "2ms" }\n',
            "6:10: error: a jitter of more than the delay, away from `r2`: frames would arrive before they are sent [lab-value]",
        ),
        (TWO + 'jitter = "1ms"\n', "5:10: error: a jitter of more than the delay: frames would arrive before they are sent [lab-value]"),
        (TWO.replace("r2", "lo"), "2:8: error: `lo` cannot be the name of a node: devices are called as the node behind them [lab-name]"),
        (TWO + 'rate = "١٠Mbit"\n', "5:8: error: `١٠Mbit` is not a rate in bits a second [lab-value]"),  # noqa: RUF001 no digits of TOML's
        (TWO + 'there = { lag = "2ms" }\n', "5:11: error: `lag` is not understood here [lab-syntax]"),
        (TWO + 'devices = ["eth0", "a/b"]\n', "5:20: error: `a/b` cannot be the name of a device [lab-name]"),
        (
            TWO + 'devices = ["r2", "b"]\n[[links]]\nends = ["r1", "r2"]\ndevices = ["r2", "c"]\n',
            "8:12: error: `r1` has two devices `r2` [lab-name]",
        ),
        (TWO + 'name = "a"\n[[links]]\nends = ["r2", "r1"]\nname = "a"\n', "8:8: error: a second link `a` [lab-name]"),
        (TWO + "[nodes.r3]\naddresses = [1]\n", "6:14: error: expected text, found a number (`1`) [lab-value]"),
        (TWO + '[nodes.r3]\naddresses = ["::g"]\n', "6:14: error: `::g` is not an IPv6 address, with a length or without [lab-value]"),
        (TWO + '[nodes.r3]\naddresses = ["fe80::1"]\n', "6:14: error: fe80::1 cannot be a node's address [lab-value]"),
        (TWO + '[nodes.r3]\naddresses = ["a::", "a::/64"]\n', "6:21: error: the address a:: is that of `r3` already [lab-name]"),
        (TWO + "[nodes.r3]\nsysctls = { kernel.panic = 1 }\n", "6:11: error: `kernel.panic` is no setting of the network [lab-value]"),
        (TWO + '[nodes.r3]\ntunnel_source = "r4"\n', "6:17: error: `r4` is neither an IPv6 address nor a node [lab-value]"),
        (TWO + "[[nodes.r1.hmac_keys]]\nnumber = 1\n", "5:1: error: `algorithm` is missing here [lab-syntax]"),
        (TWO + KEY.replace("= 1", "= 0"), f"6:10: error: an HMAC key has a number of its own, from 1 to {0xFFFFFFFF} [lab-value]"),
        (TWO + KEY.replace("sha1", "md5"), "7:13: error: `md5` is no HMAC algorithm [lab-value]"),
        (TWO + KEY.replace('"x"', '""'), "8:10: error: an HMAC secret has 1 to 64 bytes, not 0 [lab-value]"),
        (TWO + SID, "5:1: error: a SID has either an `action` or a `function` [lab-syntax]"),
        (TWO + SID + 'action = "End.Q"\n', "7:10: error: `End.Q` is no behaviour of a lab's SID [lab-value]"),
        (TWO + SID + 'action = "End.T"\n', "7:10: error: End.T needs `table` [lab-value]"),
        (TWO + SID + 'action = "End"\nnh6 = "r1"\n', "8:7: error: End takes no `nh6` [lab-value]"),
        (TWO + SID + 'function = "ende"\n', "7:12: error: no file and no catalogue function is called 'ende' [lab-name]"),
        (TWO + SID + 'function = "end"\nconfig = 1\n', "8:10: error: expected a table, found a number (`1`) [lab-value]"),
        (TWO + SID.replace("fc00::1", "ff02::1") + 'action = "End"\n', "6:7: error: ff02::1 cannot be a SID [lab-value]"),
        (TWO + SID + 'action = "End"\n' + SID + 'action = "End"\n', "9:7: error: a second behaviour of fc00::1 [lab-name]"),
        (
            TWO.replace("[nodes.r1]", '[nodes.r1]\naddresses = ["fc00::1"]') + SID + 'action = "End"\n',
            "7:7: error: fc00::1 is the node's address too: packets would be delivered there, and not reach the SID [lab-name]",
        ),
        ("[nodes.r1]\n" + SID + 'action = "End"\n', "2:1: error: `r1` has SIDs and no link: no packet would reach them [lab-value]"),
        (TWO + '[[nodes.r1.routes]]\nvia = "r2"\n', "5:1: error: `to` is missing here [lab-syntax]"),
        (TWO + '[[nodes.r1.routes]]\nto = "a::1/64"\nvia = "r2"\n', "6:6: error: `a::1/64` has bits behind its length [lab-value]"),
        (TWO + '[[nodes.r1.routes]]\nto = "a::/64"\n', "6:6: error: no way from `r1` to a::/64 is known [lab-name]"),
        (TWO + ROUTE + 'via = "r3"\n', "7:7: error: `r1` has no link `r3` [lab-name]"),
        (TWO + ROUTE + 'via = { node = "r2" }\n', "7:7: error: a next hop is a device, or a table of `dev` and `weight` [lab-value]"),
        (TWO + ROUTE + "segments = []\n", "7:12: error: no segments [lab-value]"),
        (TWO + ROUTE + 'segments = ["r2"]\nmode = "tunnel"\n', "8:8: error: `tunnel` is no mode [lab-value]"),
        (TWO + ROUTE + 'function = "no/where.py"\n', "7:12: error: no such file: labs/no/where.py [lab-name]"),
        (TWO + ROUTE + 'type = "blackhole"\nvia = "r2"\n', "7:8: error: a route of type blackhole leads nowhere [lab-value]"),
        (TWO + ROUTE + 'type = "grey"\n', "7:8: error: `grey` is no type of a route [lab-value]"),
        (TWO + ROUTE + "table = 0\n", f"7:9: error: a routing table goes from 1 to {0xFFFFFFFF} [lab-value]"),
        (TWO + ROUTE + "metric = -1\n", f"7:10: error: a metric goes from 1 to {0xFFFFFFFF} [lab-value]"),
        (TWO + ROUTE + 'via = [{ dev = "r2", weight = 257 }]\n', "7:31: error: a weight goes from 1 to 256 [lab-value]"),
        (TWO + ROUTE + 'segments = ["r2"]\nhmac = -1\n', f"8:8: error: the number of an HMAC key goes from 0 to {0xFFFFFFFF} [lab-value]"),
        (TWO + ROUTE + many(128), "7:12: error: an SRH has room for 127 segments here, and these are 128 [lab-value]"),
        (
            TWO + ROUTE + many(127) + 'mode = "inline"\n',
            "7:12: error: an SRH has room for 126 segments here, and these are 127 [lab-value]",
        ),
        (TWO + ROUTE + many(126) + "hmac = 1\n", "7:12: error: an SRH has room for 125 segments here, and these are 126 [lab-value]"),
        (
            TWO + SID + 'action = "End.B6"\n' + many(127),
            "8:12: error: an SRH has room for 126 segments here, and these are 127 [lab-value]",
        ),
        (TWO + SID + 'action = "End.T"\ntable = 4294967296\n', f"8:9: error: a routing table goes from 1 to {0xFFFFFFFF} [lab-value]"),
        (TWO + SID + 'action = "End.DX2"\noif = "eth0"\n', "8:7: error: there is no device `eth0` [lab-name]"),
        (TWO + ROUTE + ROUTE, "8:6: error: a second route to fd00::2/128 of the same table and metric [lab-name]"),
    ],
)
def test_a_mistake_is_said_at_its_place(text: str, headline: str) -> None:
    assert said(text) == [headline]


def test_all_mistakes_are_said_in_the_order_of_the_file() -> None:
    text = TWO + 'delay = "5"\n[nodes.r3]\naddresses = ["x"]\ncolour = "red"\n'
    assert [each.partition(":")[0] for each in said(text)] == ["5", "7", "8"]


def test_a_caret_stands_under_what_is_wrong() -> None:
    with pytest.raises(CompileError) as caught:
        read(TWO + 'delay = "5 parsecs"  # far\n')
    assert caught.value.diagnostics[0].render().splitlines()[1:] == [
        '    delay = "5 parsecs"  # far',
        "            ^^^^^^^^^^^",
        "hint: write it as `5ms`; the units are ns, us, ms, s",
    ]
