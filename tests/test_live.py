"""Live maps and variables: typed values over maps of bytes, the same whatever holds the bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest

from pybpfnf.errors import InputError
from pybpfnf.image.model import FaultCounters, FaultSite, MapSpec, ObjectImage, Role, Variable
from pybpfnf.live import FaultCount, Live, LiveArray, LiveHash
from pybpfnf.types.layout import ADDRESS, U16, U32, U64, FieldType

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
    with pytest.raises(InputError, match="have no sum"):
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


def test_a_ring_buffer_has_no_entries_to_read() -> None:
    with pytest.raises(InputError, match="h is a ringbuf"):
        live(Bytes(MapSpec("h", "ringbuf", 0, 0, 4096)))["h"]


# -------------------------------------------------------------------------------------------------- fault counts


def test_fault_counts_come_with_their_sites() -> None:
    sites = tuple(FaultSite(number, "f.py", 10 + number, 1, "why", "f") for number in range(2))
    bss = Bytes(MapSpec(".bss", "array", 4, 24, 1, initial=bytes(24)), {bytes(4): bytes(8) + struct.pack("<QQ", 3, 1 << 40)})
    assert live(bss, faults=FaultCounters(".bss", 8, sites)).faults() == (FaultCount(sites[0], 3), FaultCount(sites[1], 1 << 40))


def test_an_object_without_counters_counts_nothing() -> None:
    assert live().faults() == ()
