"""`build`: a target to an object's bytes."""

from __future__ import annotations

from pybpfnf.targets import Target, object_bytes


def build(target: Target, *, fault_counters: bool = True) -> bytes:
    """The standard ELF object of a program, a file or a catalogue function; the same input, the same bytes.

    `fault_counters`: whether the object counts its fault exits. Raises InputError, CompileError.
    """
    return object_bytes(target, fault_counters=fault_counters)
