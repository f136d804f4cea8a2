"""Our code is no longer than C's, and executes no more on a good packet, with the fault counters off; the goal, in what needs no kernel."""

from __future__ import annotations

from importlib.metadata import version
from ipaddress import IPv6Address
from typing import TypeAlias

import pytest

from benchmarks import clang
from benchmarks.codegen import IN_C, OURS_UNCOUNTED, executed, variants
from benchmarks.yardsticks import YARDSTICKS, Yardstick

pytestmark = [
    pytest.mark.skipif(not (clang.version() or "").startswith("Debian clang version 14."), reason="C's figures are those of clang 14"),
    pytest.mark.skipif(not version("llvmlite").startswith("0.50."), reason="ours are those of llvmlite 0.50"),
]
Figures: TypeAlias = tuple[int, int | None]  # slots of the object; instructions executed
SID = IPv6Address("fc00:a::1")
WALKING = ("tag_increment", "add_tlv", "add_tlv_20", "find_tlv")  # over headers; the others hardly look at the packet


@pytest.fixture(scope="module", params=YARDSTICKS.values(), ids=list(YARDSTICKS))
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Figures, Figures]:
    """The function's name, what ours has, and what C has."""
    yardstick: Yardstick = request.param
    images = variants(yardstick, tmp_path_factory.mktemp("c"))
    ours, in_c = ((images[variant].program().slots, executed(yardstick, images[variant], SID)) for variant in (OURS_UNCOUNTED, IN_C))
    return yardstick.name, ours, in_c


def test_no_more_is_executed_than_of_c(figures: tuple[str, Figures, Figures]) -> None:
    _, (_, ours), (_, in_c) = figures
    assert ours is not None
    assert in_c is not None
    assert ours <= in_c


def test_no_longer_than_c(figures: tuple[str, Figures, Figures]) -> None:
    name, (ours, _), (in_c, _) = figures
    assert ours <= in_c * (0.75 if name in WALKING else 1)
