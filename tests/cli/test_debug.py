"""`pybpfnf debug` by lines of commands, and what its panes show."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pybpfnf.testing.packets import srv6
from tests.cli.conftest import CaptureOf, Command, Ended

SEGMENTS = ["fc00:3::3", "fc00:2::2"]
PACKET = srv6(SEGMENTS, tag=7)

FUNCTION = """\
from pybpfnf import DROP, OK, Array, Seg6Packet, State, Verdict, seg6local, u16, u64

counts = Array(u64, 4)
seen = State(u64)


@seg6local
def tags(pkt: Seg6Packet) -> Verdict:
    global seen
    seen += 1
    srh = pkt.srh
    old = srh.tag
    counts[2] += old
    srh.tag = old + 10
    if old == 9:
        return DROP
    return OK
"""


@pytest.fixture
def debug(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """`debug("break 12\\ncontinue", ...)`: those commands on stdin, for the function above."""
    path = tmp_path / "tags.py"
    path.write_text(FUNCTION)

    def run(commands: str, *arguments: object) -> Ended:
        monkeypatch.setattr(sys, "stdin", io.StringIO(commands))
        return command("debug", path, *(arguments or ("--packet", PACKET.hex())), "--batch")

    return run


def test_commands_go_where_they_say_and_say_where_they_are(debug: Callable[..., Ended]) -> None:
    ended = debug("break 14\ncontinue\nnext\nback\nfinish\n")
    lines = ended.out.splitlines()
    assert ended.status == 0
    assert lines[1:3] == ["breakpoint 1 at line 14", "breakpoint: line 14"]
    assert lines[3].endswith("tags.py:14  srh.tag = old + 10")
    assert lines[4].endswith("tags.py:15  if old == 9:")
    assert lines[5] == lines[3]
    assert lines[-2:] == ["packet 0: the run is over", "OK: forwarded"]


def test_panes_show_what_the_last_instruction_changed(debug: Callable[..., Ended]) -> None:
    text = debug("break 15\ncontinue\nlocals\nfields\nmaps\nlist\ncode\nregisters\nprint old\nprint counts\n").out
    assert "  old = 7\n" in text
    assert "* srh.tag = 0x11\n" in text
    assert "[11]" in text
    assert "  seen = 1\n" in text
    assert "counts[2] = 7\n" in text
    assert "\n>b   15      if old == 9:\n" in text
    assert " r10  0x" in text
    assert "the stack" in text


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("srh.tag", ["* srh.tag = 0x11"]),
        ("pkt.srh.tag", ["* srh.tag = 0x11"]),
        ("srh.segments", ["  srh.segments[0] = fc00:3::3", "  srh.segments[1] = fc00:2::2"]),
        ("srh.segments[1]", ["  srh.segments[1] = fc00:2::2"]),
        ("pkt.ipv6.hop_limit", ["  ipv6.hop_limit = 0x40"]),
        ("pkt.len", [f"  len = {len(PACKET)}"]),
        ("pkt.mark", ["  mark = 0x0"]),
        ("pkt.protocol", ["  protocol = 0x86dd"]),
        ("old", ["  old = 7"]),
        ("seen", ["  seen = 1"]),
        ("counts", ["  counts[2] = 7"]),
    ],
)
def test_print_shows_by_the_names_of_the_function(debug: Callable[..., Ended], name: str, lines: list[str]) -> None:
    out = debug(f"break 15\ncontinue\nprint {name}\n").out.splitlines()
    assert out[4:] == lines


MARKS = """\
from pybpfnf import OK, Seg6Packet, Verdict, seg6local


@seg6local
def marks(pkt: Seg6Packet) -> Verdict:
    pkt.mark = 17
    pkt.priority = pkt.mark + 1
    return OK
"""


def test_print_follows_the_fields_of_the_context(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "marks.py").write_text(MARKS)
    asked = "next\nprint pkt.mark\nnext\nprint pkt.mark\nnext\nprint pkt.priority\nback\nprint pkt.priority\nprint pkt.data\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(asked))
    ended = command("debug", tmp_path / "marks.py", "--packet", PACKET.hex(), "--batch")
    printed = [line.lstrip("* ") for line in ended.out.splitlines() if " = 0x" in line]
    assert printed == ["mark = 0x0", "mark = 0x11", "priority = 0x12", "priority = 0x0"]
    assert "nothing is called 'pkt.data'" in ended.err + ended.out


MAPS = """\
from pybpfnf import OK, Array, Hash, RingBuf, Seg6Packet, Struct, Verdict, seg6local, u16, u64


