"""Maps: one storage class a map type, with the errors that the kernel gives (kernel/bpf/arraymap.c, hashtab.c, ringbuf.c).

Each class has two faces. Programs reach it through helpers: `find`, `put`, `remove`, which give addresses and negative
error numbers. User space reaches it as `runner.MapAccess`: bytes in, bytes out, exceptions.
"""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Protocol

from pybpfnf.abi.maps import BPF_EXIST, BPF_F_LOCK, BPF_NOEXIST
from pybpfnf.errors import InputError, KernelError
from pybpfnf.image.model import MapSpec
from pybpfnf.types.layout import SPIN_LOCK, lock_field
from pybpfnf.vm.memory import Handle, Memory, Region

Cell = list[Region]  # the value's copies: one, or one a CPU
_LOCK_SIZE = SPIN_LOCK.size


class VmMap(ABC):
    """What all map types share. `handle` is the address that programs pass to helpers."""

    per_cpu = False
    lockable = False  # updates may ask for the value's lock to be held (BPF_F_LOCK)

    def __init__(self, spec: MapSpec, memory: Memory, cpus: int, cpu: int) -> None:
        self._spec = spec
        self._lock = lock_field(spec.value_type)
        self._memory = memory
        self._copies = cpus if self.per_cpu else 1
        self._cpu = cpu if self.per_cpu else 0
        self.handle = memory.add(Handle(f"map {spec.name!r}", self))

    @property
    def spec(self) -> MapSpec:
        return self._spec

    @property
    def value_size(self) -> int:
        return self._stride * self._copies

    # ------------------------------------------------------------------------------------------ for programs

    def find(self, key: bytes, cpu: int | None = None) -> int:
        """The address of the value (of that CPU's copy), 0 where the key is not there."""
        cell = self._cell(key)
        return 0 if cell is None else cell[self._cpu if cpu is None else cpu].address

    @abstractmethod
    def put(self, key: bytes, value: bytes, flags: int) -> int:
        """0 or a negative error number. Of a per-CPU value only this CPU's copy is written."""

    @abstractmethod
    def remove(self, key: bytes) -> int:
        """0 or a negative error number."""

    # ---------------------------------------------------------------------------------------- for user space

    def lookup(self, key: bytes) -> bytes | None:
        cell = self._cell(self._check_key(key))
        if cell is None:
            return None
        return b"".join(bytes(region.data).ljust(self._stride, b"\0") for region in cell)

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        if len(value) != self.value_size:
            raise InputError(f"a value of map {self._spec.name!r} has {self.value_size} bytes, not {len(value)}")
        if self._spec.frozen:
            raise InputError(f"map {self._spec.name!r} is constant once its program is loaded")
        copies = [self._without_lock(value[at : at + self._spec.value_size]) for at in range(0, self.value_size, self._stride)]
        self._check_key(key)
        # bpf(2) asks for the lock before it asks the map (kernel/bpf/syscall.c, map_update_elem).
        error = -errno.EINVAL if flags & BPF_F_LOCK and self._lock is None else self._put_all(key, copies, flags)
        self._memory.end_run()  # no program runs now that could still hold an old value
        if error:
            self._fail("update", -error)

    def delete(self, key: bytes) -> bool:
        error = self.remove(self._check_key(key))
        self._memory.end_run()
        if error and error != -errno.ENOENT:
            self._fail("delete", -error)
        return not error

    @abstractmethod
    def keys(self) -> Iterator[bytes]: ...

    # ------------------------------------------------------------------------------------------------ shared

    @property
    def _stride(self) -> int:
        """Distance of the copies in what user space sees: bpf(2) pads per-CPU values to 8 bytes."""
        return -(-self._spec.value_size // 8) * 8 if self.per_cpu else self._spec.value_size

    @abstractmethod
    def _cell(self, key: bytes) -> Cell | None: ...

    @abstractmethod
    def _put_all(self, key: bytes, copies: list[bytes], flags: int) -> int: ...

    def _new_cell(self, copies: list[bytes], *, writable: bool = True) -> Cell:
        cell = [Region(f"a value of map {self._spec.name!r}", bytearray(copy), writable=writable) for copy in copies]
        for region in cell:
            self._memory.add(region)
            region.lock = None if self._lock is None else self._lock.offset
        return cell

    def _without_lock(self, value: bytes) -> bytes:
        """The value as it is kept: what was given for its lock is not copied (include/linux/bpf.h, copy_map_value)."""
        if self._lock is None:
            return value
        return value[: self._lock.offset] + bytes(_LOCK_SIZE) + value[self._lock.offset + _LOCK_SIZE :]

    def _flags_exist(self, flags: int) -> bool:
        return (flags & ~BPF_F_LOCK if self.lockable else flags) <= BPF_EXIST

    def _lock_is_missing(self, flags: int) -> bool:
        return bool(flags & BPF_F_LOCK) and self._lock is None

    def _check_key(self, key: bytes) -> bytes:
        if len(key) != self._spec.key_size:
            raise InputError(f"a key of map {self._spec.name!r} has {self._spec.key_size} bytes, not {len(key)}")
        return key

    def _fail(self, verb: str, number: int) -> None:
        raise KernelError(f"cannot {verb} an element of map {self._spec.name!r}: {os.strerror(number)}", errno=number)


class ArrayMap(VmMap):
    """Keys are indices; every element is there from the start. Data sections are arrays of one value."""

    lockable = True

    def __init__(self, spec: MapSpec, memory: Memory, cpus: int, cpu: int) -> None:
        super().__init__(spec, memory, cpus, cpu)
        self._cells: dict[int, Cell] = {}  # made when first asked for: an array may have millions

    def put(self, key: bytes, value: bytes, flags: int) -> int:
        cell = self._cell(key)
        error = self._update_error(cell, flags)
        if cell is not None and not error:
            cell[self._cpu].data[:] = self._without_lock(value)
        return error

    def remove(self, key: bytes) -> int:
        return -errno.EINVAL

    def keys(self) -> Iterator[bytes]:
        return (index.to_bytes(4, "little") for index in range(self._spec.max_entries))

    def _cell(self, key: bytes) -> Cell | None:
        index = int.from_bytes(key, "little")
        if index >= self._spec.max_entries:
            return None
        if index not in self._cells:
            initial = self._spec.initial if self._spec.initial is not None else bytes(self._spec.value_size)
            self._cells[index] = self._new_cell([initial] * self._copies, writable=not self._spec.frozen)
        return self._cells[index]

    def _put_all(self, key: bytes, copies: list[bytes], flags: int) -> int:
        cell = self._cell(key)
        error = self._update_error(cell, flags)
        if cell is not None and not error:
            for region, copy in zip(cell, copies, strict=True):
                region.data[:] = copy
        return error

    def _update_error(self, cell: Cell | None, flags: int) -> int:
        if not self._flags_exist(flags):
            return -errno.EINVAL
        if cell is None:
            return -errno.E2BIG
        if flags & BPF_NOEXIST:
            return -errno.EEXIST
        return -errno.EINVAL if self._lock_is_missing(flags) else 0


class PercpuArrayMap(ArrayMap):
    per_cpu = True


class Watch(Protocol):
    """Who wants to know what a hash finds."""

    def found(self, key: bytes, address: int) -> None: ...
    def gone(self, key: bytes) -> None:
        """The key's value is another now, or none."""
        ...


class HashMap(VmMap):
    """A value that is replaced or deleted stays readable through old pointers until the run ends, as under RCU."""

    full_error = errno.E2BIG
    lockable = True
    watch: Watch | None = None

    def __init__(self, spec: MapSpec, memory: Memory, cpus: int, cpu: int) -> None:
        super().__init__(spec, memory, cpus, cpu)
        self._cells: dict[bytes, Cell] = {}

    def put(self, key: bytes, value: bytes, flags: int) -> int:
        old = self._cell(key)
        error = self._update_error(key, flags)
        if error:
            return error
        if old is not None and (self.per_cpu or flags & BPF_F_LOCK):
            old[self._cpu].data[:] = self._without_lock(value)  # pcpu_copy_value, copy_map_value_locked: in place
            return 0
        copies = [bytes(self._spec.value_size)] * self._copies
        copies[self._cpu] = self._without_lock(value)
        self._replace(key, copies)
        return 0

    def find(self, key: bytes, cpu: int | None = None) -> int:
        address = super().find(key, cpu)
        if address and self.watch is not None and cpu is None:
            self.watch.found(key, address)
        return address

    def remove(self, key: bytes) -> int:
        if key not in self._cells:
            return -errno.ENOENT
        self._drop(key)
        return 0

    def keys(self) -> Iterator[bytes]:
        return iter(tuple(self._cells))

    def _cell(self, key: bytes) -> Cell | None:
        return self._cells.get(key)

    def _put_all(self, key: bytes, copies: list[bytes], flags: int) -> int:
        if flags & BPF_F_LOCK:
            return self.put(key, copies[0], flags)
        error = self._update_error(key, flags)
        if not error:
            self._replace(key, copies)
        return error

    def _update_error(self, key: bytes, flags: int) -> int:
        if not self._flags_exist(flags) or self._lock_is_missing(flags):
            return -errno.EINVAL
        if key in self._cells:
            return -errno.EEXIST if flags & BPF_NOEXIST else 0
        if flags & BPF_EXIST:
            return -errno.ENOENT
        return 0 if self._make_room() else -self.full_error

    def _make_room(self) -> bool:
        """Whether there is room for one more element."""
        return len(self._cells) < self._spec.max_entries

    def _replace(self, key: bytes, copies: list[bytes]) -> None:
        if key in self._cells:
            self._drop(key)
        self._cells[key] = self._new_cell(copies)

    def _drop(self, key: bytes) -> None:
        if self.watch is not None:
            self.watch.gone(key)
        for region in self._cells.pop(key):
            self._memory.retire_at_end(region)


class PercpuHashMap(HashMap):
    per_cpu = True
    lockable = False


class LruHashMap(HashMap):
    """A full map gives up its least recently used element.

    The kernel's order is approximate (lists a CPU, a reference bit an element): which element goes is not contract.
    """

    lockable = False

    def _cell(self, key: bytes) -> Cell | None:
        cell = self._cells.get(key)
        if cell is not None:
            self._cells[key] = self._cells.pop(key)  # dicts keep order of insertion: the newest is last
        return cell

    def _make_room(self) -> bool:
        if len(self._cells) >= self._spec.max_entries:
            self._drop(next(iter(self._cells)))
        return True


class LruPercpuHashMap(LruHashMap):
    per_cpu = True


class LpmTrieMap(HashMap):
    """Keys are a u32 of prefix length in host byte order, then the bytes of the prefix (kernel/bpf/lpm_trie.c).

    Bits after the prefix do not count when keys are compared, but are kept, as the kernel keeps them.
    """

    full_error = errno.ENOSPC
    lockable = False

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._given: dict[bytes, bytes] = {}  # what each key was stored as

    def keys(self) -> Iterator[bytes]:
        return map(self._given.__getitem__, super().keys())

    def find(self, key: bytes, cpu: int | None = None) -> int:
        """The longest prefix that covers the key's first `prefixlen` bits; of more bits than a key has there is none."""
        if _prefix_length(key) > (len(key) - 4) * 8:
            return 0
        covering = [prefix for prefix in self._cells if _covers(prefix, key)]
        if not covering:
            return 0
        return self._cells[max(covering, key=_prefix_length)][0].address

    def lookup(self, key: bytes) -> bytes | None:
        address = self.find(self._check_key(key))
        return self._memory.read(address, self._spec.value_size) if address else None

    def put(self, key: bytes, value: bytes, flags: int) -> int:
        if _prefix_length(key) > (len(key) - 4) * 8:
            return -errno.EINVAL
        error = super().put(_canonical(key), value, flags)
        if error == 0:
            self._given[_canonical(key)] = key
        return error

    def remove(self, key: bytes) -> int:
        if _prefix_length(key) > (len(key) - 4) * 8:
            return -errno.EINVAL
        return super().remove(_canonical(key))

    def _put_all(self, key: bytes, copies: list[bytes], flags: int) -> int:
        return self.put(key, copies[0], flags)

    def _make_room(self) -> bool:
        return len(self._cells) < self._spec.max_entries


def _prefix_length(key: bytes) -> int:
    return int.from_bytes(key[:4], "little")


def _leading_bits(key: bytes, count: int) -> int:
    width = (len(key) - 4) * 8
    return int.from_bytes(key[4:], "big") >> (width - count)


def _covers(prefix: bytes, key: bytes) -> bool:
    length = _prefix_length(prefix)
    return length <= _prefix_length(key) and _leading_bits(prefix, length) == _leading_bits(key, length)


def _canonical(key: bytes) -> bytes:
    """The key with the bits after its prefix cleared: what makes two keys the same."""
    length, size = _prefix_length(key), len(key) - 4
    return key[:4] + (_leading_bits(key, length) << (size * 8 - length)).to_bytes(size, "big")
