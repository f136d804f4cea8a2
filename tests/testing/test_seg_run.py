"""Test files on routers: what a router does with packets, the same on both, and what is said of a test that fails."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pybpfnf.errors import CompileError, InputError, SystemLacksError
from pybpfnf.kernel.namespace_router import NamespaceRouter
from pybpfnf.routes import Crossing, Router
from pybpfnf.testing.seg.reader import read_file
from pybpfnf.testing.seg.run import Refused, Result, prepare, run_file
from pybpfnf.verbs.seg import programs_beside, run_seg
from pybpfnf.vm.router.router import VmRouter
from tests.cli.conftest import Command
from tests.cli.conftest import command as command
from tests.testing.seg_files import HOOKS, IPV4, PROGRAMS, ROUTES, VRF

ROOT = Path(__file__).resolve().parents[2]
FAILING = """\
# The tag
`ip -6 route add fd00::3 encap seg6local action End.BPF endpoint obj tag_increment dev dum0`
> fc00::2 -> fd00::3 / [fc00::14,+fd00::3] <tag 12>
< fc00::2 -> fc00::14 / [+fc00::14,fd00::3] <tag 14>
> fc00::2 -> fd00::3
< fc00::2 -> fd00::3
> fc00::2 -> fc00::3
< none
"""
FLAVORS = pytest.mark.linux("6.3", "End has no flavor psp")
OIF = pytest.mark.linux("6.18", "End.X looks at no oif")
ON_THE_KERNEL = pytest.mark.parametrize(
    "text",
    [pytest.param(ROUTES, id="routes", marks=OIF), pytest.param(IPV4, id="IPv4"), pytest.param(PROGRAMS, id="programs")],
)
IPV6_ALONE = "cannot have that encapsulation: it is for IPv6 alone"


class Watched:
    """A router that keeps what became of each packet, but for the reasons."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self.crossings: list[tuple[bytes, tuple[tuple[str, bytes], ...]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._router, name)

    def receive(self, device: str, packet: bytes) -> Crossing:
        crossing = self._router.receive(device, packet)
        self.crossings.append((packet, crossing.packets))
        return crossing


def run_text(text: str, directory: Path, *, runner: str = "vm", allow_shell: bool = False) -> list[Result | Refused]:
    (directory / "hooks.py").write_text(HOOKS, encoding="utf-8")
    path = directory / "sample.seg"
    path.write_text(text, encoding="utf-8")
    return list(run_seg(path, runner=runner, allow_shell=allow_shell))


def troubles(found: list[Result | Refused]) -> list[tuple[int, object]]:
    """What went wrong, by line."""
    refused = [(each.command.span.line, each.message) for each in found if isinstance(each, Refused)]
    return refused + [(each.case.line, each.problems) for each in found if isinstance(each, Result) and each.problems]


@pytest.mark.parametrize("text", [ROUTES, IPV4, VRF, PROGRAMS], ids=["routes", "IPv4", "VRF", "programs"])
def test_a_router_of_the_vm_does_what_the_file_says(text: str, tmp_path: Path) -> None:
    assert troubles(run_text(text, tmp_path)) == []


@pytest.mark.kernel
@ON_THE_KERNEL
def test_a_router_of_the_kernel_does_what_the_file_says(text: str, tmp_path: Path) -> None:
    assert troubles(run_text(text, tmp_path, runner="kernel")) == []


@pytest.mark.kernel
@ON_THE_KERNEL
def test_both_routers_let_the_same_bytes_out(text: str, tmp_path: Path) -> None:
    (tmp_path / "hooks.py").write_text(HOOKS, encoding="utf-8")
    find = programs_beside(tmp_path)
    with closing(Watched(VmRouter(find))) as vm, closing(Watched(NamespaceRouter(find))) as kernel:
        for router in (vm, kernel):
            prepare(router)
            assert list(run_file(read_file(text, "sample.seg"), router))
        assert vm.crossings == kernel.crossings


