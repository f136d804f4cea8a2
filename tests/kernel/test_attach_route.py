"""Programs of lwt_in, lwt_out and lwt_xmit on routes: next hops stay, detaching puts back what was, failing changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pybpfnf.errors import Error, InputError
from pybpfnf.kernel import bpffs
from pybpfnf.kernel.attach import attach, attachments, detach, find
from pybpfnf.kernel.route_numbers import PROTOCOL
from tests.kernel.programs import COUNTER, OK, STATE, faulty, image, program
from tests.kernel.system import descriptors
from tests.kernel.test_attach import failing_netlink, failing_system_calls, left
from tests.kernel_support import run_tool

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_bpffs", "namespace")]

PREFIX, FOUR = "fc00:a::/64", "198.51.100.0/24"
HOOKS = {"lwt_in": "in", "lwt_out": "out", "lwt_xmit": "xmit"}


def ip(*arguments: str) -> str:
    return run_tool("ip", *arguments)


def shown(prefix: str = PREFIX, *table: str) -> str:
    family = "-4" if "." in prefix else "-6"
    return ip(family, "route", "show", *(table or ("table", "main")), prefix)


def bind(prefix: str = PREFIX, hook: str = "lwt_in", **options: Any) -> int:
    """The program's id."""
    made = attach(image(type_name=hook), program(OK, type_name=hook), prefix, **options)
    assert made.problems == ()
    assert made.program_id is not None
    return made.program_id


def gateways() -> None:
    """Next hops behind b0 and b1."""
    for device, number in (("b0", "1"), ("b1", "2")):
        ip("-6", "addr", "add", f"fc00:{number}::1/64", "dev", device, "nodad")
        ip("-4", "addr", "add", f"10.0.{number}.1/24", "dev", device)


@pytest.mark.parametrize("hook", HOOKS)
def test_an_existing_route_keeps_its_next_hop_metric_and_attributes(hook: str) -> None:
    gateways()
    ip("-6", "route", "add", PREFIX, "via", "fc00:1::2", "dev", "b0", "metric", "77", "proto", "static", "mtu", "1400", "pref", "high")
    number = bind(hook=hook)
    words = shown().split()
    assert f"encap bpf {HOOKS[hook]} sample#{number} via fc00:1::2 dev b0 proto {PROTOCOL} metric 77 mtu 1400 pref high" in " ".join(words)


ORIGINALS = {
    "device": (PREFIX, ["dev", "b0"]),
    "gateway": (PREFIX, ["via", "fc00:1::2", "dev", "b0", "metric", "77", "proto", "static", "mtu", "1400", "pref", "high"]),
    "several": (PREFIX, ["nexthop", "via", "fc00:1::2", "weight", "3", "nexthop", "via", "fc00:2::2"]),
    "source": (PREFIX, ["dev", "b1", "src", "fc00:2::1", "proto", "zebra"]),
    "table": (PREFIX, ["dev", "b0", "table", "1000"]),
    "default": ("::/0", ["via", "fc00:1::2"]),
    "IPv4 device": (FOUR, ["dev", "b0"]),
    "IPv4 gateway": (FOUR, ["via", "10.0.1.2", "metric", "5", "proto", "bird", "mtu", "1400"]),
    "IPv4 several": (FOUR, ["nexthop", "via", "10.0.1.2", "weight", "2", "nexthop", "via", "10.0.2.2"]),
    "IPv4 default": ("0.0.0.0/0", ["via", "10.0.1.2"]),
}


@pytest.mark.parametrize("name", ORIGINALS)
def test_detaching_puts_the_route_back_as_it_was(own_bpffs: Path, name: str) -> None:
    gateways()
    prefix, arguments = ORIGINALS[name]
    ip("-4" if "." in prefix else "-6", "route", "add", prefix, *arguments)
    table = ("table", "1000") if name == "table" else ()
    before, ours = shown(prefix, *table), descriptors()
    bind(prefix, "lwt_xmit", table=1000 if table else None)
    during = shown(prefix, *table)
    assert during.count("encap bpf xmit") == max(1, before.count("nexthop"))
    assert all(word in during for word in before.split() if word not in ("boot", "static", "zebra", "bird", "linkdown"))
    detach(prefix, 1000 if table else None)
    assert shown(prefix, *table) == before
    assert left(own_bpffs) == ([], [])
    assert descriptors() == ours


