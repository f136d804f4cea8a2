"""Values with units, as files write them: `5ms`, `100Mbit`, `64kB`, `50 packets`, `0.1%`. A number without its unit is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from pybpfnf.errors import InputError
from pybpfnf.lab.topology import Bytes, Packets, Queue

_TIMES: Mapping[str, int] = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
_RATES: Mapping[str, int] = {"bit": 1, "kbit": 10**3, "Mbit": 10**6, "Gbit": 10**9}
_SIZES: Mapping[str, int] = {"B": 1, "kB": 10**3, "MB": 10**6, "KiB": 1 << 10, "MiB": 1 << 20}
_COUNTS: Mapping[str, int] = {"packet": 1, "packets": 1}
_VALUE = re.compile(r"([+-]?)([0-9]+(?:\.[0-9]+)?) ?([A-Za-z%]*)")


def read_time(text: str, *, signed: bool = False) -> int:
    """Nanoseconds; raises InputError, as all here do."""
    amount, _ = _amount(text, _TIMES, "a time", "5ms", signed=signed)
    return _whole(amount, text, "nanoseconds")


def read_rate(text: str) -> int:
    """Bits a second, at least 1."""
    amount, _ = _amount(text, _RATES, "a rate in bits a second", "100Mbit")
    return _at_least_one(_whole(amount, text, "bits a second"), "a rate")


def read_queue(text: str) -> Queue:
    amount, unit = _amount(text, {**_SIZES, **_COUNTS}, "the length of a queue", "50 packets` or `64kB")
    count = _at_least_one(_whole(amount, text, "bytes" if unit in _SIZES else "packets"), "a queue")
    return Packets(count) if unit in _COUNTS else Bytes(count)


def read_share(text: str) -> float:
    """A share from 0 to 1, of a percentage."""
    amount, _ = _amount(text, {"%": 1}, "a share", "0.1%")
    if amount > 100:
        raise InputError(f"`{text}` is more than all", hint="a share goes from 0% to 100%")
    return float(amount / 100)


def time_text(nanoseconds: int) -> str:
    """As `read_time` takes it, in the largest unit that needs no fraction."""
    unit = next(unit for unit, size in reversed(tuple(_TIMES.items())) if nanoseconds % size == 0)
    return f"{nanoseconds // _TIMES[unit]}{unit}"


def rate_text(bits: int) -> str:
    """As `read_rate` takes it."""
    unit = next(unit for unit, size in reversed(tuple(_RATES.items())) if bits % size == 0)
    return f"{bits // _RATES[unit]}{unit}"


def queue_text(queue: Queue) -> str:
    """As `read_queue` takes it."""
    return f"{queue.count}B" if isinstance(queue, Bytes) else f"{queue.count} packets"


def _amount(text: str, units: Mapping[str, int], what: str, example: str, *, signed: bool = False) -> tuple[Fraction, str]:
    """What is written, in the smallest unit, and the unit that it is written in."""
    found = _VALUE.fullmatch(text)
    hint = f"write it as `{example}`; the units are {', '.join(units)}"
    if found is None:
        raise InputError(f"`{text}` is not {what}", hint=hint)
    sign, number, unit = found.groups()
    if unit not in units:
        said = f"`{unit}` is no unit" if unit else f"`{text}` has no unit"
        raise InputError(f"{said} of {what}", hint=hint)
    if sign == "-" and not signed:
        raise InputError(f"{what} cannot be negative", hint=hint)
    return Fraction(f"{sign}{number}") * units[unit], unit


def _whole(amount: Fraction, text: str, of: str) -> int:
    if amount.denominator != 1:
        raise InputError(f"`{text}` is no whole number of {of}")
    return int(amount)


def _at_least_one(count: int, what: str) -> int:
    if count < 1:
        raise InputError(f"{what} of 0 would carry nothing", hint="leave it out for no bound" if what == "a rate" else None)
    return count
