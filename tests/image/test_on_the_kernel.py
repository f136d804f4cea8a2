"""What was read, in the kernel: its types, its maps with their types, its programs with their records, and what they return."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import pytest

from pybpfnf.abi.codec import SLOT_SIZE, encode
from pybpfnf.abi.maps import MAP_TYPES
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.image import configure, read
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.image.objfile import read_object
from pybpfnf.kernel import attrs
from pybpfnf.kernel.attrs import BtfLoad, MapCreate, MapElement, MapFreeze, ProgramLoad
from pybpfnf.kernel.bpf import Command, Fd, bpf
from pybpfnf.kernel.maps import address_of
from tests.image.objects import LINKABLE, ORIGINS, Origin, committed

pytestmark = pytest.mark.kernel

LOG_SIZE = 1 << 20


def with_log(command: Command, attr: BtfLoad | ProgramLoad, prefix: str) -> Fd:
    """Make the call, its log in the failure: unlike a loader, a test must not go on without types."""
    log = ctypes.create_string_buffer(LOG_SIZE)
    for name, value in (("buf", address_of(log)), ("size", LOG_SIZE), ("level", 1)):
        setattr(attr, f"{prefix}log_{name}", value)
    try:
        return Fd(bpf(command, attr))
    except OSError as error:
        pytest.fail(f"{command.name}: {error}\n{log.value.decode(errors='replace')[-3000:]}")


def load_btf(data: bytes) -> Fd:
    return with_log(Command.BTF_LOAD, BtfLoad(btf=address_of(data), btf_size=len(data)), "btf_")


def create_map(spec: MapSpec, btf: Fd | None) -> Fd:
    attr = MapCreate(
        map_type=MAP_TYPES[spec.type].id,
        key_size=spec.key_size,
        value_size=spec.value_size,
        max_entries=spec.max_entries,
        map_flags=spec.flags,
    )
    if btf is not None and spec.btf_value_type:
        attr.btf_fd, attr.btf_key_type_id, attr.btf_value_type_id = btf.number, spec.btf_key_type, spec.btf_value_type
    fd = Fd(bpf(Command.MAP_CREATE, attr))
    if spec.initial is not None:
        key = bytes(spec.key_size)
        bpf(Command.MAP_UPDATE_ELEM, MapElement(map_fd=fd.number, key=address_of(key), value=address_of(spec.initial)))
    if spec.frozen:
        bpf(Command.MAP_FREEZE, MapFreeze(map_fd=fd.number))
    return fd


def load_program(image: ObjectImage, program: ProgramImage, type_name: str, maps: Mapping[str, Fd], btf: Fd | None) -> Fd:
    code = encode(program.insns, {name: fd.number for name, fd in maps.items()})
    license_text = image.license.encode() + b"\0"
    attr = ProgramLoad(
        prog_type=PROGRAM_TYPES[type_name].id,
        insn_cnt=len(code) // SLOT_SIZE,
        insns=address_of(code),
        license=address_of(license_text),
    )
    if btf is not None:
        attr.prog_btf_fd = btf.number
        attr.func_info, attr.func_info_rec_size, attr.func_info_cnt = address_of(program.func_info), 8, len(program.func_info) // 8
        attr.line_info, attr.line_info_rec_size, attr.line_info_cnt = address_of(program.line_info), 16, len(program.line_info) // 16
    return with_log(Command.PROG_LOAD, attr, "")


@contextmanager
def loaded(image: ObjectImage, program: ProgramImage, type_name: str) -> Iterator[tuple[Fd, dict[str, Fd]]]:
    with ExitStack() as stack:
        btf = stack.enter_context(load_btf(image.btf)) if image.btf else None
        maps = {name: stack.enter_context(create_map(spec, btf)) for name, spec in image.maps.items()}
        yield stack.enter_context(load_program(image, program, type_name, maps, btf)), maps


def run(fd: Fd, length: int = 64) -> int:
    """The verdict on an Ethernet frame of that many bytes, for a classifier."""
    packet = bytes(length)
    attr = attrs.TestRun(prog_fd=fd.number, data_in=address_of(packet), data_size_in=len(packet), repeat=1)
    bpf(Command.PROG_TEST_RUN, attr)
    return int(attr.retval)


def value_of(fd: Fd, size: int) -> bytes:
    key, value = bytes(4), ctypes.create_string_buffer(size)
    bpf(Command.MAP_LOOKUP_ELEM, MapElement(map_fd=fd.number, key=address_of(key), value=address_of(value)))
    return value.raw


@ORIGINS
@pytest.mark.parametrize("name", LINKABLE)
def test_the_kernel_takes_types_maps_and_every_program_with_its_records(origin: Origin, name: str) -> None:
    image = read(origin(name), types={"untyped": "lwt_in"} if name == "programs" else {})
    for program in image.programs:
        assert program.type is not None
        assert bool(program.func_info) == bool(program.line_info) == bool(image.btf)
        with loaded(image, program, program.type) as (fd, _):
            assert fd.number > 0


@pytest.mark.parametrize("name", ["data", "refused_btf"])
def test_the_kernel_refuses_types_as_the_compiler_left_them(name: str) -> None:
    """What makes the completion necessary; when a kernel takes them, it can be simpler."""
    section = read_object(committed(name)).section(".BTF")
    assert section is not None
    with pytest.raises(OSError, match="Invalid argument"):
        bpf(Command.BTF_LOAD, BtfLoad(btf=address_of(section.data), btf_size=len(section.data)))


def test_linked_subprograms_compute_what_their_source_says() -> None:
    """`first` gives 0 when leaf(len + 1) + leaf(len + 2), each the low two bits, is not zero: always; it counts two calls."""
    image = read(committed("programs"))
    with loaded(image, image.program("first"), "sched_cls") as (fd, maps):
        assert run(fd) == 0
        assert int.from_bytes(value_of(maps[".bss"], 8), sys.byteorder) == 2


def test_a_linked_callback_is_called() -> None:
    image = read(committed("programs"))
    with loaded(image, image.program("looping"), "sched_cls") as (fd, _):
        assert run(fd) == 0  # 2 unless add_index made the sum 0 + 1 + 2 + 3


def test_globals_are_where_the_program_reads_and_writes_them() -> None:
    image = read(committed("data"))
    uses = image.program("uses")
    with loaded(image, uses, "sched_cls") as (fd, maps):
        assert run(fd, 64) == 2  # names[0] is "drop"
        assert run(fd, 65) == 0  # names[1] is "pass"
        data = value_of(maps[".data"], image.maps[".data"].value_size)
        bss = value_of(maps[".bss"], image.maps[".bss"].value_size)
    assert int.from_bytes(data[:8], sys.byteorder) == 7 + 9 + 9  # COLLECTOR ends in 9
    assert int.from_bytes(data[8:12], sys.byteorder, signed=True) == -4
    seen, last = image.variables["seen"].offset, image.variables["uses.last"].offset
    assert [int.from_bytes(bss[offset:][:4], sys.byteorder) for offset in (seen, last)] == [64, 65]


@pytest.mark.parametrize(("port", "verdict"), [(100, 2), (101, 0)])
def test_a_configured_value_is_what_the_program_sees(port: int, verdict: int) -> None:
    image = configure(read(committed("data")), {"PORT": port})
    with loaded(image, image.program("frugal"), "sched_cls") as (fd, _):
        assert run(fd, 100) == verdict
