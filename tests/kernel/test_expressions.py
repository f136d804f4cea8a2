"""Where the piece of source ends that a line record says the start of."""

from __future__ import annotations

import pytest

from pybpfnf.kernel.expressions import end_of_expression


@pytest.mark.parametrize(
    ("text", "column", "piece"),
    [
        ("    tag = srh.tag", 11, "srh.tag"),
        ("    tag = srh.tag", 5, "tag = srh.tag"),
        ("    if pkt.len > limit:", 8, "pkt.len > limit"),
        ("    if pkt.len > limit:", 18, "limit"),
        ("    elif srh.flags & 1:", 10, "srh.flags & 1"),
        ("    for i in range(n):", 14, "range(n)"),
        ('    é = f("ü", m[k])', 16, "m[k]"),
        ("    return pkt.end_b6(Srh(path=[", 12, "pkt.end_b6(Srh(path=["),
        ("r0 = r7 +", 1, "r0 = r7 +"),
        ("", 1, ""),
    ],
)
def test_the_longest_piece_that_starts_there(text: str, column: int, piece: str) -> None:
    end = end_of_expression(text, column)
    assert text[column - 1 : end - 1] == piece
