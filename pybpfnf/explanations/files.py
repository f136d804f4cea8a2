"""Rules of test files (`.seg`)."""

from __future__ import annotations

from pybpfnf.explanations.row import SEG, Explanation

FILES = (
    Explanation(
        "seg-syntax",
        why="A test file has packets that go in (`>`), what comes out of each (`<`), devices (`if add`) and commands between backticks."
        " A line that is nothing of that would be a test that is not made, so the whole file is refused, with each mistake. Commands are"
        " read word by word too: a parameter that an action does not take is said here, before there is a router.",
        wrong="""\
> fc00::2 -> fd00::42 / [fc00::1,+fd00::42] <tga 7>
< fc00::2 -> fc00::1 / [+fc00::1,fd00::42] <tag 7>
""",
        right="""\
> fc00::2 -> fd00::42 / [fc00::1,+fd00::42] <tag 7>
< fc00::2 -> fc00::1 / [+fc00::1,fd00::42] <tag 7>
""",
        language=SEG,
    ),
    Explanation(
        "seg-value",
        why="A packet that is sent has one value in each field, and it fits: a tag has 16 bits, a port too, segments left 8. `*` stands for"
        " anything in what is expected, and for nothing in what is sent.",
        wrong="""\
> * -> fd00::42 / [fc00::1,+fd00::42]
< * -> fc00::1 / [+fc00::1,fd00::42]
""",
        right="""\
> fc00::2 -> fd00::42 / [fc00::1,+fd00::42]
< * -> fc00::1 / [+fc00::1,fd00::42]
""",
        language=SEG,
    ),
    Explanation(
        "seg-shell",
        why="Routes, rules, addresses, the tunnel source, HMAC keys and sysctls are understood, and given to either router without a shell."
        " Any other command would be run by a shell, as root, in the network namespace of the test: that is asked for with --allow-shell,"
        " and there is a namespace with --runner kernel alone. A key's secret, which iproute2 asks for, may stand at the end.",
        wrong="""\
`echo foobar | ip sr hmac set 1042 sha256`
""",
        right="""\
`ip sr hmac set 1042 sha256 foobar`
""",
        language=SEG,
    ),
)
