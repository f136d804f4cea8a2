"""The four kinds of hash tables, from a function and from Python: on the VM and in the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TypeAlias

import pytest

from pybpfnf.live import Live
from pybpfnf.runner import Runner
from tests.conformance.running import Run, fault_of, packet, running_module
from tests.dsl.cases import compile_text, function

KINDS = ("Hash", "LruHash", "PerCpuHash", "LruPerCpuHash")
FULL = ("Hash", "PerCpuHash")
DROPPING = ("LruHash", "LruPerCpuHash")
PER_CPU = ("PerCpuHash", "LruPerCpuHash")

Opened: TypeAlias = tuple[Live, Run]


@contextmanager
def opened(runner: Runner, directory: Path, definition: str, body: str) -> Iterator[Opened]:
    count = "class Count(Struct):\n    packets: u64 = 0\n    last: u8 = 0\n\n\n"
    with running_module(runner, compile_text(function(body, before=f"{count}m = {definition}\n"), directory)) as found:
        yield found


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_comes_is_asked_about_and_goes(runner: Runner, tmp_path: Path, kind: str) -> None:
    body = (
        "key = pkt.srh.tag\nassert key not in m\nassert m.get(key) is None\nm[key] = 7\nassert key in m\n"
        "found = m.get(key)\nassert found is not None and found == 7 and m[key] == 7\n"
        "del m[key]\nassert key not in m\nm[key] = 9\nm[4] = 5\nreturn OK"
    )
    with opened(runner, tmp_path, f"{kind}(u16, u32, 64)", body) as (nf, run):
        assert fault_of(run(packet(tag=300))) is None
        assert dict(nf["m"]) == {300: 9, 4: 5}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("statement", "message"), [("x = m[5]", "no such key"), ("del m[5]", "no such key")])
def test_a_missing_key_is_a_fault(runner: Runner, tmp_path: Path, kind: str, statement: str, message: str) -> None:
    with opened(runner, tmp_path, f"{kind}(u16, u32, 64)", f"{statement}\nreturn OK") as (_, run):
        assert fault_of(run(packet())) == message


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_key_reads_as_the_default_and_an_update_makes_it(runner: Runner, tmp_path: Path, kind: str) -> None:
    body = "assert m[8] == 0\nassert 8 not in m\nm[pkt.srh.tag] += 3\nm[pkt.srh.tag] |= 8\nm[pkt.srh.tag] *= 2\nreturn OK"
    with opened(runner, tmp_path, f"{kind}(u16, u32, 64, default=0)", body) as (nf, run):
        assert [fault_of(run(packet(tag=tag))) for tag in (1, 2, 1)] == [None, None, None]
        assert dict(nf["m"]) == {1: ((11 * 2 + 3) | 8) * 2, 2: 22}


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_key_reads_as_the_default_each_time_round_a_loop(runner: Runner, tmp_path: Path, kind: str) -> None:
    body = "m[1] = 1000\nfor i in range(4):\n    m[i] *= 3\nreturn OK"
    with opened(runner, tmp_path, f"{kind}(u16, u32, 64, default={0 if kind in PER_CPU else 7})", body) as (nf, run):
        assert fault_of(run(packet())) is None
        default = 0 if kind in PER_CPU else 21
        assert dict(nf["m"]) == {0: default, 1: 3000, 2: default, 3: default}


@pytest.mark.parametrize("kind", KINDS)
def test_a_view_of_an_entry_writes_through(runner: Runner, tmp_path: Path, kind: str) -> None:
    body = (
        "count = m[pkt.srh.tag]\ncount.packets += 1\ncount.last = pkt.srh.flags\n"
        "other = m.get(77)\nif other is not None:\n    other.packets += 100\nreturn OK"
    )
    with opened(runner, tmp_path, f"{kind}(u16, Count, 64, default=Count())", body) as (nf, run):
        for tag in (1, 77, 1):
            assert fault_of(run(packet(tag=tag, flags=2))) is None
        per_key = {key: [(value.packets, value.last) for value in nf["m"].per_cpu(key) if value.packets] for key in nf["m"]}
        assert per_key == {1: [(2, 2)], 77: [(201, 2)]}


@pytest.mark.parametrize("kind", FULL)
@pytest.mark.parametrize("statement", ["m[pkt.srh.tag] = 1", "m[pkt.srh.tag] += 1"])
def test_a_full_map_is_a_fault_for_new_keys_alone(runner: Runner, tmp_path: Path, kind: str, statement: str) -> None:
    with opened(runner, tmp_path, f"{kind}(u16, u32, 2, default=0)", f"{statement}\nreturn OK") as (nf, run):
        found = [fault_of(run(packet(tag=tag))) for tag in (1, 2, 3, 2)]
        assert found == [None, None, "the map is full", None]
        assert sorted(nf["m"]) == [1, 2]


@pytest.mark.parametrize("kind", DROPPING)
@pytest.mark.parametrize("statement", ["m[pkt.srh.tag] = pkt.srh.tag", "m[pkt.srh.tag] += pkt.srh.tag"])
def test_a_map_that_drops_takes_every_new_key(runner: Runner, tmp_path: Path, kind: str, statement: str) -> None:
    body = f"{statement}\nassert m[pkt.srh.tag] == pkt.srh.tag\nreturn OK"
    with opened(runner, tmp_path, f"{kind}(u16, u64, 8, default=0)", body) as (nf, run):
        for tag in range(1, 30):
            assert fault_of(run(packet(tag=tag))) is None
            assert nf["m"][tag] == tag
        contents = dict(nf["m"])
        assert 1 <= len(contents) <= 8
        assert all(key == value for key, value in contents.items())


@pytest.mark.parametrize("kind", PER_CPU)
def test_each_cpu_has_its_own_value_and_python_sees_the_sum(runner: Runner, tmp_path: Path, kind: str) -> None:
    with opened(runner, tmp_path, f"{kind}(u16, u32, 64, default=0)", "m[3] += 5\nm[4] = 6\nreturn OK") as (nf, run):
        nf["m"][3] = 100
        assert fault_of(run(packet())) is None
        assert (nf["m"][3], nf["m"][4]) == (105, 6)
        assert sorted(nf["m"].per_cpu(4))[-2:] == [0, 6]
        assert set(nf["m"].per_cpu(3)) in ({105, 0}, {100, 5}, {100, 5, 0})


@pytest.mark.parametrize("kind", KINDS)
def test_a_struct_is_a_key_and_what_is_stored_a_copy(runner: Runner, tmp_path: Path, kind: str) -> None:
    body = "count = m[Count(packets=1, last=pkt.srh.flags)]\nm[Count(packets=2)] = count\nreturn OK"
    with opened(runner, tmp_path, f"{kind}(Count, Count, 64)", body) as (nf, run):
        nf["m"][SimpleNamespace(packets=1, last=4)] = SimpleNamespace(packets=9, last=8)
        assert fault_of(run(packet(flags=4))) is None
        assert sorted((key.packets, key.last) for key in nf["m"]) == [(1, 4), (2, 0)]
