"""Live maps and variables: typed values over maps of bytes, the same whatever holds the bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Any

import pytest

from pybpfnf.errors import InputError
from pybpfnf.image.model import FaultCounters, FaultSite, MapSpec, ObjectImage, Role, Variable
from pybpfnf.live import FaultCount, Live, LiveArray, LiveHash
from pybpfnf.types.layout import ADDRESS, BOOL, U8, U16, U32, U64, ArrayType, FieldType, StructField, StructType

CPUS = 3


class Bytes:
    """A MapAccess on a dict."""

    def __init__(self, spec: MapSpec, contents: dict[bytes, bytes] | None = None) -> None:
        self.spec = spec
        self.contents = contents or {}

    @property
    def value_size(self) -> int:
        return max(map(len, self.contents.values()), default=self.spec.value_size)

    def lookup(self, key: bytes) -> bytes | None:
        return self.contents.get(key)

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        self.contents[key] = value

    def delete(self, key: bytes) -> bool:
        return self.contents.pop(key, None) is not None

    def keys(self) -> Iterator[bytes]:
        return iter(list(self.contents))


class Patched(Bytes):
    """One whose data sections are written in place, as in the kernel while packets flow."""

    def patch(self, offset: int, data: bytes) -> None:
        whole = bytearray(self.contents[bytes(4)])
        whole[offset : offset + len(data)] = data
        self.contents[bytes(4)] = bytes(whole)

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        pytest.fail("the whole section was written, over what programs change meanwhile")


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def array(kind: str, value_size: int, value_type: FieldType | None, *values: bytes) -> Bytes:
    spec = MapSpec("a", kind, 4, value_size, len(values), key_type=U32, value_type=value_type)
    return Bytes(spec, {u32(index): value for index, value in enumerate(values)})


def hash_map(key_type: FieldType | None = U16, value_type: FieldType | None = U64) -> Bytes:
    spec = MapSpec("h", "hash", 2, 8, 100, key_type=key_type, value_type=value_type)
    return Bytes(spec, {b"\1\0": bytes([5, *bytes(7)]), b"\2\0": bytes([6, *bytes(7)])})


def section(kind: type[Bytes] = Bytes) -> Bytes:
    """.data with RATIO (u32 at 0, 100), a neighbour, and PEER (an address at 8)."""
    initial = u32(100) + u32(0xDEADBEEF) + IPv6Address("fc00::1").packed
    return kind(MapSpec(".data", "array", 4, len(initial), 1, initial=initial), {bytes(4): initial})


def config() -> Bytes:
    return Bytes(MapSpec(".rodata", "array", 4, 4, 1, initial=u32(254), frozen=True), {bytes(4): u32(254)})


VARIABLES = {
    "RATIO": Variable("RATIO", Role.STATE, U32, ".data", 0, 4, False, u32(100)),
    "PEER": Variable("PEER", Role.STATE, ADDRESS, ".data", 8, 16, False, bytes(16)),
    "TABLE": Variable("TABLE", Role.CONFIG, U32, ".rodata", 0, 4, False, u32(254)),
}


def live(*maps: Bytes, faults: FaultCounters | None = None) -> Live:
    held = {access.spec.name: access for access in (section(), config(), *maps)}
    specs = {name: access.spec for name, access in held.items()}
    return Live(ObjectImage((), specs, variables=VARIABLES, faults=faults), held)


class Named:
    """What an author defines knows its name."""

    name = "RATIO"


# ----------------------------------------------------------------------------------------------------- variables


def test_a_variable_is_a_value_of_its_type() -> None:
    nf = live()
    assert (nf["RATIO"], nf["PEER"], nf["TABLE"]) == (100, IPv6Address("fc00::1"), 254)


def test_a_variable_answers_to_what_the_author_defined() -> None:
    nf = live()
    nf[Named()] = 5
    assert nf["RATIO"] == 5


@pytest.mark.parametrize("value", [7, "7", "0x7"])
def test_a_state_takes_values_and_their_text(value: object) -> None:
    nf = live()
    nf["RATIO"] = value
    assert nf["RATIO"] == 7


def test_setting_a_state_leaves_its_neighbours_alone() -> None:
    data = section()
    nf = live(data)
    nf["RATIO"] = 7
    assert data.contents[bytes(4)][4:8] == u32(0xDEADBEEF)


def test_where_a_section_can_be_patched_only_the_state_is_written() -> None:
    data = section(Patched)
    nf = live(data)
    nf["PEER"] = "fc00::2"
    assert (nf["PEER"], nf["RATIO"]) == (IPv6Address("fc00::2"), 100)


def test_several_states_change_together_or_not_at_all() -> None:
    nf = live()
    nf.update({"RATIO": "7", "PEER": "fc00::2"})
    assert (nf["RATIO"], nf["PEER"]) == (7, IPv6Address("fc00::2"))
    with pytest.raises(InputError):
        nf.update({"RATIO": "8", "PEER": "no address"})
    assert nf["RATIO"] == 7


def test_a_config_is_constant() -> None:
    with pytest.raises(InputError, match="TABLE is a Config"):
        live()["TABLE"] = 1


def test_a_value_out_of_range_names_the_variable_and_the_range() -> None:
    with pytest.raises(InputError, match=r"^RATIO: 4294967296 is not a u32"):
        live()["RATIO"] = 1 << 32


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(InputError, match="no variable or map 'RATOI'") as caught:
        live()["RATOI"]
    assert caught.value.hint == "did you mean RATIO?"


def test_a_variable_of_another_program_of_the_object_is_not_here() -> None:
    nf = Live(ObjectImage((), {}, variables=VARIABLES), {})
    with pytest.raises(InputError, match="RATIO is a variable of the object, but this program does not use it"):
        nf["RATIO"]
    with pytest.raises(InputError, match="this program does not use it"):
        nf["RATIO"] = 1


def test_names_are_the_variables_and_the_maps_but_no_sections() -> None:
    assert live(hash_map()).names() == ("RATIO", "PEER", "TABLE", "h")


def test_a_section_is_no_map_of_the_author() -> None:
    with pytest.raises(InputError, match="no variable or map"):
        live()[".data"]


def test_a_map_is_not_assigned() -> None:
    with pytest.raises(InputError, match="h is a map"):
        live(hash_map())["h"] = 1


# -------------------------------------------------------------------------------------------------------- arrays


def test_an_array_has_a_length_values_and_indices() -> None:
    a = live(array("array", 4, U32, u32(1), u32(2)))["a"]
    assert isinstance(a, LiveArray)
    a[1] += 5
    assert (len(a), list(a), a[1]) == (2, [1, 7], 7)


@pytest.mark.parametrize("index", [2, -1])
def test_an_index_out_of_range_is_an_index_error(index: int) -> None:
    with pytest.raises(IndexError, match="map a has 2 entries"):
        live(array("array", 4, U32, u32(1), u32(2)))["a"][index]


def per_cpu_u32(*values: int) -> bytes:
    return b"".join(struct.pack("<I4x", value) for value in values)


def test_a_per_cpu_array_reads_as_the_sum() -> None:
    """Beyond the type's range too: the sum is for people, and each CPU counts on its own."""
    a = live(array("percpu_array", 4, U32, per_cpu_u32(1, 2, 0xFFFFFFFF)))["a"]
    assert a[0] == 0x100000002
    assert a.per_cpu(0) == [1, 2, 0xFFFFFFFF]


