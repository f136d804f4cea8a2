"""Rules about how much: what the kernel's verifier can follow, what the stack holds, what fits into one program."""

from __future__ import annotations

from pybpfnf.explanations.row import ASSEMBLY, Explanation

LIMITS = (
    Explanation(
        "unbounded",
        why="The verifier goes through each iteration of a loop by itself, and must come to an end. So a loop counts over a `range` whose"
        " length follows from constants, a type (a u8 stops at 255), a mask, a remainder or `min`; a Config is no proof, since it may"
        " be set to anything. A bound that is proven can still be too much for the verifier: then the kernel counts the loop, for programs"
        " under the GPL, on Linux 6.4 and later. Where it cannot, under a lock, or where the body alone has too many branches or all"
        " iterations take too long for one packet, the loop is refused.",
        wrong="""\
from pybpfnf import DROP, OK, Array, Config, Seg6Packet, Verdict, seg6local, u32

MEMBERS = Config(u32, default=8)
tags = Array(u32, 64)


@seg6local
def only_members(pkt: Seg6Packet) -> Verdict:
    for i in range(MEMBERS):
        if tags[i] == pkt.srh.tag:
            return OK
    return DROP
""",
        right="""\
from pybpfnf import DROP, OK, Array, Config, Seg6Packet, Verdict, seg6local, u32

MEMBERS = Config(u32, default=8)
tags = Array(u32, 64)


@seg6local
def only_members(pkt: Seg6Packet) -> Verdict:
    for i in range(min(MEMBERS, 64)):
        if tags[i] == pkt.srh.tag:
            return OK
    return DROP
""",
    ),
    Explanation(
        "stack",
        why="A BPF program has 512 bytes of stack, over all the functions that are active at once, and at most 8 of them. Structs that a"
        " function makes, keys and values of maps, TLVs and SRHs on their way into the packet lie there. Where they are too large, they are"
        " put into memory of the CPU's own, which each run takes and gives back. A function with a tail call cannot give it back, and a"
        " great many integers at once cannot lie there. What is large can also be in a map, where a view of it costs nothing; what is not"
        " needed at the same time can be made one after the other.",
        wrong="""\
from pybpfnf import OK, PerCpuArray, ProgArray, Seg6Packet, Struct, Verdict, array, seg6local, u64


class Window(Struct):
    sizes: list[u64] = array(u64, 80)


windows = PerCpuArray(Window, 1)
EMPTY = (0,) * 80
NEXT = ProgArray(Seg6Packet, 4)


@seg6local
def remember(pkt: Seg6Packet) -> Verdict:
    windows[0] = Window(sizes=EMPTY)
    if pkt.srh.tag > 0:
        return NEXT[pkt.srh.tag](pkt)
    return OK
""",
        right="""\
from pybpfnf import OK, PerCpuArray, ProgArray, Seg6Packet, Struct, Verdict, array, seg6local, u64


class Window(Struct):
    sizes: list[u64] = array(u64, 80)


windows = PerCpuArray(Window, 1)
NEXT = ProgArray(Seg6Packet, 4)


@seg6local
def remember(pkt: Seg6Packet) -> Verdict:
    window = windows[0]
    for i in range(80):
        window.sizes[i] = 0
    if pkt.srh.tag > 0:
        return NEXT[pkt.srh.tag](pkt)
    return OK
""",
    ),
    Explanation(
        "size",
        why="A jump of a BPF program reaches 32,767 instructions, and Python's own parser and this compiler go some hundred levels deep:"
        " an `elif` is one level below the `if` that it follows. What is a table is better written as one, in a map.",
        wrong="""\
from pybpfnf import DROP, OK, Seg6Packet, Verdict, seg6local


@seg6local
def block(pkt: Seg6Packet) -> Verdict:
    if pkt.srh.tag == 1:
        return DROP
    elif pkt.srh.tag == 2: return DROP  # and 990 more of these
    return OK
""",
        right="""\
from pybpfnf import DROP, OK, Hash, Seg6Packet, Verdict, seg6local, u16

blocked = Hash(u16, bool, 1024)


@seg6local
def block(pkt: Seg6Packet) -> Verdict:
    return DROP if pkt.srh.tag in blocked else OK
""",
    ),
    Explanation(
        "newer-kernel",
        why="`pybpfnf check --kernel 6.1` and `pybpfnf build --kernel 6.1` hold an object against what that version of Linux has: helpers,"
        " functions of the kernel, kinds of maps, instructions. An object itself is for every kernel that has what it uses; this says"
        " before it is on a router whether that one does. Here the loop is long, so the kernel counts it, which it does since Linux 6.4;"
        " the verifier of an older one follows each iteration by itself, and takes no more than some thousand branches.",
        wrong="""\
from pybpfnf import DROP, OK, Array, Seg6Packet, Verdict, seg6local, u16

wanted = Array(u16, 5000)


@seg6local
def only_wanted(pkt: Seg6Packet) -> Verdict:
    for i in range(5000):
        if wanted[i] == pkt.srh.tag:
            return OK
    return DROP
""",
        right="""\
from pybpfnf import DROP, OK, Hash, Seg6Packet, Verdict, seg6local, u16

wanted = Hash(u16, bool, 5000)


@seg6local
def only_wanted(pkt: Seg6Packet) -> Verdict:
    return OK if pkt.srh.tag in wanted else DROP
""",
        meant_for="6.1",
    ),
    Explanation(
        "verifier",
        why="The kernel runs no program that its verifier has not followed along every path. Of an object that this compiler has made, a"
        " refusal is a bug of pybpfnf, and the message says so: please report it with the log, which is kept in a file. Of an object"
        " from elsewhere it is the object's: the message has the instruction, its source line where the object has lines, and the"
        " verifier's own words. Here the byte was read without asking whether the packet is that long.",
        wrong="""\
r2 = *(u32 *)(r1 + 76)
r0 = *(u8 *)(r2 + 6)
r0 = 0
exit
""",
        right="""\
r2 = *(u32 *)(r1 + 76)
r3 = *(u32 *)(r1 + 80)
r4 = r2
r4 += 7
if r4 > r3 goto short
r0 = *(u8 *)(r2 + 6)
short:
r0 = 0
exit
""",
        language=ASSEMBLY,
    ),
)
