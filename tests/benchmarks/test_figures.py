"""`python -m benchmarks.figures`, what scripts/figures runs: the figures' cases, how they are measured, and what is written."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

import pybpfnf
from benchmarks.figures import output, paper
from benchmarks.figures.cases import FIGURES, REACHABLE
from benchmarks.figures.forwarder import Forwarder, frame
from benchmarks.figures.jit import can_be_off
from benchmarks.figures.measuring import Bar
from benchmarks.figures.source import Mix
from pybpfnf.errors import InputError, KernelError
from pybpfnf.live import Live
from pybpfnf.testing import packets

ROOT = Path(__file__).resolve().parents[2]
_SINK, _SID = "fc00:c::1", "fc00:a::1"
_PAYLOAD = packets.udp(bytes(64))
_FORWARDED = packets.ipv6(_SINK, payload=_PAYLOAD)
_NOWHERE = packets.ipv6("fc00:dead::1", payload=_PAYLOAD)


def test_the_thesis_says_what_a_packet_costs_more_by_its_share_of_plain_forwarding() -> None:
    # 610,000 packets a second are 1,639 ns each; at 80 % one takes a quarter longer.
    assert paper.Point(80.0).added_nanoseconds == pytest.approx(409.8, abs=0.1)


def test_every_bar_of_the_thesis_has_its_case() -> None:
    points = {"fig4.2": paper.FIGURE_4_2, "fig6.3": paper.FIGURE_6_3, "fig6.4": paper.FIGURE_6_4}
    for name, figure in FIGURES.items():
        assert {case.name: case.point for case in figure().cases} == dict(points[name])


def test_frames_of_two_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="one length"):
        Mix(frame(_FORWARDED), frame(_FORWARDED) + b"\0", 2)


@pytest.mark.kernel
def test_a_packet_that_does_not_cross_the_router_is_an_error_and_not_a_fast_packet() -> None:
    with Forwarder(REACHABLE) as forwarder, pytest.raises(KernelError, match="128 packets did not cross"):
        forwarder.nanoseconds(forwarder.sources(Mix(frame(_NOWHERE))), 128)


@pytest.mark.kernel
def test_each_frame_is_made_anew() -> None:
    """A function that takes a segment off would else have nothing to do from the second batch on, and the router would drop them."""
    sid = packets.srv6([_SINK, _SID], payload=_PAYLOAD)
    with Forwarder(REACHABLE) as forwarder:
        forwarder.bind(_SID, pybpfnf.read(pybpfnf.build("add_tlv")))
        whole, making = forwarder.nanoseconds(forwarder.sources(Mix(frame(sid))), 1000)
        assert whole > making > 0


@pytest.mark.kernel
def test_one_packet_in_so_many_is_the_rare_one() -> None:
    with Forwarder(REACHABLE) as forwarder:
        sources = forwarder.sources(Mix(frame(_FORWARDED), frame(_NOWHERE), 10))
        with pytest.raises(KernelError) as raised:
            forwarder.nanoseconds(sources, 6400)
        lost = int(str(raised.value).split()[0])
        assert 320 < lost < 1280, "about 640 are rare"


@pytest.mark.kernel
def test_the_probes_of_figure_6_4_are_probes_and_each_leaves_a_record() -> None:
    mix = next(case.mix for case in FIGURES["fig6.4"]().cases if case.name == "end_dm 1:100")
    with Forwarder(REACHABLE) as forwarder:
        loaded = forwarder.bind(_SID, pybpfnf.read(pybpfnf.build(ROOT / "functions" / "delay" / "end_dm.py")))
        forwarder.nanoseconds(forwarder.sources(mix), 12_800)
        seen = [Live(loaded.image, loaded.maps)["seen"][index] for index in range(8)]
    assert 64 < seen[0] < 256, "about 128 one-way probes"
    assert seen[1:] == [0] * 7


@pytest.mark.kernel
def test_figures_are_written_with_the_machine_and_the_thesis_beside(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.figures", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    for name, figure in FIGURES.items():
        text = (tmp_path / f"{name}.csv").read_text()
        assert "# kernel: Linux " in text
        assert "# seed: " in text
        rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
        expected = [case.name for case in figure().cases if not case.interpreted or can_be_off()]
        assert [row["case"] for row in rows[1:]] == expected
        assert rows[0]["percent"] == "100.0"
        assert all(float(row["ns a packet"]) > 0 and float(row["thesis percent"]) > 0 for row in rows[1:])
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_case_that_the_thesis_does_not_have_is_drawn_without_its_bar(tmp_path: Path) -> None:
    bars = [Bar("fig0", "plain", 400, 0, 100, 100, 100, None, None), Bar("fig0", "own", 500, 100, 80, 79, 81, 0.9, None)]
    setting = {"machine": "m", "kernel": "k"}
    assert output.draw(tmp_path, "title", setting, bars).is_file()
    assert output.write_csv(tmp_path, setting, bars).read_text().splitlines()[-1] == "own,500,100,80,79,81,0.9,,"


def test_a_figure_that_is_none_is_refused_with_those_that_are() -> None:
    command = [sys.executable, "-m", "benchmarks.figures", "fig9.9"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert "there is no fig9.9; there are fig4.2" in done.stderr
