"""Live maps: bytes in, bytes out."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from pybpfnf.errors import InputError, KernelError, SystemLacksError
from pybpfnf.image.model import MapSpec
from pybpfnf.kernel.maps import Map, create_map, kernel_name, map_spec, open_map, possible_cpus
from tests.kernel.by_id import map_by_id
from tests.kernel.programs import COUNTER, STATE, TABLE

pytestmark = pytest.mark.kernel

HASH = MapSpec("flows", "hash", key_size=4, value_size=3, max_entries=4)


def key(number: int) -> bytes:
    return struct.pack("=I", number)


def test_a_hash_gives_back_what_was_put_in() -> None:
    with create_map(HASH) as flows:
        assert flows.lookup(key(7)) is None
        flows.update(key(7), b"abc")
        flows.update(key(8), b"xyz")
        assert flows.lookup(key(7)) == b"abc"
        assert sorted(flows.keys()) == sorted([key(7), key(8)])
        assert flows.delete(key(7))
        assert not flows.delete(key(7))


def test_keys_may_be_deleted_while_they_are_listed() -> None:
    with create_map(HASH) as flows:
        for number in range(4):
            flows.update(key(number), b"abc")
        assert len([flows.delete(each) for each in flows.keys()]) == 4  # noqa: SIM118 a map is no dict
        assert list(flows.keys()) == []


def test_a_per_cpu_value_is_every_cpus_value_padded_to_eight_bytes() -> None:
    with create_map(MapSpec("per", "percpu_array", key_size=4, value_size=5, max_entries=1)) as per:
        assert per.value_size == 8 * possible_cpus()
        values = b"".join(bytes([cpu] * 5 + [0] * 3) for cpu in range(possible_cpus()))
        per.update(key(0), values)
        assert per.lookup(key(0)) == values


def test_wrong_sizes_are_refused_before_the_kernel_reads_past_them() -> None:
    with create_map(HASH) as flows:
        with pytest.raises(InputError, match="a key has 4 bytes, not 2"):
            flows.lookup(b"ab")
        with pytest.raises(InputError, match="a value has 3 bytes, not 4"):
            flows.update(key(1), b"abcd")


def test_what_the_kernel_refuses_is_named() -> None:
    with create_map(COUNTER) as counter, pytest.raises(KernelError, match="cannot delete a key from map counter: Invalid argument"):
        counter.delete(key(0))
    with create_map(replace(HASH, max_entries=1)) as flows:
        flows.update(key(1), b"abc")
        with pytest.raises(KernelError, match="cannot set a value in map flows: Argument list too long"):
            flows.update(key(2), b"abc")


def test_a_data_section_starts_with_its_contents_and_is_patched_in_place() -> None:
    with create_map(STATE) as state:
        state.patch(3, b"XY")
        assert state.lookup(key(0)) == bytes((0, 1, 2)) + b"XY" + bytes(range(5, 16))
        with pytest.raises(InputError, match="no data section of 17 bytes"):
            state.patch(15, b"XY")


def test_a_frozen_map_is_constant_in_user_space() -> None:
    with create_map(TABLE) as table, pytest.raises(InputError, match="constant once its program is loaded"):
        table.patch(0, b"x")
    with (
        create_map(TABLE) as table,
        open_map(map_by_id(_id(table)), replace(TABLE, frozen=False)) as again,
        pytest.raises(SystemLacksError, match=r"not permitted to set a value in map \.rodata"),
    ):
        again.update(key(0), bytes(4))


def test_a_map_is_opened_by_id_with_its_spec_read_back() -> None:
    with create_map(HASH) as flows:
        flows.update(key(1), b"abc")
        with open_map(map_by_id(_id(flows)), HASH) as again:
            assert again.lookup(key(1)) == b"abc"
        with pytest.raises(InputError, match="map flows is not the one that was created"):
            open_map(map_by_id(_id(flows)), replace(HASH, value_size=4))


def test_names_become_valid_for_the_kernel() -> None:
    assert kernel_name(".rodata.str1.1") == b".rodata.str1.1"
    assert kernel_name("größe of all") == b"gr____e_of_all"
    assert kernel_name("a_name_that_is_too_long") == b"a_name_that_is_"


def test_a_closed_map_says_so() -> None:
    flows = create_map(HASH)
    flows.close()
    flows.close()
    with pytest.raises(ValueError, match="closed"):
        flows.lookup(key(1))


def _id(live: Map) -> int:
    with open(f"/proc/self/fdinfo/{live.fd}", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("map_id:"))


def test_the_spec_that_the_kernel_tells_is_the_one_that_was_asked_for() -> None:
    with create_map(HASH) as flows, map_by_id(_id(flows)) as fd:
        assert map_spec(fd) == HASH