@pytest.mark.kernel
def test_a_router_of_the_kernel_makes_the_vrf_that_a_route_says(tmp_path: Path) -> None:
    try:
        found = run_text(VRF, tmp_path, runner="kernel")
    except SystemLacksError as error:
        pytest.skip(error.message)
    assert troubles(found) == []


@pytest.mark.kernel
def test_a_line_for_a_shell_runs_in_the_namespace_of_the_kernel_s_router(tmp_path: Path) -> None:
    flush = "`ip -6 route add dead::/16 dev dum0`\n`ip -6 route flush dead::/16`\n"
    text = f"`ip link show dum0 > devices.txt`\n{flush}> fc00::1 -> dead::1\n< none\n"
    assert troubles(run_text(text, tmp_path, runner="kernel", allow_shell=True)) == []
    assert "dum0" in (tmp_path / "devices.txt").read_text(encoding="utf-8")


@pytest.mark.kernel
@FLAVORS
def test_the_kernel_s_router_has_what_the_vm_s_lacks(tmp_path: Path) -> None:
    text = """\
`ip -6 route add fd00::1 encap seg6local action End flavors psp count dev dum0`
`ip -6 route add fd00::2 encap seg6local action End.X nh6 fc00::1 flavors next-csid dev dum0`
`ip -6 route add dead::/16 encap seg6 mode l2encap segs fc00::1 dev dum0`
`ip -6 route add beef::/16 nexthop via fc00::7 dev dum0 weight 2 nexthop via fc00::8 dev dum0`
> fc00::9 -> fd00::1 / [fc00::1,+fd00::1] / UDP(1, 2)
< fc00::9 -> fc00::1 / UDP(1, 2)
> fc00::9 -> beef::1
< fc00::9 -> beef::1
"""
    assert troubles(run_text(text, tmp_path, runner="kernel")) == []


@pytest.mark.kernel
def test_what_the_kernel_refuses_is_said_with_its_reason(tmp_path: Path) -> None:
    found = run_text("`ip -6 route add dead::/16 via beef::1 dev dum0`\n", tmp_path, runner="kernel")
    assert troubles(found) == [(1, "cannot add the route to dead::/16: No route to host")]


@pytest.mark.kernel
def test_a_deleted_route_is_gone_on_the_kernel_whatever_it_ran(tmp_path: Path) -> None:
    text = """\
`ip -6 route add fc00::3 encap seg6local action End.BPF endpoint obj tag_increment dev dum0`
`ip -6 route del fc00::3`
> fc00::2 -> fc00::3 / [fc00::14,+fc00::3] <tag 1>
< fc00::2 -> fc00::3 / [fc00::14,+fc00::3] <tag 1>
"""
    for runner in ("vm", "kernel"):
        assert troubles(run_text(text, tmp_path, runner=runner)) == []


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.seg")), ids=lambda path: path.stem)
def test_the_examples_pass(path: Path) -> None:
    found = list(run_seg(path))
    assert found
    assert troubles(found) == []


@pytest.mark.parametrize("runner", ["vm", pytest.param("kernel", marks=pytest.mark.kernel)])
def test_a_route_says_the_type_of_a_program_whose_section_does_not(runner: str) -> None:
    found = list(run_seg(Path(__file__).parent / "data" / "sections.seg", runner=runner))
    assert len(found) == 6
    assert troubles(found) == []


ENTRIES = """\
from pybpfnf import *

sids = Array(IPv6Address, 2)
chosen = State(u32, initial=0)


class Note(Tlv, type=124):
    number: u32


@lwt_in(on_fault=DROP)
def by_the_map(pkt: LwtInPacket) -> Verdict:
    pkt.push_ip(Srh(path=[sids[chosen]], tlvs=[Note(number=random_u32())]), source=IPv6Address("fd00::42"), hop_limit=64)
    return REROUTE
"""


