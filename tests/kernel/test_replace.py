"""Replacing what is attached: no packet passes by, the route and what it took the place of stay, and a failure changes nothing."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import pytest

from pybpfnf import attach as attach_file
from pybpfnf import attached, build
from pybpfnf.errors import Error, InputError, KernelError, VerifierError
from pybpfnf.image import read
from pybpfnf.kernel import bpffs, pins
from pybpfnf.kernel.attach import Attachment, attach, attachments, detach, find
from pybpfnf.kernel.netns import Namespace
from pybpfnf.kernel.replace import Keep, replace
from tests.kernel.programs import COUNTER, OK, STATE, TABLE, faulty, image, program
from tests.kernel.system import descriptors
from tests.kernel.test_attach import failing_netlink, failing_system_calls, ip, left
from tests.kernel_support import run_tool

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("namespace")]

SID, PREFIX, FOUR = "fc00:f::2", "fc00:a::/64", "198.51.100.0/24"

# Each packet is counted by the one or by the other, in a map of its own, and in one that both have.
COUNTING = """
from pybpfnf import OK, Array, Hash, LwtOutPacket, State, Verdict, lwt_out, u32, u64

{name} = Array(u64, 1)
packets = Hash(u32, u64, 4, default=0)
last = State(u32, initial=1)
limit = State(u64, initial=5)
{more}

@lwt_out(on_fault=OK)
def count(pkt: LwtOutPacket) -> Verdict:
    global last, limit
    {name}[0] += 1
    packets[7] += 1
    last = pkt.len
    limit += 0
    return OK
