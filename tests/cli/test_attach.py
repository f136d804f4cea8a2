"""check, attach, get, set, status and detach, on the running kernel: in a network namespace and on a bpffs of the test's own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from shutil import which
from typing import Any

import pytest

import pybpfnf
from pybpfnf.kernel.info import statistics
from pybpfnf.kernel.links import MAIN_TABLE
from pybpfnf.kernel.netlink import Netlink
from pybpfnf.kernel.routes import routes
from pybpfnf.testing.packets import srv6
from tests.cli.conftest import Command

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("namespace", "own_bpffs")]

SID = "fc00:f::2"
TO_B0 = bytes.fromhex("02000000 0b00 02000000 0b01 86dd")
PACKET = srv6(["fc00:3::3", SID])

SOURCE = """
from pybpfnf import OK, PerCpuArray, Seg6Packet, State, Verdict, seg6local, u32

DIVISOR = State(u32, initial=10)
OTHER = State(u32, initial=1)
packets = PerCpuArray(u32, 1)


@seg6local
def divides(pkt: Seg6Packet) -> Verdict:
    packets[0] += 1
    assert packets[0] % DIVISOR < 1000 + OTHER
    return OK
"""


@pytest.fixture
def divides(tmp_path: Path) -> Path:
    path = tmp_path / "divides.py"
    path.write_text(SOURCE)
    return path


def test_get_shows_variables_and_map_entries(command: Command, divides: Path) -> None:
    command("attach", divides, SID, "--dev", "b0")
    send(3)
    assert eventually(lambda: command("get", SID, "packets").out.split()[-2:] == ["packets[0]", "3"])
    rows = [line.split() for line in command("get", SID).out.splitlines()]
    assert rows == [["NAME", "VALUE"], ["DIVISOR", "10"], ["OTHER", "1"], ["packets[0]", "3"]]
    assert command("get", SID, "OTHER", "packets", "--json").documents == [
        {"name": "OTHER", "key": None, "value": 1},
        {"name": "packets", "key": 0, "value": 3},
    ]


SENDER = """
from pybpfnf import OK, Array, RingBuf, Seg6Packet, Struct, Verdict, seg6local, u32, u64


class Sent(Struct):
    size: u32


packets = Array(u64, 1)
events = RingBuf(Sent, 4096)


@seg6local
def sender(pkt: Seg6Packet) -> Verdict:
    packets[0] += 1
    events.emit(Sent(size=pkt.len))
    return OK
"""


def test_get_leaves_records_to_who_reads_them(command: Command, tmp_path: Path) -> None:
    (tmp_path / "sender.py").write_text(SENDER)
    command("attach", tmp_path / "sender.py", SID, "--dev", "b0")
    rows = [line.split() for line in command("get", SID).out.splitlines()]
    assert rows == [["NAME", "VALUE"], ["packets[0]", "0"]]
    asked = command("get", SID, "events")
    assert (asked.status, asked.out) == (2, "")
    assert "map events is a ringbuf: looking would take away what it holds" in asked.err


def test_get_says_what_it_does_not_know(command: Command, divides: Path) -> None:
    command("attach", divides, SID, "--dev", "b0")
    ended = command("get", SID, "packet")
    assert (ended.status, ended.out) == (2, "")
    assert "did you mean packets?" in ended.err
    assert command("get", "fc00:9::9").status == 2


def send(count: int = 1) -> None:
    """Packets for the SID, into b0."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("b1", 0))
        for _ in range(count):
            wire.send(TO_B0 + PACKET)


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def document(command: Command) -> Any:
    """The only line of `status --json`."""
    (found,) = command("status", "--json").documents
    return found


def sid_routes() -> list[str]:
    with Netlink() as netlink:
        return [str(route.prefix) for route in routes(netlink) if route.program_id is not None]


def pins(point: Path) -> list[str]:
    return [path.name for path in (point / "pybpfnf").rglob("*")] if (point / "pybpfnf").exists() else []


# -------------------------------------------------------------------------------------------------------- check


def test_check_loads_and_unloads(command: Command) -> None:
    ended = command("check", "tag_increment")
    assert ended.status == 0
    assert ended.out.startswith("tag_increment (lwt_seg6local): accepted, ")


def test_check_takes_config(command: Command) -> None:
    assert command("check", "end_t", "--set", "TABLE=1000").status == 0
    assert command("check", "end_t", "--set", "NOSUCH=1").status == 2


REFUSED = """
struct __sk_buff { unsigned len, fields[30]; };
__attribute__((section("lwt_seg6local"))) int unchecked(struct __sk_buff *skb)
{
    char *data = (char *)(long)skb->fields[18];
    return *data;
}
char _license[] __attribute__((section("license"))) = "GPL";
"""


