"""Random functions, compiled, and run in three ways that must agree: the reference evaluator, the VM, the kernel.

Each difference is printed with the smallest function found that shows it, the input, and what each engine answers.
Function I of seed S is always the same: `--seed S --first I --count 1` looks at one again.

Exit status 0: all agree; 1: there are differences; 2: usage.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from pybpfnf.kernel import features
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.runner import Runner
from pybpfnf.vm import VmRunner
from tests.fuzz.check import Report, check

_PORTION = 25  # functions that a process does before it reports


def main() -> int:
    options = _options()
    lack = features.first_lack(*features.RUNNER)
    if lack is not None:
        print(f"without the kernel ({lack}): the evaluator against the VM alone", file=sys.stderr)
    start = time.monotonic()
    total = Report()
    for report in _reports(options, with_kernel=lack is None):
        for difference in report.differences:
            print(f"{difference}\n{'=' * 100}", flush=True)
        total.add(report)
        if sys.stderr.isatty():
            print(f"\r{total.functions} functions, {len(total.differences)} different", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(f"{summary(total)}; {time.monotonic() - start:.0f} seconds")
    return 1 if total.differences else 0


def summary(report: Report) -> str:
    return (
        f"{report.functions} functions, {report.runs} runs, of which {report.faults.total()} end in a fault exit and "
        f"{report.forwarded} forward; {report.refused} functions left out for their size, "
        f"{report.beyond} beyond the verifier's million instructions; {len(report.differences)} functions differ"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=200, help="functions (200)")
    parser.add_argument("--first", type=int, default=0, help="number of the first function (0)")
    parser.add_argument("--inputs", type=int, default=10, help="packets for each function (10)")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes (one for each CPU)")
    parser.add_argument("--no-shrink", action="store_true", help="show functions as they were generated")
    return parser.parse_args()


def _reports(options: argparse.Namespace, *, with_kernel: bool) -> Iterator[Report]:
    last = options.first + options.count
    portions = [range(start, min(start + _PORTION, last)) for start in range(options.first, last, _PORTION)]
    # Not by fork: each process gets a compiler of its own.
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(_check, options.seed, portion, options.inputs, with_kernel, not options.no_shrink) for portion in portions]
        for job in jobs:
            yield job.result()


def _check(seed: int, numbers: range, inputs_each: int, with_kernel: bool, shrinking: bool) -> Report:
    runners: list[Runner] = [VmRunner()]
    if with_kernel:
        runners.append(KernelRunner())
    return check(seed, numbers, inputs_each, runners, shrinking=shrinking)
