"""Loading: what the kernel takes, what it refuses, and what is refused before it is asked."""

from __future__ import annotations

import ctypes
import gc
from dataclasses import replace
from pathlib import Path

import pytest

from pybpfnf.abi.codec import make
from pybpfnf.errors import CompileError, Error, InputError, SystemLacksError, VerifierError
from pybpfnf.image import read
from pybpfnf.image.model import LineRecord, MapSpec, ObjectImage
from pybpfnf.kernel import LoadedProgram, load_program, statistics
from pybpfnf.kernel.attrs import InfoByFd
from pybpfnf.kernel.attrs import ProgramInfo as RawProgramInfo
from pybpfnf.kernel.bpf import Command, bpf
from pybpfnf.kernel.info import program_info
from pybpfnf.kernel.load import program_type
from pybpfnf.kernel.maps import map_spec
from pybpfnf.kernel.refuse import refuse_dangerous
from pybpfnf.kernel.trial import trial_run
from pybpfnf.kernel.wrapper import wrap
from tests.kernel.by_id import map_by_id, program_by_id
from tests.kernel.programs import COUNTER, OK, STATE, TABLE, image, program
from tests.kernel.system import as_nobody, descriptors

DATA = Path(__file__).parents[1] / "image" / "data"
BAD_CONTEXT = "r0 = *(u32 *)(r1 + 500)\nexit"


@pytest.mark.kernel
def test_a_program_loads_and_tells_what_it_is() -> None:
    whole = image(OK, COUNTER, name="a_name_of_more_than_15")
    with load_program(whole, whole.program()) as loaded:
        info = loaded.info()
    assert (info.type, info.name, info.xlated_size) == ("lwt_seg6local", "a_name_of_more_", 16)
    assert len(info.tag) == 16
    assert info.id > 0


@pytest.mark.kernel
def test_a_map_that_a_program_names_is_listed_in_its_info() -> None:
    whole = image(f"r1 = map[counter]\n{OK}", COUNTER)
    with load_program(whole, whole.program()) as loaded:
        with map_by_id(loaded.info().map_ids[0]) as fd:
            assert map_spec(fd) == COUNTER
        with program_by_id(loaded.info().id) as fd:
            assert program_info(fd).tag == loaded.info().tag


@pytest.mark.kernel
def test_config_is_constant_to_the_verifier() -> None:
    """An illegal access behind `if TABLE == 1` loads while TABLE is 42: the map is frozen before the program comes."""
    whole = image(f"r2 = map[.rodata]+0\nr2 = *(u32 *)(r2 + 0)\nif r2 != 1 goto +1\nr0 = *(u32 *)(r1 + 500)\n{OK}", TABLE)
    with load_program(whole, whole.program()) as loaded:
        assert loaded.maps[".rodata"].lookup(bytes(4)) == b"\x2a\0\0\0"
        with pytest.raises(InputError, match="constant once its program is loaded"):
            loaded.maps[".rodata"].update(bytes(4), bytes(4))


@pytest.mark.kernel
def test_a_refusal_is_one_diagnostic_at_the_source_line_with_the_whole_log() -> None:
    text = "    tag = pkt.nothing"
    bad = replace(program(BAD_CONTEXT), lines=(LineRecord(0, "functions/probe.py", 14, 11, text),))
    with pytest.raises(VerifierError) as caught:
        load_program(ObjectImage((bad,), {}, "GPL"), bad)
    diagnostic = caught.value.diagnostic
    assert (diagnostic.span.file, diagnostic.span.line, diagnostic.span.column) == ("functions/probe.py", 14, 11)
    assert "invalid bpf_context access off=500 size=4" in diagnostic.message
    assert diagnostic.code == "verifier"
    assert "0: (61) r0 = *(u32 *)(r1 +500)" in caught.value.log


@pytest.mark.kernel
def test_nothing_stays_open_after_a_refusal() -> None:
    whole = image(BAD_CONTEXT, COUNTER, STATE)
    gc.collect()
    before = descriptors()
    with pytest.raises(VerifierError):
        load_program(whole, whole.program())
    assert descriptors() == before


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (MapSpec("odd", "array", 8, 8, 1), "cannot create map odd (array, key 8, value 8 bytes, 1 entries)"),
        (MapSpec("odd", "arrow", key_size=4, value_size=8, max_entries=1), "unknown map type 'arrow'"),
    ],
)
def test_a_map_that_cannot_be_made_is_named(spec: MapSpec, message: str) -> None:
    whole = image(OK, COUNTER, replace(spec, name=spec.name + "_"), name="x")
    before = descriptors()
    with pytest.raises(Error) as caught:
        load_program(whole, whole.program())
    assert message.replace(f"map {spec.name}", f"map {spec.name}_") in caught.value.message
    assert descriptors() == before


@pytest.mark.kernel
def test_btf_that_the_kernel_refuses_does_not_stop_a_program() -> None:
    whole = replace(image(OK, replace(COUNTER, btf_key_type=1, btf_value_type=1)), btf=b"\x9f\xeb\x01\0 no more of it")
    with load_program(whole, whole.program()) as loaded:
        assert loaded.btf_refused


@pytest.mark.kernel
def test_objects_that_clang_built_load_with_their_types_and_lines_wrapped_or_not() -> None:
    whole = read((DATA / "programs.o").read_bytes())
    for program_name in ("first", "second", "looping"):
        for image_loaded, loaded_program in ((whole, whole.program(program_name)), wrap(whole, whole.program(program_name))):
            with load_program(image_loaded, loaded_program) as loaded:
                assert loaded.btf_refused is None
                assert _has_lines(loaded)


