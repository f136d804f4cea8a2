"""Maps of where XDP frames can be redirected to (kernel/bpf/devmap.c, cpumap.c, net/xdp/xskmap.c)."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from pybpfnf.abi.maps import BPF_EXIST, BPF_NOEXIST
from pybpfnf.errors import InputError
from pybpfnf.vm.maps import HashMap

_IFINDEX = 4  # bytes at the start of struct bpf_devmap_val; a program for the frame may follow


class Targets(HashMap):
    """What redirect_map asks. Programs read such a map at most; user space writes it."""

    can_broadcast = False

    def device(self, key: int) -> int | None:
        """Index of the device under a key."""
        cell = self._cell(key.to_bytes(4, "little"))
        return None if cell is None else int.from_bytes(cell[0].data[:_IFINDEX], "little")

    def devices(self) -> Iterator[int]:
        """All that it has, by key."""
        return (int.from_bytes(self._cells[key][0].data[:_IFINDEX], "little") for key in sorted(self._cells))

    def put(self, key: bytes, value: bytes, flags: int) -> int:
        return -errno.EOPNOTSUPP  # no verifier lets a program come here


class DeviceHash(Targets):
    can_broadcast = True

    def _put_all(self, key: bytes, copies: list[bytes], flags: int) -> int:
        if any(copies[0][_IFINDEX:]):
            raise InputError(f"map {self.spec.name!r}: programs for redirected frames are not emulated", hint="leave their descriptor 0")
        return super()._put_all(key, copies, flags)


class DeviceArray(DeviceHash):
    """An index without a device is there, too."""

    def remove(self, key: bytes) -> int:
        if int.from_bytes(key, "little") >= self.spec.max_entries:
            return -errno.EINVAL
        super().remove(key)
        return 0

    def _update_error(self, key: bytes, flags: int) -> int:
        if flags > BPF_EXIST:
            return -errno.EINVAL
        if int.from_bytes(key, "little") >= self.spec.max_entries:
            return -errno.E2BIG
        return -errno.EEXIST if flags == BPF_NOEXIST else 0


class NoTargets(Targets):
    """Sockets and CPUs: there are none to put in, so a redirect finds nothing."""

    def _put_all(self, key: bytes, copies: list[bytes], flags: int) -> int:
        raise InputError(f"map {self.spec.name!r} is of type {self.spec.type}: what it would hold is not emulated")
