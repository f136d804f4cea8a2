"""Which maps of an attachment a new object can go on using, and what it takes over from the others."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from pybpfnf.errors import InputError
from pybpfnf.image.meta import PREFIX
from pybpfnf.image.model import MapSpec, ObjectImage, Role, Variable
from pybpfnf.kernel import bpffs
from pybpfnf.kernel.load import LoadedProgram
from pybpfnf.kernel.maps import open_map
from pybpfnf.kernel.record import Record
from pybpfnf.types.layout import ArrayType, FieldType, StructType


def kept_maps(record: Record, image: ObjectImage, directory: Path) -> dict[str, Path]:
    """The pins of the maps that a new object has too, by name.

    Sections of variables, program arrays and the compiler's own maps belong to one program, and are made anew. Raises InputError that
    tells every map of the same name that is another, and how.
    """
    both = [name for name in image.maps if name in record.image.maps and _is_kept(image.maps[name])]
    problems = [
        f"`{name}` has {has}, and had {had}" for name in both for has, had in _differences(image.maps[name], record.image.maps[name])
    ]
    problems += [
        f"the State `{name}` is {new.type}, and was {old.type}"
        for name, old, new in _states(record.image, image)
        if (old.type, old.size) != (new.type, new.size)
    ]
    if problems:
        hint = "leave out --keep-maps, or give what has changed another name"
        raise InputError(f"maps cannot be kept: {'; '.join(problems)}", hint=hint)
    return {name: directory / record.pins[name] for name in both}


def take_over(record: Record, directory: Path, loaded: LoadedProgram, given: Collection[str]) -> None:
    """Give the new program's State the values that the old one's has, but for those that were given."""
    for name, old, new in _states(record.image, loaded.image):
        if name in given:
            continue
        with open_map(bpffs.open_pin(directory / record.pins[old.map], f"map {old.map}"), record.image.maps[old.map]) as found:
            data = found.lookup(bytes(found.spec.key_size)) or b""
        loaded.maps[new.map].patch(new.offset, data[old.offset : old.offset + old.size])


def _is_kept(spec: MapSpec) -> bool:
    return spec.initial is None and spec.type != "prog_array" and not spec.name.startswith(PREFIX) and not spec.pin_by_name


def _states(old: ObjectImage, new: ObjectImage) -> Iterator[tuple[str, Variable, Variable]]:
    """The State that both have."""
    for name, variable in new.variables.items():
        before = old.variables.get(name)
        if before is not None and before.role is variable.role is Role.STATE:
            yield name, before, variable


def _differences(new: MapSpec, old: MapSpec) -> Iterator[tuple[str, str]]:
    """What the one has, and what the other, in words."""
    if new.type != old.type:
        yield f"the type {new.type}", old.type
    if new.max_entries != old.max_entries:
        yield f"{new.max_entries} entries", str(old.max_entries)
    if new.flags != old.flags:
        yield f"the flags {new.flags:#x}", f"{old.flags:#x}"
    for what, one, other, sizes in (
        ("keys", new.key_type, old.key_type, (new.key_size, old.key_size)),
        ("values", new.value_type, old.value_type, (new.value_size, old.value_size)),
    ):
        if sizes[0] != sizes[1]:
            yield f"{what} of {sizes[0]} bytes", str(sizes[1])
        elif one is not None and other is not None and _shape(one) != _shape(other):
            yield f"{what} that are {_shape(one)}", _shape(other)


def _shape(type_: FieldType) -> str:
    """How values of the type lie in memory, and what their parts are called."""
    match type_:
        case StructType():
            fields = (f"{field.name}: {_shape(field.type)}{f' ({field.bits} bits)' if field.bits else ''}" for field in type_.fields)
            return f"{{{', '.join(fields)}}}"
        case ArrayType():
            return f"{_shape(type_.item)}[{type_.count}]"
        case _:
            return str(type_)