"""


def counting(where: Path, name: str, more: str = "") -> Path:
    path = where / f"count_{name}.py"
    path.write_text(COUNTING.format(name=name, more=more))
    return path


def same(each: Attachment) -> tuple[object, ...]:
    """What of an attachment tells it from another; a record that was read again lacks what nobody asks of one."""
    return each.program_id, each.route, each.problems, each.directory, None if each.record is None else each.record.pins


def shown(prefix: str) -> str:
    return ip("-4" if "." in prefix else "-6", "route", "show", "table", "main", prefix)


class Traffic:
    """Packets to PREFIX from a thread, until it is left; `sent` counts them."""

    def __init__(self, device: str, destination: str = "fc00:a::1") -> None:
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._destination = destination
        self._thread = threading.Thread(target=self._send)
        self._going = True
        self.sent = 0

    def _send(self) -> None:
        while self._going:
            self._socket.sendto(b"payload", (self._destination, 9))
            self.sent += 1

    def more(self, packets: int) -> None:
        until = self.sent + packets
        while self.sent < until:
            time.sleep(0.001)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._going = False
        self._thread.join()
        self._socket.close()


def test_no_packet_passes_by_while_programs_are_replaced(own_bpffs: Path, tmp_path: Path) -> None:
    """Every packet that was sent is in the map that all of them count in, whichever of them it met."""
    ip("-6", "addr", "add", "fc00:1::1/64", "dev", "b0", "nodad")
    ip("-6", "neigh", "add", "fc00:1::2", "lladdr", "02:00:00:00:00:02", "dev", "b0")
    ip("-6", "route", "add", PREFIX, "via", "fc00:1::2", "dev", "b0")
    files = [counting(tmp_path, name) for name in ("one", "other")]
    attach_file(files[0], PREFIX)
    with Traffic("b0") as traffic:
        for turn in range(1, 13):
            attach_file(files[turn % 2], PREFIX, replace=True, keep_maps=True)
        traffic.more(100)  # for the last of them
    with attached(PREFIX) as nf:
        assert nf["packets"][7] == traffic.sent > 100
        assert 0 < nf["one"][0] < traffic.sent  # what the last of them saw
    detach(PREFIX)
    assert left(own_bpffs) == ([], [])


ROUTES: dict[str, tuple[str, list[str]]] = {
    "gateway": (PREFIX, ["via", "fc00:1::2", "dev", "b0", "metric", "77", "mtu", "1400"]),
    "several": (PREFIX, ["nexthop", "via", "fc00:1::2", "weight", "3", "nexthop", "via", "fc00:2::2"]),
    "IPv4 gateway": (FOUR, ["via", "10.0.1.2", "metric", "5"]),
    "IPv4 several": (FOUR, ["nexthop", "via", "10.0.1.2", "weight", "2", "nexthop", "via", "10.0.2.2"]),
}


@pytest.mark.parametrize("name", ROUTES)
def test_the_route_stays_and_detaching_puts_back_what_was_there_first(own_bpffs: Path, name: str) -> None:
    for device, number in (("b0", "1"), ("b1", "2")):
        ip("-6", "addr", "add", f"fc00:{number}::1/64", "dev", device, "nodad")
        ip("-4", "addr", "add", f"10.0.{number}.1/24", "dev", device)
    prefix, arguments = ROUTES[name]
    ip("-4" if "." in prefix else "-6", "route", "add", prefix, *arguments)
    before, ours = shown(prefix), descriptors()
    whole = image(type_name="lwt_xmit")
    first = attach(whole, whole.program(), prefix, headroom=16)
    during = shown(prefix)
    second = replace(whole, program(OK, name="again", type_name="lwt_xmit"), find(prefix))
    assert shown(prefix) == during.replace(f"sample#{first.program_id}", f"again#{second.program_id}")
    assert second.record is not None
    assert (same(find(prefix)), second.problems, second.record.headroom) == (same(second), (), 16)
    detach(prefix)
    assert shown(prefix) == before
    assert left(own_bpffs) == ([], [])
    assert descriptors() == ours


def test_a_sid_leads_to_the_new_program_and_the_old_one_is_gone(own_bpffs: Path) -> None:
    first = attach(faulty(), faulty().program(), SID, "b0", digest="old")
    second = replace(image(OK, COUNTER), program(OK, name="again"), find(SID), digest="new")
    assert [each.program_id for each in attachments()] == [second.program_id] != [first.program_id]
    assert " again dev b0 " in shown(SID)
    assert second.record is not None
    assert (second.record.program, second.record.digest, set(second.record.pins)) == ("again", "new", {"counter"})
    assert [path.name for path in second.directory.parent.iterdir()] == [second.directory.name]
    detach(SID)
    assert left(own_bpffs) == ([], [])


def test_a_destination_without_an_attachment_gets_one(own_bpffs: Path) -> None:
    assert attach_file("end", SID, dev="b0", replace=True).problems == ()


def test_maps_and_state_that_both_have_are_kept_and_the_others_new(own_bpffs: Path, tmp_path: Path) -> None:
    ip("-6", "route", "add", PREFIX, "dev", "b0")
    attach_file(counting(tmp_path, "one"), PREFIX)
    with attached(PREFIX) as nf:
        nf["packets"][7], nf["one"][0], nf["last"], nf["limit"] = 70, 3, 44, 55
        attach_file(counting(tmp_path, "other", "more = State(u32, initial=9)"), PREFIX, replace=True, keep_maps=True, limit=6)
        nf["packets"][3] = 30  # by what was opened before
    with attached(PREFIX) as nf:
        assert dict(nf["packets"]) == {7: 70, 3: 30}
        assert (nf["other"][0], nf["last"], nf["limit"]) == (0, 44, 6)
    attach_file(counting(tmp_path, "other"), PREFIX, replace=True)
    with attached(PREFIX) as nf:
        assert (dict(nf["packets"]), nf["last"]) == ({}, 1)


PACKETS = "packets = Hash(u32, u64, 4, default=0)"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (PACKETS, "packets = Hash(u32, u64, 8, default=0)", "`packets` has 8 entries, and had 4"),
        (PACKETS, "packets = Hash(u16, u64, 4, default=0)", "`packets` has keys of 2 bytes, and had 4"),
        (PACKETS, "packets = Hash(u32, s64, 4, default=0)", "`packets` has values that are s64, and had u64"),
        (PACKETS, "packets = LruHash(u32, u64, 4, default=0)", "`packets` has the type lru_hash, and had hash"),
        ("last = State(u32", "last = State(s64", "the State `last` is s64, and was u32"),
    ],
)
def test_a_map_that_is_another_is_said_and_nothing_changes(own_bpffs: Path, tmp_path: Path, old: str, new: str, message: str) -> None:
    ip("-6", "route", "add", PREFIX, "dev", "b0")
    first = attach_file(counting(tmp_path, "one"), PREFIX)
    path = counting(tmp_path, "other")
    text = path.read_text().replace("Array, Hash", "Array, Hash, LruHash, s64, u16").replace(old, new)
    path.write_text(text.replace("last = pkt.len", "last = 3") if "State" in new else text)
    with pytest.raises(InputError, match="maps cannot be kept") as caught:
        attach_file(path, PREFIX, replace=True, keep_maps=True)
    assert message in str(caught.value)
    assert same(find(PREFIX)) == same(first)
    assert not pins.next_of(first.directory).exists()
    assert attach_file(path, PREFIX, replace=True).problems == ()


def untouched(before: Attachment, route: str, own_bpffs: Path) -> None:
    assert same(find(SID)) == same(before)
    assert shown(SID) == route
    with find(SID).open() as opened:
        assert opened.info().id == before.program_id
    assert [path.name for path in before.directory.parent.iterdir()] == [before.directory.name]


@pytest.mark.parametrize("inject", [failing_system_calls, failing_netlink])
def test_whatever_call_fails_what_was_there_is_there(
    own_bpffs: Path, monkeypatch: pytest.MonkeyPatch, inject: Callable[[pytest.MonkeyPatch, int], Callable[[], bool]]
) -> None:
    whole = image(f"r1 = map[counter]\n{OK}", COUNTER, STATE, TABLE)
    before = attach(whole, whole.program(), SID, "b0")
    route, ours, failures = shown(SID), descriptors(), 0
    for failing in range(1, 100):
        with monkeypatch.context() as patch:
            reached = inject(patch, failing)
            after = None
            try:
                after = replace(whole, whole.program(), before, keep=Keep())
            except KernelError:
                failures += 1
        before, route = (before, route) if after is None else (after, shown(SID))
        untouched(before, route, own_bpffs)
        assert descriptors() == ours, f"call {failing}"
        if not reached():
            break
    assert failures >= 2


def test_a_directory_that_cannot_be_exchanged_leads_the_route_back(own_bpffs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = attach(image(), image().program(), SID, "b0")
    route = shown(SID)

    def fails(*_: Any) -> None:
        raise KernelError("no", errno=5)

    monkeypatch.setattr(bpffs, "exchange", fails)
    with pytest.raises(KernelError):
        replace(image(), program(OK, name="again"), before)
    untouched(before, route, own_bpffs)


def test_one_that_was_ended_between_route_and_pins_can_be_detached(own_bpffs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The route leads to the new program, whose pins have no name yet."""
    before = attach(image(), image().program(), SID, "b0")
    with monkeypatch.context() as patch:
        patch.setattr(bpffs, "exchange", lambda *_: None)
        patch.setattr(bpffs, "remove_directory", lambda *_: None)
        replace(image(), program(OK, name="again"), before)
    assert find(SID).problems != ()
    with pytest.raises(InputError, match="cannot be replaced"):
        replace(image(), image().program(), find(SID))
    detach(SID)
    assert left(own_bpffs) == ([], [])


