"""`pkt.received`: the time stamp of the kernel's own structure behind the context, on every hook."""

from __future__ import annotations

import time

import pytest

import pybpfnf
from pybpfnf import OK, Environment, LwtInPacket, LwtXmitPacket, Seg6Packet, State, Verdict, func, lwt_in, lwt_xmit, seg6local, u64
from pybpfnf.abi.kfuncs import KFUNCS
from pybpfnf.abi.text import format_insn
from pybpfnf.dsl import compile_module
from pybpfnf.errors import CompileError, SystemLacksError
from pybpfnf.image.meta import TSTAMP_OFFSET_SYMBOL
from pybpfnf.image.model import ObjectImage
from pybpfnf.kernel import kfuncs, vmlinux
from pybpfnf.kernel.load import load_program
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.live import Live
from pybpfnf.runner import Runner
from pybpfnf.testing.evaluate import Evaluator
from pybpfnf.testing.packets import ipv6, srv6, udp
from pybpfnf.vm import VmRunner

SEEN = State(u64, initial=7)
SEG6_PACKET = srv6(["fc00:2::1", "fc00:1::1"])
PLAIN_PACKET = ipv6("fc00:1::1", payload=udp(b"x"))
PATIENCE = 5.0


@seg6local
def at_a_sid(pkt: Seg6Packet) -> Verdict:
    global SEEN
    SEEN = pkt.received
    return OK


@lwt_in(on_fault=OK)
def coming_in(pkt: LwtInPacket) -> Verdict:
    global SEEN
    SEEN = pkt.received
    return OK


@lwt_xmit(on_fault=OK)
def going_out(pkt: LwtXmitPacket) -> Verdict:
    global SEEN
    SEEN = pkt.received
    return OK


@func(inline=False)
def stamp_of(pkt: Seg6Packet) -> u64:
    return pkt.received


@seg6local
def by_a_subprogram(pkt: Seg6Packet) -> Verdict:
    global SEEN
    for _ in range(3):
        SEEN = stamp_of(pkt)
    return OK


PROGRAMS = {each.__name__: each for each in (at_a_sid, coming_in, going_out, by_a_subprogram)}
# Forwarding clears the stamp before a packet is sent (net/ipv6/ip6_output.c, skb_clear_tstamp): lwt_xmit sees none of a packet that passes.
STAMPED = ("at_a_sid", "coming_in", "by_a_subprogram")


def built(name: str) -> ObjectImage:
    return pybpfnf.read(pybpfnf.build(PROGRAMS[name]))


def packet_for(name: str) -> bytes:
    return SEG6_PACKET if PROGRAMS[name] in (at_a_sid, by_a_subprogram) else PLAIN_PACKET


def seen_by(runner: Runner, name: str, environment: Environment, packets: int = 1) -> int:
    image = built(name)
    with runner.open(image, image.program(), environment) as session:
        for _ in range(packets):
            assert session.run(packet_for(name)).verdict == OK
        return int(Live(session.image, session.maps)["SEEN"])


@pytest.mark.parametrize("name", STAMPED)
def test_in_the_vm_it_is_as_long_ago_as_the_environment_says(name: str) -> None:
    environment = Environment(clock_tai=1_600_000_000_000_000_042, tai_offset=37_000_000_000, received=30)
    assert seen_by(VmRunner(), name, environment) == 1_599_999_963_000_000_012


@pytest.mark.parametrize("name", PROGRAMS)
def test_without_a_stamp_it_is_zero(name: str) -> None:
    assert seen_by(VmRunner(), name, Environment()) == 0


def test_a_kernel_before_6_2_has_no_way_to_the_stamp() -> None:
    assert seen_by(VmRunner(kernel="6.1"), "at_a_sid", Environment(received=0)) == 0


def test_each_packet_has_its_own_stamp() -> None:
    environment = Environment(received=0)
    assert seen_by(VmRunner(), "at_a_sid", environment, packets=2) > seen_by(VmRunner(), "at_a_sid", environment)


@pytest.mark.parametrize("name", STAMPED)
def test_the_evaluator_says_the_same(name: str) -> None:
    environment = Environment(received=12)
    module = compile_module([PROGRAMS[name]])
    evaluator = Evaluator(module, module.functions[0], environment)
    evaluator.run(packet_for(name))
    assert evaluator.variables["SEEN"] == seen_by(VmRunner(), name, environment)


@pytest.mark.kernel
@pytest.mark.parametrize("name", PROGRAMS)
def test_in_the_kernel_it_is_zero_or_the_time_at_which_the_packet_was_sent(name: str) -> None:
    """Whether there is a stamp, any socket of the machine decides."""
    before = time.time_ns()
    seen = seen_by(KernelRunner(), name, Environment())
    assert seen == 0 or before <= seen <= time.time_ns()


@pytest.mark.kernel
@pytest.mark.linux("6.2", "there is no way to the stamp")
@pytest.mark.parametrize("name", STAMPED)
def test_in_the_kernel_there_are_stamps_where_the_environment_has_them(name: str) -> None:
    image = built(name)
    with KernelRunner().open(image, image.program(), Environment(received=0)) as session:
        live, deadline = Live(session.image, session.maps), time.monotonic() + PATIENCE
        while True:
            before = time.time_ns()
            session.run(packet_for(name))
            if live["SEEN"] != 0:
                break
            assert time.monotonic() < deadline, "no stamp"
        assert before <= live["SEEN"] <= time.time_ns()


@pytest.mark.kernel
def test_the_loader_looks_up_where_the_kernel_has_the_stamp(monkeypatch: pytest.MonkeyPatch) -> None:
    image = built("at_a_sid")
    assert image.by_loader[TSTAMP_OFFSET_SYMBOL].map == ".rodata"
    assert vmlinux.member_offset("sk_buff", "tstamp") % 8 == 0
    with pytest.raises(SystemLacksError, match="struct sk_buff has no unheard_of"):
        vmlinux.member_offset("sk_buff", "unheard_of")
    monkeypatch.setattr("pybpfnf.kernel.load.member_offset", lambda *_: 0)  # where the pointer to the next packet is: no number
    with load_program(image, image.program()) as loaded:
        assert loaded.info().run_count == 0


@pytest.mark.kernel
def test_a_kernel_without_the_function_takes_the_program_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    image = built("at_a_sid")
    monkeypatch.setattr(kfuncs, "_functions", lambda names: {})
    without = kfuncs.without_absent(image.program())
    assert KFUNCS["bpf_cast_to_kern_ctx"].optional
    assert [format_insn(insn) for insn in image.program().insns if "kfunc" in format_insn(insn)] == ["call kfunc[bpf_cast_to_kern_ctx]"]
    assert not any("kfunc" in format_insn(insn) for insn in without.insns)
    assert seen_by(KernelRunner(), "at_a_sid", Environment(received=0)) == 0


def test_it_is_for_gpl_programs() -> None:
    @seg6local(license="BSD")
    def closed(pkt: Seg6Packet) -> Verdict:
        pkt.mark = pkt.received % 2
        return OK

    with pytest.raises(CompileError, match="is for GPL programs"):
        pybpfnf.build(closed)


def test_it_cannot_be_written() -> None:
    @seg6local
    def forging(pkt: Seg6Packet) -> Verdict:
        pkt.received = u64(1)  # type: ignore[misc]
        return OK

    with pytest.raises(CompileError) as raised:
        pybpfnf.build(forging)
    assert raised.value.diagnostics[0].span.line > 0
