"""Variables, fault sites and programs' own words: what `.pybpfnf` lists, and what BTF gives for objects from elsewhere."""

from __future__ import annotations

import pytest

from pybpfnf.errors import ObjectError
from pybpfnf.image import read
from pybpfnf.image.meta import Meta, MetaMap, MetaProgram, MetaSite, MetaVariable, decode_meta, encode_meta
from pybpfnf.image.model import FaultCounters, FaultSite, Role
from pybpfnf.types.layout import S64, U32
from tests.image.objects import ORIGINS, Origin, committed


@ORIGINS
@pytest.mark.parametrize(
    ("name", "role", "type_", "map_", "default"),
    [
        ("TABLE", Role.CONFIG, "u32", ".rodata", bytes([254, 0, 0, 0])),
        ("PORT", Role.CONFIG, "u16", ".rodata", (8888).to_bytes(2, "little")),
        ("STRICT", Role.CONFIG, "bool", ".rodata", b"\1"),
        ("COLLECTOR", Role.CONFIG, "IPv6Address", ".rodata", bytes.fromhex("fc000009000000000000000000000009")),
        ("total", Role.STATE, "u64", ".data", bytes([7] + 7 * [0])),
        ("balance", Role.STATE, "s32", ".data", bytes([254, 255, 255, 255])),
        ("seen", Role.STATE, "u32", ".bss", bytes(4)),
    ],
)
def test_scalars_of_a_c_object_are_variables(origin: Origin, name: str, role: Role, type_: str, map_: str, default: bytes) -> None:
    variable = read(origin("data")).variables[name]
    assert (variable.role, str(variable.type), variable.map, variable.default) == (role, type_, map_, default)
    assert (variable.size, variable.required) == (len(default), False)


@ORIGINS
def test_arrays_of_a_c_object_are_no_variables(origin: Origin) -> None:
    assert not {"table", "names", "_license"} & set(read(origin("data")).variables)


@ORIGINS
def test_where_an_object_lists_its_variables_there_are_no_others(origin: Origin) -> None:
    assert set(read(origin("meta")).variables) == {"COLLECTOR", "RATIO", "TABLE"}


@ORIGINS
def test_a_listed_variable_is_found_through_its_symbol(origin: Origin) -> None:
    image = read(origin("meta"))
    collector, ratio = image.variables["COLLECTOR"], image.variables["RATIO"]
    assert (collector.role, str(collector.type), collector.required, collector.size) == (Role.CONFIG, "IPv6Address", True, 16)
    assert (ratio.role, ratio.map, ratio.default) == (Role.STATE, ".data", bytes([100, 0, 0, 0]))


@ORIGINS
def test_fault_sites_are_numbered_in_order_and_counted_at_their_symbol(origin: Origin) -> None:
    assert read(origin("meta")).faults == FaultCounters(
        ".bss",
        0,
        (
            FaultSite(0, "probe.py", 11, 5, "sessions has no such key", "probe"),
            FaultSite(1, "probe.py", 14, 8, "division by zero", "probe"),
        ),
    )


@ORIGINS
def test_listed_programs_and_maps_have_what_is_said_of_them(origin: Origin) -> None:
    image = read(origin("meta"))
    probe = image.program("probe")
    assert (probe.type, probe.on_fault, probe.doc) == ("lwt_xmit", 0, "Probe a path.")
    sessions = image.maps["sessions"]
    assert (sessions.key_type, sessions.value_type, sessions.default) == (U32, S64, 0)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (b'"RATIO":{', b'"ROTIO":{', "section .pybpfnf lists 'ROTIO', but no data section has a symbol of that name"),
        (b'"role":"state"', b'"role":"stale"', "section .pybpfnf lists 'RATIO' as 'stale' of type 'u32'"),
        (b'"type":"IPv6Address"', b'"type":"IPv4Address"', "section .pybpfnf lists 'COLLECTOR' as 'config' of type 'IPv4Address'"),
        (b'"sessions":{', b'"sossions":{', "section .pybpfnf lists a map 'sossions', which the object does not have"),
        (b'"type":"lwt_xmit"', b'"type":"lwt_emit"', "section .pybpfnf gives program 'probe' the type 'lwt_emit', which is not known"),
        (b'"version":1', b'"version":9', "section .pybpfnf has version 9; this release reads version 1"),
        (b'"on_fault":0', b'"on_fault":[', "section .pybpfnf is not JSON"),
        (b'"line":11,', b'"line":"",', "section .pybpfnf is malformed: '' as line"),
    ],
)
def test_a_listing_that_does_not_fit_its_object_is_an_object_error(before: bytes, after: bytes, message: str) -> None:
    data = committed("meta").replace(before, after)
    with pytest.raises(ObjectError) as caught:
        read(data, name="probe.o")
    assert caught.value.message.startswith(f"probe.o: {message}")


META = Meta(
    programs={"probe": MetaProgram("lwt_in", 0, "Straße")},
    variables={"RATIO": MetaVariable("state", "u32", False)},
    maps={"paths": MetaMap("u32", "IPv6Address", "::1"), "plain": MetaMap("u32", "u64")},
    sites=(MetaSite("probe.py", 3, 1, "no such key", "probe"),),
    counted=False,
)


def test_a_listing_survives_its_encoding() -> None:
    assert decode_meta(encode_meta(META)) == META
    assert decode_meta(encode_meta(META) + b"\0\0") == META  # a C string, or padding


def test_the_same_listing_is_the_same_bytes() -> None:
    reordered = Meta(META.programs, META.variables, dict(reversed(tuple(META.maps.items()))), META.sites, META.counted)
    assert encode_meta(reordered) == encode_meta(META)


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b'{"version":1}', b"\xff", b'{"version":1,"programs":3}', b'"' * 7])
def test_anything_else_is_an_object_error(data: bytes) -> None:
    with pytest.raises(ObjectError, match=r"section \.pybpfnf"):
        decode_meta(data)
