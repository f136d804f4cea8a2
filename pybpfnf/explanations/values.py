"""Rules about Python itself, its names and its values: where nothing else would be said and the program would be another one."""

from __future__ import annotations

from pybpfnf.explanations.row import Explanation

VALUES = (
    Explanation(
        "syntax",
        why="The file is read by Python before it is a network function, and Python does not take it: often a colon, a bracket or a quote"
        " is missing on this line or at the end of the one before.",
        wrong="""\
from pybpfnf import OK, Seg6Packet, Verdict, seg6local


@seg6local
def end(pkt: Seg6Packet) -> Verdict
    return OK
""",
        right="""\
from pybpfnf import OK, Seg6Packet, Verdict, seg6local


@seg6local
def end(pkt: Seg6Packet) -> Verdict:
    return OK
""",
    ),
    Explanation(
        "import",
        why="The module level of a file is ordinary Python, run once while it is compiled; only decorated functions become programs. An"
        " exception there ends the compilation at its line. Files beside this one can be imported.",
        wrong="""\
from pybpfnf import OK, Config, Seg6Packet, Verdict, seg6local, u32

LIMIT = Config(u32, default=int("a hundred"))


@seg6local
def mark(pkt: Seg6Packet) -> Verdict:
    pkt.mark = LIMIT
    return OK
""",
        right="""\
from pybpfnf import OK, Config, Seg6Packet, Verdict, seg6local, u32

LIMIT = Config(u32, default=int("100"))


@seg6local
def mark(pkt: Seg6Packet) -> Verdict:
    pkt.mark = LIMIT
    return OK
""",
    ),
    Explanation(
        "unsupported",
        why="A network function is compiled to a few hundred instructions without memory of its own: no exceptions, no text, no lists, no"
        " floats, no loops without an end. Whatever is not lowered is refused, with what to write instead; nothing that you wrote is"
        " ever left out in silence.",
        wrong="""\
from pybpfnf import OK, PerCpuArray, Seg6Packet, Verdict, seg6local, u64

halves = PerCpuArray(u64, 1)


@seg6local
def count(pkt: Seg6Packet) -> Verdict:
    halves[0] += pkt.len / 2
    return OK
""",
        right="""\
from pybpfnf import OK, PerCpuArray, Seg6Packet, Verdict, seg6local, u64

halves = PerCpuArray(u64, 1)


@seg6local
def count(pkt: Seg6Packet) -> Verdict:
    halves[0] += pkt.len // 2
    return OK
""",
    ),
    Explanation(
        "overflow",
        why="A constant takes the type of the place that it goes to, or of the operand beside it, and must fit there; so must a constant"
        " index. Results of arithmetic are reduced to their type, as in C; a constant that is too large is a mistake and not meant.",
        wrong="""\
from pybpfnf import OK, Seg6Packet, Verdict, seg6local


@seg6local
def tag(pkt: Seg6Packet) -> Verdict:
    pkt.srh.tag = 0x10000
    return OK
""",
        right="""\
from pybpfnf import OK, Seg6Packet, Verdict, seg6local


@seg6local
def tag(pkt: Seg6Packet) -> Verdict:
    pkt.srh.tag = 0xFFFF
    return OK
""",
    ),
    Explanation(
        "sign",
        why="No type holds all values of both a signed and an unsigned one of the same width, so an operation on the two would be wrong"
        " for some of them. An unsigned with a wider signed type is fine; otherwise the function says what it means, by a cast.",
        wrong="""\
from pybpfnf import DROP, OK, Config, Seg6Packet, Verdict, s32, seg6local

SLACK = Config(s32, default=-40)


@seg6local
def police(pkt: Seg6Packet) -> Verdict:
    return DROP if pkt.len + SLACK > 1500 else OK
""",
        right="""\
from pybpfnf import DROP, OK, Config, Seg6Packet, Verdict, s32, s64, seg6local

SLACK = Config(s32, default=-40)


@seg6local
def police(pkt: Seg6Packet) -> Verdict:
    return DROP if s64(pkt.len) + SLACK > 1500 else OK
""",
    ),
    Explanation(
        "type",
        why="Every name and every place has one type, found before the function runs. Widening is free; narrowing is written, as in"
        " `u8(x)`, since it loses bits. A condition is a bool, what is returned is a verdict, and values of different kinds are never"
        " equal.",
        wrong="""\
from pybpfnf import OK, Seg6Packet, Verdict, seg6local


@seg6local
def tag(pkt: Seg6Packet) -> Verdict:
    if pkt.srh.flags:
        pkt.srh.tag = 7
    return OK
""",
        right="""\
from pybpfnf import OK, Seg6Packet, Verdict, seg6local


@seg6local
def tag(pkt: Seg6Packet) -> Verdict:
    if pkt.srh.flags != 0:
        pkt.srh.tag = 7
    return OK
""",
    ),
    Explanation(
        "name",
        why="A name must be known where it is used, on every path that leads there; a State is assigned after `global`; and programs,"
        " maps and variables become symbols of an object, where some names are taken and only ASCII is.",
        wrong="""\
from pybpfnf import OK, Seg6Packet, Verdict, seg6local


@seg6local
def mark(pkt: Seg6Packet) -> Verdict:
    if pkt.srh.tag == 7:
        colour = 1
    pkt.mark = colour
    return OK
""",
        right="""\
from pybpfnf import OK, Seg6Packet, Verdict, seg6local, u32


@seg6local
def mark(pkt: Seg6Packet) -> Verdict:
    colour: u32 = 0
    if pkt.srh.tag == 7:
        colour = 1
    pkt.mark = colour
    return OK
""",
    ),
    Explanation(
        "arguments",
        why="Calls take the arguments that the reference names, by name where it shows names; fields of a Struct or a Tlv without a"
        " default must be given. A network function takes the packet and nothing else.",
        wrong="""\
from pybpfnf import Seg6Packet, Verdict, seg6local


@seg6local
def by_table(pkt: Seg6Packet) -> Verdict:
    return pkt.end_t()
""",
        right="""\
from pybpfnf import Seg6Packet, Verdict, seg6local


@seg6local
def by_table(pkt: Seg6Packet) -> Verdict:
    return pkt.end_t(table=254)
""",
    ),
)
