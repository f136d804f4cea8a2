"""Which programs of an object tail calls can lead to."""

from __future__ import annotations

from pybpfnf.errors import InputError
from pybpfnf.image.model import ObjectImage, ProgramImage


def reached_programs(image: ObjectImage, program: ProgramImage) -> tuple[ProgramImage, ...]:
    """The programs in the slots of the program arrays that this one names, and of those that they name, each once, in the order in which
    they are met; this one is among them where a way leads back to it.

    One whose section says no type has this one's. Raises InputError for one of another type: the kernel takes none into the array.
    """
    found: dict[str, ProgramImage] = {}
    waiting = [program]
    for caller in waiting:  # grows meanwhile
        arrays = (image.maps[name] for name in caller.map_names if name in image.maps)
        for array in arrays:
            for slot, name in array.programs:
                if name in found:
                    continue
                found[name] = image.program(name)
                if found[name].type not in (None, program.type):
                    what = f"slot {slot} of {array.name} has program {name}, which is {found[name].type}"
                    raise InputError(f"{what}: {program.name} is {program.type}", hint="all programs of an array are of one type")
                waiting.append(found[name])
    return tuple(found.values())
