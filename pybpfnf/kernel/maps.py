"""Maps in the kernel: made from a MapSpec, read and written as bytes."""

from __future__ import annotations

import ctypes
import errno
import mmap
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self, final

from pybpfnf.abi.maps import BPF_F_LOCK, BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, MAP_TYPES, MAP_TYPES_BY_ID, MapType
from pybpfnf.errors import InputError, KernelError, SystemLacksError
from pybpfnf.image.model import MapSpec
from pybpfnf.kernel.attrs import NAME_LENGTH, InfoByFd, MapCreate, MapElement, MapFreeze, MapInfo
from pybpfnf.kernel.bpf import Command, Fd, bpf, explained
from pybpfnf.types.layout import lock_field

_POSSIBLE_CPUS = Path("/sys/devices/system/cpu/possible")


@cache
def possible_cpus() -> int:
    """How many values a per-CPU map has for a key: the CPUs that this machine could ever have (num_possible_cpus)."""
    try:
        text = _POSSIBLE_CPUS.read_text().strip()
    except OSError as error:
        raise SystemLacksError(f"cannot read {_POSSIBLE_CPUS}: {error.strerror}", hint="is /sys mounted?") from None
    last = text.split(",")[-1].split("-")[-1]
    return int(last) + 1


def kernel_name(name: str) -> bytes:
    """The name as the kernel takes it: 15 characters of letters, digits, `_` and `.` (kernel/bpf/syscall.c, bpf_obj_name_cpy)."""
    return re.sub(rb"[^A-Za-z0-9_.]", b"_", name.encode())[: NAME_LENGTH - 1]


@final
class Map:
    """A live map. Keys and values are bytes of the spec's sizes; a per-CPU value is every possible CPU's value, each
    padded to 8 bytes, in the order of CPU numbers. Close it, or use it as a context manager."""

    def __init__(self, spec: MapSpec, fd: Fd, *, frozen: bool) -> None:
        self._spec = spec
        self._fd = fd
        self._frozen = frozen
        row = _row(spec)
        self._key_size = spec.key_size
        self._lock = BPF_F_LOCK if lock_field(spec.value_type) is not None else 0  # read and written whole
        self._value_size = (spec.value_size + 7) // 8 * 8 * possible_cpus() if row.per_cpu else spec.value_size

    @property
    def spec(self) -> MapSpec:
        return self._spec

    @property
    def fd(self) -> int:
        return self._fd.number

    @property
    def value_size(self) -> int:
        """Bytes of a value as `lookup` gives it and `update` takes it."""
        return self._value_size

    def lookup(self, key: bytes) -> bytes | None:
        """The value of `key`, None where there is none."""
        value = ctypes.create_string_buffer(self._value_size)
        if not self._call(
            Command.MAP_LOOKUP_ELEM, "look a key up in", self._checked_key(key), value, flags=self._lock, absent=(errno.ENOENT,)
        ):
            return None
        return value.raw

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        """Set the value of `key`; `flags` as in bpf(2): BPF_ANY 0, BPF_NOEXIST 1, BPF_EXIST 2."""
        if len(value) != self._value_size:
            raise InputError(f"map {self._spec.name}: a value has {self._value_size} bytes, not {len(value)}")
        if self._frozen:
            raise InputError(f"map {self._spec.name} is constant once its program is loaded")
        self._call(Command.MAP_UPDATE_ELEM, "set a value in", self._checked_key(key), value, flags=flags | self._lock)

    def delete(self, key: bytes) -> bool:
        """Remove `key`; whether it was there. The kernel refuses it (KernelError) for array maps."""
        return self._call(Command.MAP_DELETE_ELEM, "delete a key from", self._checked_key(key), None, absent=(errno.ENOENT,))

    def take(self) -> bytes | None:
        """The next value of a queue or stack, which is gone; None where there is none."""
        value = ctypes.create_string_buffer(self._value_size)
        if not self._call(Command.MAP_LOOKUP_AND_DELETE_ELEM, "take a value from", None, value, absent=(errno.ENOENT,)):
            return None
        return value.raw

    def keys(self) -> Iterator[bytes]:
        """The keys, in the kernel's order. Deleting the key just given is safe; other changes meanwhile may repeat or hide keys.

        A queue or stack has none: `lookup(b"")` is its next value, and `update(b"", value)` pushes one.
        """
        if self._key_size == 0:
            return
        key = self._key_after(None)
        while key is not None:
            following = self._key_after(key)
            yield key
            key = following

    def _key_after(self, key: bytes | None) -> bytes | None:
        following = ctypes.create_string_buffer(self._key_size)
        if not self._call(Command.MAP_GET_NEXT_KEY, "list the keys of", key, following, absent=(errno.ENOENT,)):
            return None
        return following.raw

    def _checked_key(self, key: bytes) -> bytes | None:
        """None for the key of what has no keys: the kernel wants no address then (kernel/bpf/syscall.c, __bpf_copy_key)."""
        if len(key) != self._key_size:
            raise InputError(f"map {self._spec.name}: a key has {self._key_size} bytes, not {len(key)}")
        return key or None

    def _call(
        self,
        command: Command,
        attempt: str,
        key: bytes | None,
        value: bytes | ctypes.Array[ctypes.c_char] | None,
        *,
        flags: int = 0,
        absent: tuple[int, ...] = (),
    ) -> bool:
        """Make the call; False for an errno in `absent`."""
        attr = MapElement(map_fd=self.fd, key=address_of(key), value=address_of(value), flags=flags)
        try:
            bpf(command, attr)
        except OSError as error:
            if error.errno in absent:
                return False
            raise explained(f"{attempt} map {self._spec.name}", error) from None
        return True

    def patch(self, offset: int, data: bytes) -> None:
        """Write a part of a data section and leave the rest alone, also while programs write there."""
        if self._spec.initial is None or offset < 0 or offset + len(data) > self._value_size:
            raise InputError(f"map {self._spec.name}: no data section of {offset + len(data)} bytes to write into")
        if self._frozen:
            raise InputError(f"map {self._spec.name} is constant once its program is loaded")
        try:
            with mmap.mmap(self.fd, self._value_size) as memory:
                memory[offset : offset + len(data)] = data
        except OSError as error:
            raise explained(f"write to map {self._spec.name}", error) from None

    def freeze(self) -> None:
        """No more changes from user space, for as long as the map lives."""
        try:
            bpf(Command.MAP_FREEZE, MapFreeze(map_fd=self.fd))
        except OSError as error:
            raise explained(f"freeze map {self._spec.name}", error) from None
        self._frozen = True

    def close(self) -> None:
        self._fd.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


