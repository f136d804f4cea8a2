"""Give Config and State variables their values before loading, in the initial contents of the map that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pybpfnf.errors import InputError
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage, Role, Variable
from pybpfnf.image.tails import reached_programs
from pybpfnf.types.scalars import encode_scalar


def configure(image: ObjectImage, values: Mapping[str, object]) -> ObjectImage:
    """The image with these variables set: a Config to its value, a State to the one it starts with.

    A value is what `scalars.encode_scalar` takes. In the result `Variable.default` is the new value and `required` is off.
    Raises InputError that names the variable and what its type takes, or what variables there are.
    """
    maps, variables = dict(image.maps), dict(image.variables)
    for name, given in values.items():
        variable = _variable(image, name)
        data = encode_scalar(variable.type, given, name)
        maps[variable.map] = _written(maps[variable.map], variable.offset, data)
        variables[name] = replace(variable, default=data, required=False)
    return replace(image, maps=maps, variables=variables)


def set_by_loader(image: ObjectImage, values: Mapping[str, int]) -> ObjectImage:
    """The image as it is loaded: `values` by symbol, at least of those that it asks for; the same one where it asks for none."""
    maps = dict(image.maps)
    for symbol, variable in image.by_loader.items():
        maps[variable.map] = _written(maps[variable.map], variable.offset, encode_scalar(variable.type, values[symbol], symbol))
    return replace(image, maps=maps) if image.by_loader else image


def missing(image: ObjectImage, program: ProgramImage) -> tuple[Variable, ...]:
    """The Configs without value that this program reads, subprograms and programs that it goes on in included. What another program
    of the object reads is not asked for."""
    needed = [variable for variable in image.variables.values() if variable.required and variable.role is Role.CONFIG]
    programs = (program, *reached_programs(image, program)) if needed else ()
    return tuple(variable for variable in needed if any(_reads(each, variable) for each in programs))


def require_complete(image: ObjectImage, program: ProgramImage) -> None:
    """Raises InputError that names each Config which the program reads and which has no value."""
    lacking = missing(image, program)
    if not lacking:
        return
    names = ", ".join(f"{variable.name} ({variable.type})" for variable in lacking)
    hint = " ".join(f"--set {variable.name}=VALUE" for variable in lacking)
    raise InputError(f"program {program.name!r} needs a value for {names}", hint=f"give {hint}")


def _variable(image: ObjectImage, name: str) -> Variable:
    if name in image.variables:
        return image.variables[name]
    own = [variable for variable in image.variables.values() if not variable.name.startswith("__")]  # others are instrumentation's
    known = ", ".join(f"{variable.name} ({variable.type})" for variable in own)
    raise InputError(f"no variable {name!r} in the object", hint=f"it has: {known}" if known else "it has none")


def _written(spec: MapSpec, offset: int, data: bytes) -> MapSpec:
    contents = bytearray(spec.initial or bytes(spec.value_size))
    contents[offset : offset + len(data)] = data
    return replace(spec, initial=bytes(contents))


def _reads(program: ProgramImage, variable: Variable) -> bool:
    """Whether an instruction takes an address within the variable: `ld_map_value` has the offset in its high half."""
    return any(
        insn.ref == variable.map and insn.form.name == "ld_map_value" and 0 <= (insn.imm >> 32) - variable.offset < variable.size
        for insn in program.insns
    )
