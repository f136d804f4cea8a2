"""`scripts/figures [FIGURE ...] [--out DIR] [--quick] [--rounds N] [--packets N]`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks import machine
from benchmarks.figures import output
from benchmarks.figures.cases import FIGURES, Figure
from benchmarks.figures.jit import can_be_off
from benchmarks.figures.measuring import measure
from pybpfnf.errors import Error
from pybpfnf.kernel import features

_FEW = 10  # rounds, of which the middle half says nothing


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    lacking = features.first_lack(*features.RUNNER)
    if lacking is not None:
        sys.exit(f"figures: they are measured in the kernel: {lacking}")
    console = Console(stderr=True)
    setting = machine.setting() | {
        "seed": "none: which packet of a mix is the rare one, the kernel's random numbers say",
        "rounds": f"{options.rounds}, {options.packets} packets a case and round",
    }
    if options.rounds < _FEW:
        setting["note"] = "few rounds: this shows that it works, and says little"
        console.print(f"note: {setting['note']}", highlight=False)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.figures or FIGURES:
        figure, left_out = without_what_this_kernel_lacks(FIGURES[name]())
        for case in left_out:
            console.print(f"missing: {case}: this kernel interprets no program (CONFIG_BPF_JIT_ALWAYS_ON)", highlight=False)
        with console.status(f"measuring {name}"):
            bars = list(measure(figure, options.rounds, options.packets))
        Console(width=None if sys.stdout.isatty() else 110).print(output.table(figure.title, bars))
        for path in (output.write_csv(options.out, setting, bars), output.draw(options.out, figure.title, setting, bars)):
            console.print(f"wrote {path}", highlight=False)


def without_what_this_kernel_lacks(figure: Figure) -> tuple[Figure, list[str]]:
    """The figure without the cases that ask for an interpreter where there is none, and their names."""
    if can_be_off():
        return figure, []
    kept = [case for case in figure.cases if not case.interpreted]
    return replace(figure, cases=kept), [case.name for case in figure.cases if case.interpreted]


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/figures", description="Measure figures of the thesis again, as ratios in one run.")
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"which: {', '.join(FIGURES)} (default: all)")
    parser.add_argument("--out", type=Path, default=Path("figures"), help="the directory for CSV and pictures (default: figures)")
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that it works, and says little")
    parser.add_argument("--rounds", type=int, help="rounds of every case (default: 25)")
    parser.add_argument("--packets", type=int, help="packets a case and round (default: 20000)")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.figures if name not in FIGURES]
    if unknown:
        parser.error(f"there is no {unknown[0]}; there are {', '.join(FIGURES)}")
    options.rounds = options.rounds or (2 if options.quick else 25)
    options.packets = options.packets or (1000 if options.quick else 20_000)
    return options


if __name__ == "__main__":
    try:
        main()
    except Error as error:
        sys.exit(f"figures: {error}")
