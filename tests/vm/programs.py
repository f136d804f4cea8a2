"""Programs of tests as assembler text, and sessions of the VM that run them."""

from __future__ import annotations

from pybpfnf.abi.text import parse
from pybpfnf.image.model import FaultCounters, LineRecord, MapSpec, ObjectImage, ProgramImage
from pybpfnf.runner import Environment
from pybpfnf.testing import packets
from pybpfnf.vm import Engine, Tracer, VmRunner, VmSession

PACKET = packets.srv6(segments=["fc00:3::3", "fc00:2::2"], tag=7)
ENVIRONMENT = Environment()
ENGINE = Engine.REFERENCE
"""What `runner` gives; `conftest` has each test run once with each engine."""


def image(
    text: str,
    *maps: MapSpec,
    type_name: str | None = "lwt_seg6local",
    lines: tuple[LineRecord, ...] = (),
    faults: FaultCounters | None = None,
) -> ObjectImage:
    program = ProgramImage("sample", type_name or "prog", type_name, parse(text), lines=lines)
    return ObjectImage((program,), {spec.name: spec for spec in maps}, "GPL", faults=faults)


def runner(tracer: Tracer | None = None) -> VmRunner:
    return VmRunner(tracer, ENGINE)


def session(text: str, *maps: MapSpec, environment: Environment = ENVIRONMENT, tracer: Tracer | None = None) -> VmSession:
    built = image(text, *maps)
    return runner(tracer).open(built, built.programs[0], environment)


def array(name: str, value_size: int = 8, max_entries: int = 1) -> MapSpec:
    return MapSpec(name, "array", 4, value_size, max_entries)
