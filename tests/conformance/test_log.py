"""Lines that a function logs: what Python's format() gives, on the VM and in the kernel's own trace."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from pybpfnf import (
    DROP,
    OK,
    Array,
    LwtOutPacket,
    Program,
    Seg6Packet,
    Verdict,
    backend,
    image,
    log,
    lwt_out,
    s8,
    s32,
    s64,
    seg6local,
    u8,
    u64,
)
from pybpfnf.dsl import compile_module
from pybpfnf.image.model import ObjectImage
from pybpfnf.runner import Environment, Runner
from pybpfnf.testing.evaluate import Evaluator
from pybpfnf.testing.packets import srv6

SID = IPv6Address("fc00:2::2")
WHO = "who"
numbers = Array(s64, 4)


@seg6local
def few(pkt: Seg6Packet) -> Verdict:
    """Up to three values: bpf_trace_printk."""

    log("plain")
    log(f"{pkt.srh.tag}")
    log(f"tag {pkt.srh.tag} from {pkt.ipv6.source}, {WHO} is {3:#x}")
    log(f"{pkt.srh.tag == 3} {OK if pkt.srh.tag == 3 else DROP} 100%d")
    log(f"{pkt.ipv6.source}abc {pkt.ipv6.destination}7")
    log(f"{pkt.srh.tag == 3}ly {OK if pkt.srh.tag == 3 else DROP}7")
    return OK


@seg6local
def widths(pkt: Seg6Packet) -> Verdict:
    """More values: bpf_trace_vprintk."""
    tag = pkt.srh.tag
    byte, wide, negative = u8(tag), u64(tag) << 40, s64(0) - tag
    log(f"{tag:5}|{tag:<5}|{tag:05}|{tag:+}|{tag: }|{tag:x}|{tag:X}|{tag:#x}|{tag:#08X}|{tag:08x}|{tag:d}|{tag:3d}")
    log(f"{byte}|{s8(byte)}|{s8(byte):4}|{s8(byte):<6}|{s8(byte):05}|{s8(byte):+}|{s8(byte):+05d}|{s32(tag):6}")
    log(f"{wide}|{wide:x}|{wide:#020x}|{negative}|{negative:<20}|{negative:020}|{negative: }|{s64(wide):+}")
    log(f"{pkt.ipv6.source}{tag:#x} {pkt.ipv6.source}{tag} {pkt.ipv6.source}x {True} {tag == 3} {tag=}")
    return OK


@seg6local
def between(pkt: Seg6Packet) -> Verdict:
    """What a fault comes after was said; in a loop each line is."""
    for i in range(3):
        log(f"{i} of {pkt.srh.tag}")
        log("")
        numbers[i] = 100 // pkt.srh.tag
        log(f"{numbers[i]:4}")
    return OK


@lwt_out(on_fault=DROP)
def on_a_route(pkt: LwtOutPacket) -> Verdict:
    log(f"{pkt.len} bytes, {DROP if pkt.len > 5000 else OK}")
    return OK


PROGRAMS = {program.name: program for program in (few, widths, between)}


def built(program: Program) -> ObjectImage:
    return image.read(backend.build(compile_module([program])))


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_line_is_what_python_formats(runner: Runner, name: str) -> None:
    program = PROGRAMS[name]
    module = compile_module([program])
    evaluator = Evaluator(module, module.functions[0], Environment())
    loaded = built(program)
    with runner.open(loaded, loaded.program(), Environment(sid=SID)) as session:
        for tag in (0, 3, 200, 65535):
            said = evaluator.run(
                srv6(segments=["fc00:3::3", "fc00:2::2"], tag=tag, segments_left=0, destination="fc00:3::3"),
            )
            outcome = session.run(srv6(segments=["fc00:3::3", "fc00:2::2"], tag=tag))
            assert outcome.log == said.log
            assert said.log
            assert outcome.verdict == said.verdict


def test_an_address_is_written_out_and_a_bool_and_a_verdict_by_name(runner: Runner) -> None:
    loaded = built(few)
    with runner.open(loaded, loaded.program(), Environment(sid=SID)) as session:
        assert session.run(srv6(segments=["fc00:3::3", "fc00:2::2"], tag=3)).log == (
            "plain",
            "3",
            "tag 3 from fd00:0000:0000:0000:0000:0000:0000:0001, who is 0x3",
            "True OK 100%d",
            "fd00:0000:0000:0000:0000:0000:0000:0001abc fc00:0003:0000:0000:0000:0000:0000:00037",
            "Truely OK7",
        )


def test_other_hooks_log_too(runner: Runner) -> None:
    loaded = built(on_a_route)
    with runner.open(loaded, loaded.program(), Environment()) as session:
        packet = srv6(segments=["fc00:3::3", "fc00:2::2"])
        assert session.run(packet).log == (f"{len(packet)} bytes, OK",)


@seg6local
def often(pkt: Seg6Packet) -> Verdict:
    """As many addresses as would not fit the stack, were each line to keep its own."""
    log(f"{pkt.ipv6.source} {pkt.ipv6.destination} {pkt.ipv6.source} {pkt.ipv6.destination} 1")
    log(f"{pkt.ipv6.source} {pkt.ipv6.destination} {pkt.ipv6.source} {pkt.ipv6.destination} 2")
    log(f"{pkt.ipv6.source} {pkt.ipv6.destination} {pkt.ipv6.source} {pkt.ipv6.destination} 3")
    log(f"{pkt.ipv6.source} {pkt.ipv6.destination} {pkt.ipv6.source} {pkt.ipv6.destination} 4")
    log(f"{pkt.ipv6.source} {pkt.ipv6.destination} {pkt.ipv6.source} {pkt.ipv6.destination} 5")
    log(f"{pkt.ipv6.source} {pkt.ipv6.destination} {pkt.ipv6.source} {pkt.ipv6.destination} 6")
    log(f"{pkt.ipv6.source} {pkt.ipv6.destination} {pkt.ipv6.source} {pkt.ipv6.destination} 7")
    log(f"{pkt.ipv6.source} {pkt.ipv6.destination} {pkt.ipv6.source} {pkt.ipv6.destination} 8")
    return OK


def test_lines_share_the_stack_that_they_need(runner: Runner) -> None:
    loaded = built(often)
    with runner.open(loaded, loaded.program(), Environment(sid=SID)) as session:
        assert [line[-2:] for line in session.run(srv6(segments=["fc00:3::3", "fc00:2::2"])).log] == [f" {n}" for n in range(1, 9)]
