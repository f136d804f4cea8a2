"""What a user does from Python: the verbs, on every kind of target, with the same names in the VM and in the kernel; and what they cost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, assert_type

import pytest

import pybpfnf
from pybpfnf import (
    DROP,
    OK,
    Array,
    Config,
    Hash,
    InputError,
    IPv6Address,
    LpmTrie,
    PerCpuArray,
    PerfEventArray,
    Queue,
    RingBuf,
    Seg6Packet,
    State,
    Struct,
    Verdict,
    catalogue,
    seg6local,
    u16,
    u32,
    u64,
)
from pybpfnf.live import LiveArray, LiveEvents, LiveHash, LiveTrie
from pybpfnf.testing.packets import srv6

LIMIT = Config(u32, default=3)
STEP = State(u64, initial=1)
packets = PerCpuArray(u64, 1)
recent = Array(u16, 4)
by_tag = Hash(u16, u32, 10, default=0)

PACKET = srv6(["fc00:3::3", "fc00:2::2"], tag=7)


@seg6local
def counter(pkt: Seg6Packet) -> Verdict:
    """Count packets by their tag, and drop those past LIMIT."""
    packets[0] += STEP
    recent[1] = pkt.srh.tag
    by_tag[pkt.srh.tag] += 1
    if by_tag[pkt.srh.tag] > LIMIT:
        return DROP
    return OK


# ------------------------------------------------------------------------------------------------- build and read


def test_every_kind_of_target_gives_the_same_object(tmp_path: Path) -> None:
    data = pybpfnf.build("tag_increment")
    path = tmp_path / "tag.o"
    path.write_bytes(data)
    source = catalogue.directory() / "tag_increment.py"
    assert [pybpfnf.build(target) for target in (source, str(source), path, data)] == [data] * 4


def test_a_program_is_built_from_where_it_stands() -> None:
    image = pybpfnf.read(pybpfnf.build(counter))
    assert [program.name for program in image.programs] == ["counter"]
    assert {"LIMIT", "STEP"} <= image.variables.keys()
    assert {"packets", "recent", "by_tag"} <= image.maps.keys()


def test_read_takes_bytes_and_paths(tmp_path: Path) -> None:
    data = pybpfnf.build("end")
    (tmp_path / "end.o").write_bytes(data)
    assert pybpfnf.read(data) == pybpfnf.read(tmp_path / "end.o")


def test_fault_counters_may_be_left_out() -> None:
    assert pybpfnf.read(pybpfnf.build("tag_increment")).faults is not None
    assert pybpfnf.read(pybpfnf.build("tag_increment", fault_counters=False)).faults is None


def test_an_image_has_no_bytes_to_build() -> None:
    with pytest.raises(InputError, match="has been read already"):
        pybpfnf.build(pybpfnf.read("end"))


# ------------------------------------------------------------------------------------------------------------ run


def test_run_gives_an_outcome_for_a_packet_and_a_list_for_several() -> None:
    assert pybpfnf.run(counter, PACKET).forwarded
    outcomes = pybpfnf.run(counter, [PACKET] * 5)
    assert [outcome.verdict for outcome in outcomes] == [OK, OK, OK, DROP, DROP]


def test_run_takes_config_by_name() -> None:
    assert pybpfnf.run(counter, PACKET, LIMIT=0).verdict == DROP


def test_run_takes_what_read_gave() -> None:
    assert pybpfnf.run(pybpfnf.read("end"), PACKET).forwarded


def test_an_unknown_config_is_named() -> None:
    with pytest.raises(InputError, match="no variable 'LIMITS'"):
        pybpfnf.run(counter, PACKET, LIMITS=1)


# -------------------------------------------------------------------------------------------------------- live maps


def test_a_simulation_answers_to_what_the_module_defines() -> None:
    with pybpfnf.simulate(counter, LIMIT=100) as nf:
        nf[STEP] = 10
        for _ in range(3):
            nf.run(PACKET)
        nf[by_tag][1000] = 5
        assert nf[packets][0] == 30
        assert nf[packets].per_cpu(0) == [30, 0]
        assert list(nf[recent]) == [0, 7, 0, 0]
        assert dict(nf[by_tag]) == {7: 3, 1000: 5}
        assert (nf[LIMIT], nf["STEP"]) == (100, 10)


def test_a_type_checker_knows_what_each_name_gives() -> None:
    """mypy reads this test: each line says what it must find."""
    with pybpfnf.simulate(counter) as nf:
        assert_type(nf[STEP], int)
        assert_type(nf[packets], LiveArray[int])
        assert_type(nf[by_tag], LiveHash[int, int])
        assert_type(pybpfnf.run(counter, PACKET), pybpfnf.Outcome)
        assert_type(pybpfnf.run(counter, [PACKET]), list[pybpfnf.Outcome])


class Sent(Struct):
    tag: u16


def _a_type_checker_knows_the_kinds_of_maps(nf: pybpfnf.Simulation) -> None:
    """Read by mypy alone."""
    routes, events, samples = LpmTrie(IPv6Address, u16, 4), RingBuf(Sent, 4096), PerfEventArray(Sent)
    assert_type(nf[routes], LiveTrie[int])
    assert_type(nf[routes]["fc00::/16"], int)
    assert_type(nf[events], LiveEvents[Sent])
    assert_type(nf[Queue(Sent, 4)].pop(), Sent)
    assert_type([record.tag for record in nf[samples]], list[int])


@pytest.mark.kernel
def test_a_loaded_program_answers_to_the_same_names() -> None:
    with pybpfnf.load(counter, LIMIT=100) as nf:
        nf[STEP] = 10
        nf[by_tag][1000] = 5
        nf[packets][0] = 4
        nf[recent][2] = 9
        assert nf[packets][0] == 4
        assert list(nf[recent]) == [0, 0, 9, 0]
        assert dict(nf[by_tag]) == {1000: 5}
        assert (nf[LIMIT], nf["STEP"]) == (100, 10)


# ------------------------------------------------------------------------------------------------ what imports cost

COSTLY = ("llvmlite", "pyroute2", "scapy", "elftools", "rich", "click")


def costly_modules(script: str) -> set[str]:
    """Which of the costly packages a script has imported by its end."""
    probe = f"import json, sys\n{script}\nprint(json.dumps([name for name in {COSTLY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_imports_nothing_costly() -> None:
    assert costly_modules("import pybpfnf") == set()


def test_running_an_object_imports_no_compiler_and_no_routes(tmp_path: Path) -> None:
    path = tmp_path / "end.o"
    path.write_bytes(pybpfnf.build("end"))
    script = f"import pybpfnf; assert pybpfnf.run({str(path)!r}, bytes.fromhex({PACKET.hex()!r})).forwarded"
    assert costly_modules(script) == {"elftools"}


def test_building_and_running_a_function_imports_no_routes() -> None:
    script = f"import pybpfnf; assert pybpfnf.run('end', bytes.fromhex({PACKET.hex()!r})).forwarded"
    assert costly_modules(script) <= {"llvmlite", "elftools"}


@pytest.mark.parametrize("command", [["list"], ["--help"]])
def test_small_commands_import_nothing_but_click(command: list[str]) -> None:
    assert costly_modules(f"import pybpfnf.cli; pybpfnf.cli.exit_status({command!r})") == {"click"}


def test_the_command_that_runs_an_object_imports_no_compiler_and_no_routes(tmp_path: Path) -> None:
    path = tmp_path / "end.o"
    path.write_bytes(pybpfnf.build("end"))
    script = f"import pybpfnf.cli; pybpfnf.cli.exit_status(['run', {str(path)!r}, '/dev/null'])"
    assert costly_modules(script) == {"click", "elftools"}


def test_importing_the_verbs_name_by_name_is_what_the_package_offers() -> None:
    for name in pybpfnf.__all__:
        assert getattr(pybpfnf, name) is not None


@pytest.mark.parametrize("target", [3, None, lambda packet: packet])
def test_what_is_no_target_is_named(target: Any) -> None:
    with pytest.raises(InputError, match="is no network function"):
        pybpfnf.build(target)


def test_text_is_no_packet() -> None:
    text: Any = "6000"
    with pytest.raises(InputError, match="a packet is bytes"):
        pybpfnf.run("end", text)
