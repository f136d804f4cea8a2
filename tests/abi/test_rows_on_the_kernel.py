"""The rows, held against the running kernel: its verifier decides, its own type information numbers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import pytest

from pybpfnf.abi.codec import make
from pybpfnf.abi.contexts import ContextField
from pybpfnf.abi.forms import Insn
from pybpfnf.abi.helpers import HELPERS, HELPERS_BY_ID, Arg, Helper
from pybpfnf.abi.maps import BPF_F_NO_PREALLOC, MAP_TYPES
from pybpfnf.abi.programs import LWT_TYPES, PROGRAM_TYPES, PacketRights, ProgramType
from pybpfnf.abi.versions import helper_since, parse_kernel
from tests.abi.bpf import create_map, kernel_enum, kernel_struct, kernel_version, need_bpf, try_load

pytestmark = pytest.mark.kernel

R0, R1, R2, R6, R7, R10 = 0, 1, 2, 6, 7, 10
NO_SUCH_HELPER = ("cannot use helper", "unknown func", "invalid func", "helper call might sleep")
RETURN_ZERO = (make("mov64_imm", R0, imm=0), make("exit"))


@pytest.fixture(scope="module", autouse=True)
def _bpf_is_here() -> None:
    need_bpf()


@pytest.fixture(scope="module")
def map_fds() -> Iterator[dict[str, int]]:
    """One map of each shape that a helper asks for, by map type."""
    shapes = {
        "array": (4, 8, 1), "percpu_array": (4, 8, 1), "queue": (0, 8, 1), "ringbuf": (0, 0, 4096), "prog_array": (4, 4, 1),
        "perf_event_array": (4, 4, 1), "cgroup_array": (4, 4, 1), "user_ringbuf": (0, 0, 4096), "hash": (4, 8, 1),
        "devmap": (4, 4, 1),
    }  # fmt: skip
    fds = {name: create_map(MAP_TYPES[name].id, *shape) for name, shape in shapes.items()}
    yield fds
    for fd in fds.values():
        os.close(fd)


# ------------------------------------------------------------------------------------------------------- who may call


def is_there(helper: Helper, type_: ProgramType) -> bool:
    """Whether a helper that `type_` has by its row should be on a kernel as old as the running one."""
    since = (helper.lwt_since or helper.since) if type_.name in LWT_TYPES else helper.since
    return parse_kernel(since) <= kernel_version()


@pytest.mark.parametrize("name", LWT_TYPES)
def test_each_lightweight_tunnel_type_may_call_exactly_the_helpers_of_its_row(name: str) -> None:
    type_ = PROGRAM_TYPES[name]
    highest = max(kernel_enum("bpf_func_id").values())  # __BPF_FUNC_MAX_ID
    logs = {number: try_load(type_.id, (make("call", imm=number), *RETURN_ZERO)) for number in range(1, highest)}
    callable_ = {number for number, log in logs.items() if log is None or not any(answer in log for answer in NO_SUCH_HELPER)}
    expected = {HELPERS[helper].id for helper in type_.helpers if is_there(HELPERS[helper], type_)}
    withdrawn = {HELPERS[helper].id for helper in type_.withdrawn}
    missing, unknown = expected - callable_, callable_ - expected - withdrawn
    assert not missing, f"not callable: {sorted(HELPERS_BY_ID[number].name for number in missing)}"
    assert not unknown, f"callable without a row: {sorted(unknown)}"


@pytest.mark.parametrize("name", ["xdp", "sched_cls"])
def test_the_other_types_may_call_exactly_those_of_our_helpers_that_their_row_says(name: str) -> None:
    if kernel_version() < (6, 16):
        pytest.skip("which of the tracing helpers are for every type changed up to Linux 6.16")
    type_ = PROGRAM_TYPES[name]
    callable_ = set()
    for helper in HELPERS.values():
        log = try_load(type_.id, (make("call", imm=helper.id), *RETURN_ZERO))
        if log is None or not any(answer in log for answer in NO_SUCH_HELPER):
            callable_.add(helper.name)
    assert callable_ == type_.helpers


def test_the_gpl_only_helpers_are_those_that_another_license_may_not_call() -> None:
    restricted = set()
    there = [helper for helper in HELPERS.values() if is_there(helper, caller_of(helper))]
    for helper in there:
        log = try_load(caller_of(helper).id, (make("call", imm=helper.id), *RETURN_ZERO), license_="Proprietary")
        if log is not None and "GPL" in log:
            restricted.add(helper.name)
    assert restricted == {helper.name for helper in there if helper.gpl_only}


# --------------------------------------------------------------------------------------------------------- signatures

EASY = {
    Arg.CTX, Arg.SCALAR, Arg.MAP, Arg.MAP_KEY, Arg.MAP_VALUE, Arg.MAP_VALUE_OUT, Arg.MEM, Arg.MEM_OR_NULL, Arg.MEM_OUT,
    Arg.SIZE, Arg.SIZE_OR_ZERO,
}  # fmt: skip
MAP_OF = {
    "map_push_elem": "queue", "map_pop_elem": "queue", "map_peek_elem": "queue", "map_delete_elem": "hash",
    "map_lookup_percpu_elem": "percpu_array",
    "tail_call": "prog_array", "perf_event_output": "perf_event_array", "perf_event_read": "perf_event_array",
    "perf_event_read_value": "perf_event_array", "skb_under_cgroup": "cgroup_array", "current_task_under_cgroup": "cgroup_array",
    "ringbuf_output": "ringbuf", "ringbuf_reserve": "ringbuf", "ringbuf_query": "ringbuf",
    "redirect_map": "devmap",
}  # fmt: skip
SIMPLE = sorted(name for name, helper in HELPERS.items() if set(helper.args) <= EASY)


def each(names: Iterable[str]) -> pytest.MarkDecorator:
    """Skipped on a kernel that lets no program of the type that is asked call the helper yet."""
    since = pytest.mark.linux
    return pytest.mark.parametrize(
        "name", [pytest.param(name, marks=since(helper_since(HELPERS[name]), f"nothing here may call {name}")) for name in names]
    )


def caller_of(helper: Helper) -> ProgramType:
    """A type that may call it; never seg6local where another lightweight-tunnel type will do."""
    names = ("lwt_xmit", "lwt_in", "lwt_out", "lwt_seg6local", "sched_cls", "xdp")
    return next(PROGRAM_TYPES[name] for name in names if helper.name in PROGRAM_TYPES[name].helpers)


def argument(helper: Helper, register: int, kind: Arg) -> Insn:
    """Put something of that kind in the register."""
    if kind is Arg.CTX:
        return make("mov64_reg", register, R6)
    if kind is Arg.MAP:
        return make("ld_map", register, ref=MAP_OF.get(helper.name, "array"))
    if kind in (Arg.SIZE, Arg.SIZE_OR_ZERO):
        return make("mov64_imm", register, imm=8)
    if kind is Arg.SCALAR:
        # ringbuf_reserve's second argument must be a constant above 0.
        return make("mov64_imm", register, imm=8 if helper.name == "ringbuf_reserve" and register == R2 else 0)
    return make("mov64_reg", register, R10)


def stack_pointers(helper: Helper) -> list[Insn]:
    """The MEM-like arguments point at 16 initialised bytes below the frame pointer."""
    pointers = EASY - {Arg.CTX, Arg.MAP, Arg.SIZE, Arg.SIZE_OR_ZERO, Arg.SCALAR}
    return [make("add64_imm", register, imm=-16) for register, kind in enumerate(helper.args, 1) if kind in pointers]


def call(helper: Helper, spoiled: int | None = None, left_out: int | None = None) -> list[Insn]:
    """A call with arguments as the row says; argument `spoiled` is the number 1 instead, argument `left_out` is not set."""
    code = [make("mov64_reg", R6, R1), make("st64", R10, off=-16, imm=0), make("st64", R10, off=-8, imm=0)]
    arguments = [argument(helper, register, kind) for register, kind in enumerate(helper.args, 1)]
    shifts = stack_pointers(helper)
    # r1 holds the context at entry: make sure that what is left out is not readable by accident.
    if left_out is not None:
        code += [make("call", imm=HELPERS["get_prandom_u32"].id)]
        arguments = [insn for insn in arguments if insn.dst != left_out]
        shifts = [insn for insn in shifts if insn.dst != left_out]
    code += arguments + shifts
    if spoiled is not None:
        code.append(make("mov64_imm", spoiled, imm=1))
    code.append(make("call", imm=helper.id))
    return code


def finish(helper: Helper) -> list[Insn]:
    """Submit a record that the call may have given, and return 0."""
    code: list[Insn] = []
    if helper.ret is Arg.RECORD_OR_NULL:
        submit = [make("mov64_reg", R1, R0), make("mov64_imm", R2, imm=0), make("call", imm=HELPERS["ringbuf_submit"].id)]
        code += [make("jeq64_imm", R0, off=len(submit), imm=0), *submit]
    return [*code, *RETURN_ZERO]


@each(SIMPLE)
def test_the_verifier_takes_a_call_with_the_arguments_of_the_row(name: str, map_fds: dict[str, int]) -> None:
    helper = HELPERS[name]
    assert try_load(caller_of(helper).id, [*call(helper), *finish(helper)], map_fds=map_fds) is None


@each(name for name in SIMPLE if HELPERS[name].args)
def test_the_verifier_asks_for_each_argument_of_the_row(name: str, map_fds: dict[str, int]) -> None:
    helper = HELPERS[name]
    for register in range(1, len(helper.args) + 1):
        log = try_load(caller_of(helper).id, [*call(helper, left_out=register), *finish(helper)], map_fds=map_fds)
        assert log is not None, f"argument {register} can be left out"
        assert "!read_ok" in log


@each(SIMPLE)
def test_a_number_is_refused_where_the_row_says_pointer(name: str, map_fds: dict[str, int]) -> None:
    helper = HELPERS[name]
    numbers = (Arg.SCALAR, Arg.SIZE, Arg.SIZE_OR_ZERO)
    for register, kind in enumerate(helper.args, 1):
        if kind not in numbers:
            log = try_load(caller_of(helper).id, [*call(helper, spoiled=register), *finish(helper)], map_fds=map_fds)
            assert log is not None, f"argument {register} ({kind.value}) can be the number 1"
            assert "expected=" in log or "type=scalar" in log


@each(name for name in SIMPLE if HELPERS[name].ret in (Arg.SCALAR, Arg.VOID))
def test_the_result_is_readable_unless_the_row_says_void(name: str, map_fds: dict[str, int]) -> None:
    helper = HELPERS[name]
    log = try_load(caller_of(helper).id, [*call(helper), make("mov64_reg", R7, R0), *RETURN_ZERO], map_fds=map_fds)
    assert (log is not None) == (helper.ret is Arg.VOID)


@each(SIMPLE)
def test_packet_pointers_are_stale_after_the_helpers_that_change_the_packet_and_no_others(name: str, map_fds: dict[str, int]) -> None:
    helper = HELPERS[name]
    context = caller_of(helper).context.fields
    code = call(helper)
    entry, rest = code[:1], code[1:]
    look = [
        make("ldx32", R7, R6, off=context["data"].offset),
        make("ldx32", R1, R6, off=context["data_end"].offset),
        make("mov64_reg", R2, R7),
        make("add64_imm", R2, imm=1),
        make("jle64_reg", R2, R1, off=2),
        *RETURN_ZERO,
    ]
    read_again = [make("ldx8", R1, R7)] if helper.ret is not Arg.RECORD_OR_NULL else []
    log = try_load(caller_of(helper).id, [*entry, *look, *rest, *read_again, *finish(helper)], map_fds=map_fds)
    if name == "tail_call" and log is not None:
        # From 6.13 (and 6.12 with its later fixes) to 6.17 the verifier took a tail call that missed for one that was made.
        assert parse_kernel("6.12") <= kernel_version() < parse_kernel("6.18"), log
        return
    assert (log is not None) == helper.changes_packet, log


# ----------------------------------------------------------------------------------------------------- context, packet

SKB_TYPES = (*LWT_TYPES, "sched_cls")


def access(field: ContextField, write: bool) -> tuple[Insn, ...]:
    width = field.size // field.count * 8
    if write:
        return (make("mov64_imm", R2, imm=0), make(f"stx{width}", R1, R2, off=field.offset), *RETURN_ZERO)
    return (make(f"ldx{width}", R2, R1, off=field.offset), *RETURN_ZERO)


@pytest.mark.parametrize("name", [*SKB_TYPES, "xdp"])
def test_context_fields_are_readable_and_writable_as_their_rows_say(name: str) -> None:
    type_ = PROGRAM_TYPES[name]
    for field in type_.context.fields.values():
        assert (try_load(type_.id, access(field, write=False)) is None) == (name in field.readable), f"read {field.name}"
        assert (try_load(type_.id, access(field, write=True)) is None) == (name in field.writable), f"write {field.name}"


@pytest.mark.parametrize("name", sorted(PROGRAM_TYPES))
def test_the_packet_is_readable_and_writable_as_the_row_says(name: str) -> None:
    type_ = PROGRAM_TYPES[name]
    look = (
        make("ldx32", R6, R1, off=type_.context.fields["data"].offset),
        make("ldx32", R7, R1, off=type_.context.fields["data_end"].offset),
        make("mov64_reg", R2, R6),
        make("add64_imm", R2, imm=1),
        make("jle64_reg", R2, R7, off=2),
        *RETURN_ZERO,
    )
    readable = try_load(type_.id, (*look, make("ldx8", R1, R6), *RETURN_ZERO)) is None
    writable = try_load(type_.id, (*look, make("st8", R6, imm=0), *RETURN_ZERO)) is None
    expected = {
        PacketRights.NONE: (False, False),
        PacketRights.READ_ONLY: (True, False),
        PacketRights.READ_WRITE: (True, True),
    }
    assert (readable, writable) == expected[type_.packet]


# ------------------------------------------------------------------------------------------------------------ numbers


def test_helper_numbers_are_the_kernels() -> None:
    known = kernel_enum("bpf_func_id")
    ours = {f"BPF_FUNC_{helper.name}": helper.id for helper in HELPERS.values() if parse_kernel(helper.since) <= kernel_version()}
    assert ours == {name: known[name] for name in ours}


def test_map_type_numbers_are_the_kernels() -> None:
    known = kernel_enum("bpf_map_type")
    ours = {f"BPF_MAP_TYPE_{row.name.upper()}": row.id for row in MAP_TYPES.values() if parse_kernel(row.since) <= kernel_version()}
    assert ours == {name: known[name] for name in ours}


def test_program_type_numbers_are_the_kernels() -> None:
    known = kernel_enum("bpf_prog_type")
    assert {row.name: row.id for row in PROGRAM_TYPES.values()} == {name: known[f"BPF_PROG_TYPE_{name.upper()}"] for name in PROGRAM_TYPES}


@pytest.mark.parametrize("context", [PROGRAM_TYPES["lwt_in"].context, PROGRAM_TYPES["xdp"].context], ids=lambda context: context.name)
def test_context_offsets_are_the_kernels(context: object) -> None:
    rows = PROGRAM_TYPES["xdp"].context if context is PROGRAM_TYPES["xdp"].context else PROGRAM_TYPES["lwt_in"].context
    size, members = kernel_struct(rows.name)
    in_unions = {"flow_keys", "sk"}  # pointers in an anonymous union, which BTF does not name here
    assert size == rows.size
    assert {field.name: field.offset for field in rows.fields.values() if field.name not in in_unions} == {
        name: offset for name, offset in members.items() if name != "(anon)"
    }


def test_verdicts_are_the_kernels() -> None:
    known = kernel_enum("bpf_ret_code")
    for name in LWT_TYPES:
        for verdict, number in PROGRAM_TYPES[name].verdicts.items():
            kernels = "BPF_LWT_REROUTE" if verdict == "REROUTE" else f"BPF_{verdict}"
            assert known[kernels] == number


SHAPES = {
    "hash": (4, 8, 4), "array": (4, 8, 4), "prog_array": (4, 4, 4), "perf_event_array": (4, 4, 4), "percpu_hash": (4, 8, 4),
    "percpu_array": (4, 8, 4), "lru_hash": (4, 8, 4), "lru_percpu_hash": (4, 8, 4), "lpm_trie": (20, 8, 4),
    "array_of_maps": (4, 4, 4), "hash_of_maps": (4, 4, 4), "queue": (0, 8, 4), "stack": (0, 8, 4), "ringbuf": (0, 0, 4096),
    "bloom_filter": (0, 8, 4), "cgroup_array": (4, 4, 4), "user_ringbuf": (0, 0, 4096),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_map_of_the_type_can_be_made_and_takes_no_other_fixed_size(name: str, map_fds: dict[str, int]) -> None:
    row = MAP_TYPES[name]
    flags = BPF_F_NO_PREALLOC if name == "lpm_trie" else 0  # which a trie asks for
    inner = map_fds["array"] if name.endswith("_of_maps") else 0
    key_size, value_size, max_entries = SHAPES[name]
    os.close(create_map(row.id, key_size, value_size, max_entries, flags, inner))
    if row.fixed_key_size is not None:
        with pytest.raises(OSError):
            os.close(create_map(row.id, row.fixed_key_size + 4, value_size, max_entries, flags, inner))
    if row.fixed_value_size is not None:
        with pytest.raises(OSError):
            os.close(create_map(row.id, key_size, row.fixed_value_size + 4, max_entries, flags, inner))