class Seen(Struct):
    tag: u16


zeros = Array(u64, 4)
empty = Hash(u16, u64, 4)
events = RingBuf(Seen, 4096)


@seg6local
def fills(pkt: Seg6Packet) -> Verdict:
    if pkt.len == 9:
        zeros[1] = 1
        empty[pkt.srh.tag] = 1
        events.emit(Seen(tag=pkt.srh.tag))
    return OK
"""


def test_print_says_of_a_map_that_there_is_nothing_in_it(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "maps.py").write_text(MAPS)
    monkeypatch.setattr(sys, "stdin", io.StringIO("print zeros\nprint empty\nprint events\n"))
    ended = command("debug", tmp_path / "maps.py", "--packet", PACKET.hex(), "--batch")
    assert ended.out.splitlines()[1:] == [
        "  zeros: all entries are zero",
        "  empty: no entries",
        "  events: what is in a ringbuf is not followed",
    ]


def test_print_pkt_shows_what_fields_shows(debug: Callable[..., Ended]) -> None:
    assert debug("print pkt\n").out == debug("fields\n").out
    assert "ipv6.hop_limit = 0x40" in debug("print pkt\n").out


def test_a_packet_after_the_other_finds_what_the_first_left(debug: Callable[..., Ended], capture_of: CaptureOf) -> None:
    ended = debug("packet\nbreak 15\ncontinue\nmaps\ncontinue\npacket\n", capture_of(PACKET, srv6(SEGMENTS, tag=9)))
    assert "packet 1, instruction" in ended.out
    assert "  seen = 2\n" in ended.out
    assert re.search(r"DROP: dropped, the program returned BPF_DROP at \S*tags\.py:16\nthere is no other packet\n", ended.out)


def test_what_is_wrong_is_said_and_goes_on_and_the_end_is_status_2(debug: Callable[..., Ended]) -> None:
    ended = debug("jump\nbreak 3\nbreak x\nstepi many\ndelete 7\nprint nothing\nstepi\n# a remark\n\nquit\nnext\n")
    lines = [line for line in ended.out.splitlines() if line.startswith("error: ")]
    assert lines[0] == "error: no command 'jump' (`help` lists them)"
    assert lines[1].startswith("error: no statement begins at line 3 (statements begin at ")
    assert [line.partition(" (")[0] for line in lines[2:]] == [
        "error: no place 'x'",
        "error: 'many' is no number",
        "error: there is no breakpoint 7",
        "error: nothing is called 'nothing' here",
    ]
    assert ended.status == 2
    assert "packet 0, instruction 1" in ended.out


def test_every_command_has_its_line_of_help(debug: Callable[..., Ended]) -> None:
    text = debug("help").out
    assert all(f"{name}, " in text for name in ("step", "next", "continue", "back", "packet", "break", "maps", "quit"))


def test_an_object_is_stepped_by_its_records(
    debug: Callable[..., Ended], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_option = debug("step\nlocals\n", "--optimised", "--packet", PACKET.hex())
    command("build", tmp_path / "tags.py", "-o", tmp_path / "tags.o")
    monkeypatch.setattr(sys, "stdin", io.StringIO("step\nlocals\n"))
    ended = command("debug", tmp_path / "tags.o", "--packet", PACKET.hex(), "--batch")
    assert (ended.status, ended.out) == (0, by_option.out)
    assert "tags.py:10" in ended.out


@pytest.mark.filterwarnings("ignore")  # scapy's own, when it is imported
def test_a_packet_can_be_written_as_scapy_writes_it(debug: Callable[..., Ended]) -> None:
    text = "Ether()/IPv6(dst='fc00:2::2')/IPv6ExtHdrSegmentRouting(addresses=['fc00:3::3','fc00:2::2'],segleft=1,lastentry=1,tag=5)"
    assert "srh.tag = 0x5" in debug("fields", "--packet", text).out


@pytest.mark.parametrize("text", ["IPv6(dst=)", "nonsense", "0x6", "60 0"])
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_packet_is_refused(text: str, debug: Callable[..., Ended]) -> None:
    ended = debug("", "--packet", text)
    assert ended.status == 2
    assert "packet" in ended.err


def test_without_a_packet_there_is_nothing_to_debug(debug: Callable[..., Ended], capture_of: CaptureOf) -> None:
    ended = debug("", capture_of())
    assert (ended.status, "there is no packet to debug" in ended.err) == (2, True)
