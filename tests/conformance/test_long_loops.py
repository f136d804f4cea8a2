"""Loops that the kernel counts: on the VM, in the kernel, and as they are evaluated, each way out of them among the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpfnf import backend, image
from pybpfnf.dsl import ir
from pybpfnf.dsl.ir.walk import walk
from pybpfnf.live import Live
from pybpfnf.runner import Environment, Runner
from pybpfnf.testing.evaluate import Evaluator
from pybpfnf.testing.packets import srv6
from tests.conformance.running import SID, fault_of, opened_module, packet
from tests.dsl.cases import compile_text, function

BEFORE = """
class Pair(Struct):
    left: u64 = 0
    right: u64 = 0


class Bucket(Struct):
    tokens: u64 = 0
    lock: SpinLock = SpinLock()


class Note(Tlv, type=124):
    number: u32
    zero: u16 = 0


total = State(s64)
seen = Array(u64, 16)
pairs = Hash(u32, Pair, 64, default=Pair())
buckets = Array(Bucket, 2)
records = RingBuf(Pair, 4096)
NEXT = ProgArray(Seg6Packet, 2)


@func
def first_multiple(n: u32, of: u32) -> u32:
    for i in range(1, 2000):
        if i % 7 == 0 and u32(i) > of:
            return u32(i)
        if u32(i) == n:
            return 1
    return 0
