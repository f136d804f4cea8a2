"""Values as text: what is written for each type becomes what `encode` takes, and what is not says how to write it."""

from __future__ import annotations

import pytest

from pybpfnf.errors import InputError
from pybpfnf.types.layout import ADDRESS, BOOL, U16, U32, ArrayType, FieldType, OctetsType, StructField, StructType
from pybpfnf.types.values import encode
from pybpfnf.types.written import value_of, written_as

INNER = StructType("Inner", 8, 4, (StructField("a", 0, U16), StructField("b", 4, U32)))
OUTER = StructType(
    "Outer", 16, 4, (StructField("inner", 0, INNER), StructField("ports", 8, ArrayType(U16, 2)), StructField("raw", 12, OctetsType(2)))
)


@pytest.mark.parametrize(
    ("type_", "text", "data"),
    [
        (U16, "0x102", "0201"),
        (BOOL, "true", "01"),
        (ADDRESS, "fd00::1", "fd00" + "00" * 13 + "01"),
        (OctetsType(3), "0a0B0c", "0a0b0c"),
        (ArrayType(U16, 2), "[1, 2]", "01000200"),
        (ArrayType(U16, 2), "1,2", "01000200"),
        (INNER, "b=2,a=1", "0100000002000000"),
        (OUTER, "inner={a=1,b=2},ports=[3,4],raw=6162", "010000000200000003000400" + "61620000"),
    ],
)
def test_text_is_the_value_of_its_type(type_: FieldType, text: str, data: str) -> None:
    assert encode(type_, value_of(type_, text, "x"), "x").hex() == data


@pytest.mark.parametrize(
    ("type_", "text", "message"),
    [
        (ArrayType(U16, 2), "[1]", r"x: \['1'\] is not 2 values"),
        (ArrayType(U16, 2), "[]", r"x: \[\] is not 2 values"),
        (OUTER, "inner={a=1},ports=[3,4],raw=6162", r"x\.inner: 'a=1' has no b"),
        (OUTER, "inner={a=1,b=x},ports=[3,4],raw=6162", r"x\.inner\.b: x is not a u32"),
        (INNER, "", "x: '' has no a, b"),
    ],
)
def test_what_is_no_value_says_where(type_: FieldType, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        encode(type_, value_of(type_, text, "x"), "x")


def test_a_hint_shows_every_field() -> None:
    assert written_as(OUTER) == "inner={a=u16,b=u32},ports=[u16,...],raw=HEX"
