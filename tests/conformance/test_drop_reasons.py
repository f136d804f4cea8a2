"""Why a packet was dropped: the check that the VM names is in the function in which the kernel dropped the packet."""

from __future__ import annotations

from collections import Counter

import pytest

from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.runner import Environment
from pybpfnf.testing.hostile import mutated_packets
from pybpfnf.vm import VmRunner
from tests.kernel.programs import OK, image
from tests.kernel_support import running_version

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(tuple(map(int, running_version().split("."))) < (6, 12), reason="Linux 6.12 names the function of a drop"),
]

PACKETS = 1500

# The kernel's functions in which the VM's checks are: its compiler has the static ones within others.
FUNCTIONS = {"ip6_rcv_core": "ip6_rcv_core", "seg6_get_srh": "input_action_end_bpf", "seg6_validate_srh": "input_action_end_bpf"}


def test_the_check_that_the_vm_names_is_in_the_function_that_dropped_the_packet() -> None:
    whole = image(OK)
    environment = Environment()
    seen: Counter[str] = Counter()
    with (
        KernelRunner().open(whole, whole.program(), environment) as kernel,
        VmRunner().open(whole, whole.program(), environment) as vm,
    ):
        for packet in mutated_packets(1, PACKETS):
            outcome, said = vm.run(packet), kernel.run(packet).reason
            check = (outcome.reason or "").partition(":")[0]
            if check in FUNCTIONS:
                seen[check] += 1
                side = "after" if outcome.runs else "before"  # it may have come back to the function
                assert said is not None, packet.hex()
                assert said.startswith(f"the kernel dropped the packet {side} the program"), (packet.hex(), outcome.reason, said)
                assert said.endswith(f"in {FUNCTIONS[check]}"), (packet.hex(), outcome.reason, said)
    assert all(seen[check] > 20 for check in FUNCTIONS), seen
