"""Random inputs of a compiled function: a packet, and what its variables and maps hold when the packet comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from random import Random
from typing import Final, TypeAlias, final

from pybpfnf.abi.headers import HEADERS, SEGMENT_SIZE
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import ADDRESS, BOOL, IntType, StructType, Type
from pybpfnf.runner import Environment
from pybpfnf.testing import packets
from pybpfnf.testing.packets import Tlv
from tests.fuzz.expressions import ADDRESSES, HARD, LENGTHS

SID: Final = "fc00:a::1"
_HOPS = ("fc00:c::1", "fc00:c::2", "fc00:c::3")
_FLAGS = (0, 0, 0x20, 0xF7)  # not the H flag, with which the kernel looks for an HMAC
_MOST_KEYS = 5  # that a hash has at first

Value: TypeAlias = int | bytes


@final
@dataclass(frozen=True, slots=True)
class Input:
    """`packet` as it comes to the router; `maps` has every key of a hash and every index of an array."""

    packet: bytes
    variables: Mapping[str, Value]
    maps: Mapping[str, Mapping[Value, Value]]


def environment(random: Random) -> Environment:
    return Environment(sid=IPv6Address(SID), mark=random.choice((0, 1, 0x80000000, 0xFFFFFFFF)))


def inputs(random: Random, module: ir.Module, count: int) -> list[Input]:
    return [_input(random, module) for _ in range(count)]


def configs(random: Random, module: ir.Module) -> dict[str, Value]:
    """Other values than the defaults for some of the Configs."""
    configs = [variable for variable in module.variables if isinstance(variable, ir.Config) and variable is not ir.TAI_OFFSET]
    names = [variable for variable in configs if random.randrange(2)]
    return {config.name: _value(random, config.type) for config in names}


def _input(random: Random, module: ir.Module) -> Input:
    states = [variable for variable in module.variables if isinstance(variable, ir.State)]
    return Input(
        _packet(random),
        {state.name: _value(random, state.type) for state in states},
        {map_.name: _contents(random, map_) for map_ in module.maps},
    )


def _value(random: Random, type_: Type) -> Value:
    if type_ == BOOL:
        return random.randrange(2)
    if type_ == ADDRESS:
        return IPv6Address(random.choice(ADDRESSES)).packed
    assert isinstance(type_, IntType)
    hard = type_.reduce(random.choice((1, -1)) * random.choice(HARD))
    return random.choice(
        (hard, type_.minimum, type_.maximum, random.randint(type_.minimum, type_.maximum), type_.reduce(random.randint(-9, 9)))
    )


def _contents(random: Random, map_: ir.Map) -> dict[Value, Value]:
    if isinstance(map_.value, StructType):  # written by the functions alone
        return dict.fromkeys(range(map_.max_entries), bytes(map_.value.size)) if map_.row.indexed else {}
    if map_.row.indexed:
        return {index: _value(random, map_.value) for index in range(map_.max_entries)}
    if map_.is_trie:
        return {_prefix(random): _value(random, map_.value) for _ in range(random.randint(0, map_.max_entries))}
    count = random.randint(0, min(map_.max_entries, _MOST_KEYS))
    near = [_value(random, map_.key) if map_.key == ADDRESS else random.randrange(4) for _ in range(count)]
    return {key: _value(random, map_.value) for key in near}


def _prefix(random: Random) -> bytes:
    """A key of a trie, mostly of one that covers addresses that occur."""
    network = IPv6Network((random.choice(ADDRESSES), random.choice(LENGTHS)), strict=False)
    return network.prefixlen.to_bytes(4, "little") + network.network_address.packed


def _packet(random: Random) -> bytes:
    """An SRv6 packet for `SID` that the router forwards when the function lets it."""
    segments = [random.choice(_HOPS) for _ in range(random.randint(2, 4))]
    left = random.randint(1, len(segments) - 1)
    segments[left] = SID
    return packets.srv6(
        segments,
        segments_left=left,
        tag=random.choice((0, 1, 0xFF, 0x7FFF, 0x8000, 0xFFFF, random.randrange(1 << 16))),
        flags=random.choice(_FLAGS),
        tlvs=[Tlv(random.choice((6, 9)), random.randbytes(random.randint(0, 9))) for _ in range(random.choice((0, 1, 1, 2, 3)))],
        options=[packets.destination_options()] if random.randrange(4) == 0 else (),
        hop_limit=random.choice((2, 3, 64, 255)),
        traffic_class=random.choice((0, 1, 0x7F, 0x80, 0xFF)),
        flow_label=random.choice((0, 1, 0xFFFFF, random.randrange(1 << 20))),
    )


def at_the_hook(packet: bytes) -> bytes:
    """The packet as the function finds it: the kernel has made the next segment the destination (RFC 8986 section 4.1)."""
    out = bytearray(packet)
    srh = HEADERS["ipv6"].size
    while out[srh + 2] != 4 or out[srh + 3] == 0:  # past an options header, whose padding has no such bytes
        srh += (out[srh + 1] + 1) * 8
    out[srh + 3] -= 1
    segment = srh + HEADERS["srh"].size + SEGMENT_SIZE * out[srh + 3]
    out[24:40] = out[segment : segment + SEGMENT_SIZE]
    return bytes(out)
