"""Map semantics to the letter: what each operation answers, from a program and from user space, by both engines and by the kernel.

Sources: kernel/bpf/arraymap.c, hashtab.c, lpm_trie.c, queue_stack_maps.c of Linux 6.18.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from random import Random

import pytest

from pybpfnf.abi.maps import BPF_F_LOCK
from pybpfnf.vm import Engine
from tests.conformance.map_rules import ANY, BOTH, ENTRIES, EXIST, LRU, NOEXIST, RULES, key, lookup, prefix, update
from tests.conformance.map_scripts import MOST_STEPS, Op, Step, Tried, in_the_kernel, in_the_vm, map_spec, operations, user_space_can

VM_ENGINES = ("reference", "compiled")


@pytest.fixture(scope="module", params=ENTRIES)
def type_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=[*VM_ENGINES, pytest.param("kernel", marks=pytest.mark.kernel)])
def opened(request: pytest.FixtureRequest, type_name: str) -> Iterator[Tried]:
    spec = map_spec(type_name, ENTRIES[type_name])
    with in_the_kernel(spec) if request.param == "kernel" else in_the_vm(spec, Engine(request.param)) as tried:
        yield tried


@pytest.fixture
def tried(opened: Tried) -> Tried:
    opened.empty()
    return opened


def _rules(type_name: str) -> Iterator[tuple[str, list[Step], list[int | None]]]:
    for rule, (types, rows) in RULES.items():
        if type_name in types:
            yield rule, [step for step, _ in rows], [answer for _, answer in rows]


def test_a_program_is_answered_by_the_rules(tried: Tried, type_name: str) -> None:
    wrong = {}
    for rule, steps, expected in _rules(type_name):
        tried.empty()
        found = _answers(tried.by_program(steps), expected)
        if found != expected:
            wrong[rule] = found
    assert wrong == {}


def test_user_space_is_answered_by_the_rules(tried: Tried, type_name: str) -> None:
    wrong = {}
    for rule, steps, expected in _rules(type_name):
        tried.empty()
        if user_space_can(steps) and _answers(tried.by_user_space(steps), expected) != expected:
            wrong[rule] = expected
    assert wrong == {}


def _answers(results: list[int], expected: list[int | None]) -> list[int | None]:
    return [None if answer is None else result for result, answer in zip(results, expected, strict=True)]


@pytest.mark.parametrize("kind", LRU)
@pytest.mark.parametrize("where", [*VM_ENGINES, pytest.param("kernel", marks=pytest.mark.kernel)])
def test_a_full_lru_map_always_takes_a_new_key_and_holds_no_more_than_it_has_room_for(kind: str, where: str) -> None:
    """Which one it gives up is not said (Documentation/bpf/map_hash.rst): lists a CPU, and a reference bit an element."""
    spec = map_spec(kind, 64)
    with in_the_kernel(spec) if where == "kernel" else in_the_vm(spec, Engine(where)) as tried:
        for first in range(0, 400, 8):
            steps = [step for number in range(first, first + 8) for step in (update(number, number), lookup(number))]
            assert tried.by_program(steps) == [result for number in range(first, first + 8) for result in (0, number)]
        held = list(tried.map.keys())
        assert 1 < len(held) <= 64
        assert tried.by_user_space([lookup(each) for each in held]) == [int.from_bytes(each, "little") for each in held]


# ------------------------------------------------------------------------------------------------------ at random


def random_steps(random: Random, type_name: str) -> list[Step]:
    flags = (ANY, ANY, ANY, NOEXIST, EXIST, EXIST, BOTH, BPF_F_LOCK)
    known = operations(type_name)
    return [
        Step(op, _random_key(random, type_name), random.randrange(1, 100), random.choice((0, 1, 9) if op is Op.OTHER_CPU else flags))
        for op in random.choices(known, k=MOST_STEPS)
    ]


def _random_key(random: Random, type_name: str) -> bytes:
    if type_name != "lpm_trie":
        return key(random.randrange(5))
    length = random.choice((0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64))
    return prefix(length, *(random.choice((10, 10, 10, 11, 138)) for _ in range(4)))


@pytest.mark.kernel
def test_sequences_at_random_answer_as_in_the_kernel(type_name: str) -> None:
    spec, random = map_spec(type_name, ENTRIES[type_name]), Random(type_name)
    with ExitStack() as stack:
        everywhere = [in_the_kernel(spec), *(in_the_vm(spec, Engine(name)) for name in VM_ENGINES)]
        sides = [stack.enter_context(each) for each in everywhere]
        for number in range(400):
            steps = random_steps(random, type_name)
            if number % 4 == 0:
                for side in sides:
                    side.empty()
            answers = [side.by_program(steps) for side in sides]
            assert answers[1:] == answers[:1] * 2, steps
            asked = [step for step in steps if user_space_can([step])]
            answers = [side.by_user_space(asked) for side in sides]
            assert answers[1:] == answers[:1] * 2, asked
