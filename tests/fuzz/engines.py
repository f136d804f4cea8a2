"""One compiled function on the evaluator, the VM and the kernel, with the same inputs; what each has to show for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from typing import final

from pybpfnf import backend, dsl, image
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import ADDRESS, BOOL, INT_TYPES, IntType, StructType, Type
from pybpfnf.image.model import ObjectImage
from pybpfnf.runner import Environment, Fault, MapAccess, Runner, Session
from pybpfnf.testing.evaluate import Evaluator
from pybpfnf.testing.model_maps import Contents, HashContents, TrieContents, empty_map
from tests.fuzz.inputs import Input, Value, at_the_hook


@final
@dataclass(frozen=True, slots=True)
class Site:
    """Where a fault is, and what."""

    file: str | None
    line: int | None
    column: int | None
    message: str
    callers: tuple[str, ...]


_DROP = 2
_KEY = bytes(4)
_TYPES: Mapping[str, Type] = {**INT_TYPES, str(BOOL): BOOL, str(ADDRESS): ADDRESS}
_SLOT = 8  # bpf(2) pads each CPU's value


@final
@dataclass(frozen=True)
class Compiled:
    module: ir.Module
    image: ObjectImage
    config: Mapping[str, Value]


def compile_function(path: Path) -> Compiled:
    """Raises CompileError for what the compiler refuses."""
    module = dsl.compile_module(dsl.load_programs(path))
    return Compiled(module, image.read(backend.build(module)), {})


def configured(compiled: Compiled, config: Mapping[str, Value]) -> Compiled:
    """With these Configs, as given at load time."""
    given = {name: IPv6Address(value) if isinstance(value, bytes) else value for name, value in config.items()}
    return Compiled(compiled.module, image.configure(compiled.image, given), config)


@final
@dataclass(frozen=True)
class Observed:
    """What one packet did. `packet` is None where it was dropped."""

    verdict: int | None
    fault: Site | None
    mark: int
    packet: bytes | None
    variables: Mapping[str, Value]
    maps: Mapping[str, Mapping[Value, Value]]
    events: Mapping[str, tuple[bytes, ...]]  # records, by the name of their buffer
    log: tuple[str, ...]

    def difference(self, other: Observed) -> list[str]:
        """The names of what is not the same."""
        rows = ((name, getattr(self, name), getattr(other, name)) for name in ("verdict", "fault", "mark", "packet", "log"))
        names = [name for name, one, another in rows if one != another]
        for what in ("variables", "maps", "events"):
            one, another = getattr(self, what), getattr(other, what)
            names += [name for name in one if one[name] != another[name]]
        return names

    def part(self, name: str) -> object:
        """What stands under a name that `difference` gave."""
        for values in (self.variables, self.maps, self.events):
            if name in values:
                return values[name]
        found: object = getattr(self, name)
        return found.hex() if isinstance(found, bytes) else found


def evaluate(compiled: Compiled, environment: Environment, inputs: list[Input]) -> list[Observed]:
    evaluator = Evaluator(compiled.module, compiled.module.functions[0], environment, compiled.config)
    return [_evaluate(evaluator, compiled.module, given) for given in inputs]


def _evaluate(evaluator: Evaluator, module: ir.Module, given: Input) -> Observed:
    evaluator.variables.update(given.variables)
    for map_ in module.maps:
        contents = given.maps[map_.name]
        if not map_.row.indexed:
            evaluator.maps[map_.name] = empty_map(map_)
            for key, value in contents.items():
                evaluator.maps[map_.name][key] = value
        else:
            evaluator.maps[map_.name] = empty_map(map_)
            for index, value in contents.items():
                evaluator.maps[map_.name][index] = value
    done = evaluator.run(at_the_hook(given.packet))
    return Observed(
        done.verdict,
        _site(done.fault),
        done.mark,
        None if done.verdict == _DROP else done.packet,
        {name: evaluator.variables[name] for name in given.variables},
        {map_.name: _entries(evaluator.maps[map_.name]) for map_ in module.maps},
        dict(done.events),
        done.log,
    )


def _entries(held: Contents) -> dict[Value, Value]:
    match held:
        case TrieContents():
            return {key: held.entries[key] for key in held.entries}
        case HashContents():
            return dict(held)
        case _:
            return dict(enumerate(held))


def run(runner: Runner, compiled: Compiled, environment: Environment, inputs: list[Input]) -> list[Observed]:
    """Raises VerifierError where the kernel refuses the program."""
    with runner.open(compiled.image, compiled.image.program(), environment) as session:
        return [_run(session, compiled.module, given) for given in inputs]


def _run(session: Session, module: ir.Module, given: Input) -> Observed:
    variables = _Variables(session)
    variables.write(given.variables)
    for map_ in module.maps:
        _fill(session.maps[map_.name], map_, given.maps[map_.name])
    outcome = session.run(given.packet)
    assert outcome.runs == 1, f"the program ran {outcome.runs} times: {outcome.reason}"
    return Observed(
        outcome.verdict,
        _site(outcome.fault),
        outcome.mark,
        outcome.packet,
        variables.read(given.variables),
        {map_.name: _contents(session.maps[map_.name], map_) for map_ in module.maps},
        {each.name: tuple(event.data for event in outcome.events if event.map == each.name) for each in module.events},
        outcome.log,
    )


def _site(fault: Fault | None) -> Site | None:
    return None if fault is None else Site(fault.file, fault.line, fault.column, fault.message, fault.callers)


@final
class _Variables:
    """The States of a session, in the one value of each data section's map."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def write(self, values: Mapping[str, Value]) -> None:
        with self._sections() as sections:
            for name, value in values.items():
                variable = self._session.image.variables[name]
                place = slice(variable.offset, variable.offset + variable.size)
                sections[variable.map][place] = _bytes(value, variable.size)

    def read(self, names: Mapping[str, Value]) -> dict[str, Value]:
        sections = self._contents()
        found: dict[str, Value] = {}
        for name in names:
            variable = self._session.image.variables[name]
            found[name] = _decode(variable.type, sections[variable.map][variable.offset :][: variable.size])
        return found

    def _contents(self) -> dict[str, bytearray]:
        names = {variable.map for variable in self._session.image.variables.values() if variable.role.value == "state"}
        return {name: bytearray(self._session.maps[name].lookup(_KEY) or b"") for name in names}

    @contextmanager
    def _sections(self) -> Iterator[dict[str, bytearray]]:
        sections = self._contents()
        yield sections
        for name, contents in sections.items():
            self._session.maps[name].update(_KEY, bytes(contents))


