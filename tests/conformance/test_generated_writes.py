"""Random functions of lwt_xmit that write headers: the evaluator, the VM and the kernel agree on every byte, checksums among them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import pytest

from pybpfnf import backend, image
from pybpfnf.dsl import compile_module, load_programs
from pybpfnf.runner import Environment, Runner
from pybpfnf.testing.evaluate import Evaluator
from pybpfnf.testing.fields import diff
from pybpfnf.testing.packets import Payload, destination_options, hop_by_hop, icmpv6_echo, inner, ipv4, ipv6, srv6, tcp, udp
from tests.conformance.test_checksums import forwarded, with_checksum

ROUTER: Final = Environment(mark=3)
_HEAD = """\
from pybpfnf import DROP, OK, Header, IPv6Address, LwtXmitPacket, Verdict, array, bits, lwt_xmit, octets, u8, u16, u32
from pybpfnf.headers import Icmpv6, Ipv4, Ipv6, Tcp, Udp


class Report(Header):
    kind: u8 = bits(3)
    count: u16 = bits(13)
    key: bytes = octets(3)
    numbers: list[u16] = array(u16, 2)


class Datagram(Header, number=17):
    udp: Udp
    report: Report


@lwt_xmit(on_fault=OK)
def f(pkt: LwtXmitPacket) -> Verdict:
"""
# What is found, under which name, and its fields with their bits.
_HOLDERS: Sequence[tuple[str, Sequence[tuple[str, int]]]] = (
    ("pkt.ipv6", [("hop_limit", 8), ("flow_label", 20), ("traffic_class", 8), ("source", 128), ("destination", 128)]),
    ("pkt.ipv4", [("ttl", 8), ("dscp", 6), ("ecn", 2), ("identification", 16), ("source", 32), ("destination", 32)]),
    ("pkt.srh", [("tag", 16), ("flags", 8)]),
    ("pkt.find(Udp)", [("source_port", 16), ("destination_port", 16), ("checksum", 16)]),
    ("pkt.find(Tcp)", [("source_port", 16), ("flags", 8), ("window", 16), ("sequence_number", 32)]),
    ("pkt.find(Icmpv6)", [("type", 8), ("code", 8)]),
    ("pkt.find(Ipv4)", [("ttl", 8), ("ecn", 2), ("destination", 32)]),
    (
        "pkt.find(Datagram)",
        [("report.count", 13), ("report.kind", 3), ("report.numbers[pkt.mark & 1]", 16), ("report.key[pkt.len % 3]", 8)],
    ),
    ("pkt.get(Ipv6, at=0)", [("hop_limit", 8), ("destination", 128)]),
)
FOUR = with_checksum(ipv4("198.51.100.1", payload=udp(b"odd and even")), 20, 17)
PACKETS: Final = [
    ipv6("fc00:a::1", payload=udp(b"odd and even")),
    ipv6("fc00:a::1", payload=tcp(b"text"), extensions=[hop_by_hop(), destination_options()]),
    ipv6("fc00:a::1", payload=icmpv6_echo(b"12345")),
    ipv6("fc00:a::1", payload=inner(ipv6("fc00:b::1", payload=udp()))),
    ipv6("fc00:a::1", payload=Payload(4, FOUR)),
    srv6(["fc00:c::2", "fc00:c::1"], payload=udp(b"twelve bytes")),
    ipv6("fc00:a::1", payload=Payload(17, bytes(7))),
    FOUR,
    with_checksum(ipv4("198.51.100.1", payload=tcp(b"text")), 20, 6),
]


def _value(random: Random, place: str, width: int) -> str:
    if width == 128:
        return f'IPv6Address("fc00::{random.randrange(1 << 16):x}")'
    return str(random.choice((0, (1 << width) - 1, random.randrange(1 << width))))


def _statement(random: Random, name: str, fields: Sequence[tuple[str, int]]) -> str:
    field, width = random.choice(fields)
    place = f"{name}.{field}"
    operator = random.choice(("=", "=", "+=", "^=")) if width != 128 else "="
    return f"{place} {operator} {_value(random, place, width)}"


def written(random: Random) -> str:
    lines = []
    for number, (holder, fields) in enumerate(random.sample(_HOLDERS, 5)):
        lines.append(f"held{number} = {holder}")
        lines.append(f"if held{number} is not None:")
        lines += [f"    {_statement(random, f'held{number}', fields)}" for _ in range(random.randint(1, 3))]
    return _HEAD + "".join(f"    {line}\n" for line in [*lines, "return OK"])


@pytest.mark.parametrize("seed", range(16))
def test_what_random_functions_write_is_the_same_to_all(runner: Runner, seed: int, tmp_path: Path) -> None:
    text = written(Random(seed))
    path = tmp_path / "case.py"
    path.write_text(text, encoding="utf-8")
    module = compile_module(load_programs(path))
    built = image.read(backend.build(module))
    evaluator = Evaluator(module, module.functions[0], ROUTER)
    with runner.open(built, built.program(), ROUTER) as session:
        for packet in PACKETS:
            outcome, expected = session.run(packet), evaluator.run(forwarded(packet))
            assert (outcome.fault and outcome.fault.message) == (expected.fault and expected.fault.message), text
            assert outcome.packet is not None, text
            assert not diff(expected.packet, outcome.packet), text
