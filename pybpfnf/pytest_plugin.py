"""The pytest plugin that comes with the package: network functions in tests, on the VM and on the kernel.

    def test_the_tag_is_incremented(runner, pcap):
        nf = runner.open("tag_increment.py")
        for packet in pcap("ordinary.pcap"):
            assert nf.send(packet).packet == with_next_tag(packet)

Fixtures: `vm`, `kernel`, `runner` (a test that asks for it runs once with each) and `pcap`. Packets may be bytes from the IP header on, or
scapy's; what comes out is of the same kind as what went in. An assertion on packets that fails shows the headers' fields that differ.

Options: `--nf-kernel=auto|require|off` says what becomes of tests that want the kernel where it cannot be had: skipped (auto), failed
(require), or never run (off). `--nf-coverage` builds functions with counters and shows at the end which of their lines and branches
the tests reached; `--nf-coverage-file FILE` adds that to coverage.py's data file, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, final

import pytest

if TYPE_CHECKING:
    from pybpfnf.runner import Environment, Fault, Outcome, Runner
    from pybpfnf.testing.coverage import FileCoverage
    from pybpfnf.verbs.coverage import Counting
    from pybpfnf.verbs.run import Simulation

# The package is imported where a fixture is used: pytest loads plugins in every run of every project.

_COVERED = pytest.StashKey["_Covered"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pybpfnf", "network functions")
    group.addoption(
        "--nf-kernel",
        choices=("auto", "require", "off"),
        default="auto",
        help="tests on the kernel where it cannot be asked: skip them, fail them; or never run them (default: auto)",
    )
    group.addoption("--nf-coverage", action="store_true", help="show which lines and branches of network functions the tests reached")
    group.addoption("--nf-coverage-file", metavar="FILE", help="as --nf-coverage, and add them to this data file of coverage.py")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--nf-coverage") or config.getoption("--nf-coverage-file"):
        config.stash[_COVERED] = _Covered()


# ----------------------------------------------------------------------------------------------------------- packets


@final
class Packet(bytes):
    """A packet that has left a function: bytes, whose comparison in an assertion shows the fields that differ."""


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """The fields that differ, of two packets that are not equal."""
    if op != "==" or not (isinstance(left, Packet) or isinstance(right, Packet) or _is_scapy(left) or _is_scapy(right)):
        return None
    from pybpfnf.testing.fields import diff

    if not (_is_packet(left) and _is_packet(right)):
        return None
    # What a function gave is the found one, on whichever side it stands.
    sides: tuple[Any, Any] = (right, left) if isinstance(right, Packet) and not isinstance(left, Packet) else (left, right)
    found, expected = bytes(sides[0]), bytes(sides[1])
    return [
        "the packet differs from the expected one",
        *diff(expected, found).splitlines(),
        f"found:    {found.hex()}",
        f"expected: {expected.hex()}",
    ]


def _is_scapy(packet: object) -> bool:
    """Whether it is a packet of scapy, which is not imported for that."""
    return any(base.__module__ == "scapy.packet" and base.__name__ == "Packet" for base in type(packet).__mro__)


def _is_packet(packet: object) -> bool:
    return isinstance(packet, bytes) or _is_scapy(packet)


def _from_ip_on(packet: Any) -> bytes:
    """A packet without what is before its IP header. Raises InputError for what is no packet."""
    from pybpfnf.errors import InputError

    if not isinstance(packet, bytes | bytearray | memoryview) and not _is_scapy(packet):
        raise InputError(
            f"a packet is bytes, or of scapy, and not {type(packet).__name__}", hint="bytes.fromhex(...) makes it from hex digits"
        )
    while _is_scapy(packet) and type(packet).__name__ not in ("IPv6", "IP") and packet.payload:
        packet = packet.payload
    return bytes(packet)


@final
@dataclass(frozen=True)
class Seen:
    """What became of one packet. `packet` is None where it did not leave, else a `Packet`, or where scapy's was sent scapy's IPv6 or IP.

    `outcome` has it all (`pybpfnf.Outcome`: events, instructions, runs, mark).
    """

    outcome: Outcome
    packet: Any

    @property
    def verdict(self) -> int | None:
        return self.outcome.verdict

    @property
    def forwarded(self) -> bool:
        return self.outcome.forwarded

    @property
    def reason(self) -> str | None:
        return self.outcome.reason

    @property
    def fault(self) -> Fault | None:
        return self.outcome.fault

    @property
    def log(self) -> tuple[str, ...]:
        return self.outcome.log


@final
class NetworkFunction:
    """A function that is open on a runner. Maps and variables are items, as of `pybpfnf.simulate`: `nf["packets"][0]`."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation

    def send(self, packet: Any) -> Seen:
        """Run it on a packet: bytes from the IP header on, or scapy's, of which what is before the IP header is left out."""
        scapy = _is_scapy(packet)
        outcome = self.simulation.run(_from_ip_on(packet))
        left: Any = None if outcome.packet is None else Packet(outcome.packet)
        return Seen(outcome, _scapy_packet(left) if scapy and left is not None else left)

    def __getitem__(self, name: str) -> Any:
        return self.simulation[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.simulation[name] = value


def _scapy_packet(packet: bytes) -> Any:
    if packet[0] >> 4 == 4:
        from scapy.layers.inet import IP

        return IP(packet)
    from scapy.layers.inet6 import IPv6

    return IPv6(packet)


# ---------------------------------------------------------------------------------------------------------- fixtures


@final
@dataclass
class Bench:
    """Opens functions on one runner; they are closed at the end of the test. `name` is "vm" or "kernel"."""

    runner: Runner
    directory: Path
    covered: _Covered | None
    stack: ExitStack

    @property
    def name(self) -> str:
        return self.runner.name

    def open(
        self,
        target: Any,
        *,
        environment: Environment | None = None,
        program: str | None = None,
        type: str | None = None,  # noqa: A002 the word of `simulate`
        config: Mapping[str, object] | None = None,
        **values: object,
    ) -> NetworkFunction:
        """What `pybpfnf.simulate` opens; a relative path is looked for beside the test's file first."""
        from pybpfnf.verbs.run import simulate

        target = self._found(target)
        counting = None if self.covered is None else self.covered.counting(target)
        given: Any = target if counting is None else counting.data
        together = {**(config or {}), **values}
        simulation = self.stack.enter_context(
            simulate(given, program=program, environment=environment, runner=self.runner, config=together)
        )
        if counting is not None and self.covered is not None:
            self.stack.callback(self.covered.add, counting, simulation)
        return NetworkFunction(simulation)

    def replay(self, recording: str | os.PathLike[str], target: Any = None, *, program: str | None = None) -> None:
        """Run the packets of a recording (`pybpfnf run --record`) again in the VM, by the recorded object or by `target`; fail on the first
        that becomes something else. Relative paths are looked for beside the test's file first."""
        __tracebackhide__ = True
        from pybpfnf.verbs.replay import replay

        found = replay(self._found(recording), None if target is None else self._found(target), program=program)
        if found.changed is not None:
            lines = "\n".join((f"packet {found.changed.index} of {recording} differs", *found.changed.lines, *found.notes))
            pytest.fail(f"{lines}\nin hex: {found.changed.packet.hex()}", pytrace=False)

    def _found(self, target: Any) -> Any:
        if isinstance(target, str | os.PathLike) and not Path(target).is_absolute() and (self.directory / target).is_file():
            return self.directory / target
        return target


def _bench(runner: Runner, request: pytest.FixtureRequest) -> Iterator[Bench]:
    # The function's counters are read before its maps are closed: callbacks run in reverse.
    with ExitStack() as stack:
        yield Bench(runner, request.path.parent, request.config.stash.get(_COVERED, None), stack)


@pytest.fixture
def vm(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Network functions in the VM: in this process, without root."""
    from pybpfnf.vm import VmRunner

    yield from _bench(VmRunner(), request)


@pytest.fixture
def kernel(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Network functions in the kernel, on a real route in a network namespace of its own (root)."""
    yield from _bench(_kernel_runner(request.config), request)


@pytest.fixture(params=["vm", "kernel"])
def runner(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Network functions in the VM, and in a second test in the kernel."""
    from pybpfnf.vm import VmRunner

    yield from _bench(VmRunner() if request.param == "vm" else _kernel_runner(request.config), request)


def _kernel_runner(config: pytest.Config) -> Runner:
    wanted = config.getoption("--nf-kernel")
    if wanted == "off":
        pytest.skip("--nf-kernel=off")
    from pybpfnf.kernel import features
    from pybpfnf.kernel.runner import KernelRunner

    lack = features.first_lack(*features.RUNNER)
    if lack is not None:
        (pytest.fail if wanted == "require" else pytest.skip)(f"the kernel cannot be asked: {lack}")
    return KernelRunner()


def _opened(path: Path) -> BinaryIO:
    from pybpfnf.unusable import unreadable

    try:
        return path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from None


@pytest.fixture
def pcap(request: pytest.FixtureRequest) -> Callable[[str | os.PathLike[str]], list[bytes]]:
    """Reads a capture (pcap, pcapng; relative to the test's file): its packets, from their IP headers on. Others in it are left out."""
    from pybpfnf.captures.pcap import read_capture

    def read(path: str | os.PathLike[str]) -> list[bytes]:
        beside = request.path.parent / path
        with _opened(beside if beside.is_file() else Path(path)) as stream:
            packets = (record.packet if record.packet is not None else record.ipv4 for record in read_capture(stream, os.fspath(path)))
            return [packet for packet in packets if packet is not None]

    return read


# ---------------------------------------------------------------------------------------------------------- coverage


@final
@dataclass
class _Covered:
    """What all tests have reached so far, by file; `uncounted`: targets that have no source to count in."""

    files: dict[str, FileCoverage] = field(default_factory=dict)
    uncounted: set[str] = field(default_factory=set)
    built: dict[tuple[Path, int], Counting] = field(default_factory=dict)

    def counting(self, target: Any) -> Counting | None:
        """The function built with counters, once for each text of its file; None for what has no source."""
        from pybpfnf.errors import InputError
        from pybpfnf.targets import Source, locate
        from pybpfnf.verbs.coverage import counting

        try:
            found = locate(target, source=True) if isinstance(target, str | os.PathLike) else None
            if not isinstance(found, Source):
                self.uncounted.add(str(target) if isinstance(target, str | os.PathLike) else type(target).__name__)
                return None
            key = found.path.resolve(), found.path.stat().st_mtime_ns
            if key not in self.built:
                self.built[key] = counting(target)
            return self.built[key]
        except InputError:
            return None  # opening it says what is wrong with it

    def add(self, counting: Counting, simulation: Simulation) -> None:
        self.join(counting.covered(simulation))

    def join(self, files: Mapping[str, FileCoverage]) -> None:
        for file, found in files.items():
            before = self.files.get(file)
            self.files[file] = found if before is None else found | before


_SENT = "pybpfnf_covered"  # from a worker of pytest-xdist to the process that prints


def pytest_sessionfinish(session: pytest.Session) -> None:
    covered = session.config.stash.get(_COVERED, None)
    output = getattr(session.config, "workeroutput", None)
    if covered is not None and output is not None:
        files = {file: (sorted(found.lines), sorted(found.arcs)) for file, found in covered.files.items()}
        output[_SENT] = (files, sorted(covered.uncounted))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a worker of pytest-xdist has counted."""
    covered = node.config.stash.get(_COVERED, None)
    sent = getattr(node, "workeroutput", {}).get(_SENT)
    if covered is None or sent is None:
        return
    from pybpfnf.testing.coverage import FileCoverage

    files, uncounted = sent
    covered.uncounted.update(uncounted)
    covered.join({file: FileCoverage(frozenset(lines), frozenset(map(tuple, arcs))) for file, (lines, arcs) in files.items()})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    covered = config.stash.get(_COVERED, None)
    if covered is None or not (covered.files or covered.uncounted):
        return
    import tempfile

    from pybpfnf.testing.coverage import report, write_data

    terminalreporter.section("network functions")
    with tempfile.TemporaryDirectory() as directory:
        joined = config.getoption("--nf-coverage-file")
        data = Path(joined or Path(directory) / "coverage")
        if covered.files:
            write_data(data, covered.files, arcs=None if joined else True)
            terminalreporter.write_line(report(data, list(covered.files)).rstrip())
    if covered.uncounted:
        terminalreporter.write_line(f"not counted, since they have no source: {', '.join(sorted(covered.uncounted))}")
