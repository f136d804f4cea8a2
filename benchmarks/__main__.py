"""`scripts/bench [build | codegen | vm | files | link | lab | delay] [--quick] [--json] [--rounds N] [--packets N]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from rich.console import Console

from benchmarks import build_time, clang, codegen, delay_lab, files, links, machine, probes, sustained, ubpf, virtual_labs, vm_speed
from benchmarks.attaching import own_bpffs
from benchmarks.report import Report
from pybpfnf.errors import Error
from pybpfnf.kernel import features

_PACKETS: Final = 20_000
_QUICK: Final = 200
_SUSTAINED: Final = 10.0  # seconds


@final
@dataclass(frozen=True, slots=True)
class Run:
    """What is asked for, and what this machine has. `quick`: to see that it works."""

    rounds: int
    packets: int
    has_clang: bool
    has_kernel: bool
    place: Path

    @property
    def quick(self) -> bool:
        return self.packets < _PACKETS

    def usual(self, count: int) -> int:
        """So many of what a part counts in, unless it is to be quick."""
        return self.packets if self.quick else count


@final
@dataclass(frozen=True, slots=True)
class Part:
    """`field` of the report, measured when `word` is asked for, and what the kernel is asked in it."""

    word: str
    field: str
    measure: Callable[[Run], Sequence[Any]]
    needs_kernel: bool = False


PARTS: Final[Sequence[Part]] = (
    Part("build", "build", lambda run: [*build_time.measure(run.rounds, run.has_clang, run.place)]),
    Part(
        "codegen",
        "codegen",
        lambda run: [*codegen.measure(run.rounds, run.packets, has_clang=run.has_clang, has_kernel=run.has_kernel, where=run.place)],
    ),
    Part("vm", "vm", lambda run: [*vm_speed.measure(run.rounds, run.packets, has_kernel=run.has_kernel, ubpf=ubpf.find())]),
    Part("files", "files", lambda run: [*files.measure(min(run.rounds, 5), run.usual(files.PACKETS), run.place)]),
    Part("link", "links", lambda run: [links.measure(run.usual(links.FRAMES))], needs_kernel=True),
    Part("lab", "labs", lambda run: [*virtual_labs.measure(run.usual(virtual_labs.PACKETS))]),
    Part("delay", "delays", lambda run: [*delay_lab.measure(run.usual(delay_lab.PROBES))], needs_kernel=True),
    Part("delay", "probes", lambda run: [*probes.measure(40 * run.packets)], needs_kernel=True),
    Part("delay", "sustained", lambda run: [sustained.measure(1.0 if run.quick else _SUSTAINED)], needs_kernel=True),
)
_HELP: Final[Mapping[str, str]] = {
    "build": "build times",
    "codegen": "the code",
    "vm": "the VM",
    "files": "captures",
    "link": "a lab's link",
    "lab": "a lab in this process",
    "delay": "measured delays",
}


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    compiler = clang.version()
    lacking = features.first_lack(*features.RUNNER)
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as where, console.status("measuring; this takes about a minute"):
        run = Run(options.rounds, options.packets, compiler is not None, lacking is None, Path(where))
        with own_bpffs(run.place / "bpffs") if run.has_kernel else nullcontext():
            measured = {part.field: part.measure(run) for part in PARTS if _is_wanted(part, options.what, run)}
    report = Report(setting=_setting(compiler, run), missing=list(_missing(compiler, lacking)), **measured)
    if options.json:
        sys.stdout.write(report.as_json() + "\n")
    else:
        report.print(Console(width=100 if not sys.stdout.isatty() else None))


def _is_wanted(part: Part, what: str | None, run: Run) -> bool:
    return what in (None, part.word) and (run.has_kernel or not part.needs_kernel)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Building against clang, code against C, the VM against the kernel; several rounds, in turn."
    )
    parser.add_argument("what", nargs="?", choices=tuple(_HELP), help=f"{', '.join(_HELP.values())} (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that it works, and says little")
    parser.add_argument("--rounds", type=int, help="rounds of every measurement (default: 11)")
    parser.add_argument("--packets", type=int, help=f"packets a program and round (default: {_PACKETS})")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (2 if options.quick else 11)
    options.packets = options.packets or (_QUICK if options.quick else _PACKETS)
    return options


def _setting(compiler: str | None, run: Run) -> dict[str, str]:
    built = f"{compiler}: built with {' '.join(clang.FLAGS)}, run with {' '.join(clang.RUN_FLAGS)}"
    setting = machine.setting() | {
        "clang": "none" if compiler is None else built,
        "ubpf": str(ubpf.find() or f"none: {ubpf.VARIABLE} names its shared library"),
        "packets": "UDP with 64 bytes of data, at a SID with two segments; a time has two clock readings in it (see `end`)",
    }
    return setting | ({"note": "few packets and rounds: these figures show that it works, and say little"} if run.quick else {})


def _missing(compiler: str | None, lacking: str | None) -> Iterator[str]:
    if compiler is None:
        yield "clang, so there is nothing to compare with (Debian: apt install clang)"
    if lacking is not None:
        yield f"the kernel cannot be asked for run times: {lacking}"


if __name__ == "__main__":
    try:
        main()
    except Error as error:
        sys.exit(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""))
