"""The VM against the kernel: what is compared, what is left out since it depends on time or chance, and that a wrong VM is found."""

from __future__ import annotations

from pathlib import Path

import pytest

import pybpfnf
from pybpfnf import Engine, Environment, KernelRunner, Runner, VmRunner
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.testing import packets
from pybpfnf.testing.differential import after_forwarding
from pybpfnf.testing.hostile import any_ipv6, mutated_packets
from pybpfnf.vm import VmSession, seg6_helpers

STAMP = """
from pybpfnf import OK, Array, RingBuf, Seg6Packet, Struct, Tlv, Verdict, log, random_u32, realtime, seg6local, u32, u64


class Stamp(Tlv, type=200):
    fixed: u32
    at: u64


class Seen(Struct):
    tag: u64
    chance: u64


events = RingBuf(Seen, 4096)


@seg6local
def stamp(pkt: Seg6Packet) -> Verdict:
    pkt.srh.append(Stamp(fixed=7, at=realtime()))
    events.emit(Seen(tag=pkt.srh.tag, chance=random_u32()))
    return OK
"""
CATALOGUE = {
    "end": {},
    "end_t": {},
    "tag_increment": {},
    "add_tlv": {},
    "add_tlv_20": {},
    "srv6_encap": {"FIRST": "fc00:c::1", "LAST": "fc00:c::2"},
}
ROUTER = Environment(tables=Environment().tables | {100})
PACKET = packets.srv6(segments=["fc00:3::3", "fc00:2::2"], tag=7)


class Elsewhere:
    """A VM at another time, in the kernel's place."""

    name = "kernel"

    def open(self, image: ObjectImage, program: ProgramImage, environment: Environment) -> VmSession:
        return VmRunner(engine=Engine.REFERENCE).open(
            image, program, Environment(sid=environment.sid, clock_tai=0x3555_5655_5855_5955, seed=9)
        )


@pytest.fixture
def stamp(tmp_path: Path) -> Path:
    path = tmp_path / "stamp.py"
    path.write_text(STAMP)
    return path


@pytest.mark.parametrize("kernel", [Elsewhere(), pytest.param(KernelRunner(), marks=pytest.mark.kernel)], ids=["vm", "kernel"])
def test_what_depends_on_time_and_chance_is_left_out_and_named(stamp: Path, kernel: Runner) -> None:
    compared = pybpfnf.diff(stamp, [PACKET] * 20, kernel=kernel)
    assert compared.differences == []
    assert compared.masked == {"srh.tlv[0]": 20, "bytes of a record of events": 20}


def test_the_bytes_beside_them_are_compared(stamp: Path, tmp_path: Path) -> None:
    """The TLV's fixed half is another in the kernel's place."""
    other = tmp_path / "other.py"
    other.write_text(STAMP.replace("fixed=7", "fixed=8"))
    image = pybpfnf.read(pybpfnf.build(other))

    class Changed:
        name = "kernel"

        def open(self, _image: ObjectImage, _program: ProgramImage, environment: Environment) -> VmSession:
            return VmRunner().open(image, image.program(), environment)

    compared = pybpfnf.diff(stamp, [PACKET], kernel=Changed())
    (line,) = compared.differences[0].lines
    assert line.startswith("srh.tlv[0]: the kernel type 200, length 12: 00000008")


def test_a_vm_that_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    image = pybpfnf.read(pybpfnf.build("add_tlv"))
    honest = VmRunner(engine=Engine.REFERENCE).open(image, image.program(), Environment(sid=None))

    class Honest:
        name = "kernel"

        def open(self, _image: ObjectImage, _program: ProgramImage, _environment: Environment) -> VmSession:
            return honest

    expected = honest.run(PACKET)
    monkeypatch.setattr(honest, "run", lambda packet: expected)
    monkeypatch.setattr(seg6_helpers, "_set_payload_length", lambda skb: None)
    compared = pybpfnf.diff("add_tlv", [PACKET], kernel=Honest())
    assert any(line.startswith("ipv6.payload_length: the kernel") for line in compared.differences[0].lines)


def test_forwarding_keeps_a_packet_without_a_hop_left() -> None:
    outcome = pybpfnf.run("end", packets.srv6(segments=["fc00:3::3", "fc00:2::2"], hop_limit=1))
    assert outcome.forwarded
    assert not after_forwarding(outcome).forwarded


def test_the_same_seed_gives_the_same_packets() -> None:
    assert list(mutated_packets(4, 50)) == list(mutated_packets(4, 50)) != list(mutated_packets(5, 50))


@pytest.mark.kernel
@pytest.mark.parametrize("function", CATALOGUE)
def test_the_kernel_and_the_vm_agree_on_generated_packets(function: str) -> None:
    compared = pybpfnf.diff(function, seed=1, environment=ROUTER, config=CATALOGUE[function])
    assert compared.differences[:1] == []
    assert compared.packets == 1000
    assert compared.forwarded > 300


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.parametrize("function", CATALOGUE)
def test_on_twenty_thousand_packets_over_the_catalogue(function: str) -> None:
    made = mutated_packets(11, 4000, any_ipv6) if function == "srv6_encap" else mutated_packets(12, 4000)
    compared = pybpfnf.diff(function, made, environment=ROUTER, config=CATALOGUE[function])
    assert compared.differences[:1] == []
