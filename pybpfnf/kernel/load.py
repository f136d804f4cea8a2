"""An image into the kernel: its BTF, its maps, one of its programs. What the kernel refuses becomes one diagnostic."""

from __future__ import annotations

import ctypes
import errno
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, final

from pybpfnf.abi.codec import SLOT_SIZE, encode
from pybpfnf.abi.programs import PROGRAM_TYPES, ProgramType
from pybpfnf.errors import Error, InputError, KernelError, VerifierError
from pybpfnf.image import set_by_loader
from pybpfnf.image.meta import TAI_OFFSET_SYMBOL, TSTAMP_OFFSET_SYMBOL
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.image.tails import reached_programs
from pybpfnf.kernel import bpffs
from pybpfnf.kernel.attrs import BtfLoad, ProgramLoad
from pybpfnf.kernel.bpf import Command, Fd, bpf, explained
from pybpfnf.kernel.clock import tai_offset
from pybpfnf.kernel.info import ProgramInfo, program_info
from pybpfnf.kernel.kfuncs import kfunc_ids, without_absent
from pybpfnf.kernel.maps import Map, address_of, create_map, kernel_name, open_map
from pybpfnf.kernel.refuse import refuse_dangerous
from pybpfnf.kernel.shared import open_or_pin
from pybpfnf.kernel.verifier_log import diagnose
from pybpfnf.kernel.vmlinux import member_offset

# With less, large programs fail with ENOSPC before the message; the kernel writes only what it needs.
_LOG_SIZE = 16 << 20
_LOG_LEVEL = 1  # BPF_LOG_LEVEL1: instructions and the failing path's states
_END_OF_LOG = b"\nprocessed "  # "processed 5 insns (limit ...": the last line
_LOG_STATISTICS = 4  # BPF_LOG_STATS: the reason, and how many instructions were looked at
FUNC_INFO_SIZE = 8  # struct bpf_func_info: insn_off in slots, type_id
LINE_INFO_SIZE = 16  # struct bpf_line_info: insn_off in slots, file_name_off, line_off, line_col
_BY_LOADER: Mapping[str, Callable[[], int]] = {
    TAI_OFFSET_SYMBOL: lambda: tai_offset(),
    TSTAMP_OFFSET_SYMBOL: lambda: member_offset("sk_buff", "tstamp"),
}


@final
class LoadedProgram:
    """A program in the kernel with its maps; all live until it is closed (or longer, where a route or a pin holds them)."""

    def __init__(
        self,
        image: ObjectImage,
        program: ProgramImage,
        fd: Fd,
        maps: Mapping[str, Map],
        btf_refused: str | None,
        new_pins: tuple[Path, ...],
    ) -> None:
        self.image = image
        self.new_pins = new_pins  # of maps to share, made by this load
        self.program = program
        self.maps = maps
        self.btf_refused = btf_refused  # why the kernel took the program without its types and lines, None where it has them
        self._fd = fd

    @property
    def fd(self) -> Fd:
        return self._fd

    def info(self) -> ProgramInfo:
        return program_info(self._fd)

    def close(self) -> None:
        self._fd.close()
        for each in self.maps.values():
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


def load_program(
    image: ObjectImage,
    program: ProgramImage,
    *,
    type_name: str | None = None,
    shared: Path | None = None,
    existing: Mapping[str, Path] | None = None,
) -> LoadedProgram:
    """Create the image's maps and load `program` (`type_name`: a row of abi.programs, where its section does not say it).

    Maps that the object wants pinned by name are looked up and pinned in the directory `shared`; without one, this load
    has its own, and leaves no pin. `existing`: pins of maps that are to be used in place of new ones, by name.

    Raises VerifierError with one diagnostic for a refusal, CompileError for what would be dangerous to load,
    InputError for an unknown type, SystemLacksError without the rights, KernelError for anything else.
    """
    row = program_type(program, type_name)
    reached = reached_programs(image, program)
    for each in (program, *reached):
        refuse_dangerous(each, row)
    image = set_by_loader(image, {symbol: _BY_LOADER[symbol]() for symbol in image.by_loader})
    with ExitStack() as undo:
        btf, btf_refused = _load_btf(image.btf)
        if btf is not None:
            undo.enter_context(btf)
        with ExitStack() as kept:
            pins: list[Path] = []
            kept.callback(bpffs.unpin, pins)
            maps = {
                name: kept.enter_context(_map(spec, btf, shared, pins, (existing or {}).get(name))) for name, spec in image.maps.items()
            }
            fd = _load(image, program, row, maps, btf)
            kept.callback(fd.close)
            _fill_slots(image, reached, row, maps, btf)
            kept.pop_all()
    return LoadedProgram(image, program, fd, maps, btf_refused, tuple(pins))


def _fill_slots(image: ObjectImage, reached: Iterable[ProgramImage], row: ProgramType, maps: Mapping[str, Map], btf: Fd | None) -> None:
    """The programs of the object's program arrays, each loaded once; from here on their arrays hold them.

    An array lets go of its programs when its last descriptor and pin are gone (kernel/bpf/arraymap.c, prog_array_map_clear): whoever
    wants tail calls to lead anywhere keeps one of them.
    """
    with ExitStack() as loaded:
        fds = {each.name: loaded.enter_context(_load(image, each, row, maps, btf)) for each in reached}
        for name, array in maps.items():
            for slot, program in image.maps[name].programs:
                if program in fds:
                    array.update(slot.to_bytes(4, sys.byteorder), fds[program].number.to_bytes(4, sys.byteorder))


