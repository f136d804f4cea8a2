"""The pytest plugin, in pytest runs of its own."""

from __future__ import annotations

import struct
from importlib.metadata import entry_points

import pytest

from pybpfnf.testing.packets import srv6

pytest_plugins = ["pytester"]

FUNCTION = """
from pybpfnf import DROP, OK, PerCpuArray, Seg6Packet, Verdict, seg6local, u64

packets = PerCpuArray(u64, 1)


@seg6local
def marks(pkt: Seg6Packet) -> Verdict:
    packets[0] += 1
    if pkt.srh.tag == 9:
        return DROP
    pkt.srh.tag = 9
    return OK
"""
PACKET = f"bytes.fromhex('{srv6(['fc00:3::3', 'fc00:2::2'], tag=7).hex()}')"


def run(pytester: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    """A project with the function and this test; without what our own project says of pytest."""
    pytester.makepyfile(marks=FUNCTION, test_it=f"PACKET = {PACKET}\n\n\n{test}")
    installed = any(entry.name == "pybpfnf" for entry in entry_points(group="pytest11"))
    plugin = () if installed else ("-p", "pybpfnf.pytest_plugin")
    return pytester.runpytest_subprocess(*plugin, "-p", "no:cacheprovider", *options)


def test_a_function_runs_on_bytes(pytester: pytest.Pytester) -> None:
    test = """
def test_it(vm):
    nf = vm.open("marks.py")
    seen = nf.send(PACKET)
    assert seen.forwarded and seen.packet[46:48] == b"\\0\\x09"
    assert nf.send(seen.packet[:43] + b"\\1" + seen.packet[44:]).verdict == 2
    assert nf["packets"][0] == 2
"""
    run(pytester, test).assert_outcomes(passed=1)


def test_scapy_packets_go_in_and_come_out(pytester: pytest.Pytester) -> None:
    test = """
from scapy.layers.inet6 import IPv6, IPv6ExtHdrSegmentRouting
from scapy.layers.l2 import Ether


def test_it(vm):
    seen = vm.open("marks.py").send(Ether() / IPv6(PACKET))
    assert isinstance(seen.packet, IPv6) and seen.packet[IPv6ExtHdrSegmentRouting].tag == 9
"""
    run(pytester, test, "-W", "ignore").assert_outcomes(passed=1)


def test_an_assertion_that_fails_shows_the_fields_that_differ(pytester: pytest.Pytester) -> None:
    test = """
def test_it(vm):
    assert vm.open("marks.py").send(PACKET).packet == PACKET
"""
    result = run(pytester, test)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*the packet differs from the expected one", "*srh.segments_left: expected 0x1, found 0x0", "*srh.tag: expected 0x7, found 0x9"]
    )


def test_a_recording_is_replayed_and_a_packet_that_differs_fails_the_test(pytester: pytest.Pytester) -> None:
    test = """
def test_it(vm):
    nf = vm.open("marks.py")
    with nf.simulation.record("it.recording"):
        nf.send(PACKET)
    vm.replay("it.recording")
    vm.replay("it.recording", "end")
"""
    result = run(pytester, test)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["packet 0 of it.recording differs", "srh.tag: recorded 0x9, now 0x7"])


@pytest.mark.kernel
def test_runner_is_both(pytester: pytest.Pytester) -> None:
    test = """
def test_it(runner):
    nf = runner.open("marks.py")
    assert nf.send(PACKET).packet[46:48] == b"\\0\\x09", runner.name
    assert nf["packets"][0] == 1
"""
    run(pytester, test, "--nf-kernel=require").assert_outcomes(passed=2)


def test_without_the_kernel_such_tests_are_skipped_or_fail(pytester: pytest.Pytester) -> None:
    test = """
import pytest
from pybpfnf.kernel import features


@pytest.fixture(autouse=True)
def no_kernel(monkeypatch):
    monkeypatch.setattr(features, "first_lack", lambda *_: "bpf() is refused")


def test_it(kernel):
    kernel.open("marks.py")
"""
    result = run(pytester, test, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*the kernel cannot be asked: bpf() is refused"])
    run(pytester, test, "--nf-kernel=require").assert_outcomes(errors=1)
    run(pytester, test, "--nf-kernel=off").assert_outcomes(skipped=1)


def test_what_is_no_packet_and_no_capture_is_said(pytester: pytest.Pytester) -> None:
    test = """
import pytest
from pybpfnf.errors import InputError

def test_it(vm, pcap):
    with pytest.raises(InputError, match="a packet is bytes, or of scapy, and not str"):
        vm.open("marks.py").send("6000")
    with pytest.raises(InputError, match="cannot read none.pcap: no such file"):
        pcap("none.pcap")
"""
    run(pytester, test).assert_outcomes(passed=1)


def test_pcap_reads_beside_the_test(pytester: pytest.Pytester) -> None:
    packet = srv6(["fc00:3::3", "fc00:2::2"], tag=7)
    record = struct.pack("<IIII", 1, 0, len(packet), len(packet)) + packet
    (pytester.path / "two.pcap").write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) + record * 2)
    test = """
def test_it(vm, pcap):
    nf = vm.open("marks.py")
    assert [nf.send(packet).forwarded for packet in pcap("two.pcap")] == [True, True]
"""
    run(pytester, test).assert_outcomes(passed=1)


def test_coverage_is_in_the_summary_and_in_the_data(pytester: pytest.Pytester) -> None:
    test = """
def test_one(vm):
    vm.open("marks.py").send(PACKET)


def test_other(vm):
    vm.open("marks.py").send(PACKET[:46] + b"\\0\\x09" + PACKET[48:])
"""
    first = run(pytester, test, "--nf-coverage-file", "data", "-k", "test_one")
    first.stdout.fnmatch_lines(["*network functions*", "marks.py * 82%   10"])
    for spread in ((), ("-n", "2")):
        both = run(pytester, test, "--nf-coverage", *spread)
        both.stdout.fnmatch_lines(["marks.py * 100%"])
    assert (pytester.path / "data").exists()


def test_what_was_expected_and_what_was_found_do_not_depend_on_the_side(pytester: pytest.Pytester) -> None:
    test = """
def test_it(vm):
    assert PACKET == vm.open("marks.py").send(PACKET).packet
"""
    run(pytester, test).stdout.fnmatch_lines(["*srh.tag: expected 0x7, found 0x9"])


def test_a_function_that_was_written_anew_is_built_anew(pytester: pytest.Pytester) -> None:
    test = """
import os
from pathlib import Path


def test_it(vm):
    assert vm.open("marks.py").send(PACKET).packet[47] == 9
    path = Path(__file__).parent / "marks.py"
    path.write_text(path.read_text().replace("= 9", "= 5"))
    os.utime(path, (1, 1))
    assert vm.open("marks.py").send(PACKET).packet[47] == 5
"""
    run(pytester, test, "--nf-coverage").assert_outcomes(passed=1)


def test_it_costs_a_run_without_network_functions_nothing(pytester: pytest.Pytester) -> None:
    test = """
import sys


def test_it():
    assert not [name for name in sys.modules if name.startswith(("pybpfnf.vm", "pybpfnf.kernel", "pybpfnf.dsl", "scapy"))]
"""
    run(pytester, test).assert_outcomes(passed=1)