# --------------------------------------------------------------------------------------------------- maps, as bytes


def _fill(access: MapAccess, map_: ir.Map, contents: Mapping[Value, Value]) -> None:
    """Exactly these contents: another CPU's values are zeros."""
    if not map_.row.indexed:
        for key in list(access.keys()):
            access.delete(key)
    cpus = _cpus(access, map_)
    for entry, value in contents.items():
        data = _bytes(value, map_.value.size)
        access.update(_bytes(entry, map_.key.size), data if cpus == 0 else data.ljust(_stride(map_) * cpus, b"\0"))


def _contents(access: MapAccess, map_: ir.Map) -> dict[Value, Value]:
    """Of a per-CPU map the first CPU's values, where everything runs; the others stay zero."""
    found: dict[Value, Value] = {}
    for key in list(access.keys()):
        data = access.lookup(key) or b""
        assert not any(data[_stride(map_) :]) or not map_.row.per_cpu, "another CPU's value has changed"
        found[_decode(map_.key, key)] = _decode(map_.value, data[: map_.value.size])
    return dict(sorted(found.items())) if map_.row.indexed else found


def _cpus(access: MapAccess, map_: ir.Map) -> int:
    if not map_.row.per_cpu:
        return 0
    return access.value_size // _stride(map_)


def _stride(map_: ir.Map) -> int:
    return -(-map_.value.size // _SLOT) * _SLOT


def _bytes(value: Value, size: int) -> bytes:
    return value if isinstance(value, bytes) else (value & (1 << 8 * size) - 1).to_bytes(size, "little")


def _decode(type_: Type, data: bytes | bytearray) -> Value:
    if type_ == ADDRESS or isinstance(type_, StructType):
        return bytes(data)
    return int.from_bytes(data, "little", signed=isinstance(type_, IntType) and type_.signed)
