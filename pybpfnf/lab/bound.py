"""The functions of a planned node, found, compiled and given their values: what is wrong with one is said with its node and its route."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import final

from pybpfnf.errors import CompileError, Error, InputError, VerifierError
from pybpfnf.image.model import ObjectImage
from pybpfnf.image.settings import configure, missing
from pybpfnf.lab.functions import target_of
from pybpfnf.lab.plan import Bound, Plan
from pybpfnf.live.changes import without_entries
from pybpfnf.records import dataclass
from pybpfnf.routes import END_BPF, PLACES
from pybpfnf.targets import Prepared, choose_program, object_bytes, object_image, prepare, program_name


@final
@dataclass(frozen=True, slots=True)
class Ready:
    """`target` is what was compiled, for who loads it in a node's namespace, where a compiler would stay; `entries`: what its maps and
    States hold first."""

    bound: Bound
    target: ObjectImage | bytes
    prepared: Prepared
    entries: Mapping[str, object]


def ready(bound: Bound, node: str, plan: Plan) -> Ready:
    """Raises CompileError, and InputError for values that do not fit, and for a hook that the place does not have."""
    variables, entries = without_entries(dict(bound.function.values))
    target = target_of(bound.function, plan.topology)
    with said_of(f"node {node}"), said_of(place_of(bound)):
        built = target if isinstance(target, ObjectImage | bytes) else object_bytes(target)
        name = bound.function.program or program_name(target)
        configured = configure(object_image(built), variables)
        _check_values([variable.name for variable in missing(configured, choose_program(configured, name))])
        found = Ready(bound, built, prepare(built, variables, program=name), entries)
        _check_place(found)
    return found


def place_of(bound: Bound) -> str:
    return f"the function at {bound.route.prefix.network_address if bound.is_sid else bound.route.prefix}"


@contextmanager
def said_of(place: str) -> Iterator[None]:
    """What is wrong is said with the place, `node r1` or `the function at fc00:2::e`; a diagnostic has a line of its own."""
    try:
        yield
    except (CompileError, VerifierError):
        raise
    except Error as error:
        error.message = f"{place}: {error.message}"
        error.args = (error.message,)
        raise


def _check_values(lacking: list[str]) -> None:
    if lacking:
        texts = ", ".join(f"{name} = ..." for name in lacking)
        raise InputError(f"it needs a value for {', '.join(lacking)}", hint=f"write `config = {{ {texts} }}` beside `function`")


def _check_place(found: Ready) -> None:
    program, is_sid = found.prepared.program, found.bound.is_sid
    if (program.type == END_BPF) if is_sid else (program.type in PLACES.values()):
        return
    what, takes = ("a SID", END_BPF) if is_sid else ("a route", ", ".join(PLACES.values()))
    raise InputError(f"{program.name} is {program.type}, and {what} takes {takes}")
