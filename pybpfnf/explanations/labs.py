"""Rules of topologies (`.toml`)."""

from __future__ import annotations

from pybpfnf.explanations.row import TOML, Explanation

_RIGHT = """\
[nodes.r1]

[nodes.r2]

[[links]]
ends = ["r1", "r2"]
delay = "5ms"
"""

LABS = (
    Explanation(
        "lab-syntax",
        why="A topology is a TOML file. A key that is not understood would be a property that the network does not have, a delay or a loss"
        " that nobody misses until the measurement is published; so it is refused, as is a link or a SID that lacks what makes it one.",
        wrong=_RIGHT.replace("delay =", "dealy ="),
        right=_RIGHT,
        language=TOML,
    ),
    Explanation(
        "lab-value",
        why="Every quantity has its unit: a delay of 5 could be of seconds or of milliseconds. Times are written with ns, us, ms or s,"
        " rates with bit, kbit, Mbit or Gbit, queues with packets, B, kB, MB, KiB or MiB, losses with %.",
        wrong=_RIGHT.replace('"5ms"', "5"),
        right=_RIGHT,
        language=TOML,
    ),
    Explanation(
        "lab-name",
        why="Links, next hops and functions are named, and each name must be that of something: a node of the file, a link of that node, a"
        " file or a function of the catalogue. An address belongs to one node, and a SID is no address of its node: there a packet would be"
        " delivered, and its behaviour would not see it.",
        wrong=_RIGHT.replace('"r1", "r2"', '"r1", "r3"'),
        right=_RIGHT,
        language=TOML,
    ),
)
