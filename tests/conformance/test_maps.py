"""Maps, from a program and from user space (kernel/bpf/arraymap.c, hashtab.c, lpm_trie.c): on the VM and in the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from errno import E2BIG, EEXIST, EINVAL, ENOENT, ENOSPC

import pytest

from pybpfnf.abi.maps import BPF_F_NO_PREALLOC
from pybpfnf.abi.text import parse
from pybpfnf.errors import InputError, KernelError
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.runner import Environment, Runner, Session
from pybpfnf.testing import packets

PACKET = packets.srv6(["fc00:c::2", "fc00:a::1"])
ANY, NOEXIST, EXIST = 0, 1, 2
MAPS = (
    MapSpec("array", "array", 4, 8, 4),
    MapSpec("hash", "hash", 4, 8, 2),
    MapSpec("lru", "lru_hash", 4, 8, 2),
    MapSpec("cpu_array", "percpu_array", 4, 8, 2),
    MapSpec("cpu_hash", "percpu_hash", 4, 8, 2),
    MapSpec(".data", "array", 4, 16, 1, initial=bytes(range(16))),
    MapSpec(".rodata", "array", 4, 8, 1, initial=b"constant", frozen=True),
)
LPM = MapSpec("lpm", "lpm_trie", 8, 8, 8, flags=BPF_F_NO_PREALLOC)  # without which the kernel makes none

# r2 and r3 point to the key and the value that the packet's program keeps at r10 - 8 and r10 - 16.
_ARGUMENTS = "r2 = r10\nr2 += -8\nr3 = r10\nr3 += -16\n"


def _session(runner: Runner, text: str, *extra: MapSpec) -> Session:
    maps = {spec.name: spec for spec in (*MAPS, *extra)}
    # Every map is named once, so that each engine makes it.
    names = "".join(f"r1 = map[{name}]\n" for name in maps)
    program = ProgramImage("maps", "lwt_seg6local", "lwt_seg6local", parse(names + text))
    return runner.open(ObjectImage((program,), maps, "GPL"), program, Environment())


def _verdict(runner: Runner, text: str) -> int:
    """r0 of a program, as the signed 32 bits of its return value."""
    with _session(runner, text) as session:
        verdict = session.run(PACKET).verdict
    assert verdict is not None
    return verdict - (1 << 32) if verdict >> 31 else verdict


def _update(name: str, key: int, value: int, flags: int) -> str:
    return f"*(u64 *)(r10 - 8) = {key}\n*(u64 *)(r10 - 16) = {value}\n{_ARGUMENTS}r4 = {flags}\nr1 = map[{name}]\ncall map_update_elem\n"


def _lookup(name: str, key: int) -> str:
    """r0: the value's low half, or -1 where there is none."""
    return (
        f"*(u64 *)(r10 - 8) = {key}\n{_ARGUMENTS}r1 = map[{name}]\ncall map_lookup_elem\n"
        "if r0 == 0 goto +2\nr0 = *(u32 *)(r0 + 0)\ngoto +1\nr0 = -1\n"
    )


def _delete(name: str, key: int) -> str:
    return f"*(u64 *)(r10 - 8) = {key}\n{_ARGUMENTS}r1 = map[{name}]\ncall map_delete_elem\n"


def _add(amount: int) -> str:
    """Add to the array's first value through a pointer."""
    return (
        f"*(u64 *)(r10 - 8) = 0\n{_ARGUMENTS}r1 = map[array]\ncall map_lookup_elem\n"
        f"if r0 == 0 goto +2\nr1 = {amount}\nlock *(u64 *)(r0 + 0) += r1\n"
    )