@pytest.mark.skipif(which("clang") is None, reason="clang is not installed")
def test_what_the_verifier_refuses_is_shown_at_its_line_and_is_status_1(command: Command, tmp_path: Path) -> None:
    source = tmp_path / "unchecked.c"
    source.write_text(REFUSED)
    subprocess.run(["clang", "-O2", "-g", "-target", "bpf", "-c", source, "-o", source.with_suffix(".o")], check=True)
    ended = command("check", source.with_suffix(".o"))
    assert (ended.status, ended.out) == (1, "")
    assert f"{source}:6:" in ended.err.splitlines()[0]
    assert "[verifier]" in ended.err.splitlines()[0]
    (shown,) = (line for line in ended.err.splitlines() if line.startswith("the verifier's whole log: "))
    log = Path(shown.partition(": ")[2])
    assert "invalid access to packet" in log.read_text()
    log.unlink()


# ------------------------------------------------------------------------------------------- from attach to detach


def test_attach_binds_and_detach_leaves_nothing(command: Command, own_bpffs: Path) -> None:
    ended = command("attach", "tag_increment", SID, "--dev", "b0")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith(f"{SID} on b0 runs tag_increment (program ")
    assert sid_routes() == [f"{SID}/128"]
    assert command("detach", SID).status == 0
    assert (sid_routes(), pins(own_bpffs)) == ([], [])


def test_a_table_of_its_own(command: Command) -> None:
    assert command("attach", "tag_increment", SID, "--dev", "b0", "--table", "100").status == 0
    assert command("detach", SID).status == 2
    assert command("detach", SID, "--table", "100").status == 0


def test_status_shows_program_tag_and_faults(command: Command, divides: Path) -> None:
    command("attach", divides, SID, "--dev", "b0", "--set", "DIVISOR=0")
    send(3)
    with pybpfnf.attached(SID) as nf:
        assert eventually(lambda: nf["packets"][0] == 3)
        tag = nf.info().tag
    out = command("status").out
    assert out.splitlines()[0].split() == ["DESTINATION", "TABLE", "DEV", "HOOK", "PROGRAM", "ID", "TAG", "FAULTS"]
    sid, table, device, hook, program, _, shown, faults = out.splitlines()[1].split()
    assert (sid, table, device, hook, program, shown, faults) == (SID, str(MAIN_TABLE), "b0", "seg6local", "divides", tag, "3")
    assert out.splitlines()[-1].split()[:2] == [SID, "3"]
    assert "divides.py:12" in out.splitlines()[-1]


def test_set_changes_a_state_while_packets_flow(command: Command, divides: Path) -> None:
    command("attach", divides, SID, "--dev", "b0")
    assert command("set", SID, "DIVISOR=0").status == 0
    send()
    assert eventually(lambda: any("zero" in fault["message"] and fault["count"] == 1 for fault in document(command)["faults"]))


def test_set_leaves_other_states_and_counts_alone(command: Command, divides: Path) -> None:
    command("attach", divides, SID, "--dev", "b0", "--set", "OTHER=77")
    command("set", SID, "DIVISOR=3")
    with pybpfnf.attached(SID) as nf:
        assert (nf["DIVISOR"], nf["OTHER"]) == (3, 77)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["NOSUCH=1"], "no variable or map 'NOSUCH'"),
        (["DIVISOR=-1"], "DIVISOR: -1 is not a u32"),
        (["DIVISOR=1", "OTHER=x"], "OTHER: x is not a u32"),
        (["packets=1"], "packets is a map"),
        (["DIVISOR"], "'DIVISOR' is not NAME=VALUE"),
    ],
)
def test_a_change_that_cannot_be_made_changes_nothing(command: Command, divides: Path, changes: list[str], message: str) -> None:
    command("attach", divides, SID, "--dev", "b0")
    ended = command("set", SID, *changes)
    assert (ended.status, message in ended.err) == (2, True)
    with pybpfnf.attached(SID) as nf:
        assert (nf["DIVISOR"], nf["OTHER"]) == (10, 1)


def test_stats_count_and_time_runs_and_are_off_before_and_after(command: Command, divides: Path) -> None:
    command("attach", divides, SID, "--dev", "b0")
    send(5)
    before = Path("/proc/sys/kernel/bpf_stats_enabled").read_text()
    ended = command("status", "--stats", "--interval", "0.05", "--json")
    assert json.loads(ended.out)["statistics"] == {"seconds": 0.05, "runs": 0, "ns": 0}
    assert Path("/proc/sys/kernel/bpf_stats_enabled").read_text() == before
    assert not any("bpf-stats" in each for each in opened())  # as long as one is open in any process, the kernel counts


def test_the_kernel_counts_as_long_as_its_statistics_are_open() -> None:
    with statistics():
        assert any("bpf-stats" in each for each in opened())


