"""Attachments: all or nothing, readable by other processes, and never somebody else's."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Network
from pathlib import Path

import pytest

from pybpfnf.errors import Error, InputError, KernelError, SystemLacksError, VerifierError
from pybpfnf.image import read
from pybpfnf.kernel import bpf as bpf_module
from pybpfnf.kernel import bpffs
from pybpfnf.kernel.attach import attach, attachments, detach, find
from pybpfnf.kernel.info import program_info
from pybpfnf.kernel.libc import LIBC
from pybpfnf.kernel.netlink import Netlink, NetlinkError
from pybpfnf.kernel.netns import Namespace, current_inode
from pybpfnf.kernel.route_numbers import PROTOCOL
from pybpfnf.kernel.routes import our_routes
from tests.image.objects import committed
from tests.kernel.by_id import program_by_id
from tests.kernel.programs import COUNTER, OK, STATE, TABLE, faulty, image, program
from tests.kernel.system import as_nobody, descriptors
from tests.kernel_support import add_devices, run_tool

pytestmark = pytest.mark.kernel

SID = "fc00:f::2"


def left(point: Path) -> tuple[list[str], list[object]]:
    """What attachments leave: pins on the bpffs at `point`, and routes of our protocol in this namespace."""
    with Netlink() as netlink:
        return [str(path) for path in point.rglob("*") if path.suffix != ".debug"], list(our_routes(netlink))


def ip(*arguments: str) -> str:
    return run_tool("ip", *arguments)


def test_a_sid_is_bound_on_its_device_with_our_protocol_number(own_bpffs: Path, namespace: Namespace) -> None:
    attached = attach(faulty(), faulty().program(), SID, "b0", digest="abc")
    assert ip("-6", "route", "show", SID).split() == (
        f"{SID} encap seg6local action End.BPF endpoint probe dev b0 proto {PROTOCOL} metric 1024 pref medium".split()
    )
    assert (attached.problems, attached.table, attached.destination) == ((), 254, IPv6Network(SID))


def test_another_process_finds_everything_that_it_needs(own_bpffs: Path, namespace: Namespace) -> None:
    whole = faulty()
    attach(whole, whole.program(), SID, "b0", digest="abc")
    found = find(SID)
    assert found.record is not None
    assert (found.record.program, found.record.type, found.record.device, found.record.digest) == ("probe", "lwt_seg6local", "b0", "abc")
    with found.open() as opened:
        assert opened.info().id == found.program_id
        assert opened.image.variables == whole.variables
        assert opened.image.faults == whole.faults
        opened.maps[".bss"].patch(16, b"\x05")
    with find(SID).open() as opened:
        assert opened.maps[".bss"].lookup(bytes(4)) == bytes(16) + b"\x05" + bytes(7)


def test_a_constant_section_stays_constant(own_bpffs: Path, namespace: Namespace) -> None:
    whole = image(OK, TABLE, STATE)
    attach(whole, whole.program(), SID, "b0")
    with find(SID).open() as opened:
        opened.maps[".data"].patch(0, b"\xff")
        with pytest.raises(InputError, match="constant once its program is loaded"):
            opened.maps[".rodata"].patch(0, b"\xff")


def test_detaching_leaves_nothing(own_bpffs: Path, namespace: Namespace) -> None:
    before = descriptors()
    whole = image(OK, COUNTER, STATE)
    attach(whole, whole.program(), SID, "b0")
    detach(SID)
    assert left(own_bpffs) == ([], [])
    assert not (own_bpffs / "pybpfnf").exists()
    assert descriptors() == before


def test_programs_that_it_goes_on_in_stay_with_it_and_go_with_it(own_bpffs: Path, namespace: Namespace) -> None:
    """An array lets go of its programs with its last descriptor and pin: pins keep it when the process that loaded has closed all."""
    whole = read(committed("tails"))
    attach(whole, whole.program("first"), SID, "b0")
    with find(SID).open() as opened:
        assert opened.image.maps["next"] == whole.maps["next"]
        slots = [opened.maps["next"].lookup(slot.to_bytes(4, "little")) for slot in range(4)]
    ids = [int.from_bytes(each, "little") for each in slots if each is not None]
    assert [slot is not None for slot in slots] == [False, True, True, False]
    assert [_name_of(program) for program in ids] == ["last", "again"]
    detach(SID)
    assert left(own_bpffs) == ([], [])
    deadline = time.monotonic() + 10  # the kernel empties the array in work of its own
    while any(_name_of(program) for program in ids):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _name_of(program_id: int) -> str | None:
    """The program's name; None where it is gone."""
    try:
        with program_by_id(program_id) as fd:
            return program_info(fd).name
    except KernelError as error:
        if error.errno != errno.ENOENT:
            raise
        return None


