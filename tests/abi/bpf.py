"""The least of bpf(2) that the row tests need: load a program, create a map, close; and what the kernel's own BTF says."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest

from pybpfnf.abi.codec import encode
from pybpfnf.abi.forms import Insn

_NUMBER = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
_MAP_CREATE, _PROG_LOAD = 0, 5
_LOG_SIZE = 1 << 20


def kernel_version() -> tuple[int, int]:
    major, minor = re.match(r"(\d+)\.(\d+)", platform.release()).groups()  # type: ignore[union-attr]  # every release starts so
    return int(major), int(minor)


def need_bpf() -> None:
    """Skip, by name, where bpf() cannot be used."""
    if platform.machine() not in _NUMBER:
        pytest.skip(f"bpf() number unknown on {platform.machine()}")
    if os.geteuid() != 0:
        pytest.skip("needs root")


class _Load(ctypes.Structure):
    """The first fields of union bpf_attr for BPF_PROG_LOAD; the kernel takes what follows as zero."""

    _fields_ = (
        ("prog_type", ctypes.c_uint32), ("insn_cnt", ctypes.c_uint32), ("insns", ctypes.c_void_p), ("license", ctypes.c_void_p),
        ("log_level", ctypes.c_uint32), ("log_size", ctypes.c_uint32), ("log_buf", ctypes.c_void_p),
    )  # fmt: skip


class _Create(ctypes.Structure):
    """The first fields of union bpf_attr for BPF_MAP_CREATE."""

    _fields_ = (
        ("map_type", ctypes.c_uint32), ("key_size", ctypes.c_uint32), ("value_size", ctypes.c_uint32),
        ("max_entries", ctypes.c_uint32), ("map_flags", ctypes.c_uint32), ("inner_map_fd", ctypes.c_uint32),
    )  # fmt: skip


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, attr: ctypes.Structure) -> int:
    """The file descriptor, or the negative errno."""
    result = _libc().syscall(_NUMBER[platform.machine()], command, ctypes.byref(attr), ctypes.sizeof(attr))
    return int(result) if result >= 0 else -ctypes.get_errno()


def try_load(program_type: int, insns: Iterable[Insn], license_: str = "GPL", map_fds: Mapping[str, int] | None = None) -> str | None:
    """Load and unload: None when the verifier takes the program, else its log (or the errno's name where it wrote none)."""
    result, log = _load(program_type, encode(insns, map_fds), license_, level=1)
    return None if result >= 0 else log or os.strerror(-result)


def verifier_log(insns: Iterable[Insn]) -> str:
    """What the verifier prints at its most talkative about a program of type lwt_in, taken or not."""
    return _load(10, encode(insns), "GPL", level=2)[1]


def load_bytes(program_type: int, code: bytes) -> tuple[int, str]:
    """0 or the negative errno, and the log, for instructions that may be none of ours."""
    return _load(program_type, code, "GPL", level=1)


def _load(program_type: int, code: bytes, license_: str, level: int) -> tuple[int, str]:
    """0 or the negative errno, and the log; what was loaded is closed."""
    text = ctypes.create_string_buffer(code, len(code))
    name = ctypes.create_string_buffer(license_.encode())
    log = ctypes.create_string_buffer(_LOG_SIZE)
    attr = _Load(
        program_type, len(code) // 8, ctypes.addressof(text), ctypes.addressof(name),
        level, _LOG_SIZE, ctypes.addressof(log),
    )  # fmt: skip
    result = _bpf(_PROG_LOAD, attr)
    if result >= 0:
        os.close(result)
    return min(result, 0), log.value.decode(errors="replace")


def create_map(type_: int, key_size: int, value_size: int, max_entries: int, flags: int = 0, inner: int = 0) -> int:
    """A file descriptor for the caller to close; raises OSError."""
    result = _bpf(_MAP_CREATE, _Create(type_, key_size, value_size, max_entries, flags, inner))
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


@cache
def kernel_btf() -> str:
    """The running kernel's types as bpftool prints them."""
    vmlinux = Path("/sys/kernel/btf/vmlinux")
    if shutil.which("bpftool") is None:
        pytest.skip("needs bpftool")
    if not vmlinux.exists():
        pytest.skip("the kernel has no BTF of itself")
    return subprocess.run(["bpftool", "btf", "dump", "file", str(vmlinux)], capture_output=True, text=True, check=True).stdout


def kernel_enum(name: str) -> dict[str, int]:
    """Enumerators of one of the kernel's enums."""
    body = re.search(rf"^\[\d+\] ENUM '{name}' .*\n((?:\t.*\n)*)", kernel_btf(), re.MULTILINE)
    assert body is not None, f"the kernel has no enum {name}"
    return {key: int(value) for key, value in re.findall(r"'(\w+)' val=(-?\d+)", body[1])}


def kernel_struct(name: str) -> tuple[int, dict[str, int]]:
    """Size in bytes of one of the kernel's structs, and the byte offset of each named member."""
    body = re.search(rf"^\[\d+\] STRUCT '{name}' size=(\d+) .*\n((?:\t.*\n)*)", kernel_btf(), re.MULTILINE)
    assert body is not None, f"the kernel has no struct {name}"
    members = {key: int(bits) // 8 for key, bits in re.findall(r"'([^']+)' type_id=\d+ bits_offset=(\d+)", body[2])}
    return int(body[1]), members
