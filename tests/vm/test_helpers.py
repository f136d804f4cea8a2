"""Helpers that call back into the program. The kernel wants BTF for these, so their programs are for the VM alone here."""

from __future__ import annotations

import pytest

from tests.vm.programs import PACKET, array, session


def _signed(verdict: int | None) -> int:
    assert verdict is not None
    return verdict - (1 << 32) if verdict >> 31 else verdict


def test_loop_calls_a_function_so_often_or_until_it_returns_one() -> None:
    text = """
        *(u64 *)(r10 - 8) = 0
        r1 = 10
        r2 = func[visit]
        r3 = r10
        r3 += -8
        r4 = 0
        call loop
        r1 = *(u64 *)(r10 - 8)
        r0 <<= 8
        r0 |= r1
        exit
    visit:
        r3 = *(u64 *)(r2 + 0)
        r3 += r1
        *(u64 *)(r2 + 0) = r3
        r0 = 0
        if r1 != 4 goto end
        r0 = 1
    end:
        exit
    """
    assert _signed(session(text).run(PACKET).verdict) == 5 << 8 | 0 + 1 + 2 + 3 + 4


@pytest.mark.parametrize(("count", "flags", "expected"), [(3, 0, 3), (0, 0, 0), (1 << 24, 0, -7), (3, 1, -22)])
def test_loop_gives_the_number_of_calls_or_an_error(count: int, flags: int, expected: int) -> None:
    text = f"r1 = {count}\nr2 = func[visit]\nr3 = 0\nr4 = {flags}\ncall loop\nexit\nvisit:\nr0 = 0\nexit"
    assert _signed(session(text).run(PACKET).verdict) == expected


def test_for_each_map_elem_gives_key_and_value() -> None:
    text = """
        r1 = map[out]
        r2 = func[visit]
        r3 = 0
        r4 = 0
        call for_each_map_elem
        exit
    visit:
        r2 = *(u32 *)(r2 + 0)
        r2 += 10
        *(u64 *)(r3 + 0) = r2
        r0 = 0
        exit
    """
    with session(text, array("out", max_entries=4)) as running:
        assert running.run(PACKET).verdict == 4
        assert [running.maps["out"].lookup(bytes([index, 0, 0, 0])) for index in range(4)] == [
            bytes([10 + index]) + bytes(7) for index in range(4)
        ]