def test_a_longer_life_than_the_processes(own_bpffs: Path) -> None:
    """What it was is in the pinned record."""
    ip("-6", "route", "add", PREFIX, "dev", "b0", "metric", "9")
    bind()
    record = find(PREFIX).record
    assert record is not None
    assert (record.type, record.original is not None) == ("lwt_in", True)


@pytest.mark.parametrize(
    ("prefix", "options", "words"),
    [
        (PREFIX, {"device": "b0"}, "dev b0"),
        (PREFIX, {"via": "fc00:1::2"}, "via fc00:1::2 dev b0"),
        (PREFIX, {"device": "b1", "via": "fc00:2::2"}, "via fc00:2::2 dev b1"),
        (FOUR, {"device": "b0"}, "dev b0"),
        (FOUR, {"via": "10.0.2.2"}, "via 10.0.2.2 dev b1"),
    ],
)
def test_a_destination_without_a_route_gets_one_for_as_long(own_bpffs: Path, prefix: str, options: dict[str, Any], words: str) -> None:
    gateways()
    number = bind(prefix, **options)
    assert f"encap bpf in sample#{number} {words}" in " ".join(shown(prefix).split())
    detach(prefix)
    assert shown(prefix) == ""
    assert left(own_bpffs) == ([], [])


def test_headroom_is_the_routes() -> None:
    bind(hook="lwt_xmit", device="b0", headroom=64)
    assert "encap bpf" in shown()
    with pytest.raises(InputError, match="--headroom is for lwt_xmit"):
        bind("fc00:b::/64", hook="lwt_in", device="b0", headroom=64)


