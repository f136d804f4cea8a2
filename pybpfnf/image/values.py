"""Values of the language's scalar types as the bytes that maps and variables hold, both ways.

Integers and bool are little-endian, the order of the objects and the hosts that we read and load on; an IPv6Address is
its 16 bytes as on the wire. Rows only: a type is a size, a parser and a formatter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv6Address
from typing import TypeAlias, final

from pybpfnf.errors import InputError
from pybpfnf.records import dataclass

Value: TypeAlias = int | bool | IPv6Address
_BOOLS = {"true": True, "false": False, "1": True, "0": False}


@final
@dataclass(frozen=True, slots=True)
class Scalar:
    """One type: `expects` says in an error what would have been taken."""

    size: int
    expects: str
    parse: Callable[[object], bytes | None]  # None: not a value of the type
    format: Callable[[bytes], Value]


def size_of(type_name: str) -> int:
    """Bytes that a value takes."""
    return _scalar(type_name).size


def parse_value(type_name: str, given: object, name: str | None = None) -> bytes:
    """The bytes of a value given as an object (int, bool, IPv6Address) or as text (`10`, `0x0a`, `true`, `fc00::1`).

    Raises InputError that names the variable (`name`, where there is one) and says what the type takes.
    """
    scalar = _scalar(type_name)
    parsed = scalar.parse(given)
    if parsed is None:
        shown = given if isinstance(given, str | IPv6Address) else repr(given)
        raise InputError(f"{name}: {shown} is not {scalar.expects}" if name else f"{shown} is not {scalar.expects}")
    return parsed


def format_value(type_name: str, data: bytes) -> Value:
    """The value that bytes stand for; raises InputError when they are not as many as the type takes."""
    scalar = _scalar(type_name)
    if len(data) != scalar.size:
        raise InputError(f"{len(data)} bytes are not {scalar.expects}, which takes {scalar.size}")
    return scalar.format(data)


def _scalar(type_name: str) -> Scalar:
    if type_name not in SCALARS:
        raise InputError(f"no type {type_name!r}", hint=f"there are: {', '.join(SCALARS)}")
    return SCALARS[type_name]


def _integer(name: str, width: int, signed: bool) -> Scalar:
    low = -(1 << (width - 1)) if signed else 0
    high = (1 << (width - signed)) - 1

    def parse(given: object) -> bytes | None:
        number = _number(given)
        if number is None or not low <= number <= high:
            return None
        return number.to_bytes(width // 8, "little", signed=signed)

    def show(data: bytes) -> int:
        return int.from_bytes(data, "little", signed=signed)

    return Scalar(width // 8, f"a {name} ({low} to {high})", parse, show)


def _number(given: object) -> int | None:
    if isinstance(given, str):
        try:
            return int(given, 0)
        except ValueError:
            return None
    return int(given) if isinstance(given, int) else None


def _parse_bool(given: object) -> bytes | None:
    if isinstance(given, str):
        given = _BOOLS.get(given.lower())
    return bytes([given]) if isinstance(given, int) and given in (0, 1) else None


def _parse_address(given: object) -> bytes | None:
    if isinstance(given, str):
        try:
            given = IPv6Address(given)
        except AddressValueError:
            return None
    # A zone (fe80::1%eth0) has no place in 16 bytes.
    return given.packed if isinstance(given, IPv6Address) and given.scope_id is None else None


def _integers() -> Mapping[str, Scalar]:
    return {
        name: _integer(name, width, signed)
        for signed in (False, True)
        for width in (8, 16, 32, 64)
        for name in [f"{'s' if signed else 'u'}{width}"]
    }


SCALARS: Mapping[str, Scalar] = {
    **_integers(),
    "bool": Scalar(1, "a bool (true or false)", _parse_bool, lambda data: data != b"\0"),
    "IPv6Address": Scalar(16, "an IPv6 address", _parse_address, IPv6Address),
}
"""Every scalar type by the language's spelling."""
