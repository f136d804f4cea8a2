"""Generated packets, on the VM and in the kernel: nothing that can be seen may differ, and every rule must have been reached.

The same examples each time; `--hypothesis-seed=N` gives others. At the end of a run the table says what was reached.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address
from typing import Any, Final, TypeVar, final

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import pybpfnf
from pybpfnf.image.model import ObjectImage
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.runner import Environment, FaultKind
from pybpfnf.vm import VmRunner
from tests.conformance import probe
from tests.conformance.engines import Engine, difference, engine
from tests.conformance.features import Table
from tests.conformance.generator import ENVIRONMENT, KINDS, Kind
from tests.conformance.observation import NO_SCRIPT, Observation
from tests.conformance.probe import Script
from tests.conformance.scripts import PROBES

pytestmark = pytest.mark.kernel

FUNCTIONS: Final = ("end", "end_t", "tag_increment", "add_tlv", "add_tlv_20")
EXAMPLES: Final = 12  # a kind and function: 41 kinds make 492 packets a function
SCRIPT_EXAMPLES: Final = 30
HMAC_POLICIES: Final = {"hmac_required": 1, "hmac_ignored": -1}
T = TypeVar("T")


@final
@dataclass
class Reached:
    """What the observations of this run add up to."""

    table: Table = field(default_factory=Table)
    tests: set[str] = field(default_factory=set)
    packets: Counter[str] = field(default_factory=Counter)
    forwarded: Counter[str] = field(default_factory=Counter)
    sites: Counter[tuple[str, int]] = field(default_factory=Counter)

    def add(self, function: str, seen: Observation) -> None:
        self.table.add(seen)
        self.packets[function] += 1
        self.forwarded[function] += seen.outcome.forwarded
        fault = seen.outcome.fault
        if fault is not None and fault.kind is FaultKind.EXIT and fault.site is not None:
            self.sites[function, fault.site] += 1


@final
@dataclass(frozen=True)
class Engines:
    vm: Engine
    kernel: Engine

    def compare(self, image: ObjectImage, environment: Environment, packet: bytes, script: Script = NO_SCRIPT) -> Observation:
        """Run on both; fails with what differs, else gives what both saw."""
        expected = self.kernel.observe(image, environment, packet, script)
        found = self.vm.observe(image, environment, packet, script)
        differs = difference(expected, found)
        assert not differs, f"the VM is not the kernel for packet {packet.hex()}, {script}:\n{differs}"
        return expected


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    with engine(VmRunner()) as vm, engine(KernelRunner()) as kernel:
        yield Engines(vm, kernel)


@pytest.fixture(scope="module")
def reached() -> Reached:
    return Reached()


@pytest.fixture(scope="module")
def images() -> dict[str, ObjectImage]:
    return {name: pybpfnf.read(name) for name in FUNCTIONS} | {"probe": probe.image()}


@pytest.fixture
def for_all(request: pytest.FixtureRequest) -> Callable[[st.SearchStrategy[T], int, Callable[[T], None]], None]:
    """`for_all(strategy, count, check)`: examples that depend on the test's name alone, or on --hypothesis-seed as well."""

    def run(strategy: st.SearchStrategy[T], count: int, check: Callable[[T], None]) -> None:
        number = zlib.crc32(request.node.name.encode()) ^ int(request.config.getoption("--hypothesis-seed") or 0)
        checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
        limits = settings(
            max_examples=count, deadline=None, database=None, phases=[Phase.generate, Phase.shrink], suppress_health_check=checks
        )

        @seed(number)
        @limits
        @given(strategy)
        def examine(example: T) -> None:
            check(example)

        examine()

    return run


ForAll = Callable[[st.SearchStrategy[Any], int, Callable[[Any], None]], None]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_vm_does_what_the_kernel_does(
    function: str, kind: Kind, for_all: ForAll, engines: Engines, images: dict[str, ObjectImage], reached: Reached
) -> None:
    def agree(packet: bytes) -> None:
        reached.add(function, engines.compare(images[function], ENVIRONMENT, packet))

    for_all(kind.packets, EXAMPLES, agree)
    reached.tests.add(f"{function} {kind.name}")


@pytest.mark.parametrize("policy", HMAC_POLICIES)
@pytest.mark.parametrize("name", [name for name in KINDS if "hmac" in name] + ["tlvs", "destination_options"])
def test_the_vm_follows_the_hmac_policy(
    name: str, policy: str, for_all: ForAll, engines: Engines, images: dict[str, ObjectImage], reached: Reached
) -> None:
    router = replace(ENVIRONMENT, require_hmac=HMAC_POLICIES[policy])

    def agree(packet: bytes) -> None:
        reached.add("end", engines.compare(images["end"], router, packet))

    for_all(KINDS[name].packets, EXAMPLES, agree)


@pytest.mark.parametrize("name", PROBES)
def test_the_helpers_do_what_the_kernels_do(
    name: str, for_all: ForAll, engines: Engines, images: dict[str, ObjectImage], reached: Reached
) -> None:
    def agree(given: Any) -> None:
        reached.add("probe", engines.compare(images["probe"], ENVIRONMENT, given.packet, given.script))

    for_all(PROBES[name], SCRIPT_EXAMPLES, agree)
    reached.tests.add(f"probe {name}")


@pytest.mark.parametrize("flowlabel", [-1, 0, 1])
@pytest.mark.parametrize("tunnel_source", ["::", "fc00:b::5e"])
def test_encapsulation_follows_the_routers_settings(
    tunnel_source: str, flowlabel: int, for_all: ForAll, engines: Engines, images: dict[str, ObjectImage]
) -> None:
    router = replace(ENVIRONMENT, tunnel_source=IPv6Address(tunnel_source), flowlabel=flowlabel)

    def agree(given: Any) -> None:
        engines.compare(images["probe"], router, given.packet, given.script)

    for_all(PROBES["end_b6_encaps"] | PROBES["end_dt6_then_encapsulate"], SCRIPT_EXAMPLES, agree)


@pytest.fixture
def whole_run(reached: Reached) -> None:
    """Skips where this process ran a part of this file: then nothing can be said of what was not reached."""
    if len(reached.tests) < len(FUNCTIONS) * len(KINDS) + len(PROBES):
        pytest.skip("a part of the generated tests was selected, or they were spread over workers (`--dist loadfile` keeps them together)")


@pytest.mark.usefixtures("whole_run")
def test_every_rule_was_reached(reached: Reached, record_property: Callable[[str, object], None]) -> None:
    record_property("table", "\n".join(["rules of the kernel that the generated packets reached", *reached.table.lines()]))
    assert reached.table.missing() == []


@pytest.mark.usefixtures("whole_run")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_at_least_three_hundred_packets_a_function_and_half_of_them_forwarded(function: str, reached: Reached) -> None:
    assert reached.packets[function] >= 300
    assert reached.forwarded[function] * 2 >= reached.packets[function]


@pytest.mark.usefixtures("whole_run")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_fault_site_was_reached(
    function: str, reached: Reached, images: dict[str, ObjectImage], record_property: Callable[[str, object], None]
) -> None:
    faults = images[function].faults
    sites = faults.sites if faults is not None else ()
    lines = [f"{reached.sites[function, site.number]:6}  {site.file}:{site.line}  {site.message}" for site in sites]
    record_property("table", "\n".join([f"fault exits of {function} that the generated packets reached", *lines]))
    assert [site.message for site in sites if not reached.sites[function, site.number]] == []