def test_tables_and_prefixes_are_told_apart(own_bpffs: Path, namespace: Namespace) -> None:
    whole = image()
    for sid, table in ((SID, None), (SID, 1000), ("fc00:f::/64", None)):
        attach(whole, whole.program(), sid, "b0", table=table)
    assert [(each.destination_text, each.table) for each in attachments()] == [("fc00:f::/64", 254), (SID, 254), (SID, 1000)]
    detach(SID, 1000)
    detach("fc00:f::/64")
    assert [(each.destination_text, each.table) for each in attachments()] == [(SID, 254)]


def test_a_sid_is_bound_once(own_bpffs: Path, namespace: Namespace) -> None:
    whole = image()
    attach(whole, whole.program(), SID, "b0")
    with pytest.raises(InputError, match=r"taken in table 254: an End\.BPF route to program \d+ \(sample\) on b0, of pybpfnf"):
        attach(whole, whole.program(), SID, "b1")
    assert [each.route.device for each in attachments() if each.route] == ["b0"]


@pytest.mark.parametrize(
    ("route", "message"),
    [
        (["fc00:f::2/128", "dev", "b0"], "a route of type unicast on b0, of boot"),
        (
            ["fc00:f::2/128", "dev", "b0", "proto", "static", "metric", "5"],
            r"a route of type unicast on b0, of an administrator \(static\)",
        ),
        (["blackhole", "fc00:f::2/128", "proto", "77"], "a route of type blackhole on lo, of protocol 77"),
    ],
)
def test_a_sid_that_others_route_is_not_taken_from_them(own_bpffs: Path, namespace: Namespace, route: list[str], message: str) -> None:
    ip("-6", "route", "add", *route)
    before = ip("-6", "route")
    with pytest.raises(InputError, match=message):
        attach(image(), image().program(), SID, "b0")
    with pytest.raises(InputError, match="and not ours"):
        detach(SID)
    assert ip("-6", "route") == before