def address_of(buffer: bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """The address of the bytes, for a call during which the caller keeps them alive; 0 for None and for no bytes."""
    if not buffer:
        return 0
    if isinstance(buffer, bytes):
        return ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value or 0
    return ctypes.addressof(buffer)


def _row(spec: MapSpec) -> MapType:
    try:
        return MAP_TYPES[spec.type]
    except KeyError:
        raise InputError(f"map {spec.name}: unknown map type {spec.type!r}") from None


def create_map(spec: MapSpec, btf: Fd | None = None) -> Map:
    """Make the map, with its BTF types where `btf` (a loaded object) has them, its initial contents, and frozen where the spec says so.

    A kernel that refuses the types gets the map without them, as libbpf does: they only help those who print it.
    """
    attr = MapCreate(
        map_type=_row(spec).id,
        key_size=spec.key_size,
        value_size=spec.value_size,
        max_entries=_entries(spec),
        map_flags=spec.flags | (BPF_F_RDONLY_PROG if spec.frozen else 0) | (BPF_F_MMAPABLE if spec.initial is not None else 0),
        map_name=kernel_name(spec.name),
    )
    created = Map(spec, _create(spec, attr, btf), frozen=False)
    try:
        if spec.initial is not None:
            created.update(bytes(spec.key_size), spec.initial)
        if spec.frozen:
            created.freeze()
    except BaseException:
        created.close()
        raise
    return created


def _entries(spec: MapSpec) -> int:
    """A perf event array has one for each CPU where its definition does not say how many, as with libbpf."""
    return possible_cpus() if spec.type == "perf_event_array" and spec.max_entries == 0 else spec.max_entries


def _create(spec: MapSpec, attr: MapCreate, btf: Fd | None) -> Fd:
    if btf is not None and spec.btf_value_type:
        attr.btf_fd, attr.btf_key_type_id, attr.btf_value_type_id = btf.number, spec.btf_key_type, spec.btf_value_type
        try:
            return Fd(bpf(Command.MAP_CREATE, attr))
        except OSError as error:
            if error.errno == errno.EPERM:
                raise explained(f"create map {spec.name}", error) from None
        attr.btf_fd = attr.btf_key_type_id = attr.btf_value_type_id = 0
    try:
        return Fd(bpf(Command.MAP_CREATE, attr))
    except OSError as error:
        attempt = f"create map {spec.name} ({spec.type}, key {spec.key_size}, value {spec.value_size} bytes, {spec.max_entries} entries)"
        if error.errno in (errno.E2BIG, errno.ENOMEM):
            raise KernelError(
                f"cannot {attempt}: it is too large", errno=error.errno, hint="give it fewer entries, or smaller values"
            ) from None
        raise explained(attempt, error) from None


def map_spec(fd: Fd) -> MapSpec:
    """What the kernel tells about a map: its sizes, not its contents; the name is cut to 15 characters."""
    info = MapInfo()
    try:
        bpf(Command.OBJ_GET_INFO_BY_FD, InfoByFd(bpf_fd=fd.number, info_len=ctypes.sizeof(info), info=ctypes.addressof(info)))
    except OSError as error:
        raise explained("ask about a map", error) from None
    row = MAP_TYPES_BY_ID.get(info.type)
    if row is None:
        raise InputError(f"map {info.name.decode()}: unknown map type {info.type}")
    return MapSpec(info.name.decode(), row.name, info.key_size, info.value_size, info.max_entries, info.map_flags)


def open_map(fd: Fd, spec: MapSpec) -> Map:
    """The map behind a descriptor (from a pin or an id), of which `spec` is known; raises InputError where the kernel's map is another."""
    found = map_spec(fd)
    if (found.type, found.key_size, found.value_size, found.max_entries) != (spec.type, spec.key_size, spec.value_size, _entries(spec)):
        raise InputError(f"map {spec.name} is not the one that was created: the kernel has {found}")
    return Map(spec, fd, frozen=spec.frozen)