def _has_lines(loaded: LoadedProgram) -> bool:
    raw = RawProgramInfo()
    bpf(Command.OBJ_GET_INFO_BY_FD, InfoByFd(bpf_fd=loaded.fd.number, info_len=ctypes.sizeof(raw), info=ctypes.addressof(raw)))
    return bool(raw.btf_id and raw.nr_line_info)


@pytest.mark.kernel
def test_maps_to_share_are_pinned_by_name_once_and_opened_after_that(own_bpffs: Path) -> None:
    whole = image(OK, replace(COUNTER, pin_by_name=True))
    with load_program(whole, whole.program(), shared=own_bpffs) as first, load_program(whole, whole.program(), shared=own_bpffs) as second:
        assert (first.new_pins, second.new_pins) == ((own_bpffs / "counter",), ())
        first.maps["counter"].update(bytes(4), b"\x07" + bytes(7))
        assert second.maps["counter"].lookup(bytes(4)) == b"\x07" + bytes(7)
    other = image(OK, replace(COUNTER, pin_by_name=True, value_size=16))
    with pytest.raises(InputError, match="map counter is not the one that was created"):
        load_program(other, other.program(), shared=own_bpffs)


@pytest.mark.kernel
def test_a_load_that_fails_or_shares_nothing_leaves_no_pin(own_bpffs: Path) -> None:
    refused = image(BAD_CONTEXT, replace(COUNTER, pin_by_name=True))
    with pytest.raises(VerifierError):
        load_program(refused, refused.program(), shared=own_bpffs)
    whole = image(OK, replace(COUNTER, pin_by_name=True))
    load_program(whole, whole.program()).close()
    assert not (own_bpffs / "counter").exists()


def test_a_type_must_be_known() -> None:
    with pytest.raises(InputError, match="does not say of which type"):
        program_type(program(OK, type_name=None))
    with pytest.raises(InputError, match="no program type 'lwt_seven'"):
        program_type(program(OK), "lwt_seven")


@pytest.mark.parametrize(
    ("text", "type_name", "message"),
    [
        (f"r2 = 0\ncall skb_pull_data\n{OK}", "lwt_seg6local", "calls bpf_skb_pull_data, which makes the kernel use freed memory"),
        (f"call_kfunc\n{OK}", "lwt_seg6local", "calls a kernel function (kfunc) by a number"),
    ],
)
def test_what_would_be_dangerous_is_refused_before_the_kernel_is_asked(text: str, type_name: str, message: str) -> None:
    insns = program(text.replace("call_kfunc", "r0 = 0"), type_name=type_name)
    if "kfunc" in text:
        insns = replace(insns, insns=(make("call_kfunc", imm=1), *insns.insns))
    with pytest.raises(CompileError) as caught:
        refuse_dangerous(insns, program_type(insns))
    assert message in caught.value.diagnostics[0].message


@pytest.mark.parametrize("helper", ["lwt_push_encap", "tail_call"])
@pytest.mark.kernel
def test_a_test_run_that_could_crash_the_kernel_is_refused(helper: str) -> None:
    calls = {
        "lwt_push_encap": "r2 = 0\nr3 = r10\nr3 += -40\nr4 = 0\n*(u64 *)(r10 - 40) = 0\nr4 = 8\n",
        "tail_call": "r2 = map[progs]\nr3 = 0\n",
    }
    progs = MapSpec("progs", "prog_array", key_size=4, value_size=4, max_entries=1)
    whole = image(f"{calls[helper]}call {helper}\n{OK}", progs, type_name="lwt_in")
    with load_program(whole, whole.program()) as loaded, pytest.raises(CompileError, match="may crash the kernel in a test run"):
        trial_run(loaded, bytes(64))


@pytest.mark.kernel
def test_seg6local_has_no_test_run() -> None:
    whole = image(OK)
    with load_program(whole, whole.program()) as loaded, pytest.raises(SystemLacksError, match="no test run for lwt_seg6local"):
        trial_run(loaded, bytes(64))


@pytest.mark.kernel
def test_a_test_run_gives_the_value_the_bytes_and_the_context() -> None:
    whole = image("r2 = 7\n*(u32 *)(r1 + 8) = r2\nr0 = 128\nexit", type_name="lwt_xmit")
    frame, context = bytes(12) + b"\x86\xdd" + b"\x60" + bytes(50), bytes(192)
    with load_program(whole, whole.program()) as loaded:
        result = trial_run(loaded, frame, repeat=3, context=context)
    assert result.value == 128
    assert result.data == bytes(14) + frame[14:]
    assert result.context[8] == 7


@pytest.mark.kernel
def test_statistics_count_runs_while_they_are_on() -> None:
    whole = image(OK, type_name="lwt_xmit")
    frame = bytes(12) + b"\x86\xdd" + b"\x60" + bytes(50)
    with load_program(whole, whole.program()) as loaded:
        with statistics():
            trial_run(loaded, frame, repeat=3)  # and none after: they are on, too, while another process has them open
        info = loaded.info()
    assert info.run_count == 3
    assert info.run_ns > 0


@pytest.mark.kernel
def test_without_the_rights_the_message_names_them() -> None:
    assert as_nobody(lambda: load_program(image(OK), image(OK).program()).close()) == (
        "SystemLacksError: not permitted to load program sample; run as root, or with the capabilities CAP_BPF and CAP_NET_ADMIN"
    )
