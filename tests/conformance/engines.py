"""Both engines on the same packets: sessions kept open, outcomes compared, differences told field by field."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import final

from pybpfnf.image.model import ObjectImage
from pybpfnf.runner import Environment, Outcome, Runner, Session
from pybpfnf.testing.differential import after_forwarding
from pybpfnf.testing.fields import diff
from tests.conformance import probe
from tests.conformance.observation import NO_SCRIPT, Observation
from tests.conformance.probe import Script


@final
@dataclass
class Engine:
    """A runner with the sessions that it has open, one for each image and environment."""

    runner: Runner
    _stack: ExitStack = field(default_factory=ExitStack)
    _sessions: dict[tuple[int, str], Session] = field(default_factory=dict)

    def observe(self, image: ObjectImage, environment: Environment, packet: bytes, script: Script = NO_SCRIPT) -> Observation:
        """Run one packet; a script goes into the probe's map before."""
        session = self._session(image, environment)
        scripted = session.maps.get("script") if script.steps or image.programs[0].name == "probe" else None
        if scripted is not None:
            probe.run_script(script, scripted)
        outcome = session.run(packet)
        results = probe.results(script, scripted) if scripted is not None else ()
        return Observation(packet, outcome, environment, script, results)

    def _session(self, image: ObjectImage, environment: Environment) -> Session:
        key = id(image), repr(environment)
        if key not in self._sessions:
            self._sessions[key] = self._stack.enter_context(self.runner.open(image, image.programs[0], environment))
        return self._sessions[key]

    def close(self) -> None:
        self._stack.close()


@contextmanager
def engine(runner: Runner) -> Iterator[Engine]:
    made = Engine(runner)
    try:
        yield made
    finally:
        made.close()


def difference(expected: Observation, found: Observation) -> str:
    """What is not the same, a line each; empty where nothing is. `expected` is the kernel's, `found` the VM's."""
    kernel, vm = expected.outcome, after_forwarding(found.outcome)
    rows = {
        "verdict": (kernel.verdict, vm.verdict),
        "forwarded": (kernel.forwarded, vm.forwarded),
        "fault": (_fault(kernel), _fault(vm)),
        "runs": (kernel.runs, vm.runs),
        "mark": (kernel.mark, vm.mark),
        "results of the helpers": (expected.results, found.results),
    }
    sites = _site(kernel), _site(vm)
    if None not in sites:
        rows["fault site"] = sites
    lines = [f"{name}: expected {before}, found {after}" for name, (before, after) in rows.items() if before != after]
    if kernel.forwarded and vm.forwarded:
        hashed = expected.environment.flowlabel > 0
        lines += filter(None, [diff(_comparable(kernel.packet, hashed), _comparable(vm.packet, hashed))])
    if lines and vm.reason is not None:
        lines.append(f"the VM's reason: {vm.reason}")
    return "\n".join(lines)


def _comparable(packet: bytes | None, hashed: bool) -> bytes | None:
    """With seg6_flowlabel=1 an outer flow label is a hash with a secret of the running kernel: that it is there is all one can say."""
    if packet is None or not hashed:
        return packet
    first = int.from_bytes(packet[:4], "big")
    return (first & ~0xFFFFF | bool(first & 0xFFFFF)).to_bytes(4, "big") + packet[4:]


def _site(outcome: Outcome) -> int | None:
    return None if outcome.fault is None else outcome.fault.site


def _fault(outcome: Outcome) -> str | None:
    """Without its site: a record of the kernel's does not know the numbers of today's compiler."""
    fault = outcome.fault
    return None if fault is None else f"{fault.kind.value}: {fault.message}"
