"""What the kernel did, on record: so that its word is there where no kernel can be asked.

`data/kernel.jsonl` is written by `python -m tests.conformance.record`, as root; its first line names the kernel.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pybpfnf.runner import Environment, Fault, FaultKind, Outcome
from tests.conformance.generator import ENVIRONMENT
from tests.conformance.observation import Observation
from tests.conformance.probe import Op, Script, Step

HOW: Final = "python -m tests.conformance.record"
PATH: Final = Path(__file__).parent / "data" / "kernel.jsonl"
ROUTERS: Final[Mapping[str, Environment]] = {
    "ordinary": ENVIRONMENT,
    "hmac_required": replace(ENVIRONMENT, require_hmac=1),
    "hmac_ignored": replace(ENVIRONMENT, require_hmac=-1),
}
Record = dict[str, Any]


def encode(program: str, kind: str, router: str, seen: Observation) -> str:
    """One line. A fault is kept by its message: numbers of sites and lines are the compiler's and the author's to change."""
    outcome = seen.outcome
    record: Record = {
        "program": program,
        "kind": kind,
        "router": router,
        "packet": seen.packet.hex(),
        "verdict": outcome.verdict,
        "left": None if outcome.packet is None else outcome.packet.hex(),
        "runs": outcome.runs,
        "fault": None if outcome.fault is None else outcome.fault.message,
    }
    if program == "probe":
        record["steps"] = [[step.op, step.first, step.second, step.data.hex()] for step in seen.script.steps]
        record["return"] = seen.script.verdict
        record["results"] = list(seen.results)
    return json.dumps(record, separators=(",", ":"))


def write(kernel: str, lines: Iterable[str]) -> None:
    PATH.parent.mkdir(exist_ok=True)
    header = json.dumps({"kernel": kernel})
    PATH.write_text("\n".join([header, *lines, ""]), encoding="utf-8")


def read() -> Iterator[tuple[str, str, Observation]]:
    """Each record's program and kind, and what the kernel showed."""
    _header, *lines = PATH.read_text(encoding="utf-8").splitlines()
    for line in lines:
        record = json.loads(line)
        yield record["program"], record["kind"], _observation(record)


def _observation(record: Record) -> Observation:
    left, message = record["left"], record["fault"]
    packet = None if left is None else bytes.fromhex(left)
    fault = None if message is None else Fault(FaultKind.EXIT, message)
    outcome = Outcome(record["verdict"], packet, packet is not None, fault=fault, runs=record["runs"])
    steps = [Step(Op(op), first, second, bytes.fromhex(data)) for op, first, second, data in record.get("steps", [])]
    script = Script(tuple(steps), record.get("return", 0))
    router = ROUTERS[record["router"]]
    return Observation(bytes.fromhex(record["packet"]), outcome, router, script, tuple(record.get("results", [])))
