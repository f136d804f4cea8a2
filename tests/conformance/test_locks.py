"""Spin locks: what is done under one, and that every way out releases it; on the VM, in the kernel, and as it is evaluated."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pybpfnf import backend, image
from pybpfnf.dsl import ir
from pybpfnf.kernel.load import load_program
from pybpfnf.live import Live
from pybpfnf.runner import Environment, Runner
from pybpfnf.testing.evaluate import Evaluator
from pybpfnf.testing.packets import srv6
from pybpfnf.verbs.load import Loaded
from tests.conformance.running import SID, fault_of, opened_module, packet
from tests.dsl.cases import compile_text, function

BUCKET = (
    "class Bucket(Struct):\n    tokens: u64\n    lock: SpinLock = SpinLock()\n    small: u8 = 0\n    wide: u32 = bits(12, default=5)\n"
    "    name: bytes = octets(3, default=b'abc')\n\n\n"
    "buckets = Array(Bucket, 4)\nflows = Hash(u32, Bucket, 4, default=Bucket(tokens=9))\n"
)
IN_A_FUNCTION = (
    "\n@func\ndef take(bucket: Bucket, n: u32) -> bool:\n    with bucket.lock:\n        if bucket.tokens < n:\n            return False\n"
    "        bucket.tokens -= n\n        if bucket.tokens == 5:\n            return True\n    return True\n"
)


def module_of(body: str, directory: Path, before: str = "") -> ir.Module:
    return compile_text(function(body, before=BUCKET + before), directory)


def held(session_maps: Live, name: str, key: int) -> tuple[int, int, int, bytes]:
    entry = session_maps[name][key]
    return entry.tokens, entry.small, entry.wide, bytes(entry.name)


@pytest.mark.parametrize(
    ("body", "tag", "verdict", "fault", "entry"),
    [
        pytest.param(
            "e.tokens += length\n    e.small += 3\n    e.wide -= 1\n    e.small -= 4", 1, 0, None, (96, 255, 4095, b"\0\0\0"), id="end"
        ),
        pytest.param("e.tokens = 7\n    return DROP\n", 1, 2, None, (7, 0, 0, b"\0\0\0"), id="return"),
        pytest.param("e.tokens = 7\n    return OK if e.tokens == tag else DROP", 7, 0, None, (7, 0, 0, b"\0\0\0"), id="a computed return"),
        pytest.param("e.tokens = 3\n    e.small = u8(100 // tag)", 0, 2, "division by zero", (3, 0, 0, b"\0\0\0"), id="fault"),
        pytest.param("e.name[tag] = 65", 2, 0, None, (0, 0, 0, b"\0\0A"), id="item"),
        pytest.param("e.name[tag] = 65", 3, 2, "index out of range", (0, 0, 0, b"\0\0\0"), id="an item that is not there"),
        pytest.param("assert tag == 3, 'three'\n    e.tokens = 1", 4, 2, "three", (0, 0, 0, b"\0\0\0"), id="assert"),
        pytest.param(
            "for i in range(tag & 7):\n        e.tokens += i\n        if i == 3:\n            break\n        e.small += 1",
            7, 0, None, (6, 3, 0, b"\0\0\0"), id="loop",
        ),
    ],
)  # fmt: skip
def test_every_way_out_of_the_body_releases_the_lock(
    runner: Runner, tmp_path: Path, body: str, tag: int, verdict: int, fault: str | None, entry: tuple[int, int, int, bytes]
) -> None:
    """The verifier refuses a program that keeps it, and the VM faults; a second packet would not come through."""
    module = module_of(f"tag = pkt.srh.tag\nlength = pkt.len\ne = buckets[2]\nwith e.lock:\n    {body}\nreturn OK", tmp_path)
    with opened_module(runner, module) as session:
        outcome = session.run(packet(tag=tag))
        assert (outcome.verdict, fault_of(outcome)) == (verdict, fault)
        assert held(Live(session.image, session.maps), "buckets", 2) == entry
        assert session.run(packet(tag=tag)).verdict is not None
    evaluated = Evaluator(module, module.functions[0], Environment(sid=SID)).run(srv6(["fc00:3::3", str(SID)], tag=tag, segments_left=0))
    assert (evaluated.verdict, None if evaluated.fault is None else evaluated.fault.message) == (verdict, fault)


def test_a_loop_around_the_lock_is_left_and_begun_anew_without_it(runner: Runner, tmp_path: Path) -> None:
    body = (
        "for i in range(4):\n    e = flows[i]\n    with e.lock:\n"
        "        if i == 1:\n            continue\n        if i == 3:\n            break\n"
        "        e.tokens += 1\n    e.tokens += 100\nreturn OK"
    )
    with opened_module(runner, module_of(body, tmp_path)) as session:
        assert session.run(packet()).verdict == 0
        live = Live(session.image, session.maps)
        assert [live["flows"][key].tokens for key in range(4)] == [110, 9, 110, 9]


@pytest.mark.parametrize(("tag", "verdict", "left"), [(4, 0, 5), (9, 0, 0), (10, 2, 9)])
def test_a_function_that_is_called_returns_without_it(runner: Runner, tmp_path: Path, tag: int, verdict: int, left: int) -> None:
    body = "tag = pkt.srh.tag\nif not take(flows[1], tag):\n    return DROP\nif take(flows[2], 100):\n    return DROP\nreturn OK"
    with opened_module(runner, module_of(body, tmp_path, IN_A_FUNCTION)) as session:
        assert session.run(packet(tag=tag)).verdict == verdict
        assert Live(session.image, session.maps)["flows"][1].tokens == left


def test_an_entry_is_made_and_replaced_around_its_lock(runner: Runner, tmp_path: Path) -> None:
    body = "tag = pkt.srh.tag\nbuckets[tag] = Bucket(tokens=70, small=2)\nflows[tag] = Bucket(tokens=80)\nreturn OK"
    with opened_module(runner, module_of(body, tmp_path)) as session:
        assert [session.run(packet(tag=tag)).verdict for tag in (3, 3)] == [0, 0]
        live = Live(session.image, session.maps)
        assert (held(live, "buckets", 3), held(live, "flows", 3)) == ((70, 2, 5, b"abc"), (80, 0, 5, b"abc"))
        outcome = session.run(packet(tag=4))
        assert (outcome.verdict, fault_of(outcome)) == (2, "index out of range")


def test_python_writes_and_reads_entries_without_a_lock_in_them(runner: Runner, tmp_path: Path) -> None:
    module = module_of("e = buckets[1]\nwith e.lock:\n    e.tokens += 1\nreturn OK", tmp_path)
    with opened_module(runner, module) as session:
        live = Live(session.image, session.maps)
        live["buckets"][1] = {"tokens": 40, "small": 1, "wide": 2, "name": b"xyz"}
        assert session.run(packet()).verdict == 0
        assert repr(live["buckets"][1]) == "Bucket(tokens=41, small=1, wide=2, name=b'xyz')"


@pytest.mark.kernel
def test_what_is_read_meanwhile_is_whole(tmp_path: Path) -> None:
    """Two writers of both fields from user space, and a reader: each copies the entry with its lock held (BPF_F_LOCK)."""
    built = image.read(backend.build(module_of("e = buckets[1]\nwith e.lock:\n    e.tokens += 1\nreturn OK", tmp_path)))
    with Loaded(load_program(built, built.program())) as loaded:
        buckets = loaded["buckets"]
        done = threading.Event()

        def write(number: int) -> None:
            while not done.is_set():
                buckets[1] = {"tokens": number, "small": number, "wide": number, "name": bytes([number] * 3)}

        writers = [threading.Thread(target=write, args=(number,)) for number in (3, 4)]
        for writer in writers:
            writer.start()
        seen = [buckets[1] for _ in range(500)]
        done.set()
        for writer in writers:
            writer.join()
    assert all(each.tokens == each.small == each.wide for each in seen)
