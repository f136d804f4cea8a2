"""Values of the language's types as bytes."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybpfnf.errors import InputError
from pybpfnf.types.layout import SCALAR_TYPES, U16, U32
from pybpfnf.types.scalars import decode_scalar, encode_scalar

ADDRESS = bytes.fromhex("fc0000040000000000000000000000a1")


@pytest.mark.parametrize(
    ("type_name", "given", "expected"),
    [
        ("u8", 255, b"\xff"),
        ("u16", "8888", b"\xb8\x22"),
        ("u16", "0x22b8", b"\xb8\x22"),
        ("u32", "1_000", b"\xe8\x03\0\0"),
        ("u64", 2**64 - 1, b"\xff" * 8),
        ("s8", "-128", b"\x80"),
        ("s16", -2, b"\xfe\xff"),
        ("s32", "0x7fffffff", b"\xff\xff\xff\x7f"),
        ("s64", -(2**63), bytes(7) + b"\x80"),
        ("u8", True, b"\1"),
        ("bool", True, b"\1"),
        ("bool", "false", b"\0"),
        ("bool", "TRUE", b"\1"),
        ("bool", "1", b"\1"),
        ("bool", 0, b"\0"),
        ("IPv6Address", "fc00:4::a1", ADDRESS),
        ("IPv6Address", IPv6Address("fc00:4::a1"), ADDRESS),
    ],
)
def test_a_value_is_bytes_in_the_order_of_the_host_and_addresses_as_on_the_wire(type_name: str, given: object, expected: bytes) -> None:
    assert encode_scalar(SCALAR_TYPES[type_name], given) == expected
    assert SCALAR_TYPES[type_name].size == len(expected)


@pytest.mark.parametrize(
    ("type_name", "given", "message"),
    [
        ("u8", 256, "256 is not a u8 (0 to 255)"),
        ("u16", -1, "-1 is not a u16 (0 to 65535)"),
        ("s8", "128", "128 is not a s8 (-128 to 127)"),
        ("u32", "many", "many is not a u32 (0 to 4294967295)"),
        ("u32", "", " is not a u32 (0 to 4294967295)"),
        ("u32", 1.0, "1.0 is not a u32 (0 to 4294967295)"),
        ("u32", None, "None is not a u32 (0 to 4294967295)"),
        ("u32", b"\1\0\0\0", "b'\\x01\\x00\\x00\\x00' is not a u32 (0 to 4294967295)"),
        ("u8", IPv6Address("::1"), "::1 is not a u8 (0 to 255)"),
        ("bool", 2, "2 is not a bool (true or false)"),
        ("bool", "yes please", "yes please is not a bool (true or false)"),
        ("IPv6Address", "fc00::g", "fc00::g is not an IPv6 address"),
        ("IPv6Address", "192.0.2.1", "192.0.2.1 is not an IPv6 address"),
        ("IPv6Address", IPv4Address("192.0.2.1"), "IPv4Address('192.0.2.1') is not an IPv6 address"),
        ("IPv6Address", "fe80::1%eth0", "fe80::1%eth0 is not an IPv6 address"),
        ("IPv6Address", 1, "1 is not an IPv6 address"),
    ],
)
def test_a_value_that_is_none_of_the_type_is_told_what_the_type_takes(type_name: str, given: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        encode_scalar(SCALAR_TYPES[type_name], given)
    assert caught.value.message == message


def test_an_error_names_the_variable_where_there_is_one() -> None:
    with pytest.raises(InputError) as caught:
        encode_scalar(U16, 70000, "PORT")
    assert caught.value.message == "PORT: 70000 is not a u16 (0 to 65535)"


@given(st.sampled_from(sorted(SCALAR_TYPES)), st.data())
def test_bytes_to_value_to_bytes_is_the_identity(type_name: str, data: st.DataObject) -> None:
    type_ = SCALAR_TYPES[type_name]
    raw = data.draw(st.sampled_from([b"\0", b"\1"]) if type_name == "bool" else st.binary(min_size=type_.size, max_size=type_.size))
    value = decode_scalar(type_, raw)
    assert encode_scalar(type_, value) == raw
    assert encode_scalar(type_, str(value)) == raw


def test_too_few_bytes_are_no_value() -> None:
    with pytest.raises(InputError, match="3 bytes are not a u32"):
        decode_scalar(U32, b"abc")
