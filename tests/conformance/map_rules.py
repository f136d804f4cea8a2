"""The rules of maps as data: which types a rule is of, and operations with what each answers.

Sources: kernel/bpf/arraymap.c, hashtab.c, lpm_trie.c, queue_stack_maps.c of Linux 6.18.
"""

from __future__ import annotations

from collections.abc import Mapping
from errno import E2BIG, EEXIST, EINVAL, ENOENT, ENOSPC
from typing import TypeAlias

from pybpfnf.abi.maps import BPF_F_LOCK
from tests.conformance.map_scripts import ABSENT, Op, Step

ANY, NOEXIST, EXIST, BOTH = range(4)
ARRAYS, HASHES, LRU = ("array", "percpu_array"), ("hash", "percpu_hash"), ("lru_hash", "lru_percpu_hash")
KEYED = (*ARRAYS, *HASHES, *LRU)
UNKNOWN_FLAGS = (BOTH, BPF_F_LOCK, BPF_F_LOCK | EXIST, 8, 1 << 31, 1 << 32, 1 << 63)
"""No map here has a lock in its values."""
ENTRIES = {
    "array": 4, "percpu_array": 4, "hash": 3, "percpu_hash": 3, "lru_hash": 64, "lru_percpu_hash": 64, "lpm_trie": 6,
    "queue": 3, "stack": 3,
}  # fmt: skip
"""How many each type's map has room for."""

Rows: TypeAlias = "list[tuple[Step, int | None]]"


def key(number: int) -> bytes:
    return number.to_bytes(8, "little")


def prefix(length: int, *octets: int) -> bytes:
    return length.to_bytes(4, "little") + bytes(octets).ljust(4, b"\0")


def update(at: int | bytes, value: int = 7, flags: int = ANY) -> Step:
    return Step(Op.UPDATE, key(at) if isinstance(at, int) else at, value, flags)


def lookup(at: int | bytes) -> Step:
    return Step(Op.LOOKUP, key(at) if isinstance(at, int) else at)


def delete(at: int | bytes) -> Step:
    return Step(Op.DELETE, key(at) if isinstance(at, int) else at)


def push(value: int, flags: int = ANY) -> Step:
    return Step(Op.PUSH, value=value, flags=flags)


