"""Regions: a step loads and stores without asking them where they are plain, and what it does then is what they would."""

from __future__ import annotations

import pytest

import pybpfnf.vm.skb  # noqa: F401 (its regions are looked for)
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.memory import STACK_SIZE, UNSIGNED, Region, StackFrame


def kinds(base: type[Region]) -> list[type[Region]]:
    return [base, *(each for sub in base.__subclasses__() for each in kinds(sub))]


@pytest.mark.parametrize("kind", kinds(Region), ids=lambda kind: kind.__name__)
def test_a_region_that_loads_or_stores_in_its_own_way_is_not_plain(kind: type[Region]) -> None:
    assert kind.plain == ((kind.load, kind.store) == (Region.load, Region.store))


@pytest.mark.parametrize("size", UNSIGNED)
def test_what_is_stored_on_the_stack_is_loaded_again(size: int) -> None:
    stack = StackFrame()
    value = 0x8182838485868788 & ((1 << size * 8) - 1)
    for offset in (0, STACK_SIZE - size):
        stack.store(offset, size, value)
        assert stack.load(offset, size) == value


@pytest.mark.parametrize(("size", "unwritten"), [(size, at) for size in UNSIGNED for at in range(size)])
def test_one_unwritten_byte_on_the_stack_is_a_fault(size: int, unwritten: int) -> None:
    stack = StackFrame()
    for byte in range(size):
        if byte != unwritten:
            stack.store(64 + byte, 1, 0xFF)
    with pytest.raises(GuestFault, match="not all of which have been written"):
        stack.load(64, size)


@pytest.mark.parametrize(
    ("offset", "size"), [(at, size) for size in UNSIGNED for at in (STACK_SIZE - 1, STACK_SIZE, 0xFFFFFFFF) if at + size > STACK_SIZE]
)
def test_the_end_of_the_stack_is_its_end(offset: int, size: int) -> None:
    stack = StackFrame()
    with pytest.raises(GuestFault, match="outside its 512 bytes"):
        stack.store(offset, size, 0)
    with pytest.raises(GuestFault, match="of the stack at"):
        stack.load(offset, size)
