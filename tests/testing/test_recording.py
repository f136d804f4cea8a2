"""A recording has what runs depend on: run again, packets become what they became; another build may differ, and the first is shown."""

from __future__ import annotations

import json
from dataclasses import fields
from ipaddress import IPv6Address
from pathlib import Path
from random import Random

import pytest

import pybpfnf
from pybpfnf.errors import InputError
from pybpfnf.runner import Environment, HmacKey
from pybpfnf.testing.hostile import mutated_packets, well_formed
from pybpfnf.testing.recording import Recording

FUNCTION = """
from pybpfnf import DROP, OK, Config, Hash, IPv6Address, Queue, Seg6Packet, State, Verdict
from pybpfnf import cpu, log, random_u32, realtime, seg6local, u16, u32, u64

LEAST = Config(u16, default=3)
seen = State(u32, initial=5)
times = Hash(IPv6Address, u64, 64)
waiting = Queue(u64, 8)


@seg6local
def remembers(pkt: Seg6Packet) -> Verdict:
    global seen
    seen += 1
    srh = pkt.srh
    if srh.tag < LEAST:
        return DROP
    log(f"{random_u32()} {realtime()} {cpu()} {seen}")
    if pkt.ipv6.source in times:
        srh.tag = u16(times[pkt.ipv6.source] & 0xFF)
    oldest = waiting.pop()
    if oldest is not None:
        srh.flags = 0
        times[pkt.ipv6.source] = oldest
        return OK
    times[pkt.ipv6.source] = realtime() + random_u32()
    return OK
"""
ROUTER = Environment(
    clock_tai=10**18, tai_offset=10**9, clock_boot=7, seed=9, cpu=1, cpus=4, ifindex=40, mark=3, tunnel_source=IPv6Address("fc00::77"),
    device_address=IPv6Address("fc00::78"), hmac_keys={4: HmacKey("sha256", b"secret")}, require_hmac=-1, flowlabel=1,
    tables=frozenset({0, 254, 300}), unreachable=("fc00:dead::/32",), sid=IPv6Address("fc00:c::1"), devices={90: "ip"}, linear=70,
    gso_size=100, offloaded=True, fuel=1000, received=5,
)  # fmt: skip


@pytest.fixture
def function(tmp_path: Path) -> Path:
    path = tmp_path / "remembers.py"
    path.write_text(FUNCTION)
    return path


def recorded(function: Path, path: Path, environment: Environment | None = None) -> list[pybpfnf.Outcome]:
    """A run of packets of which the second half is recorded: what the first half left is there before."""
    packets = list(mutated_packets(8, 60, make=well_formed))
    with pybpfnf.simulate(function, environment=environment or Environment(), config={"LEAST": 100}) as nf:
        for value in (3, 4):
            nf["waiting"].push(value)
        nf.run_many(packets[:30])
        nf["seen"] = 1000
        with nf.record(path):
            outcomes = [nf.run(packet) for packet in packets[30:]]
        nf.run(packets[0])
    return outcomes


def test_all_of_it_is_run_again_with_the_same_result(function: Path, tmp_path: Path) -> None:
    outcomes = recorded(function, tmp_path / "it")
    assert any(outcome.log and " 10" in outcome.log[0] for outcome in outcomes)
    for engine in (pybpfnf.Engine.REFERENCE, pybpfnf.Engine.COMPILED):
        assert pybpfnf.replay(tmp_path / "it", engine=engine) == pybpfnf.Replayed(30, True, (), None)


def test_every_field_of_a_router_comes_back(function: Path, tmp_path: Path) -> None:
    usual = Environment()
    assert [each.name for each in fields(Environment) if getattr(ROUTER, each.name) == getattr(usual, each.name)] == []
    recorded(function, tmp_path / "it", ROUTER)
    with (tmp_path / "it").open() as stream:
        assert Recording(stream, "it").head.environment == ROUTER
    assert pybpfnf.replay(tmp_path / "it").changed is None


def test_another_build_of_the_function_gives_the_same(function: Path, tmp_path: Path) -> None:
    """It has variables, lines and random numbers of its own; those that it draws more come after what was recorded."""
    recorded(function, tmp_path / "it")
    text = FUNCTION.replace("seen = State(u32, initial=5)", "unused = State(u64)\nseen = State(u32, initial=7)\nother = Hash(u32, u32, 4)")
    function.write_text(text.replace("    return OK\n", "    return OK if random_u32() >= 0 else DROP\n"))
    assert pybpfnf.replay(tmp_path / "it", function) == pybpfnf.Replayed(30, False, (), None)


def test_the_first_packet_that_becomes_something_else_is_shown_field_by_field(function: Path, tmp_path: Path) -> None:
    recorded(function, tmp_path / "it")
    function.write_text(FUNCTION.replace("& 0xFF", "& 0xFF | 0x100"))
    found = pybpfnf.replay(tmp_path / "it", function)
    assert found.changed is not None
    (line,) = found.changed.lines
    assert line.startswith("srh.tag: recorded 0x")
    assert ", now 0x1" in line


def test_what_has_no_place_any_more_is_said(function: Path, tmp_path: Path) -> None:
    recorded(function, tmp_path / "it")
    function.write_text(FUNCTION.replace("times", "others").replace("seen", "gone"))
    notes = pybpfnf.replay(tmp_path / "it", function).notes
    assert notes == ("variable seen is not there, or of another size", "map times is not there, or of another size")


DAMAGE = {
    "": "it is no recording",
    "[]": "it: line 1 is no JSON object",
    "\xff\xfe": "it is no recording",
    '{"pybpfnf_recording": 2}': "it is a recording of version 2",
    '{"pybpfnf_recording": 1}': "it: line 1 has no 'object'",
}


@pytest.mark.parametrize("text", DAMAGE)
def test_what_is_no_recording_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("it").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError) as caught:
        pybpfnf.replay("it")
    assert caught.value.message.startswith(DAMAGE[text])


def test_a_damaged_recording_never_ends_in_anything_but_an_error_with_its_line(function: Path, tmp_path: Path) -> None:
    recorded(function, tmp_path / "it")
    lines = (tmp_path / "it").read_text().splitlines(keepends=True)
    random = Random(1)
    said = set()
    for _ in range(60):
        number = random.randrange(len(lines))
        document = json.loads(lines[number])
        inner = document[random.choice([name for name in document if isinstance(document[name], dict)])]
        name = random.choice(list(inner) or ["none"])
        inner[name] = random.choice((None, "zz", [7], {"a": 1}, -1))
        (tmp_path / "it").write_text("".join((*lines[:number], json.dumps(document) + "\n", *lines[number + 1 :])))
        try:
            pybpfnf.replay(tmp_path / "it")
        except InputError as error:
            said.add(error.message)
    assert any(f"line {len(lines) - 1}" in each or "is damaged" in each for each in said)


def test_a_recording_that_is_cut_off_says_so(function: Path, tmp_path: Path) -> None:
    recorded(function, tmp_path / "it")
    (tmp_path / "it").write_bytes((tmp_path / "it").read_bytes()[:-40])
    with pytest.raises(InputError, match="line 31 is no JSON: it is cut off"):
        pybpfnf.replay(tmp_path / "it")