@pytest.mark.parametrize(
    ("sid", "device", "table", "message"),
    [
        (SID, "lo", None, "a SID on the device lo drops every packet"),
        (SID, "b7", None, "no device 'b7' in this network namespace"),
        (SID, "b0", 0, "there is no routing table 0"),
        (SID, "b0", 255, "table 255 is the kernel's own"),
        ("ff02::1", "b0", None, "cannot be a SID: it is a multicast address"),
        ("::1", "b0", None, "cannot be a SID"),
        ("fe80::1", "b0", None, "cannot be a SID"),
        ("::ffff:1.2.3.4", "b0", None, "cannot be a SID: it is an IPv4-mapped address"),
        ("10.0.0.1", "b0", None, "is not an IPv6 address or prefix"),
        ("fc00:f::2/64", "b0", None, "has host bits set"),
        ("", "b0", None, "is not an address or a prefix"),
    ],
)
def test_what_could_not_work_is_refused_with_its_reason(
    own_bpffs: Path, namespace: Namespace, sid: str, device: str, table: int | None, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        attach(image(), image().program(), sid, device, table=table)
    assert message in caught.value.message
    assert left(own_bpffs) == ([], [])


def test_programs_of_other_hooks_are_refused(own_bpffs: Path, namespace: Namespace) -> None:
    other = program(OK, type_name="xdp")
    with pytest.raises(InputError, match="a program of type xdp is bound to no route"):
        attach(image(), other, SID, "b0")


def test_a_device_that_is_down_leaves_nothing(own_bpffs: Path, namespace: Namespace) -> None:
    ip("link", "set", "b0", "down")
    with pytest.raises(Error, match="the device is down"):
        attach(image(), image().program(), SID, "b0")
    assert left(own_bpffs) == ([], [])


def test_a_program_that_the_verifier_refuses_leaves_nothing(own_bpffs: Path, namespace: Namespace) -> None:
    bad = image("r0 = *(u32 *)(r1 + 500)\nexit", STATE)
    with pytest.raises(VerifierError):
        attach(bad, bad.program(), SID, "b0")
    assert left(own_bpffs) == ([], [])


class FailingSystemCalls:
    """The C library, whose syscall number `failing` (from 1) fails with ENOMEM; `made` counts them."""

    def __init__(self, failing: int) -> None:
        self.failing = failing
        self.made = 0

    def syscall(self, *arguments: object) -> int:
        self.made += 1
        if self.made == self.failing:
            ctypes.set_errno(errno.ENOMEM)
            return -1
        return int(LIBC.syscall(*arguments))


def failing_system_calls(monkeypatch: pytest.MonkeyPatch, failing: int) -> Callable[[], bool]:
    calls = FailingSystemCalls(failing)
    monkeypatch.setattr(bpf_module, "LIBC", calls)
    return lambda: calls.made >= failing


def failing_netlink(monkeypatch: pytest.MonkeyPatch, failing: int) -> Callable[[], bool]:
    made: list[bytes] = []
    exchange = Netlink.exchange

    def counted(self: Netlink, encoded: bytes) -> list[bytes]:
        made.append(encoded)
        if len(made) == failing:
            raise NetlinkError(errno.ENOBUFS, "")
        return exchange(self, encoded)

    monkeypatch.setattr(Netlink, "exchange", counted)
    return lambda: len(made) >= failing


@pytest.mark.parametrize("inject", [failing_system_calls, failing_netlink])
def test_whatever_call_fails_nothing_is_left(
    own_bpffs: Path,
    namespace: Namespace,
    monkeypatch: pytest.MonkeyPatch,
    inject: Callable[[pytest.MonkeyPatch, int], Callable[[], bool]],
) -> None:
    """Each bpf() call and each netlink request of an attachment fails once; every time all of it is undone."""
    shared = replace(COUNTER, name="shared", pin_by_name=True)
    whole = image(f"r1 = map[counter]\n{OK}", COUNTER, STATE, TABLE, shared)
    before = descriptors()
    failures = 0
    for failing in range(1, 100):
        with monkeypatch.context() as patch:
            reached = inject(patch, failing)
            try:
                attach(whole, whole.program(), SID, "b0")
            except KernelError:
                failures += 1
                failed = True
            else:
                failed = False
        if not reached():
            break
        if not failed:
            detach(SID)  # a call that may fail, such as the first try of a map with types
            (own_bpffs / shared.name).unlink()
        assert left(own_bpffs) == ([], []), f"call {failing}"
        assert descriptors() == before, f"call {failing}"
    else:
        pytest.fail("an attachment does not make a hundred calls")
    assert failures >= 3
    assert find(SID).problems == ()


def test_a_route_that_vanished_is_said_and_detach_removes_the_rest(own_bpffs: Path, namespace: Namespace) -> None:
    attach(image(), image().program(), SID, "b0")
    ip("link", "set", "b0", "down")  # takes its routes along
    assert find(SID).problems == ("its route is gone: packets do not reach it",)
    with pytest.raises(InputError, match="there are pins for fc00:f::2 in table 254, though no route"):
        attach(image(), image().program(), SID, "b1")
    detach(SID)
    assert left(own_bpffs) == ([], [])


def test_pins_that_vanished_are_said_and_detach_removes_the_rest(own_bpffs: Path, namespace: Namespace) -> None:
    attached = attach(image(OK, COUNTER), image().program(), SID, "b0")
    bpffs.remove_directory(attached.directory)
    found = find(SID)
    assert found.problems == ("its pins are gone: its maps cannot be reached",)
    assert found.program_id == attached.program_id
    with pytest.raises(InputError, match="has no pins any more"):
        found.open()
    detach(SID)
    assert left(own_bpffs) == ([], [])


@pytest.mark.parametrize("name", ["record", "prog"])
def test_incomplete_pins_are_said(own_bpffs: Path, namespace: Namespace, name: str) -> None:
    attached = attach(image(), image().program(), SID, "b0")
    (attached.directory / name).unlink()
    (problem,) = find(SID).problems
    assert problem.startswith("its pins are incomplete: ")
    detach(SID)
    assert left(own_bpffs) == ([], [])


def test_a_record_of_another_release_is_said_not_guessed(own_bpffs: Path, namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pybpfnf.kernel.record._VERSION", 99)
        attach(image(), image().program(), SID, "b0")
    assert "it has version 99, and this release reads version 2" in find(SID).problems[0]


def test_garbage_in_our_directory_is_no_attachment(own_bpffs: Path, namespace: Namespace) -> None:
    directory = own_bpffs / "pybpfnf" / str(current_inode())
    (directory / "no sid at all").mkdir(parents=True)
    (directory / "fc00::1@254").mkdir()
    assert [(each.destination_text, each.record) for each in attachments()] == [("fc00::1", None)]


def test_a_route_to_another_program_is_not_removed(
    own_bpffs: Path, namespace: Namespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    attach(image(), image().program(), SID, "b0")
    ip("-6", "route", "del", SID)
    with monkeypatch.context() as patch:
        other = tmp_path / "other"
        other.mkdir()
        subprocess.run(["mount", "-t", "bpf", "bpf", other], check=True)
        try:
            patch.setenv(bpffs.VARIABLE, str(other))
            attach(image(), image().program(), SID, "b0")
        finally:
            subprocess.run(["umount", "--lazy", other], check=True)
    with pytest.raises(InputError, match=r"its route leads to program \d+, and \d+ is pinned"):
        detach(SID)
    assert "End.BPF" in ip("-6", "route", "show", SID)


def test_namespaces_do_not_see_each_other(own_bpffs: Path, namespace: Namespace) -> None:
    attach(image(), image().program(), SID, "b0")
    with Namespace() as other, other.entered():
        add_devices()
        assert attachments() == []
        attach(image(OK), image(name="other").program(), SID, "b1")
        assert [each.record.program for each in attachments() if each.record] == ["other"]
        detach(SID)
    assert [each.record.program for each in attachments() if each.record] == ["sample"]


def test_nothing_attached_is_said(own_bpffs: Path, namespace: Namespace) -> None:
    with pytest.raises(InputError, match="nothing is attached"):
        detach(SID)
    with pytest.raises(InputError, match="nothing is attached to fc00:f::2 in table 254"):
        find(SID)


def test_without_bpffs_the_message_has_the_command_that_mounts_it(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(bpffs.VARIABLE, str(tmp_path))
    with pytest.raises(SystemLacksError) as caught:
        attach(image(), image().program(), SID, "b0")
    assert caught.value.message == f"bpffs is not mounted on {tmp_path}"
    assert (caught.value.hint or "").startswith(f"mount -t bpf bpf {tmp_path}")
    monkeypatch.setenv(bpffs.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(SystemLacksError, match="is not a directory"):
        attachments()


def test_without_rights_every_verb_says_what_is_missing(own_bpffs: Path, namespace: Namespace) -> None:
    attach(image(), image().program(), SID, "b0")
    refused = f"SystemLacksError: not permitted to use {own_bpffs}; run as root: pins belong to it"
    for verb in (lambda: detach(SID), attachments, lambda: attach(image(), image().program(), "fc00:f::3", "b0")):
        assert as_nobody(verb) == refused
    for directory in (own_bpffs, *own_bpffs.parents):
        if not directory.stat().st_mode & 0o005:
            directory.chmod(0o755)
    assert (
        as_nobody(attachments) == f"SystemLacksError: not permitted to use {find(SID).directory / 'prog'}; run as root: pins belong to it"
    )
    assert find(SID).problems == ()


def test_a_process_that_only_attached_leaves_a_working_attachment(own_bpffs: Path, namespace: Namespace) -> None:
    """What keeps it is the pins and the route, not the process."""
    script = (
        "from tests.kernel.programs import faulty; from pybpfnf.kernel.attach import attach;"
        f"whole = faulty(); attach(whole, whole.program(), '{SID}', 'b0')"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", script], check=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    found = find(SID)
    assert found.problems == ()
    with found.open() as opened:
        assert opened.info().name == "probe"


def test_the_record_is_readable_json(own_bpffs: Path, namespace: Namespace) -> None:
    attached = attach(faulty(), replace(faulty().program()), SID, "b0")
    dump = run_tool("bpftool", "-j", "map", "dump", "pinned", str(attached.directory / "record"))
    value = bytes(int(byte, 16) for byte in json.loads(dump)[0]["value"])
    assert json.loads(value)["faults"]["sites"][1]["line"] == 11
