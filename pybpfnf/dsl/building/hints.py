"""What to write instead, where a value does not go where it was put."""

from __future__ import annotations

import ast
from types import FunctionType

from pybpfnf.abi.programs import LWT_TYPES, PROGRAM_TYPES, ProgramType
from pybpfnf.dsl.building.values import Choice, Constant, HeaderView, Literal, MapPlace, Typed, Value
from pybpfnf.dsl.surface.calls import HelperFunction
from pybpfnf.dsl.types import ADDRESS, BOOL, VERDICT, IntType, PacketViewType, StructType, Type, ViewType


def conversion_hint(hook: ProgramType, value: Value, type_: Type, text: str, wanted: str) -> str:
    """For a value that goes to a place of `type_`; `wanted` is the type with its article."""
    if isinstance(value, Constant) and isinstance(value.value, FunctionType | HelperFunction):
        return f"call it: `{text}(...)`"
    if type_ == VERDICT:
        return _verdict(hook, value, text)
    if isinstance(type_, PacketViewType):
        here = "annotate it with the class of pybpfnf, or give it" if isinstance(value, HeaderView) else "give it"
        return f"{here} what `pkt.find({type_.of})` or `pkt.view({type_.of}, at=...)` finds"
    if isinstance(value, Typed) and isinstance(value.expr.type, ViewType | StructType) and not isinstance(type_, StructType):
        return f"write a field of it: `{text}.{_first_field(value.expr.type)}`"
    if isinstance(type_, IntType) and isinstance(value, Typed) and value.expr.type == BOOL:
        return f"write `{type_}({text})` for 0 or 1"
    if type_ == BOOL:
        return _condition(value, text)
    if isinstance(type_, StructType):
        return f"write {type_}(...)"
    if type_ == ADDRESS:
        return 'write `IPv6Address("fc00::1")`, or read an address'
    return f"give it {wanted}"


def _verdict(hook: ProgramType, value: Value, text: str) -> str:
    if isinstance(value, Typed) and value.expr.type == BOOL:
        return f"write `OK if {text} else DROP`"
    *others, last = hook.verdicts
    return f"write {', '.join(others)} or {last}"


def _condition(value: Value, text: str) -> str:
    if isinstance(value, Literal | Choice):
        return "write True or False"
    if isinstance(value, Typed) and isinstance(value.expr.type, IntType):
        return f"write `{text} != 0`"
    return "compare it with something"


def _first_field(type_: ViewType | StructType) -> str:
    return (type_.struct if isinstance(type_, ViewType) else type_).fields[0].name


def truth_hint(value: Value, text: str) -> str:
    """For a value that stands as a condition and is none."""
    return f"ask for a key: `key in {text}`" if isinstance(value, MapPlace) else "compare it with something"


def helper_hint(helper: str) -> str:
    """For a helper that the hook does not have: who has it."""
    owners = [name for name in LWT_TYPES if helper in PROGRAM_TYPES[name].helpers]
    return f"it is in {', '.join(owners)}" if owners else "the kernel keeps this helper from these hooks"


def one_of_hint(key: str, items: ast.Tuple | ast.List | ast.Set) -> str:
    """For `key in (a, b)`."""
    asked = " or ".join(f"{key} == {ast.unparse(item)}" for item in items.elts)
    return f"write `{asked}`" if asked else "it holds nothing: leave the question out"


PART_OF_ADDRESS = "read the part that is wanted from the packet, as `pkt.load(u64, at=16)`: the low half of an IPv6 packet's source"
