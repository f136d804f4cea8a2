"""Random functions, compiled and run in the VM, do what the evaluator of the IR says; where there is a kernel, it takes them all."""

from __future__ import annotations

import pytest

from pybpfnf.dsl import ir
from pybpfnf.testing.packets import srv6
from tests.backend.engine import Engine, built
from tests.backend.random_ir import ARRAY, CONFIGS, HASH, MAPS, PER_CPU, STATES, STRICT, random_module
from tests.backend.reference import World, shown
from tests.backend.test_append import area_of

PACKETS = [
    srv6(segments=["fc00:3::3", "fc00:2::2"], tag=7, flow_label=0x12345),
    srv6(segments=["fc00:3::3", "fc00:4::4", "fc00:5::5", "fc00:2::2"], tag=0xFFFF, hop_limit=3, segments_left=2),
]
QUICK, MANY = range(60), range(60, 1500)


def world_of(packet: bytes) -> World:
    fields = {
        ("ipv6", "hop_limit"): packet[7],
        ("ipv6", "next_header"): packet[6],
        ("ipv6", "payload_length"): int.from_bytes(packet[4:6], "big"),
        ("ipv6", "flow_label"): int.from_bytes(packet[0:4], "big") & 0xFFFFF,
        ("srh", "segments_left"): packet[43] - 1,  # the kernel has advanced it
        ("srh", "flags"): packet[45],
        ("srh", "last_entry"): packet[44],
        ("srh", "tag"): int.from_bytes(packet[46:48], "big"),
    }
    maps = {map_.name: dict.fromkeys(range(map_.max_entries), 0) for map_ in (ARRAY, PER_CPU)} | {HASH.name: {}, STRICT.name: {}}
    variables = {state.name: state.initial for state in STATES} | {config.name: config.default for config in CONFIGS}
    return World(variables, maps, dict(fields), {"protocol": 0xDD86, "mark": 0})


def check(seed: int) -> None:
    module = random_module(seed)
    image = built(module)
    for packet in PACKETS:
        with Engine(image) as engine:
            world = world_of(packet)
            outcome = engine.run(packet)
            verdict, fault = world.run(module.functions[0])
            found = None if outcome.fault is None else ((outcome.fault.line, outcome.fault.column), outcome.fault.message)
            assert found == (None if fault is None else (fault.place, fault.message))
            assert outcome.verdict == verdict
            for state in STATES:
                if image.variables[state.name].map in engine.maps:
                    assert engine.get(state.name) == shown(state.type, world.variables[state.name]), state.name
            for map_ in MAPS:
                if map_.name in engine.maps:
                    assert contents(engine, map_) == world.maps[map_.name], map_.name
            if outcome.packet is not None:
                assert int.from_bytes(outcome.packet[46:48], "big") == world.fields["srh", "tag"]
                assert outcome.packet[45] == world.fields["srh", "flags"]
                assert area_of(outcome.packet) == world.area


def contents(engine: Engine, map_: ir.Map) -> dict[int, int]:
    live = engine.maps[map_.name]
    found = {}
    for key in live.keys():  # noqa: SIM118 (a MapAccess is no mapping)
        value = live.lookup(key)
        assert value is not None
        signed = str(map_.value).startswith("s")
        found[int.from_bytes(key, "little")] = int.from_bytes(value[: map_.value.size], "little", signed=signed)
    return found


@pytest.mark.parametrize("seed", QUICK)
def test_a_random_function_does_what_its_ir_means(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", MANY)
def test_many_random_functions_do_what_their_ir_means(seed: int) -> None:
    check(seed)