def test_a_per_cpu_entry_reads_as_what_was_written() -> None:
    access = array("percpu_array", 4, U32, per_cpu_u32(1, 2, 3))
    a = live(access)["a"]
    a[0] = 9
    assert a[0] == 9
    assert len(access.contents[u32(0)]) == 8 * CPUS


def test_addresses_of_several_cpus_have_no_sum() -> None:
    a = live(array("percpu_array", 16, ADDRESS, IPv6Address("::1").packed + IPv6Address("::2").packed))["a"]
    with pytest.raises(InputError, match="these have no sum"):
        a[0]
    assert a.per_cpu(0) == [IPv6Address("::1"), IPv6Address("::2")]


# -------------------------------------------------------------------------------------------------------- hashes


def test_a_hash_is_a_dict() -> None:
    h = live(hash_map())["h"]
    assert isinstance(h, LiveHash)
    del h[1]
    h[3] = 9
    assert dict(h.items()) == {2: 6, 3: 9}
    assert (len(h), 2 in h, 1 in h, h.get(1)) == (2, True, False, None)


def test_a_missing_key_is_a_key_error() -> None:
    h = live(hash_map())["h"]
    with pytest.raises(KeyError):
        h[9]
    with pytest.raises(KeyError):
        del h[9]


def test_what_has_no_type_is_an_unsigned_integer_by_its_size() -> None:
    assert dict(live(hash_map(key_type=None, value_type=None))["h"]) == {1: 5, 2: 6}