def test_two_names_are_exchanged_where_the_kernel_cannot_do_it_at_once(own_bpffs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpffs, "_RENAME_EXCHANGE", 1 << 20)  # a flag that no kernel has: EINVAL, as of one before 5.16
    before = attach(image(), image().program(), SID, "b0")
    after = replace(image(), program(OK, name="again"), before)
    assert same(find(SID)) == same(after)
    assert [path.name for path in after.directory.parent.iterdir()] == [after.directory.name]


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        (lambda before: replace(image(type_name="lwt_in"), program(OK, type_name="lwt_in"), before), InputError, "and this is lwt_in"),
        (lambda before: replace(bad := image("r0 = *(u32 *)(r1 + 500)\nexit"), bad.program(), before), VerifierError, "context"),
        (lambda before: replace(image(), image().program(), changed(before, route=None)), InputError, "cannot be replaced"),
        (lambda before: attach_file("end", SID, dev="b1", replace=True), InputError, "keeps its route, on b0"),
        (lambda before: attach_file("end", SID, via="fc00::1", replace=True), InputError, "keeps its route, on b0"),
        (lambda before: attach_file("end", SID, dev="b0", keep_maps=True), InputError, "maps are kept of what is replaced"),
    ],
)
def test_what_cannot_be_replaced_is_refused(
    own_bpffs: Path, what: Callable[[Attachment], object], error: type[Error], message: str
) -> None:
    before = attach(image(), image().program(), SID, "b0")
    route = shown(SID)
    with pytest.raises(error, match=message):
        what(before)
    untouched(before, route, own_bpffs)


def test_the_command_replaces_and_says_what_runs(own_bpffs: Path, namespace: Namespace) -> None:
    run_tool(sys.executable, "-m", "pybpfnf", "attach", "end", SID, "--dev", "b0")
    assert "runs tag_increment" in run_tool(sys.executable, "-m", "pybpfnf", "attach", "tag_increment", SID, "--replace")
    assert read(build("tag_increment")).program().name == (find(SID).record or pytest.fail("no record")).program