def opened() -> list[str]:
    """What this process has open, as the kernel names it."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the directory's own
            found.append(str(each.readlink()))
    return found


def test_stats_see_what_runs_meanwhile(divides: Path) -> None:
    pybpfnf.attach(divides, SID, dev="b0")
    command = [sys.executable, "-m", "pybpfnf", "status", "--stats", "--interval", "2", "--json"]
    status = subprocess.Popen(command, stdout=subprocess.PIPE)
    with status:
        while status.poll() is None:
            send()
            time.sleep(0.02)
        assert status.stdout is not None
        measured = json.loads(status.stdout.read())["statistics"]
    assert measured["runs"] > 0
    assert measured["ns"] > 0


def test_status_of_nothing_prints_nothing_on_stdout(command: Command) -> None:
    ended = command("status")
    assert (ended.status, ended.out) == (0, "")
    assert ended.err == "nothing is attached in this network namespace\n"


# ---------------------------------------------------------------------------------------------------- bad inputs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tag_increment", SID, "--dev", "nosuch"], "no device 'nosuch' in this network namespace"),
        (["tag_increment", SID, "--dev", "lo"], "a SID on the device lo drops every packet"),
        (["tag_increment", "fc00::g", "--dev", "b0"], "'fc00::g' is not an address or a prefix"),
        (["tag_increment", SID, "--dev", "b0", "--table", "255"], "table 255 is the kernel's own"),
        (["tag_increment", SID], "the SID fc00:f::2 needs a device"),
        (["end_t", SID, "--dev", "b0", "--set", "TABLE=x"], "TABLE: x is not a u32"),
        (["nosuch", SID, "--dev", "b0"], "no file and no catalogue function"),
    ],
)
def test_what_cannot_be_attached_leaves_nothing_behind(command: Command, own_bpffs: Path, arguments: list[str], message: str) -> None:
    ended = command("attach", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err
    assert (sid_routes(), pins(own_bpffs)) == ([], [])


def test_a_sid_that_is_taken_says_by_what(command: Command) -> None:
    command("attach", "tag_increment", SID, "--dev", "b0")
    ended = command("attach", "end", SID, "--dev", "b0")
    assert ended.status == 2
    assert f"the SID {SID} is taken in table 254: an End.BPF route to program" in ended.err
    assert f"pybpfnf detach {SID}" in ended.err


def test_detach_leaves_what_is_not_ours(command: Command) -> None:
    subprocess.run(["ip", "-6", "route", "add", SID, "dev", "b0"], check=True)
    ended = command("detach", SID)
    assert ended.status == 2
    assert "not ours" in ended.err
    shown = subprocess.run(["ip", "-6", "route", "show", SID], check=True, capture_output=True, text=True).stdout
    assert shown.startswith(SID)


def test_without_bpffs_the_mount_command_is_named(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYBPFNF_BPFFS", str(tmp_path))
    ended = command("attach", "tag_increment", SID, "--dev", "b0")
    assert ended.status == 3
    assert f"bpffs is not mounted on {tmp_path}" in ended.err
    assert "mount -t bpf bpf" in ended.err
    assert sid_routes() == []


@pytest.mark.parametrize("arguments", [["check", "end"], ["attach", "end", SID, "--dev", "b0"]])
def test_without_root_the_capability_is_named(arguments: list[str]) -> None:
    """As a user without rights, in the same namespace."""
    done = subprocess.run(
        ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-m", "pybpfnf", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "root" in done.stderr


# ------------------------------------------------------------------------------------------------- from Python


def test_what_load_binds_ends_with_it() -> None:
    with pybpfnf.load("tag_increment") as nf:
        nf.attach(SID, dev="b0")
        assert sid_routes() == [f"{SID}/128"]
    assert sid_routes() == []


def test_a_loaded_program_answers_to_its_names_while_packets_flow(divides: Path) -> None:
    with pybpfnf.load(divides, OTHER=5) as nf:
        nf.attach(SID, dev="b0")
        nf["DIVISOR"] = 0
        send(2)
        assert eventually(lambda: nf["packets"][0] == 2)
        assert sum(nf["packets"].per_cpu(0)) == 2
        assert [fault.count for fault in nf.faults() if fault.count] == [2]
        assert nf["OTHER"] == 5


@pytest.mark.kernel
@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize(("pin", "said"), [("prog", "the program is missing"), ("map_*", "the map .bss is missing")])
def test_a_binding_with_a_pin_gone_does_not_hide_the_others(command: Command, own_bpffs: Path, pin: str, said: str) -> None:
    for sid in ("fc00:f::a", "fc00:f::b"):
        command("attach", "tag_increment", sid, "--dev", "b0")
    (gone,) = own_bpffs.glob(f"pybpfnf/*/fc00:f::a@254/{pin}")
    gone.unlink()
    shown = command("status")
    assert shown.status == 0
    assert f"fc00:f::a: its pins are incomplete: {said}" in shown.out
    assert "fc00:f::b" in shown.out
