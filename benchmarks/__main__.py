"""`scripts/bench [build | codegen | vm | files | link | lab] [--quick] [--json] [--rounds N] [--packets N]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from benchmarks import build_time, clang, codegen, delay_lab, files, links, machine, probes, virtual_labs, vm_speed
from benchmarks.report import Report
from pybpfnf.kernel import features

_PACKETS = 20_000


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    compiler = clang.version()
    lacking = features.first_lack(*features.RUNNER)
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as where, console.status("measuring; this takes about a minute"):
        place = Path(where)
        report = Report(
            setting=_setting(compiler),
            build=list(build_time.measure(options.rounds, compiler is not None, place)) if options.what in (None, "build") else [],
            codegen=list(
                codegen.measure(options.rounds, options.packets, has_clang=compiler is not None, has_kernel=lacking is None, where=place)
            )
            if options.what in (None, "codegen")
            else [],
            vm=list(vm_speed.measure(options.rounds, options.packets, has_kernel=lacking is None)) if options.what in (None, "vm") else [],
            files=list(files.measure(min(options.rounds, 5), files.PACKETS if options.packets >= _PACKETS else options.packets, place))
            if options.what in (None, "files")
            else [],
            links=[links.measure(links.FRAMES if options.packets >= _PACKETS else options.packets)]
            if options.what in (None, "link") and lacking is None
            else [],
            labs=list(virtual_labs.measure(virtual_labs.PACKETS if options.packets >= _PACKETS else options.packets))
            if options.what in (None, "lab")
            else [],
            delays=list(delay_lab.measure(delay_lab.PROBES if options.packets >= _PACKETS else options.packets))
            if options.what in (None, "delay") and lacking is None
            else [],
            probes=list(probes.measure(40 * options.packets)) if options.what in (None, "delay") and lacking is None else [],
            missing=list(_missing(compiler, lacking)),
        )
    if options.json:
        sys.stdout.write(report.as_json() + "\n")
    else:
        report.print(Console(width=100 if not sys.stdout.isatty() else None))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Building against clang, code against C, the VM against the kernel; several rounds, in turn."
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("build", "codegen", "vm", "files", "link", "lab", "delay"),
        help="build times, the code, the VM, captures, a lab's link, a lab in this process, or measured delays (default: all)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that it works, and says little")
    parser.add_argument("--rounds", type=int, help="rounds of every measurement (default: 11)")
    parser.add_argument("--packets", type=int, help="packets a program and round (default: 20000)")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (2 if options.quick else 11)
    options.packets = options.packets or (200 if options.quick else _PACKETS)
    return options


def _setting(compiler: str | None) -> dict[str, str]:
    return machine.setting() | {
        "clang": "none" if compiler is None else f"{compiler}: built with {' '.join(clang.FLAGS)}, run with {' '.join(clang.RUN_FLAGS)}",
        "packets": "UDP with 64 bytes of data, at a SID with two segments; a time has two clock readings in it (see `end`)",
    }


def _missing(compiler: str | None, lacking: str | None) -> Iterator[str]:
    if compiler is None:
        yield "clang, so there is nothing to compare with (Debian: apt install clang)"
    if lacking is not None:
        yield f"the kernel cannot be asked for run times: {lacking}"


if __name__ == "__main__":
    main()
