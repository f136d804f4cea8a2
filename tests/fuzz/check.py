"""Random functions through the compiler and three opinions; each difference is told with the smallest function that shows it."""

from __future__ import annotations

import linecache
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import final

from pybpfnf.dsl.ir.walk import walk
from pybpfnf.errors import CompileError, Error, VerifierError
from pybpfnf.runner import Runner
from tests.fuzz import engines
from tests.fuzz.engines import Compiled, Observed
from tests.fuzz.generate import generate
from tests.fuzz.inputs import Input, configs, environment, inputs
from tests.fuzz.shrink import shrink

_GAVE_UP = "BPF program is too large. Processed 1000001 insn"  # kernel/bpf/verifier.c, BPF_COMPLEXITY_LIMIT_INSNS


@final
@dataclass
class Report:
    """`refused`: functions that the compiler takes for too large for the stack, which is its right. `beyond`: those that it takes
    and the kernel does not, because its verifier follows their ways for more than a million instructions; the compiler
    should say so first. `nodes`: the classes of the IR's nodes that were met; `faults`: the messages of the fault exits that
    were taken."""

    functions: int = 0
    runs: int = 0
    forwarded: int = 0
    refused: int = 0
    beyond: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    nodes: set[type] = field(default_factory=set)
    differences: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        self.functions += other.functions
        self.runs += other.runs
        self.forwarded += other.forwarded
        self.refused += other.refused
        self.beyond += other.beyond
        self.faults += other.faults
        self.nodes |= other.nodes
        self.differences += other.differences


class _SizeError(Exception):
    """The compiler refuses the function for its stack or its loops alone."""


class _BeyondError(Exception):
    """The verifier gave up, at its limit of a million instructions."""


def check(seed: int, numbers: Sequence[int], inputs_each: int, runners: Sequence[Runner], *, shrinking: bool = True) -> Report:
    """Function `number` of a seed depends on nothing else, so that one alone can be looked at again."""
    report = Report()
    with TemporaryDirectory(prefix="pybpfnf-fuzz-") as directory:
        trial = Trial(Path(directory), inputs_each, runners)
        for number in numbers:
            _check_one(trial, f"{seed}:{number}", report, shrinking)
        linecache.clearcache()
    return report


def _check_one(trial: Trial, name: str, report: Report, shrinking: bool) -> None:
    text = generate(Random(name))
    try:
        wrong = trial.problem(text, name, report)
    except _SizeError:
        report.refused += 1
        return
    except _BeyondError:
        report.beyond += 1
        return
    report.functions += 1
    if wrong is None:
        return
    kind = wrong.splitlines()[0]
    small = shrink(text, lambda smaller: _same_kind(trial, smaller, name, kind)) if shrinking else text
    report.differences.append(f"function {name}\n\n{small}\n{trial.problem(small, name, Report())}")


def _same_kind(trial: Trial, text: str, name: str, kind: str) -> bool:
    try:
        wrong = trial.problem(text, name, Report())
    except (_SizeError, _BeyondError):
        return False
    return wrong is not None and wrong.splitlines()[0] == kind


@final
class Trial:
    """Functions tried one after the other, each in a file of its own."""

    def __init__(self, directory: Path, inputs_each: int, runners: Sequence[Runner]) -> None:
        self._directory = directory
        self._inputs_each = inputs_each
        self._runners = runners
        self._files = 0

    def problem(self, text: str, name: str, report: Report) -> str | None:
        """What is wrong, its first line the kind of it; None where the three agree. `name` seeds the inputs."""
        self._files += 1
        path = self._directory / f"function{self._files}.py"
        path.write_text(text, encoding="utf-8")
        try:
            compiled = engines.compile_function(path)
        except CompileError as error:
            codes = sorted({diagnostic.code for diagnostic in error.diagnostics})
            if set(codes) <= {"stack", "unbounded"}:
                raise _SizeError from None
            return f"the compiler refuses it: {', '.join(codes)}\n{error}"
        except Error as error:
            return f"the compiler fails: {type(error).__name__}\n{error}"
        random = Random(f"{name} inputs")
        around, given = environment(random), inputs(random, compiled.module, self._inputs_each)
        compiled = engines.configured(compiled, configs(random, compiled.module))
        expected = engines.evaluate(compiled, around, given)
        report.runs += len(given)
        report.faults.update(each.fault.message for each in expected if each.fault is not None)
        report.nodes.update(type(node) for node in walk(compiled.module.functions[0].body))
        report.forwarded += sum(each.packet is not None for each in expected)
        found: dict[str, list[Observed]] = {}
        for runner in self._runners:
            try:
                found[runner.name] = engines.run(runner, compiled, around, given)
            except VerifierError as error:
                if _GAVE_UP in error.log:
                    raise _BeyondError from None
                return f"{runner.name} refuses it: {type(error).__name__}\n{error}"
            except Error as error:
                return f"{runner.name} refuses it: {type(error).__name__}\n{error}"
        return _difference(compiled, given, expected, found)


def _difference(compiled: Compiled, given: list[Input], expected: list[Observed], found: dict[str, list[Observed]]) -> str | None:
    for index, want in enumerate(expected):
        wrong = {engine: names for engine, observed in found.items() if (names := want.difference(observed[index]))}
        if wrong:
            names = sorted({name for each in wrong.values() for name in each})
            lines = [f"{' and '.join(wrong)} differ from the evaluator", f"input {index}: {_told(given[index], compiled)}"]
            for name in names:
                lines.append(f"{name}:")
                lines.append(f"    evaluator  {want.part(name)}")
                lines += [f"    {engine:<9}  {observed[index].part(name)}" for engine, observed in found.items()]
            return "\n".join(lines)
    return None


def _told(given: Input, compiled: Compiled) -> str:
    shown = {**compiled.config, **given.variables, **given.maps}
    return f"packet {given.packet.hex()}" + "".join(f"\n    {name} = {value!r}" for name, value in shown.items())