"""


def module_of(body: str, directory: Path) -> ir.Module:
    module = compile_text(function(f"global total\ntag = pkt.srh.tag\n{body}", before=BEFORE), directory)
    assert any(isinstance(node, ir.ForRange) and node.counted_by_kernel for node in walk(module.functions[0].body))
    return module


def check(runner: Runner, module: ir.Module, tag: int, verdict: int, fault: str | None, total: int) -> None:
    with opened_module(runner, module) as session:
        outcome = session.run(packet(tag=tag))
        assert (outcome.verdict, fault_of(outcome)) == (verdict, fault)
        variable = session.image.variables["total"]
        value = session.maps[variable.map].lookup(bytes(4)) or b""
        assert int.from_bytes(value[variable.offset : variable.offset + 8], "little", signed=True) == total
        assert session.run(packet(tag=tag)).verdict == verdict
    evaluator = Evaluator(module, module.functions[0], Environment(sid=SID))
    evaluated = evaluator.run(srv6(["fc00:3::3", str(SID)], tag=tag, segments_left=0))
    assert (evaluated.verdict, None if evaluated.fault is None else evaluated.fault.message) == (verdict, fault)
    assert evaluator.variables["total"] == total


ENDS = (
    "n = 0\nfor i in range(%s):\n    if i %% 2 == 0 and n < 100000000:\n        n += i\n"
    "    elif tag > 5000:\n        n -= 1\ntotal = n\nreturn OK"
)


@pytest.mark.parametrize(
    "ends",
    [
        "3000",
        "5, 4000",
        "4000, 5, -1",
        "-2000, 2000",
        "-3000, 9000, 3",
        "9000, -3000, -7",
        "0, 40000, 11",
        "tag",
        "tag, 4000",
        "tag, 9999, 3",
    ],
)
@pytest.mark.parametrize("tag", [0, 1, 2500])
def test_it_counts_as_a_range_does(runner: Runner, tmp_path: Path, ends: str, tag: int) -> None:
    numbers = eval(f"range({ends})", {"tag": tag})
    check(runner, module_of(ENDS % ends, tmp_path), tag, 0, None, sum(i for i in numbers if i % 2 == 0))


@pytest.mark.parametrize(("outer", "inner"), [(100, 60), (70, 60), (50, 60), (200, 40)])
def test_a_loop_with_branches_inside_one_that_is_counted_is_counted_too(runner: Runner, tmp_path: Path, outer: int, inner: int) -> None:
    """Else the verifier, which knows nothing of the outer value there, would follow its ways to no end."""
    body = (
        f"n = 0\nfor i in range({outer}):\n    for j in range({inner}):\n        if (i ^ j) & 1 != 0 and n < 100000000:\n"
        "            n += i * j\n        elif j > i:\n            break\n    else:\n        n += 1\ntotal = n\nreturn OK"
    )
    expected = 0
    for i in range(outer):
        for j in range(inner):
            if (i ^ j) & 1:
                expected += i * j
            elif j > i:
                break
        else:
            expected += 1
    check(runner, module_of(body, tmp_path), 1, 0, None, expected)


@pytest.mark.parametrize(
    ("body", "tag", "verdict", "fault", "total"),
    [
        pytest.param(
            "for i in range(5000):\n    if i == tag:\n        break\n    total += 1\nelse:\n"
            "    total += 1000000\ntotal = -total\nreturn OK",
            4000, 0, None, -4000, id="break",
        ),
        pytest.param(
            "for i in range(5000):\n    if i == tag:\n        break\n    total += 1\nelse:\n    total += 1000000\nreturn OK",
            6000, 0, None, 1005000, id="else",
        ),
        pytest.param(
            "for i in range(5000):\n    if i % 3 != 0:\n        continue\n    total += 1\nreturn OK", 0, 0, None, 1667, id="continue"
        ),
        pytest.param(
            "for i in range(5000):\n    total = i\n    if i == tag:\n        return DROP\nreturn OK", 77, 2, None, 77, id="return"
        ),
        pytest.param(
            "for i in range(5000):\n    total = i\n    if i == tag:\n        return OK if total > 80 else DROP\nreturn OK",
            77, 2, None, 77, id="a computed return",
        ),
        pytest.param(
            "for i in range(5000):\n    total = i\n    seen[tag - i] += 1\nreturn OK", 1, 2, "index out of range", 2, id="fault"
        ),
        pytest.param(
            "for i in range(5000):\n    assert i < tag, 'too far'\n    total = i\nreturn OK", 4001, 2, "too far", 4000, id="assert"
        ),
        pytest.param(
            "for i in range(300):\n    for j in range(200):\n        if (i ^ j) & 15 == tag:\n            break\n        total += 1\n"
            "    if i == 250:\n        break\nreturn OK",
            3, 0, None, sum((i ^ 3) & 15 for i in range(251)), id="a loop in a loop",
        ),
        pytest.param(
            "for i in range(9):\n    for j in range(5000):\n        if j == tag:\n            break\n        if i == 5:\n"
            "            return DROP\n        total += 1\n    else:\n        total += 7\nreturn OK",
            2, 2, None, 10, id="a long loop in a short one",
        ),
        pytest.param(
            "for i in range(40):\n    for j in range(3000):\n        if j > tag:\n            break\n"
            "        if i * j == 39:\n            total += 1\n    for k in range(2500):\n        if k == 5:\n            total += i\n"
            "            break\nreturn OK",
            50, 0, None, 4 + sum(range(40)), id="long loops in a long loop",
        ),
        pytest.param(
            "total = first_multiple(9999, tag)\nfor i in range(50):\n"
            "    if first_multiple(3, u32(i)) != 1:\n        return DROP\nreturn OK",
            100, 0, None, 105, id="in a function",
        ),
        pytest.param(
            "for i in range(3000):\n    pair = pairs[u32(i) & 63]\n    if pair.left > 40:\n"
            "        total = s64(pair.right)\n        return OK\n"
            "    pair.left += 1\n    pair.right = u64(i)\nreturn DROP",
            0, 0, None, 2560, id="views of entries",
        ),
        pytest.param(
            "for i in range(3000):\n    bucket = buckets[i & 1]\n    with bucket.lock:\n        bucket.tokens += u64(i)\n"
            "        if bucket.tokens > 1000:\n            break\n        if i == tag:\n            continue\n    total += 1\nreturn OK",
            9, 0, None, 62, id="locks",
        ),
        pytest.param(
            "found = False\nlast: u8 = 0\nfor i in range(5000):\n    if not found and i > tag:\n        found = True\n    elif found:\n"
            "        last += 1\n    if last == 200:\n        total = i\n        break\nreturn OK",
            90, 0, None, 291, id="a bool and an octet",
        ),
        pytest.param(
            "who = IPv6Address('fc00::1')\nfor i in range(5000):\n    if who == pkt.ipv6.source:\n        total = i\n        break\n"
            "    if i == tag:\n        who = pkt.ipv6.source\nreturn OK",
            90, 0, None, 91, id="an address",
        ),
        pytest.param(
            "pair = Pair()\nfor i in range(5000):\n    if pair.left > 70:\n        pair = Pair(left=1, right=pair.right + 1)\n"
            "    pair.left += 1\ntotal = s64(pair.right)\nreturn OK",
            0, 0, None, 71, id="a struct of its own",
        ),
        pytest.param(
            "note = pkt.srh.find(Note)\nfor i in range(5000):\n    if note is not None and i % 1000 == 0:\n        total += 1\n"
            "    if pkt.srh.tag == i:\n        pkt.srh.tag += 3\n        total += 100\nreturn OK",
            5, 0, None, 166500, id="the packet",
        ),
        pytest.param(
            "for i in range(5000):\n    if i % 1000 == tag:\n        pkt.srh.append(Note(number=u32(i)))\n        total += 1\n"
            "found = pkt.srh.find(Note)\nif found is not None:\n    total += found.number\nreturn OK",
            7, 0, None, 12, id="appends", marks=pytest.mark.linux("6.18", "its verifier joins fewer ways, and gives up on this function"),
        ),
        pytest.param(
            "for i in range(5000):\n    if i == tag:\n        return NEXT[1](pkt)\n    total += 1\nreturn OK",
            3, 2, "no program to go on in, or more than 33 tail calls", 3, id="a tail call",
        ),
        pytest.param(
            "for i in range(5000):\n    if i % 1024 == tag:\n        record = records.reserve()\n"
            "        if record is None:\n            return DROP\n"
            "        record.left = 9\n        record.right = u64(1000 // (3000 - i))\n"
            "        total += 1\n        records.submit(record)\nreturn OK",
            1, 0, None, 5, id="records",
        ),
    ],
)  # fmt: skip
def test_every_way_out(runner: Runner, tmp_path: Path, body: str, tag: int, verdict: int, fault: str | None, total: int) -> None:
    """The verifier refuses a program that keeps an iterator, and the VM faults."""
    check(runner, module_of(body, tmp_path), tag, verdict, fault, total)


IN_SUBPROGRAMS = """