FROM_PROGRAMS = {
    "an array element is there and zero": (_lookup("array", 3), 0),
    "an index out of range is not": (_lookup("array", 4), -1),
    "an array element takes a value": (_update("array", 3, 7, ANY) + _lookup("array", 3), 7),
    "an array element exists": (_update("array", 0, 7, NOEXIST), -EEXIST),
    "an array has no room past its end": (_update("array", 4, 7, ANY), -E2BIG),
    "flags that do not exist": (_update("array", 0, 7, 3), -EINVAL),
    "array elements are not deleted": (_delete("array", 0), -EINVAL),
    "a hash begins empty": (_lookup("hash", 0), -1),
    "a hash takes a key": (_update("hash", 5, 7, ANY) + _lookup("hash", 5), 7),
    "a new key only": (_update("hash", 5, 7, ANY) + _update("hash", 5, 8, NOEXIST), -EEXIST),
    "an old key only": (_update("hash", 5, 7, EXIST), -ENOENT),
    "an old key": (_update("hash", 5, 7, ANY) + _update("hash", 5, 8, EXIST) + _lookup("hash", 5), 8),
    "a full hash": (_update("hash", 1, 7, ANY) + _update("hash", 2, 7, ANY) + _update("hash", 3, 7, ANY), -E2BIG),
    "a full hash takes an old key": (_update("hash", 1, 7, ANY) + _update("hash", 2, 7, ANY) + _update("hash", 2, 9, ANY), 0),
    "hash flags that do not exist": (_update("hash", 5, 7, 3), -EINVAL),
    "a deleted key": (_update("hash", 5, 7, ANY) + _delete("hash", 5) + _lookup("hash", 5), -1),
    "a missing key to delete": (_delete("hash", 5), -ENOENT),
    "a full LRU hash makes room": (
        _update("lru", 1, 7, ANY) + _update("lru", 2, 7, ANY) + _update("lru", 3, 9, ANY) + _lookup("lru", 3), 9,
    ),
    "a per-CPU array element": (_update("cpu_array", 1, 7, ANY) + _lookup("cpu_array", 1), 7),
    "a per-CPU hash key": (_update("cpu_hash", 1, 7, ANY) + _update("cpu_hash", 1, 8, ANY) + _lookup("cpu_hash", 1), 8),
    "another CPU's value": (
        _update("cpu_hash", 1, 7, ANY) + f"{_ARGUMENTS}r1 = map[cpu_hash]\nr3 = 1\ncall map_lookup_percpu_elem\n"
        "if r0 == 0 goto +2\nr0 = *(u32 *)(r0 + 0)\ngoto +1\nr0 = -1\n", 0,
    ),
    "a CPU that does not exist": (
        _update("cpu_hash", 1, 7, ANY) + f"{_ARGUMENTS}r1 = map[cpu_hash]\nr3 = 4096\ncall map_lookup_percpu_elem\n"
        "if r0 == 0 goto +2\nr0 = *(u32 *)(r0 + 0)\ngoto +1\nr0 = -1\n", -1,
    ),
    "a pointer reaches the value itself": (
        _add(5) + _lookup("array", 0), 5,
    ),
    "a deleted value is readable until the program ends": (
        _update("hash", 1, 7, ANY) + f"{_ARGUMENTS}r1 = map[hash]\ncall map_lookup_elem\nr6 = r0\nif r0 == 0 goto +6\n"
        + "r2 = r10\nr2 += -8\nr1 = map[hash]\ncall map_delete_elem\nr0 = *(u32 *)(r6 + 0)\n", 7,
    ),
    "a variable by its address": ("r1 = map[.data]+4\nr0 = *(u8 *)(r1 + 1)\n", 5),
    "a constant by its address": ("r1 = map[.rodata]+0\nr0 = *(u8 *)(r1 + 0)\n", ord("c")),
}  # fmt: skip


@pytest.mark.parametrize("name", FROM_PROGRAMS)
def test_a_program_finds(runner: Runner, name: str) -> None:
    text, expected = FROM_PROGRAMS[name]
    assert _verdict(runner, f"{text}exit") == expected


@pytest.fixture
def session(runner: Runner) -> Iterator[Session]:
    with _session(runner, "r0 = 0\nexit", LPM) as opened:
        yield opened


def key(number: int) -> bytes:
    return number.to_bytes(4, "little")


VALUE, OTHER = b"12345678", b"abcdefgh"


def test_user_space_reads_what_it_wrote(session: Session) -> None:
    session.maps["hash"].update(key(3), VALUE)
    assert (session.maps["hash"].lookup(key(3)), session.maps["hash"].lookup(key(4))) == (VALUE, None)


def test_user_space_lists_and_deletes_keys(session: Session) -> None:
    session.maps["hash"].update(key(3), VALUE)
    session.maps["hash"].update(key(4), VALUE)
    assert sorted(session.maps["hash"].keys()) == [key(3), key(4)]
    assert (session.maps["hash"].delete(key(3)), session.maps["hash"].delete(key(3))) == (True, False)
    assert list(session.maps["array"].keys()) == [key(index) for index in range(4)]