def test_what_has_no_type_and_no_integers_size_is_bytes() -> None:
    odd = Bytes(MapSpec("h", "hash", 3, 3, 1), {b"abc": b"def"})
    h = live(odd)["h"]
    h[b"abc"] = b"xyz"
    assert dict(h) == {b"abc": b"xyz"}
    with pytest.raises(InputError, match="map h, value: b'no' is not 3 bytes"):
        h[b"abc"] = b"no"


def test_a_map_that_python_cannot_show_says_so() -> None:
    with pytest.raises(InputError, match="h is a bloom_filter, which has no keys to read"):
        live(Bytes(MapSpec("h", "bloom_filter", 0, 8, 4)))["h"]


# ------------------------------------------------------------------------------- structs of several CPUs, and defaults

COUNT = StructType(
    "Count", 16, 8, (StructField("packets", 0, U64), StructField("sizes", 8, ArrayType(U16, 3)), StructField("ports", 14, U8))
)
NAMED = StructType("Named", 24, 4, (StructField("sid", 0, ADDRESS), StructField("hits", 16, U32), StructField("on", 20, BOOL)))


def per_cpu_structs(type_: StructType, *values: bytes) -> Bytes:
    spec = MapSpec("m", "percpu_hash", 2, type_.size, 4, key_type=U16, value_type=type_)
    return Bytes(spec, {b"\1\0": b"".join(values)})


def test_structs_of_several_cpus_read_as_the_sum_of_each_field_beyond_its_type_too() -> None:
    one, two = struct.pack("<Q3HBx", 5, 1, 2, 3, 200), struct.pack("<Q3HBx", 6, 10, 20, 65535, 100)
    found = live(per_cpu_structs(COUNT, one, two))["m"][1]
    assert (found.packets, found.sizes, found.ports) == (11, [11, 22, 65538], 300)


def test_fields_without_a_sum_are_named_with_what_to_do() -> None:
    m = live(per_cpu_structs(NAMED, bytes(24), bytes(24)))["m"]
    with pytest.raises(InputError, match="map m, value: each CPU has its own, and sid, on have no sum") as caught:
        m[1]
    assert caught.value.hint == "read them with per_cpu(key)"
    assert [each.hits for each in m.per_cpu(1)] == [0, 0]


def with_default(default: int | str, value_type: FieldType, size: int) -> LiveHash[int, Any]:
    spec = MapSpec("h", "hash", 2, size, 4, key_type=U16, value_type=value_type, default=default)
    found: LiveHash[int, Any] = live(Bytes(spec))["h"]
    return found


@pytest.mark.parametrize(
    ("default", "type_", "size", "value"),
    [(7, U32, 4, 7), ("fc00::1", ADDRESS, 16, IPv6Address("fc00::1")), (1, BOOL, 1, True)],
)
def test_a_missing_key_reads_as_the_maps_default_as_it_does_in_a_function(
    default: int | str, type_: FieldType, size: int, value: object
) -> None:
    assert with_default(default, type_, size)[9] == value


def test_a_default_that_is_a_struct_is_read_from_its_bytes() -> None:
    found = with_default((bytes(16) + u32(3) + u32(1)).hex(), NAMED, 24)[9]
    assert (found.hits, found.on) == (3, True)


def test_reading_a_default_makes_no_entry_and_the_other_methods_say_what_is_there() -> None:
    h = with_default(7, U32, 4)
    assert h[9] == 7
    assert (len(h), 9 in h, h.get(9), h.get(9, 1), list(h)) == (0, False, None, 1, [])
    with pytest.raises(KeyError):
        h.per_cpu(9)
    with pytest.raises(KeyError):
        del h[9]
    with pytest.raises(KeyError):
        h.pop(9)
    assert h.pop(9, 5) == 5


def test_an_entry_begins_at_the_default_and_can_be_popped() -> None:
    h = with_default(7, U32, 4)
    h[9] += 1
    assert (h.setdefault(9, 1), h.setdefault(8, 2), dict(h)) == (8, 2, {9: 8, 8: 2})
    assert (h.pop(9), dict(h)) == (8, {8: 2})


# -------------------------------------------------------------------------------------------------- fault counts


def test_fault_counts_come_with_their_sites() -> None:
    sites = tuple(FaultSite(number, "f.py", 10 + number, 1, "why", "f") for number in range(2))
    bss = Bytes(MapSpec(".bss", "array", 4, 24, 1, initial=bytes(24)), {bytes(4): bytes(8) + struct.pack("<QQ", 3, 1 << 40)})
    assert live(bss, faults=FaultCounters(".bss", 8, sites)).faults() == (FaultCount(sites[0], 3), FaultCount(sites[1], 1 << 40))


def test_an_object_without_counters_counts_nothing() -> None:
    assert live().faults() == ()