@pytest.mark.parametrize("runner", ["vm", pytest.param("kernel", marks=pytest.mark.kernel)])
def test_a_route_gives_its_program_entries_of_maps(runner: str, tmp_path: Path) -> None:
    (tmp_path / "entries.py").write_text(ENTRIES, encoding="utf-8")
    route = "ip -6 route add dead::/16 encap bpf in obj entries.py set sids[1]=fc00::5 set chosen=1 dev dum0"
    expected = "fd00::42 -> fc00::5 / [+fc00::5] {124: *} {*} / fc00::1 -> dead::1"
    found = run_text(f"`{route}`\n> fc00::1 -> dead::1\n< {expected}\n", tmp_path, runner=runner)
    assert troubles(found) == []
    found = run_text(f"`{route.replace('[1]', '[2]')}`\n`{route.replace('sids', 'sid')}`\n", tmp_path, runner=runner)
    assert troubles(found) == [(1, "map sids, index: '2' is not an index from 0 to 1"), (2, "the program has no variable or map 'sid'")]


def test_no_source_is_found_for_the_unspecified_address(tmp_path: Path) -> None:
    """The kernel leaves what its memory held."""
    routes = "`ip -6 route add ::/0 dev dum0`\n`ip -6 route add beef::/16 encap seg6 mode encap segs :: dev dum0`\n"
    (found,) = run_text(f"{routes}> fc00::1 -> beef::1\n< none\n", tmp_path)
    assert isinstance(found, Result)
    assert (found.problems, found.reason) == ((), "ip6_forward: a packet from :: is not forwarded")


def test_every_drop_has_its_reason(tmp_path: Path) -> None:
    text = "> fc00::1 -> fd00::42 / [fc00::2,fd00::42] <sl 0>\n< none\n> fc00::1 -> dead::1\n< none\n> fc00::1 -> fd00::9\n< none\n"
    assert [each.reason for each in run_text(text, tmp_path) if isinstance(each, Result)] == [
        "fd00::42 is the router's own, and the packet has nothing for it",
        "there is no route to dead::1",
        "the route to fd00::/48 is by lo, and leads nowhere",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ip -6 route add dead::/16 dev dum7", "there is no device dum7"),
        ("ip -6 route add fc00::/16 dev dum0", "there is a route to fc00::/16 already"),
        ("ip -6 route del dead::/16", "there is no such route to dead::/16"),
        ("ip -6 route add dead::/16 via beef::1 dev dum0", "the gateway beef::1 cannot be reached by dum0"),
        ("ip -6 route add dead::1 encap seg6local action End.DX2 oif dum7 dev dum0", "there is no device dum7"),
        ("ip -6 route add dead::1 encap seg6local action End.DX6 nh6 :: flavors psp dev dum0", "End.DX6 has no flavor psp"),
        ("ip route add 10.0.0.0/8 encap seg6local action End dev dum0", f"a route to 10.0.0.0/8 {IPV6_ALONE}"),
        ("ip route add 10.0.0.0/8 encap seg6 mode inline segs fc00::1 dev dum0", f"a route to 10.0.0.0/8 {IPV6_ALONE}"),
        ("ip route add local 10.0.0.1 dev lo", "this router has no IPv4 addresses of its own"),
        ("ip -6 route add dead::1 encap seg6local action End.BPF endpoint obj nothing.o dev dum0", "no such file: nothing.o"),
        ("ip -6 route add dead::1 encap seg6local action End.BPF endpoint obj hooks.py sec x dev dum0", "hooks.py has no section 'x'"),
        (
            "ip -6 route add dead::1 encap bpf in obj hooks.py program into_42 dev dum0",
            "program into_42 is lwt_seg6local, and this route takes lwt_in",
        ),
        ("ip -6 route add dead::1 encap seg6local action End.BPF obj end_t set TABEL=1 dev dum0", "no variable 'TABEL' in the object"),
        (
            "ip -6 route add dead::1 encap seg6local action End.BPF obj end_t set TABLE=x dev dum0",
            "TABLE: x is not a u32 (0 to 4294967295)",
        ),
        (
            "ip -6 route add dead::/16 encap bpf in obj srv6_encap set LAST=::2 dev dum0",
            "program 'srv6_encap' needs a value for FIRST (IPv6Address)",
        ),
        ("sysctl -w net.ipv6.conf.all.hop_limit=3", "this router has no sysctl net.ipv6.conf.all.hop_limit"),
    ],
)
def test_a_command_that_cannot_be_carried_out_is_refused_and_the_tests_go_on(line: str, said: str, tmp_path: Path) -> None:
    found = run_text(f"`{line}`\n> fc00::1 -> fc00::2\n< fc00::1 -> fc00::2\n", tmp_path)
    assert troubles(found) == [(1, said)]
    assert isinstance(found[1], Result)


