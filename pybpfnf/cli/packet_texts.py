"""Packets that a user writes on the command line: hexadecimal digits, or an expression of scapy."""

from __future__ import annotations

import re
import struct
from typing import Any

from pybpfnf.errors import InputError, SystemLacksError

# What a wrong expression raises, or scapy where a field's value is wrong.
_WRONG = (NameError, TypeError, ValueError, SyntaxError, AttributeError, LookupError, ArithmeticError, OSError, struct.error)
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F\s]+")


def packet_of(text: str) -> bytes:
    """From its IP header on. Raises InputError for what is neither, SystemLacksError for scapy's where there is no scapy."""
    if _HEX.fullmatch(text):
        try:
            return bytes.fromhex(text.removeprefix("0x"))
        except ValueError as error:
            raise InputError(f"--packet {text!r} is no packet in hex: {error}") from None
    scapy = _scapy()
    try:
        # The user's own command line, as in scapy's own shell.
        made: Any = eval(text, vars(scapy))
        while type(made).__name__ not in ("IPv6", "IP") and getattr(made, "payload", None):
            made = made.payload
        return bytes(made)
    except _WRONG as error:
        raise InputError(f"--packet {text!r} makes no packet: {error}", hint="write hex, or such as IPv6(dst='fc00::1')/UDP()") from None


def _scapy() -> Any:
    try:
        import scapy.all as scapy  # here: it is no dependency of the package
    except ImportError:
        raise SystemLacksError("packets in scapy's words need the Python package scapy", hint="pip install scapy, or give hex") from None
    return scapy