@pytest.mark.parametrize(
    ("name", "number", "flags", "error"),
    [("array", 4, ANY, E2BIG), ("array", 0, NOEXIST, EEXIST), ("hash", 0, EXIST, ENOENT), ("hash", 0, 7, EINVAL)],
)
def test_user_space_gets_the_kernels_error(session: Session, name: str, number: int, flags: int, error: int) -> None:
    with pytest.raises(KernelError) as raised:
        session.maps[name].update(key(number), VALUE, flags)
    assert raised.value.errno == error


def test_an_array_element_cannot_be_deleted(session: Session) -> None:
    with pytest.raises(KernelError) as raised:
        session.maps["array"].delete(key(0))
    assert raised.value.errno == EINVAL


@pytest.mark.parametrize(("wrong_key", "wrong_value"), [(b"abc", VALUE), (key(0), b"short")])
def test_a_key_or_value_of_another_size_is_refused(session: Session, wrong_key: bytes, wrong_value: bytes) -> None:
    with pytest.raises(InputError):
        session.maps["hash"].update(wrong_key, wrong_value)


def test_a_frozen_section_is_refused(session: Session) -> None:
    with pytest.raises(InputError, match="is constant once its program is loaded"):
        session.maps[".rodata"].update(key(0), VALUE)


def test_a_data_section_begins_with_its_contents(session: Session) -> None:
    assert session.maps[".data"].lookup(key(0)) == bytes(range(16))


def test_a_per_cpu_value_is_that_of_all_cpus(session: Session) -> None:
    before = session.maps["cpu_array"].lookup(key(0))
    assert before is not None
    copies = bytes(range(len(before)))
    session.maps["cpu_array"].update(key(0), copies)
    assert session.maps["cpu_array"].lookup(key(0)) == copies


def prefix(length: int, *octets: int) -> bytes:
    return length.to_bytes(4, "little") + bytes(octets)


def test_the_longest_prefix_matches(session: Session) -> None:
    table = session.maps["lpm"]
    table.update(prefix(8, 10, 0, 0, 0), VALUE)
    table.update(prefix(16, 10, 1, 99, 99), OTHER)
    found = [table.lookup(prefix(32, *octets)) for octets in ((10, 2, 3, 4), (10, 1, 2, 3), (11, 0, 0, 0))]
    assert found == [VALUE, OTHER, None]
    assert table.delete(prefix(16, 10, 1, 0, 0))
    assert table.lookup(prefix(32, 10, 1, 2, 3)) == VALUE


def test_a_prefix_keeps_the_bits_after_it_as_they_were_given(session: Session) -> None:
    table = session.maps["lpm"]
    table.update(prefix(16, 10, 1, 99, 99), VALUE)
    assert list(table.keys()) == [prefix(16, 10, 1, 99, 99)]
    table.update(prefix(16, 10, 1, 7, 7), OTHER)
    assert list(table.keys()) == [prefix(16, 10, 1, 7, 7)]


@pytest.mark.parametrize(
    ("before", "length", "flags", "error"),
    [
        (8, 24, ANY, ENOSPC),
        (8, 7, ANY, None),
        (1, 0, NOEXIST, EEXIST),
        (1, 5, EXIST, ENOENT),
        (1, 0, EXIST, None),
        (1, 5, NOEXIST, None),
        (1, 5, 3, EINVAL),
    ],
)
def test_a_trie_gives_the_kernels_error(session: Session, before: int, length: int, flags: int, error: int | None) -> None:
    for each in range(before):
        session.maps["lpm"].update(prefix(each, 10, 0, 0, 0), VALUE)
    if error is None:
        session.maps["lpm"].update(prefix(length, 10, 0, 0, 0), OTHER, flags)
        assert session.maps["lpm"].lookup(prefix(length, 10, 0, 0, 0)) == OTHER
        return
    with pytest.raises(KernelError) as raised:
        session.maps["lpm"].update(prefix(length, 10, 0, 0, 0), OTHER, flags)
    assert raised.value.errno == error


def test_a_prefix_longer_than_the_key_is_refused(session: Session) -> None:
    with pytest.raises(KernelError) as raised:
        session.maps["lpm"].update(prefix(33, 10, 0, 0, 0), VALUE)
    assert raised.value.errno == EINVAL


def test_maps_live_from_packet_to_packet(runner: Runner) -> None:
    with _session(runner, f"{_add(1)}r0 = 0\nexit") as session:
        for _ in range(3):
            session.run(PACKET)
        assert session.maps["array"].lookup(key(0)) == (3).to_bytes(8, "little")
