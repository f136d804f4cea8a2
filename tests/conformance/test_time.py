"""The time of day: what the machine's own clock says in the kernel, the Environment's in the VM."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import pytest

from pybpfnf import (
    DROP,
    OK,
    Config,
    LwtOutPacket,
    Program,
    Seg6Packet,
    State,
    Verdict,
    backend,
    func,
    image,
    lwt_out,
    realtime,
    seg6local,
    u32,
    u64,
)
from pybpfnf.dsl import compile_module
from pybpfnf.image.meta import TAI_OFFSET_SYMBOL
from pybpfnf.image.model import ObjectImage
from pybpfnf.kernel import load
from pybpfnf.kernel.clock import tai_offset
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.live import Live
from pybpfnf.runner import Environment, Runner
from pybpfnf.testing.evaluate import Evaluator
from pybpfnf.testing.packets import srv6
from pybpfnf.vm import VmRunner

PACKET = srv6(segments=["fc00:3::3", "fc00:2::2"])
SECOND = 1_000_000_000
LEAP_SECONDS = 37 * SECOND

BEFORE = Config(u32, default=0xFFFFFFFF)
AFTER = Config(u32, default=1)
seen = State(u64, initial=0)
times = State(u32, initial=0)


@seg6local
def once(pkt: Seg6Packet) -> Verdict:
    global seen
    seen = realtime()
    return OK


@lwt_out(on_fault=DROP, license="MIT")
def on_a_route(pkt: LwtOutPacket) -> Verdict:
    global seen
    seen = realtime()
    return OK


@func
def now() -> u64:
    return realtime()


@seg6local
def often(pkt: Seg6Packet) -> Verdict:
    """Between Configs in their section, in a loop, after branches, in a function, twice in a statement."""
    global seen, times
    first = realtime()
    for i in range(40):
        if realtime() >= first and pkt.srh.tag >= i:
            times += AFTER
    if pkt.srh.tag > 100:
        first = now()
    seen = now() if realtime() - first < u64(BEFORE) * 1000 else realtime() - realtime()
    return OK


PROGRAMS: Mapping[str, Program] = {"once": once, "on_a_route": on_a_route, "often": often}


def built(program: Program) -> ObjectImage:
    return image.read(backend.build(compile_module([program])))


def seen_by(runner: Runner, program: Program, environment: Environment) -> int:
    loaded = built(program)
    with runner.open(loaded, loaded.program(), environment) as session:
        assert session.run(PACKET).fault is None
        found: int = Live(session.image, session.maps)["seen"]
        return found


@pytest.mark.kernel
@pytest.mark.parametrize("name", PROGRAMS)
def test_in_the_kernel_it_is_the_time_that_python_tells(name: str) -> None:
    before = time.time_ns()
    assert before <= seen_by(KernelRunner(), PROGRAMS[name], Environment()) <= time.time_ns()


@pytest.mark.kernel
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_offset_that_the_loader_finds_is_taken_off(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    found = tai_offset() + LEAP_SECONDS
    monkeypatch.setattr(load, "tai_offset", lambda: found)
    before = time.time_ns()
    assert before <= seen_by(KernelRunner(), PROGRAMS[name], Environment()) + LEAP_SECONDS <= time.time_ns()


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("offset", [0, SECOND, LEAP_SECONDS])
def test_in_the_vm_it_is_the_environments(name: str, offset: int) -> None:
    environment = Environment(clock_tai=1_600_000_000 * SECOND + 7, tai_offset=offset)
    assert seen_by(VmRunner(), PROGRAMS[name], environment) == 1_600_000_000 * SECOND + 7 - offset


@pytest.mark.parametrize("name", ["once", "often"])
def test_the_evaluator_takes_the_same_offset(name: str) -> None:
    environment = Environment()
    module = compile_module([PROGRAMS[name]])
    evaluator = Evaluator(module, module.functions[0], environment)
    evaluator.run(PACKET)
    assert evaluator.variables["seen"] == seen_by(VmRunner(), PROGRAMS[name], environment)


def test_each_packet_has_its_own_time() -> None:
    loaded = built(once)
    with VmRunner().open(loaded, loaded.program(), Environment()) as session:
        live = Live(session.image, session.maps)
        session.run(PACKET)
        first = live["seen"]
        session.run(PACKET)
        assert live["seen"] > first


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_offset_is_no_variable_of_the_author(name: str) -> None:
    loaded = built(PROGRAMS[name])
    assert not any(variable.startswith("__") for variable in loaded.variables)
    place = loaded.by_loader[TAI_OFFSET_SYMBOL]
    assert (place.map, place.size) == (".rodata", 8)


def test_an_object_that_does_not_ask_for_the_time_has_no_offset() -> None:
    @seg6local
    def nothing(pkt: Seg6Packet) -> Verdict:
        return OK

    loaded = built(nothing)
    assert loaded.by_loader == {}
    assert image.set_by_loader(loaded, {TAI_OFFSET_SYMBOL: LEAP_SECONDS}) is loaded


def test_setting_the_offset_leaves_the_configs_beside_it() -> None:
    loaded = image.configure(built(often), {"BEFORE": 5, "AFTER": 6})
    timed = image.set_by_loader(loaded, {TAI_OFFSET_SYMBOL: LEAP_SECONDS})
    assert timed.variables == loaded.variables
    assert replace(timed, maps=loaded.maps) == loaded
    place = loaded.by_loader[TAI_OFFSET_SYMBOL]
    old, new = loaded.maps[".rodata"].initial or b"", timed.maps[".rodata"].initial or b""
    assert new[place.offset :][:8] == LEAP_SECONDS.to_bytes(8, "little")
    assert (old[: place.offset], old[place.offset + 8 :]) == (new[: place.offset], new[place.offset + 8 :])