@func(inline=False)
def half(n: u64, i: u32) -> u64:
    assert i != 4000, "four thousand"
    if n % 2 == 1:
        return n // 2 + i
    return n // 2


@func(inline=False)
def run_down(n: u32, most: u32) -> u64:
    left = u64(n)
    for i in range(min(most, 6000)):
        left = half(left, u32(i))
        seen[i % 16] += left
        if left == 1 << 40:
            break
    return left
"""


@pytest.mark.parametrize(
    ("tag", "verdict", "fault"), [(0, 0, None), (77, 0, None), (3999, 0, None), (4100, 2, "four thousand")], ids=["0", "77", "3999", "4100"]
)
def test_a_loop_in_a_subprogram_that_calls_another(runner: Runner, tmp_path: Path, tag: int, verdict: int, fault: str | None) -> None:
    body = "global total\nfor k in range(3):\n    total += s64(run_down(u32(9 << k), pkt.srh.tag))\nreturn OK"
    module = compile_text(function(body, before=BEFORE + IN_SUBPROGRAMS), tmp_path)
    loops = [node for subprogram in module.subprograms for node in walk(subprogram.body) if isinstance(node, ir.ForRange)]
    assert [loop.counted_by_kernel for loop in loops] == [True]
    evaluator = Evaluator(module, module.functions[0], Environment(sid=SID))
    expected = evaluator.run(packet(tag))
    assert (expected.verdict, None if expected.fault is None else expected.fault.message) == (verdict, fault)
    with opened_module(runner, module) as session:
        outcome = session.run(packet(tag))
        assert (outcome.verdict, fault_of(outcome)) == (verdict, fault)
        live = Live(session.image, session.maps)
        assert [live["seen"][slot] for slot in range(16)] == [evaluator.maps["seen"][slot] for slot in range(16)]


def test_a_program_without_such_loops_calls_no_function_of_the_kernel(tmp_path: Path) -> None:
    module = compile_text(function("for i in range(500):\n    pkt.mark += 1\nreturn OK"), tmp_path)
    assert image.read(backend.build(module)).program().kfunc_names == ()