def _map(spec: MapSpec, btf: Fd | None, shared: Path | None, pins: list[Path], existing: Path | None) -> Map:
    """The map, that of the pin `existing` where there is one; where it is one to share, and new, its pin goes into `pins`."""
    if existing is not None:
        return open_map(bpffs.open_pin(existing, f"map {spec.name}"), spec)
    if not spec.pin_by_name or shared is None:
        return create_map(spec, btf)
    opened, pin = open_or_pin(spec, btf, shared)
    pins += [pin] if pin is not None else []
    return opened


def program_type(program: ProgramImage, type_name: str | None = None) -> ProgramType:
    """The row of the type that is given, or of the one that the program's section says."""
    name = type_name if type_name is not None else program.type
    if name is None:
        raise InputError(f"section {program.section!r} does not say of which type program {program.name} is", hint=f"name it: {_types()}")
    if name not in PROGRAM_TYPES:
        raise InputError(f"no program type {name!r}", hint=f"there are: {_types()}")
    return PROGRAM_TYPES[name]


def _types() -> str:
    return ", ".join(PROGRAM_TYPES)


def _load_btf(btf: bytes) -> tuple[Fd | None, str | None]:
    """The object's types in the kernel, or why it did not take them: a program runs without, so that alone is no failure."""
    if not btf:
        return None, None
    attr = BtfLoad(btf=address_of(btf), btf_size=len(btf))
    try:
        return Fd(bpf(Command.BTF_LOAD, attr)), None
    except OSError as error:
        if error.errno == errno.EPERM:
            raise explained("load the object's types (BTF)", error) from None
    log = ctypes.create_string_buffer(_LOG_SIZE)
    attr.btf_log_buf, attr.btf_log_size, attr.btf_log_level = address_of(log), _LOG_SIZE, 1
    try:
        return Fd(bpf(Command.BTF_LOAD, attr)), None
    except OSError as error:
        lines = log.value.decode(errors="replace").strip().splitlines()
        return None, lines[-1] if lines else str(error.strerror)


def _load(image: ObjectImage, program: ProgramImage, row: ProgramType, maps: Mapping[str, Map], btf: Fd | None) -> Fd:
    code = _code(program, maps)
    license_text = image.license.encode() + b"\0"
    attr = ProgramLoad(
        prog_type=row.id,
        insn_cnt=len(code) // SLOT_SIZE,
        insns=address_of(code),
        license=address_of(license_text),
        prog_name=kernel_name(program.name),
    )
    if btf is not None and program.func_info:
        attr.prog_btf_fd = btf.number
        attr.func_info_rec_size, attr.func_info = FUNC_INFO_SIZE, address_of(program.func_info)
        attr.func_info_cnt = len(program.func_info) // FUNC_INFO_SIZE
        attr.line_info_rec_size, attr.line_info = LINE_INFO_SIZE, address_of(program.line_info)
        attr.line_info_cnt = len(program.line_info) // LINE_INFO_SIZE
    try:
        return Fd(bpf(Command.PROG_LOAD, attr))
    except OSError as error:
        if error.errno == errno.EPERM:
            raise explained(f"load program {program.name}", error) from None
    return _load_with_log(program, attr)


def _load_with_log(program: ProgramImage, attr: ProgramLoad) -> Fd:
    """The second try, which asks for the log: making it costs the verifier time that a good program need not spend."""
    log = ctypes.create_string_buffer(_LOG_SIZE)
    try:
        return _load_into(log, attr, _LOG_LEVEL)
    except OSError as refusal:
        error = refusal
    if error.errno == errno.ENOSPC and _END_OF_LOG not in log.value:
        # Before Linux 6.4 a full log has no end, and so no reason: what the verifier says without its way fits.
        try:
            return _load_into(log, attr, _LOG_STATISTICS)
        except OSError as refusal:
            error = refusal
    text = log.value.decode(errors="replace")
    if text.strip():
        raise VerifierError(diagnose(text, program), text)
    raise _without_log(program, error)


def _load_into(log: ctypes.Array[ctypes.c_char], attr: ProgramLoad, level: int) -> Fd:
    attr.log_buf, attr.log_size, attr.log_level = address_of(log), _LOG_SIZE, level
    return Fd(bpf(Command.PROG_LOAD, attr))


def _without_log(program: ProgramImage, error: OSError) -> Error:
    if error.errno == errno.E2BIG:
        return KernelError(f"program {program.name} has too many instructions for this kernel ({program.slots})", errno=errno.E2BIG)
    return explained(f"load program {program.name}", error)


def _code(program: ProgramImage, maps: Mapping[str, Map]) -> bytes:
    for name in program.map_names:
        if name not in maps:
            raise InputError(f"program {program.name} refers to {name!r}, which is not a map of its object")
    program = without_absent(program)
    return encode(program.insns, {name: each.fd for name, each in maps.items()} | dict(kfunc_ids(program.kfunc_names)))