REFUSED: dict[str, tuple[list[str] | None, dict[str, Any], str]] = {
    "no route": ([], {}, "there is no route to fc00:a::/64 in table 254"),
    "device and route": (["dev", "b0"], {"device": "b1"}, "which keeps its next hops"),
    "gateway and route": (["dev", "b0"], {"via": "fc00:1::2"}, "which keeps its next hops"),
    "encapsulated": (["encap", "seg6", "mode", "encap", "segs", "fc00::1", "dev", "b0"], {}, "it has an encapsulation already"),
    "blackhole": (None, {}, "it is a route of type blackhole"),
    "version": ([], {"via": "10.0.1.2"}, "10.0.1.2 is no gateway of an IPv6 route"),
    "no address": ([], {"via": "nowhere"}, "'nowhere' is not an IP address"),
    "no device": ([], {"device": "b7"}, "no device 'b7'"),
    "unreachable gateway": ([], {"via": "fc00:99::2"}, "cannot put a program on the route fc00:a::/64"),
    "expires": (["dev", "b0", "expires", "1000"], {}, "it will expire"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_not_be_kept_is_refused_with_its_reason(own_bpffs: Path, name: str) -> None:
    route, options, message = REFUSED[name]
    if route is None:
        ip("-6", "route", "add", "blackhole", PREFIX)
    elif route:
        ip("-6", "route", "add", PREFIX, *route)
    before = ip("-6", "route").replace("sec", "")
    with pytest.raises(Error, match=message):
        attach(image(type_name="lwt_in"), program(OK, type_name="lwt_in"), PREFIX, **options)
    assert name == "expires" or ip("-6", "route").replace("sec", "") == before
    assert left(own_bpffs) == ([], [])


def test_a_route_by_a_nexthop_object_is_refused() -> None:
    ip("-6", "nexthop", "add", "id", "8", "dev", "b0")
    ip("-6", "route", "add", PREFIX, "nhid", "8")
    with pytest.raises(InputError, match="its next hops are a nexthop object"):
        bind()


def test_a_route_carries_one_program() -> None:
    ip("-6", "route", "add", PREFIX, "dev", "b0")
    bind()
    with pytest.raises(InputError, match=r"it has an encapsulation already, a route with the program sample at its in on b0, of pybpfnf"):
        bind(hook="lwt_xmit")


def test_the_route_with_the_lowest_metric_is_the_one() -> None:
    for metric, device in (("50", "b0"), ("20", "b1")):
        ip("-6", "route", "add", PREFIX, "dev", device, "metric", metric)
    before = shown()
    bind()
    (ours,) = (line for line in shown().splitlines() if "encap" in line)
    assert "dev b1 " in ours
    assert "metric 20 " in ours
    detach(PREFIX)
    assert sorted(shown().splitlines()) == sorted(before.splitlines())


@pytest.mark.parametrize("inject", [failing_system_calls, failing_netlink])
@pytest.mark.parametrize("exists", [True, False])
def test_whatever_call_fails_the_route_is_as_it_was(
    own_bpffs: Path, monkeypatch: pytest.MonkeyPatch, inject: Callable[[pytest.MonkeyPatch, int], Callable[[], bool]], exists: bool
) -> None:
    gateways()
    if exists:
        ip("-6", "route", "add", PREFIX, "nexthop", "via", "fc00:1::2", "nexthop", "via", "fc00:2::2")
    before, ours = shown(), descriptors()
    failures = 0
    whole = image(f"r1 = map[counter]\n{OK}", COUNTER, STATE, type_name="lwt_out")
    for failing in range(1, 100):
        with monkeypatch.context() as patch:
            reached = inject(patch, failing)
            try:
                attach(whole, whole.program(), PREFIX, None if exists else "b0")
                failed = False
            except Error:
                failed = True
        if not reached():
            break
        failures += failed
        if not failed:
            detach(PREFIX)
        assert (shown(), left(own_bpffs), descriptors()) == (before, ([], []), ours), f"call {failing}"
    assert failures >= 3
    assert find(PREFIX).problems == ()


def test_whatever_call_of_detaching_fails_it_can_be_done_again(own_bpffs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ip("-6", "route", "add", PREFIX, "dev", "b0", "metric", "9")
    before = shown()
    for failing in range(1, 20):
        bind()
        with monkeypatch.context() as patch:
            reached = failing_netlink(patch, failing)
            try:
                detach(PREFIX)
                failed = False
            except Error:
                failed = True
        if failed:
            detach(PREFIX)
        assert (shown(), left(own_bpffs)) == (before, ([], [])), f"call {failing}"
        if not reached():
            break
    else:
        pytest.fail("detaching does not make so many requests")


def test_without_its_pins_the_route_loses_the_program_and_keeps_its_next_hops(own_bpffs: Path) -> None:
    gateways()
    ip("-6", "route", "add", PREFIX, "via", "fc00:1::2", "metric", "9")
    made = attach(image(type_name="lwt_in"), program(OK, type_name="lwt_in"), PREFIX)
    bpffs.remove_directory(made.directory)
    assert find(PREFIX).problems == ("its pins are gone: its maps cannot be reached",)
    detach(PREFIX)
    assert " ".join(shown().split()).startswith(f"{PREFIX} via fc00:1::2 dev b0 metric 9")
    assert left(own_bpffs) == ([], [])


def test_a_route_that_somebody_changed_since_stays_theirs(own_bpffs: Path) -> None:
    ip("-6", "route", "add", PREFIX, "dev", "b0")
    bind()
    ip("-6", "route", "replace", PREFIX, "dev", "b1")
    before = shown()
    assert find(PREFIX).problems == ("its route is gone: packets do not reach it",)
    detach(PREFIX)
    assert shown() == before
    assert left(own_bpffs) == ([], [])


def test_all_hooks_and_both_versions_are_listed(own_bpffs: Path) -> None:
    for prefix, hook in ((FOUR, "lwt_in"), ("10.9.0.1", "lwt_out"), (PREFIX, "lwt_xmit"), ("fc00:f::2", "lwt_seg6local")):
        bind(prefix, hook, device="b0")
    found = attachments()
    assert [(each.destination_text, each.record.type) for each in found if each.record] == [
        ("10.9.0.1", "lwt_out"),
        (FOUR, "lwt_in"),
        (PREFIX, "lwt_xmit"),
        ("fc00:f::2", "lwt_seg6local"),
    ]
    assert [each.problems for each in found] == [()] * 4


def test_maps_of_a_program_on_a_route_are_reached() -> None:
    whole = faulty()
    attach(whole, whole.program(), FOUR, "b0", type_name="lwt_in")
    with find(FOUR).open() as opened:
        opened.maps[".bss"].patch(16, b"\x05")
        assert opened.info().name == "probe"


def test_the_record_says_what_was(own_bpffs: Path) -> None:
    ip("-6", "route", "add", PREFIX, "dev", "b0")
    made = attach(image(type_name="lwt_in"), program(OK, type_name="lwt_in"), PREFIX)
    dump = run_tool("bpftool", "-j", "map", "dump", "pinned", str(made.directory / "record"))
    value = bytes(int(byte, 16) for byte in json.loads(dump)[0]["value"])
    assert json.loads(value)["original"].startswith("0a40")