POP, PEEK = Step(Op.POP), Step(Op.PEEK)
FULL: Rows = [(update(1, 10), 0), (update(2, 20), 0), (update(3, 30), 0)]
TRIE: Rows = [(update(prefix(8, 10), 1), 0), (update(prefix(24, 10, 1, 2), 3), 0), (update(prefix(16, 10, 1), 2), 0)]
FULL_TRIE: Rows = [(update(prefix(length, 10), length), 0) for length in (1, 2, 3, 4, 5, 6)]
RULES: Mapping[str, tuple[tuple[str, ...], Rows]] = {
    "an element of an array is there from the start, and zero": (ARRAYS, [(lookup(0), 0), (lookup(3), 0)]),
    "past its end an array has nothing": (ARRAYS, [(lookup(4), ABSENT), (lookup(0xFFFFFFFF), ABSENT), (update(4), -E2BIG)]),
    "an element of an array exists": (ARRAYS, [(update(1, 7, NOEXIST), -EEXIST), (update(1, 8, EXIST), 0), (lookup(1), 8)]),
    "past its end an array has no room, whatever the flag": (ARRAYS, [(update(4, 7, NOEXIST), -E2BIG), (update(4, 7, EXIST), -E2BIG)]),
    "an element of an array is not deleted": (ARRAYS, [(delete(0), -EINVAL), (delete(4), -EINVAL)]),
    "a hash begins empty": ((*HASHES, *LRU), [(lookup(0), ABSENT), (delete(0), -ENOENT)]),
    "any update makes and replaces": ((*HASHES, *LRU), [(update(1, 7), 0), (lookup(1), 7), (update(1, 8), 0), (lookup(1), 8)]),
    "a new key is not an old one": ((*HASHES, *LRU), [(update(1, 7, NOEXIST), 0), (update(1, 8, NOEXIST), -EEXIST), (lookup(1), 7)]),
    "an old key is not a new one": (
        (*HASHES, *LRU),
        [(update(1, 7, EXIST), -ENOENT), (update(1), 0), (update(1, 8, EXIST), 0), (lookup(1), 8)],
    ),
    "a deleted key is gone, once": ((*HASHES, *LRU), [(update(1), 0), (delete(1), 0), (delete(1), -ENOENT), (lookup(1), ABSENT)]),
    "a full hash has no room": (HASHES, [*FULL, (update(4), -E2BIG), (update(4, 7, NOEXIST), -E2BIG), (lookup(4), ABSENT)]),
    "of a full hash a missing key is missing first": (HASHES, [*FULL, (update(4, 7, EXIST), -ENOENT)]),
    "of a full hash an old key is there first": (HASHES, [*FULL, (update(2, 7, NOEXIST), -EEXIST)]),
    "a full hash replaces": (HASHES, [*FULL, (update(2, 7), 0), (update(3, 8, EXIST), 0), (lookup(2), 7), (lookup(3), 8)]),
    "what is deleted leaves room": (HASHES, [*FULL, (delete(1), 0), (update(4, 40), 0), (lookup(4), 40), (update(1), -E2BIG)]),
    "a pointer reaches the value": (KEYED, [(update(1, 7), 0), (Step(Op.ADD, key(1), 5), 12), (lookup(1), 12)]),
    "another CPU's copy is its own": (
        ("percpu_array", "percpu_hash", "lru_percpu_hash"),
        [(update(1, 7), 0), (Step(Op.OTHER_CPU, key(1), flags=1), 0), (Step(Op.OTHER_CPU, key(1), flags=4096), ABSENT)],
    ),
    "no copy of what is missing": (("percpu_hash", "lru_percpu_hash"), [(Step(Op.OTHER_CPU, key(9), flags=0), ABSENT)]),
    "flags that there are not are refused": (KEYED, [(update(1, 7, flags), -EINVAL) for flags in UNKNOWN_FLAGS]),
    "the longest prefix is found": (
        ("lpm_trie",),
        [
            *TRIE,
            (lookup(prefix(32, 10, 1, 2, 3)), 3),
            (lookup(prefix(32, 10, 1, 9)), 2),
            (lookup(prefix(32, 10, 9)), 1),
            (lookup(prefix(32, 11, 1, 2, 3)), ABSENT),
        ],
    ),
    "a shorter key finds what covers all of it": (
        ("lpm_trie",),
        [*TRIE, (lookup(prefix(20, 10, 1, 2)), 2), (lookup(prefix(16, 10, 1)), 2), (lookup(prefix(7, 10)), ABSENT)],
    ),
    "the prefix of no bits covers everything": (
        ("lpm_trie",),
        [(update(prefix(0), 5), 0), (lookup(prefix(32, 1, 2, 3, 4)), 5), (lookup(prefix(0)), 5)],
    ),
    "bits behind a prefix do not count": (
        ("lpm_trie",),
        [
            (update(prefix(8, 10, 99), 1), 0),
            (update(prefix(8, 10, 7), 2, NOEXIST), -EEXIST),
            (update(prefix(8, 10, 7), 3, EXIST), 0),
            (lookup(prefix(32, 10)), 3),
            (delete(prefix(8, 10, 55)), 0),
            (lookup(prefix(32, 10)), ABSENT),
        ],
    ),
    "a deleted prefix leaves the others": (
        ("lpm_trie",),
        [*TRIE, (delete(prefix(16, 10, 1)), 0), (lookup(prefix(32, 10, 1, 9)), 1), (lookup(prefix(32, 10, 1, 2)), 3)],
    ),
    "a prefix is deleted exactly": (
        ("lpm_trie",),
        [*TRIE, (delete(prefix(17, 10, 1)), -ENOENT), (delete(prefix(32, 10, 1, 2, 3)), -ENOENT)],
    ),
    "a prefix longer than the key is none": (
        ("lpm_trie",),
        [*TRIE, (update(prefix(33, 10)), -EINVAL), (delete(prefix(33, 10)), -EINVAL), (lookup(prefix(33, 10, 1, 2)), ABSENT)],
    ),
    "a trie has flags of its own to refuse": (("lpm_trie",), [(update(prefix(8, 10), 7, flags), -EINVAL) for flags in UNKNOWN_FLAGS]),
    "a full trie has no room": (
        ("lpm_trie",),
        [*FULL_TRIE, (update(prefix(7, 10)), -ENOSPC), (update(prefix(7, 10), 7, NOEXIST), -ENOSPC), (lookup(prefix(32, 10)), 6)],
    ),
    "a full trie replaces": (
        ("lpm_trie",),
        [*FULL_TRIE, (update(prefix(6, 10), 60), 0), (update(prefix(5, 10), 50, EXIST), 0), (lookup(prefix(32, 10)), 60)],
    ),
    "of a full trie a missing prefix is missing first, an old one there": (
        ("lpm_trie",),
        [*FULL_TRIE, (update(prefix(9, 10), 7, EXIST), -ENOENT), (update(prefix(6, 10), 7, NOEXIST), -EEXIST)],
    ),
    "an empty queue or stack has nothing": (("queue", "stack"), [(PEEK, -ENOENT), (POP, -ENOENT)]),
    "a queue gives what came first": (("queue",), [(push(1), 0), (push(2), 0), (PEEK, 1), (POP, 1), (POP, 2), (POP, -ENOENT)]),
    "a stack gives what came last": (("stack",), [(push(1), 0), (push(2), 0), (PEEK, 2), (POP, 2), (POP, 1), (POP, -ENOENT)]),
    "a full one has no room": (
        ("queue", "stack"),
        [(push(1), 0), (push(2), 0), (push(3), 0), (push(4), -E2BIG), (POP, None), (push(5), 0)],
    ),
    "a full queue gives up its oldest with EXIST": (
        ("queue",),
        [*((push(each), 0) for each in (1, 2, 3)), (push(4, EXIST), 0), (POP, 2), (POP, 3), (POP, 4)],
    ),
    "a full stack gives up its oldest with EXIST": (
        ("stack",),
        [*((push(each), 0) for each in (1, 2, 3)), (push(4, EXIST), 0), (POP, 4), (POP, 3), (POP, 2), (POP, -ENOENT)],
    ),
    "a queue or stack has no new keys": (("queue", "stack"), [(push(1, flags), -EINVAL) for flags in (NOEXIST, *UNKNOWN_FLAGS)]),
}
"""Which maps a rule is of; and its steps, each with what it answers (None where that is not the same for all of them)."""
