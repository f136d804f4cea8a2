"""Values on their way between a caller and a subprogram: in registers, and in whole words of memory."""

from __future__ import annotations

from pybpfnf.backend.building.calling import register_type
from pybpfnf.backend.building.values import llvm_type
from pybpfnf.backend.building.writer import Writer
from pybpfnf.dsl.types import AddressType, OptionalType, Type

_WORD = 8


def to_register(w: Writer, type_: Type, value: str) -> str:
    """The value as a register has it."""
    narrow, wide = llvm_type(type_), register_type(type_)
    return value if narrow == wide else w.cast("zext", narrow, value, wide)


def from_register(w: Writer, type_: Type, value: str) -> str:
    """The value that a register has."""
    narrow, wide = llvm_type(type_), register_type(type_)
    return value if narrow == wide else w.cast("trunc", wide, value, narrow)


def store_passed(w: Writer, type_: Type, value: str, place: str) -> None:
    """Store a value that is no struct."""
    if isinstance(type_, AddressType):
        w.store("i128", value, place, _WORD)
    elif isinstance(type_, OptionalType) and llvm_type(type_).startswith("{"):
        there = w.value(f"extractvalue {llvm_type(type_)} {value}, 0")
        w.store("i64", w.cast("zext", "i1", there, "i64"), place, _WORD)
        store_passed(w, type_.inner, w.value(f"extractvalue {llvm_type(type_)} {value}, 1"), w.offset(place, _WORD))
    else:
        # A whole word: of a part of one the verifier would keep the rest of what was there.
        register = register_type(type_)
        value = to_register(w, type_, value)
        w.store("ptr" if register == "ptr" else "i64", value if register != "i32" else w.cast("zext", "i32", value, "i64"), place, _WORD)


def load_passed(w: Writer, type_: Type, place: str) -> str:
    """The value that `store_passed` has stored."""
    if isinstance(type_, AddressType):
        return w.load("i128", place, _WORD)
    if isinstance(type_, OptionalType) and llvm_type(type_).startswith("{"):
        there = w.cast("trunc", "i64", w.load("i64", place, _WORD), "i1")
        value = load_passed(w, type_.inner, w.offset(place, _WORD))
        pair = w.value(f"insertvalue {llvm_type(type_)} poison, i1 {there}, 0")
        return w.value(f"insertvalue {llvm_type(type_)} {pair}, {llvm_type(type_.inner)} {value}, 1")
    register = register_type(type_)
    value = w.load("ptr" if register == "ptr" else "i64", place, _WORD)
    return from_register(w, type_, value if register != "i32" else w.cast("trunc", "i64", value, "i32"))
