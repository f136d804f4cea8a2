"""Queues and stacks, from a function: on the VM and in the kernel (kernel/bpf/queue_stack_maps.c)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpfnf.runner import Runner
from tests.conformance.running import fault_of, opened_module, packet
from tests.dsl.cases import compile_text, function

KINDS = ("Queue", "Stack")
RECORD = "class Probe(Struct):\n    tag: u16\n    at: u64 = 1\n    raw: bytes = octets(3, default=b'abc')\n\n\n"
SEEN = "seen = Array(u64, 8)\n"


def seen(runner: Runner, directory: Path, definition: str, body: str, packets: int = 1) -> tuple[list[int], str | None]:
    """What the function put into `seen`, and its last fault."""
    module = compile_text(function(body, before=f"{RECORD}q = {definition}\n{SEEN}"), directory)
    with opened_module(runner, module) as session:
        for number in range(packets):
            outcome = session.run(packet(tag=number))
        values = (session.maps["seen"].lookup(index.to_bytes(4, "little")) or b"" for index in range(8))
        return [int.from_bytes(value, "little") for value in values], fault_of(outcome)


@pytest.mark.parametrize(("kind", "order"), [("Queue", [1, 2, 3]), ("Stack", [3, 2, 1])])
def test_values_come_in_their_order_and_then_none(runner: Runner, tmp_path: Path, kind: str, order: list[int]) -> None:
    body = (
        "q.push(1)\nq.push(2)\nq.push(3)\n"
        "for i in range(8):\n    first = q.peek()\n    value = q.pop()\n"
        "    if value is None:\n        assert first is None\n        seen[i] = 99\n        return OK\n"
        "    assert first is not None and first == value\n    seen[i] = value\nreturn OK"
    )
    assert seen(runner, tmp_path, f"{kind}(u32, 4)", body) == ([*order, 99, 0, 0, 0, 0], None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_one_is_a_fault(runner: Runner, tmp_path: Path, kind: str) -> None:
    values, fault = seen(runner, tmp_path, f"{kind}(u32, 2)", "q.push(7)\nseen[pkt.srh.tag] = 1\nreturn OK", packets=3)
    assert (values[:3], fault) == ([1, 1, 0], "the map is full")


@pytest.mark.parametrize(("kind", "order"), [("Queue", [2, 3]), ("Stack", [3, 2])])
def test_with_drop_oldest_the_oldest_goes(runner: Runner, tmp_path: Path, kind: str, order: list[int]) -> None:
    body = (
        "for i in range(1, 4):\n    q.push(u32(i), drop_oldest=True)\n"
        "for i in range(3):\n    value = q.pop()\n    seen[i] = 99 if value is None else value\nreturn OK"
    )
    assert seen(runner, tmp_path, f"{kind}(u32, 2)", body)[0][:3] == [*order, 99]


@pytest.mark.parametrize("kind", KINDS)
def test_a_struct_that_is_taken_is_a_copy_of_its_own(runner: Runner, tmp_path: Path, kind: str) -> None:
    body = (
        "q.push(Probe(tag=pkt.srh.tag + 5))\nnext = q.peek()\nif next is None:\n    return DROP\n"
        "next.tag += 100\nnext.at += 7\n"
        "probe = q.pop()\nassert probe is not None, 'there'\nassert q.pop() is None and q.peek() is None\n"
        "q.push(next)\nq.push(probe)\nother = probe\nother.at = 50\nassert probe != next and probe != other\n"
        "seen[0] = probe.tag\nseen[1] = probe.at\nseen[2] = next.tag\nseen[3] = next.at\n"
        "seen[4] = probe.raw[2]\nseen[5] = other.at\nreturn OK"
    )
    assert seen(runner, tmp_path, f"{kind}(Probe, 4)", body) == ([5, 1, 105, 8, ord("c"), 50, 0, 0], None)


@pytest.mark.parametrize("kind", KINDS)
def test_what_one_packet_pushed_the_next_pops(runner: Runner, tmp_path: Path, kind: str) -> None:
    body = (
        "probe = q.pop()\nif probe is None:\n    probe = Probe(tag=40)\nseen[pkt.srh.tag] = probe.tag\n"
        "q.push(Probe(tag=pkt.srh.tag * 2))\nreturn OK"
    )
    assert seen(runner, tmp_path, f"{kind}(Probe, 4)", body, packets=3) == ([40, 0, 2, 0, 0, 0, 0, 0], None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("type_", "value"), [("bool", "True"), ("s8", "-3"), ("IPv6Address", "pkt.ipv6.source"), ("u64", "1 << 63")])
def test_every_type_of_value_goes_through(runner: Runner, tmp_path: Path, kind: str, type_: str, value: str) -> None:
    taken = f"found = q.pop()\n    if found is not None:\n        seen[i] = 1 if found == {value} else 2\n"
    body = f"q.push({value})\nfor i in range(2):\n    {taken}return OK"
    assert seen(runner, tmp_path, f"{kind}({type_}, 4)", body)[0][:2] == [1, 0]


@pytest.mark.parametrize(("kind", "first"), [("Queue", b"11112222"), ("Stack", b"aaaabbbb")])
def test_user_space_looks_at_the_next_value_and_pushes(runner: Runner, tmp_path: Path, kind: str, first: bytes) -> None:
    module = compile_text(function("q.pop()\nreturn OK", before=f"q = {kind}(u64, 2)\n"), tmp_path)
    with opened_module(runner, module) as session:
        queue = session.maps["q"]
        assert queue.lookup(b"") is None
        queue.update(b"", b"11112222")
        queue.update(b"", b"aaaabbbb")
        assert queue.lookup(b"") == first
        assert list(queue.keys()) == []
        session.run(packet())
        assert queue.lookup(b"") == ({b"11112222", b"aaaabbbb"} - {first}).pop()


def test_a_queue_in_a_loop_beside_a_hash_and_an_append(runner: Runner, tmp_path: Path) -> None:
    body = (
        "for i in range(4):\n    q.push(Probe(tag=0))\n    h[u32(i)] = 1\n"
        "    pkt.srh.append(Blob(number=u32(i)))\n    probe = q.peek()\n"
        "    if probe is None or probe.tag != 0:\n        return DROP\n    h[u32(i)] += probe.tag\n"
        "    if i == 3:\n        again = q.pop()\n        if again is not None:\n            q.push(again, drop_oldest=True)\n"
        "            q.pop()\n            break\nseen[0] = 1\nreturn OK"
    )
    before = "class Blob(Tlv, type=77):\n    number: u32\n\n\nh = Hash(u32, u32, 8, default=0)\n"
    assert seen(runner, tmp_path, f"Queue(Probe, 8)\n{before}", body)[1] is None
