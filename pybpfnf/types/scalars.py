"""Values of the scalar types as bytes, both ways, and from text.

Integers and bool are little-endian, the order of the objects and the hosts that we read and load on; an IPv6Address is
its 16 bytes as on the wire.
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv6Address
from typing import TypeAlias

from pybpfnf.errors import InputError
from pybpfnf.types.layout import AddressType, BoolType, IntType, ValueType

Value: TypeAlias = int | bool | IPv6Address
_BOOLS = {"true": True, "false": False, "1": True, "0": False}


def constant_of(value: object, type_: ValueType) -> int | bytes | None:
    """`value` as a constant of `type_` (an integer, a bool as 0 or 1, an address as 16 bytes); None where it is not one."""
    match type_:
        case IntType():
            return value if isinstance(value, int) and not isinstance(value, bool) and type_.holds(value) else None
        case BoolType():
            return int(value) if isinstance(value, bool) else None
        case AddressType():
            return value.packed if isinstance(value, IPv6Address) else None


def encode_scalar(type_: ValueType, given: object, name: str | None = None, *, exact: bool = False) -> bytes:
    """The bytes of a value given as an object (int, bool, IPv6Address) or as text (`10`, `0x0a`, `true`, `fc00::1`).

    `exact`: as an object of the type alone, as in a program. Raises InputError that names what is set (`name`, where there is
    one) and says what the type takes.
    """
    constant = constant_of(given if exact else _value_of(given, type_), type_)
    if constant is None:
        shown = given if isinstance(given, str | IPv6Address) else repr(given)
        raise InputError(f"{name}: {shown} is not {_expected(type_)}" if name else f"{shown} is not {_expected(type_)}")
    return constant if isinstance(constant, bytes) else little(constant, type_.size)


def decode_scalar(type_: ValueType, data: bytes) -> Value:
    """The value that bytes stand for; raises InputError when they are not as many as the type takes."""
    if len(data) != type_.size:
        raise InputError(f"{len(data)} bytes are not {_expected(type_)}, which takes {type_.size}")
    match type_:
        case IntType():
            return int.from_bytes(data, "little", signed=type_.signed)
        case BoolType():
            return data != b"\0"
        case AddressType():
            return IPv6Address(data)


def little(value: int, size: int) -> bytes:
    """The low `size` bytes of an integer, in the order of the objects and hosts."""
    return (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def _expected(type_: ValueType) -> str:
    match type_:
        case IntType():
            return f"a {type_} ({type_.minimum} to {type_.maximum})"
        case BoolType():
            return "a bool (true or false)"
        case AddressType():
            return "an IPv6 address"


def _value_of(given: object, type_: ValueType) -> object:
    """What text says, or a number that stands for a bool, or a bool for a number; None where it says nothing of the type."""
    match type_:
        case IntType():
            return _number(given)
        case BoolType():
            return _bool(given)
        case AddressType():
            return _address(given)


def _number(given: object) -> int | None:
    if isinstance(given, str):
        try:
            return int(given, 0)
        except ValueError:
            return None
    return int(given) if isinstance(given, int) else None


def _bool(given: object) -> bool | None:
    if isinstance(given, str):
        return _BOOLS.get(given.lower())
    return bool(given) if isinstance(given, int) and given in (0, 1) else None


def _address(given: object) -> IPv6Address | None:
    if isinstance(given, str):
        try:
            given = IPv6Address(given)
        except AddressValueError:
            return None
    # A zone (fe80::1%eth0) has no place in 16 bytes.
    return given if isinstance(given, IPv6Address) and given.scope_id is None else None