def test_lines_for_a_shell_are_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(CompileError) as caught:
        run_text("`ip -6 route add dead::/16 dev dum0`\n`sleep 1`\n`./usr`\n", tmp_path)
    assert [(found.span.line, found.code) for found in caught.value.diagnostics] == [(2, "seg-shell"), (3, "seg-shell")]
    assert "--runner kernel --allow-shell" in str(caught.value.diagnostics[0].hint)


def test_a_packet_expected_by_another_device_fails(tmp_path: Path) -> None:
    found = run_text("if add dum1\n> fc00::1 -> fc00::2\n< (dum1) fc00::1 -> fc00::2\n", tmp_path)
    assert troubles(found) == [(2, ("device: expected dum1, found dum0",))]


# ------------------------------------------------------------------------------------------------------- the command


def test_the_command_prints_a_line_a_test_and_what_differs(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "f.seg"
    path.write_text(FAILING, encoding="utf-8")
    ended = command("test", path)
    assert ended.status == 1
    assert (
        ended.out.replace(str(path), "f.seg")
        == """\
f.seg:3: FAILED   The tag
    sent      fc00::2 -> fd00::3 / [fc00::14,+fd00::3] <tag 12>
    expected  fc00::2 -> fc00::14 / [+fc00::14,fd00::3] <tag 14>
    got       (dum0) fc00::2 -> fc00::14 / [+fc00::14,fd00::3] <tag 13>
    srh.tag: expected 14, found 13
f.seg:5: FAILED   The tag (2)
    sent      fc00::2 -> fd00::3
    expected  fc00::2 -> fd00::3
    got       none: seg6_get_srh: no routing header with segments left
    a packet is missing
f.seg:7: FAILED   The tag (3)
    sent      fc00::2 -> fc00::3
    expected  none
    got       (dum0) fc00::2 -> fc00::3
    a packet came out, by dum0
3 tests: 0 passed, 3 failed
"""
    )


def test_the_command_prints_json_lines(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "f.seg"
    path.write_text(FAILING, encoding="utf-8")
    first, *_, last = (json.loads(line) for line in command("test", path, "--json").out.splitlines())
    assert (first["line"], first["name"], first["passed"]) == (3, "The tag", False)
    assert first["got"] == [{"device": "dum0", "packet": "fc00::2 -> fc00::14 / [+fc00::14,fd00::3] <tag 13>"}]
    assert last == {"tests": 3, "passed": 0, "failed": 3, "refused": 0}


def test_the_command_ends_well_where_all_pass(command: Command) -> None:
    ended = command("test", ROOT / "examples" / "tag_increment.seg")
    assert ended.status == 0
    assert ended.out.splitlines()[-1].endswith("passed, 0 failed")


def test_a_mistake_in_a_file_is_a_diagnostic(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "f.seg"
    path.write_text("> fc00::1\n", encoding="utf-8")
    ended = command("test", path)
    assert (ended.status, ended.out) == (1, "")
    assert "f.seg:1:10: error: expected `->`" in ended.err


def test_a_shell_needs_the_kernel_s_router(command: Command, tmp_path: Path) -> None:
    ended = command("test", "--allow-shell", tmp_path / "f.seg")
    assert ended.status == 2
    assert "--runner kernel" in ended.err


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        list(run_seg(tmp_path / "none.seg"))
