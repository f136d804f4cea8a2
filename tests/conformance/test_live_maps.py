"""Maps of every kind as ordinary Python sees them: the same over the VM's maps and the kernel's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from errno import E2BIG
from ipaddress import IPv4Network, IPv6Address, IPv6Network

import pytest

from pybpfnf.abi.maps import BPF_F_NO_PREALLOC
from pybpfnf.abi.text import parse
from pybpfnf.errors import InputError, KernelError
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.live import Live, LiveHash, LiveQueue, LiveTrie
from pybpfnf.runner import Environment, Runner
from pybpfnf.testing import packets
from pybpfnf.types.layout import U32, StructField, StructType

PAIR = StructType("Pair", 8, 4, (StructField("low", 0, U32), StructField("high", 4, U32)))
ROUTES = MapSpec("routes", "lpm_trie", 20, 4, 8, BPF_F_NO_PREALLOC)
V4 = MapSpec("v4", "lpm_trie", 8, 4, 8, BPF_F_NO_PREALLOC)
NARROW = MapSpec("narrow", "lpm_trie", 6, 4, 8, BPF_F_NO_PREALLOC)


@contextmanager
def live(runner: Runner, *specs: MapSpec) -> Iterator[Live]:
    """The maps of a program that does nothing."""
    names = "".join(f"r1 = map[{spec.name}]\n" for spec in specs)
    program = ProgramImage("maps", "lwt_seg6local", "lwt_seg6local", parse(names + "r0 = 0\nexit"))
    image = ObjectImage((program,), {spec.name: spec for spec in specs}, "GPL")
    with runner.open(image, program, Environment()) as session:
        yield Live(image, session.maps)


@pytest.mark.parametrize("kind", ["hash", "lru_hash", "percpu_hash", "lru_percpu_hash"])
def test_every_hash_is_a_dict(runner: Runner, kind: str) -> None:
    with live(runner, MapSpec("h", kind, 4, 8, 64, value_type=PAIR)) as nf:
        h = nf["h"]
        assert isinstance(h, LiveHash)
        h[5] = {"low": 1, "high": 2}
        h[6] = {"low": 3, "high": 4}
        h[6] = {"low": 5, "high": 6}
        assert {key: (value.low, value.high) for key, value in h.items()} == {5: (1, 2), 6: (5, 6)}
        del h[5]
        assert (5 in h, 6 in h, len(h)) == (False, True, 1)


def test_a_trie_finds_the_longest_prefix_of_an_address(runner: Runner) -> None:
    with live(runner, ROUTES) as nf:
        routes = nf["routes"]
        assert isinstance(routes, LiveTrie)
        routes[IPv6Network("fc00::/16")] = 1
        routes["fc00:a::/32"] = 2
        routes[IPv6Address("fc00:a::1")] = 3
        assert (routes[IPv6Address("fc00:a::1")], routes["fc00:a::2"], routes[IPv6Address("fc00:b::")]) == (3, 2, 1)
        assert routes.get("fd00::") is None
        with pytest.raises(KeyError):
            routes[IPv6Address("fd00::")]


def test_a_prefix_is_found_by_the_longest_that_all_of_it_is_in(runner: Runner) -> None:
    with live(runner, ROUTES) as nf:
        nf["routes"]["fc00:a::/32"] = 2
        assert nf["routes"]["fc00:a:1::/48"] == 2
        assert IPv6Network("fc00::/16") not in nf["routes"]


def test_a_tries_prefixes_are_networks_and_deleted_exactly(runner: Runner) -> None:
    with live(runner, ROUTES) as nf:
        routes = nf["routes"]
        routes["fc00::/16"] = 1
        routes["::/0"] = 9
        assert dict(routes) == {IPv6Network("fc00::/16"): 1, IPv6Network("::/0"): 9}
        with pytest.raises(KeyError):
            del routes["fc00::/17"]
        del routes["fc00::/16"]
        assert (list(routes), routes["fc00::1"]) == ([IPv6Network("::/0")], 9)


def test_a_trie_of_four_bytes_has_ipv4_prefixes(runner: Runner) -> None:
    with live(runner, V4) as nf:
        nf["v4"]["192.0.2.0/24"] = 1
        assert (nf["v4"]["192.0.2.7"], list(nf["v4"])) == (1, [IPv4Network("192.0.2.0/24")])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("fc00::1/16", "'fc00::1/16' is no prefix: fc00::1/16 has host bits set"),
        ("fc00::g", "'fc00::g' is no prefix"),
        ("192.0.2.0/24", "192.0.2.0/24 is no prefix of IPv6"),
    ],
)
def test_what_is_no_prefix_of_the_tries_addresses_is_refused(runner: Runner, key: str, message: str) -> None:
    with live(runner, ROUTES) as nf, pytest.raises(InputError, match=f"map routes, key: {message}"):
        nf["routes"][key] = 1


def test_a_trie_of_other_keys_has_them_as_bytes(runner: Runner) -> None:
    with live(runner, NARROW) as nf:
        nf["narrow"][b"\x08\0\0\0\xfc\0"] = 1
        assert dict(nf["narrow"]) == {b"\x08\0\0\0\xfc\0": 1}


@pytest.mark.parametrize(("kind", "order"), [("queue", [1, 2, 3]), ("stack", [3, 2, 1])])
def test_a_queue_gives_the_oldest_and_a_stack_the_newest(runner: Runner, kind: str, order: list[int]) -> None:
    with live(runner, MapSpec("q", kind, 0, 4, 3)) as nf:
        q = nf["q"]
        assert isinstance(q, LiveQueue)
        for value in (1, 2, 3):
            q.push(value)
        assert q.peek() == order[0]
        assert [q.pop(), q.pop(), q.pop()] == order


@pytest.mark.parametrize("kind", ["queue", "stack"])
def test_a_queue_is_empty_or_full(runner: Runner, kind: str) -> None:
    with live(runner, MapSpec("q", kind, 0, 4, 2)) as nf:
        q = nf["q"]
        for take in (q.pop, q.peek):
            with pytest.raises(IndexError, match="map q is empty"):
                take()
        q.push(1)
        q.push(2)
        with pytest.raises(KernelError, match="map q is full: it holds 2 values") as caught:
            q.push(3)
        assert caught.value.errno == E2BIG
        q.push(3, drop_oldest=True)
        assert sorted((q.pop(), q.pop())) == [2, 3]


def test_values_of_a_queue_are_structs_where_the_object_says_so(runner: Runner) -> None:
    with live(runner, MapSpec("q", "queue", 0, 8, 2, value_type=PAIR)) as nf:
        nf["q"].push({"low": 1, "high": 2})
        assert (nf["q"].peek().low, nf["q"].pop().high) == (1, 2)


QUEUE_OPERATIONS = """
*(u32 *)(r10 - 8) = {value}
r1 = map[q]
r2 = r10
r2 += -8
r3 = {flags}
call {helper}
"""


@pytest.mark.parametrize("kind", ["queue", "stack"])
@pytest.mark.linux("6.4", "errors of maps have 32 bits")
def test_programs_push_and_take_as_python_does(runner: Runner, kind: str) -> None:
    """What each helper gives, from an empty one to a full one; and what is left for Python."""
    calls = [
        ("map_pop_elem", 0, -2), ("map_peek_elem", 0, -2), ("map_push_elem", 0, 0), ("map_push_elem", 0, 0),
        ("map_push_elem", 0, -7), ("map_push_elem", 1, -22), ("map_push_elem", 2, 0), ("map_peek_elem", 0, 0), ("map_pop_elem", 0, 0),
    ]  # fmt: skip
    steps = [
        QUEUE_OPERATIONS.format(value=number, flags=flags, helper=helper) + f"if r0 != {expected} goto wrong\n"
        for number, (helper, flags, expected) in enumerate(calls)
    ]
    text = "".join(steps) + "r0 = 0\nexit\nwrong:\nr0 = 2\nexit"
    spec = MapSpec("q", kind, 0, 4, 2)
    program = ProgramImage("queues", "lwt_seg6local", "lwt_seg6local", parse(text))
    image = ObjectImage((program,), {"q": spec}, "GPL")
    with runner.open(image, program, Environment()) as session:
        assert session.run(packets.srv6(["fc00:c::2", "fc00:a::1"])).verdict == 0
        assert Live(image, session.maps)["q"].pop() == {"queue": 6, "stack": 3}[kind]
