"""Values of arrays and structs as bytes, as Python sees them, and types as JSON."""

from __future__ import annotations

import json
from ipaddress import IPv6Address
from types import SimpleNamespace

import pytest

from pybpfnf.errors import InputError
from pybpfnf.types.document import type_document, type_from
from pybpfnf.types.layout import ADDRESS, BOOL, S16, SCALAR_TYPES, U8, U16, U32, ArrayType, FieldType, OctetsType, StructField, StructType
from pybpfnf.types.values import as_values, decode, encode

INNER = StructType("Inner", 4, 2, (StructField("low", 0, U8), StructField("high", 2, S16)))
OUTER = StructType(
    "Outer",
    36,
    4,
    (
        StructField("sid", 0, ADDRESS),
        StructField("session", 16, U32, bits=24),
        StructField("kind", 16, U32, bits=8, shift=24),
        StructField("inner", 20, ArrayType(INNER, 2)),
        StructField("raw", 28, OctetsType(3)),
        StructField("on", 31, BOOL),
        StructField("tag", 32, U16),
    ),
)
VALUES = {
    "sid": IPv6Address("fc00::1"),
    "session": 0x030201,
    "kind": 4,
    "inner": [{"low": 5, "high": -2}, {"low": 6, "high": 7}],
    "raw": b"abc",
    "on": True,
    "tag": 0x0A09,
}
BYTES = IPv6Address("fc00::1").packed + bytes((1, 2, 3, 4, 5, 0, 254, 255, 6, 0, 7, 0)) + b"abc\x01\x09\x0a\0\0"


def test_a_struct_lies_in_memory_as_in_c_with_zeros_in_its_gaps() -> None:
    assert encode(OUTER, VALUES, "m") == BYTES
    assert decode(OUTER, BYTES) == VALUES


def test_any_object_with_the_fields_as_attributes_is_a_struct() -> None:
    inner = [SimpleNamespace(low=5, high=-2), {"low": 6, "high": 7}]
    assert encode(OUTER, SimpleNamespace(**{**VALUES, "inner": inner}), "m") == BYTES


def test_raw_bytes_may_be_given_as_numbers_and_scalars_as_text() -> None:
    assert encode(OUTER, {**VALUES, "raw": [97, 98, 99], "sid": "fc00::1", "tag": "0x0a09"}, "m") == BYTES


def test_without_a_class_fields_are_attributes() -> None:
    found = as_values(OUTER, decode(OUTER, BYTES))
    assert (found.inner[1].high, found.kind) == (7, 4)
    with pytest.raises(AttributeError, match="Inner has no field 'hihg': it has low, high"):
        found.inner[0].hihg  # noqa: B018 reading it is what fails


@pytest.mark.parametrize(
    ("type_", "given", "message"),
    [
        (OUTER, {**VALUES, "session": 1 << 24}, "m.session: 16777216 does not fit 24 bits"),
        (OUTER, {**VALUES, "inner": [{"low": 256, "high": 0}] * 2}, "m.inner[0].low: 256 is not a u8 (0 to 255)"),
        (OUTER, {**VALUES, "inner": []}, "m.inner: [] is not 2 values"),
        (OUTER, {**VALUES, "raw": b"ab"}, "m.raw: b'ab' is not 3 bytes"),
        (INNER, {"low": 1}, "m: {'low': 1} has no high"),
        (INNER, {"low": 1, "high": 2, "top": 3}, "m: {'low': 1, 'high': 2, 'top': 3} has top, which Inner has not"),
    ],
)
def test_what_is_no_value_of_the_type_is_named_with_its_field(type_: FieldType, given: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        encode(type_, given, "m")
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("type_", "given"), [(U8, "5"), (U8, True), (BOOL, 1), (ADDRESS, "::1"), (OctetsType(1), [5]), (INNER, {"low": 1, "high": 2})]
)
def test_an_exact_value_is_one_that_a_program_may_write(type_: FieldType, given: object) -> None:
    encode(type_, given, "m")
    with pytest.raises(InputError, match=r"^m: "):
        encode(type_, given, "m", exact=True)


@pytest.mark.parametrize("type_", [None, *SCALAR_TYPES.values(), OctetsType(5), ArrayType(INNER, 3), OUTER], ids=str)
def test_a_type_survives_its_json(type_: FieldType | None) -> None:
    assert type_from(json.loads(json.dumps(type_document(type_)))) == type_
