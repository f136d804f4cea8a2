"""A drop's reason in the kernel's own words: its function and its name of the reason, where the kernel tells them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybpfnf.errors import KernelError
from pybpfnf.kernel.drop_reasons import DropReasons
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.kernel.trace_instance import TraceInstance
from pybpfnf.runner import Environment
from pybpfnf.testing.packets import inner, ipv6, srv6
from tests.kernel.programs import OK, image
from tests.kernel_support import running_version

pytestmark = pytest.mark.kernel

SEGMENTS = ["fc00:3::3", "fc00:2::2", "fc00:f::2"]
PACKET = srv6(SEGMENTS)

# Linux 6.12 writes functions' names into this event; 6.1 hides them, and names fewer reasons.
names_functions = pytest.mark.skipif(tuple(map(int, running_version().split("."))) < (6, 12), reason="Linux 6.12 names the function")


def reasons(*packets: bytes) -> list[str | None]:
    whole = image(OK)
    with KernelRunner().open(whole, whole.program(), Environment()) as session:
        return [session.run(packet).reason for packet in packets]


@names_functions
@pytest.mark.parametrize(
    ("packet", "side", "said"),
    [
        (srv6(SEGMENTS, hop_limit=1), "after", "IP_INHDR in ip6_forward"),
        (srv6(SEGMENTS, source="fe80::1"), "after", "IP_INADDRERRORS in ip6_forward"),
        (srv6(SEGMENTS, segments_left=0), "before", "in input_action_end_bpf"),
        (srv6(SEGMENTS, header_length=7), "before", "in input_action_end_bpf"),
        (ipv6("fc00:f::2", payload=inner(b"x" * 30)), "before", "in input_action_end_bpf"),
        (b"\x45" + PACKET[1:], "before", "UNHANDLED_PROTO in ip6_rcv_core"),
        (PACKET[:4] + b"\xff\xff" + PACKET[6:], "before", "PKT_TOO_SMALL in ip6_rcv_core"),
    ],
    ids=["hop limit", "source", "segments left", "length lies", "no SRH", "version", "truncated"],
)
def test_the_kernels_function_and_reason_are_named(packet: bytes, side: str, said: str) -> None:
    assert reasons(packet) == [f"the kernel dropped the packet {side} the program: {said}"]


@names_functions
def test_a_packet_has_its_own_reason_and_none_of_those_before() -> None:
    forwarded, hop, again, version = reasons(PACKET, srv6(SEGMENTS, hop_limit=1), PACKET, b"\x45" + PACKET[1:])
    assert (forwarded, again) == (None, None)
    assert hop is not None
    assert hop.endswith("ip6_forward")
    assert version is not None
    assert version.endswith("ip6_rcv_core")


@names_functions
def test_many_packets_that_pass_hide_no_drop() -> None:
    """More than the trace has room for."""
    *_, last = reasons(*[PACKET] * 2000, srv6(SEGMENTS, hop_limit=1))
    assert last == "the kernel dropped the packet after the program: IP_INHDR in ip6_forward"


def test_a_packet_that_was_not_dropped_has_no_reason() -> None:
    drops = DropReasons()
    try:
        assert drops.reason() is None
        drops.begin()
        assert drops.reason() is None
    finally:
        drops.close()


@pytest.fixture
def instances(tmp_path: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tracefs", "none", str(tmp_path)], check=True)
    try:
        yield tmp_path / "instances"
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def own(instances: Path) -> list[str]:
    """This process's; others come and go."""
    return sorted(each.name for each in instances.iterdir() if each.name.startswith(f"pybpfnf-{os.getpid()}-"))


KILLED = (
    "import os, sys; from pybpfnf.kernel.trace_instance import TraceInstance; kept = TraceInstance([]); print(os.getpid(), flush=True); {}"
)


def test_what_a_killed_process_left_is_removed_by_the_next(instances: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED.format("os.kill(os.getpid(), 9)")], capture_output=True, text=True, check=False)
    left = instances / f"pybpfnf-{int(killed.stdout)}-0"
    # Another process of the suite may have removed it already.
    with TraceInstance([]):
        assert not left.exists()
        assert own(instances)
    assert killed.returncode == -9


def test_what_a_living_process_has_stays(instances: Path) -> None:
    living = subprocess.Popen(
        [sys.executable, "-c", KILLED.format("sys.stdin.read()")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert living.stdout is not None
    kept = instances / f"pybpfnf-{int(living.stdout.readline())}-0"
    with TraceInstance([]):
        assert kept.exists()
    living.communicate()
    with TraceInstance([]):
        assert not kept.exists()


def test_a_child_by_fork_takes_nothing_away(instances: Path) -> None:
    with TraceInstance([]) as instance:
        child = os.fork()
        if child == 0:
            instance.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert own(instances)


def test_an_event_that_there_is_not_is_an_error_and_leaves_nothing(instances: Path) -> None:
    before = own(instances)
    with pytest.raises(KernelError, match="cannot read the kernel's trace"):
        TraceInstance(["skb/no_such_event"])
    assert own(instances) == before
