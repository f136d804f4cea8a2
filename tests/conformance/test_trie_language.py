"""Tries of IPv6 prefixes, from a function: on the VM and in the kernel."""

from __future__ import annotations

from ipaddress import IPv6Network
from pathlib import Path
from typing import TypeAlias

import pytest

from pybpfnf.runner import Runner
from tests.conformance.running import fault_of, opened_module, packet
from tests.dsl.cases import compile_text, function

ROUTE = "class Route(Struct):\n    table: u32\n    packets: u64 = 0\n\n\n"
Contents: TypeAlias = dict[str, int]
HERE: Contents = {"::/0": 1, "fc00::/16": 16, "fc00:3::/32": 32, "fc00:3::3/128": 128, "fd00::/8": 8}


def key(prefix: str) -> bytes:
    network = IPv6Network(prefix)
    return network.prefixlen.to_bytes(4, "little") + network.network_address.packed


def prefix_of(data: bytes) -> str:
    return str(IPv6Network((data[4:], int.from_bytes(data[:4], "little"))))


def after(runner: Runner, directory: Path, body: str, contents: Contents, *, next_hop: str = "fc00:3::3", size: int = 8) -> Contents | str:
    """The trie `t` of u32 after one packet, or the fault's message."""
    before = f"t = LpmTrie(IPv6Address, u32, {size})\n"
    with opened_module(runner, compile_text(function(body, before=before), directory)) as session:
        trie = session.maps["t"]
        for prefix, value in contents.items():
            trie.update(key(prefix), value.to_bytes(4, "little"))
        fault = fault_of(session.run(packet(next_hop=next_hop)))
        if fault is not None:
            return fault
        found = {prefix_of(entry): trie.lookup(entry) or b"" for entry in trie.keys()}  # noqa: SIM118 a MapAccess is no dict
        return {prefix: int.from_bytes(value, "little") for prefix, value in found.items()}


@pytest.mark.parametrize(
    ("next_hop", "value"), [("fc00:3::3", 128), ("fc00:3::4", 32), ("fc00:3:1::", 32), ("fc00:4::3", 16), ("fd12::1", 8), ("fe80::1", 1)]
)
def test_the_longest_prefix_is_found(runner: Runner, tmp_path: Path, next_hop: str, value: int) -> None:
    body = "to = pkt.ipv6.destination\nfound = t.get(to)\nassert found is not None and found == t[to] and to in t\n"
    body += f"assert found == {value}\nreturn OK"
    assert after(runner, tmp_path, body, HERE, next_hop=next_hop) == HERE


@pytest.mark.parametrize("statement", ["x = t[to]", "t[to] += 1", "t[to] += 1 // pkt.mark"])
def test_an_address_in_no_prefix_is_a_fault(runner: Runner, tmp_path: Path, statement: str) -> None:
    body = f'to = pkt.ipv6.destination\ndel t[Prefix("fd00::/8")]\n{statement}\nreturn OK'
    assert after(runner, tmp_path, body, {"fd00::/8": 8, "fc00:3::4/126": 3, "fc00:3::2/128": 2}) == "no such key"


def test_a_missing_prefix_is_none_and_not_in(runner: Runner, tmp_path: Path) -> None:
    body = "to = pkt.ipv6.destination\nassert t.get(to) is None\nassert to not in t\nreturn OK"
    assert after(runner, tmp_path, body, {"fd00::/8": 8}) == {"fd00::/8": 8}


def test_an_update_changes_the_entry_that_matched(runner: Runner, tmp_path: Path) -> None:
    body = 't[pkt.ipv6.destination] += 100\nt[IPv6Address("fc00::1")] -= 17\nt[pkt.ipv6.source] |= 3\nreturn OK'
    assert after(runner, tmp_path, body, HERE) == {**HERE, "fc00:3::3/128": 228, "fc00::/16": 0xFFFFFFFF, "fd00::/8": 11}


def test_prefixes_are_stored_replaced_and_deleted(runner: Runner, tmp_path: Path) -> None:
    body = (
        't[Prefix("fc00:3::/32")] = 7\nassert t[pkt.ipv6.destination] == 7\n'
        "t[P] = 9\nassert t[pkt.ipv6.destination] == 9\ndel t[P]\nassert t[pkt.ipv6.destination] == 7\n"
        't[Prefix("fc00:3::/32")] = 8\nreturn OK'
    )
    body = body.replace("[P]", '[Prefix("fc00:3::/48")]')
    assert after(runner, tmp_path, body, {"::/0": 1}) == {"::/0": 1, "fc00:3::/32": 8}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ('del t[Prefix("fc00::/16")]', "no such key"),
        ('del t[Prefix("fc00:3::/33")]', "no such key"),
        ('t[Prefix("fc00::/17")] = 1', "the map is full"),
    ],
)
def test_what_cannot_be_done_is_a_fault(runner: Runner, tmp_path: Path, statement: str, message: str) -> None:
    assert after(runner, tmp_path, f"{statement}\nreturn OK", {"::/0": 1, "fc00:3::/32": 2}, size=2) == message


def test_a_view_of_the_entry_that_matched_writes_through(runner: Runner, tmp_path: Path) -> None:
    body = (
        't[Prefix("::/0")] = Route(table=5)\nt[Prefix("fc00::/16")] = Route(table=254)\n'
        "for i in range(3):\n    route = t[pkt.ipv6.destination]\n    route.packets += 2\n"
        "route = t.get(pkt.ipv6.source)\nif route is None:\n    return DROP\nroute.packets *= 3\nroute.packets += 9\n"
        "return pkt.end_t(table=t[pkt.ipv6.destination].table)"
    )
    before = f"{ROUTE}t = LpmTrie(IPv6Address, Route, 8)\n"
    with opened_module(runner, compile_text(function(body, before=before), tmp_path)) as session:
        outcome = session.run(packet())
        assert (fault_of(outcome), outcome.forwarded) == (None, True)
        packets = [int.from_bytes((session.maps["t"].lookup(key(prefix)) or b"")[8:], "little") for prefix in ("fc00::/16", "::/0")]
        assert packets == [6, 9]


def test_a_trie_in_a_loop_beside_an_append(runner: Runner, tmp_path: Path) -> None:
    before = (
        "class Blob(Tlv, type=77):\n    number: u32\n\n\nt = LpmTrie(IPv6Address, u64, 8)\nhops = Hash(IPv6Address, u64, 4, default=0)\n"
    )
    body = (
        't[Prefix("fc00::/7")] = 0\nfor i in range(4):\n'
        "    if pkt.ipv6.source not in t:\n        return DROP\n"
        "    t[pkt.ipv6.source] += 1\n    pkt.srh.append(Blob(number=u32(t[pkt.ipv6.destination])))\n"
        "    hops[pkt.ipv6.source] += t[pkt.ipv6.source]\n"
        "assert hops[pkt.ipv6.source] == 10\nreturn OK"
    )
    with opened_module(runner, compile_text(function(body, before=before), tmp_path)) as session:
        outcome = session.run(packet())
        assert (fault_of(outcome), outcome.forwarded) == (None, True)
