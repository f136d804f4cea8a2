"""Both formats of the verifier's log, and what an author is shown of them."""

from __future__ import annotations

import pytest

from pybpfnf.image.model import LineRecord, ProgramImage
from pybpfnf.kernel.verifier_frames import calls_at_the_end
from pybpfnf.kernel.verifier_log import Reading, diagnose, read_log

PACKET_ACCESS = """\
func#0 @0
Live regs before insn:
      0: .1........ (61) r2 = *(u32 *)(r1 +76)
      1: ..2....... (71) r0 = *(u8 *)(r2 +5)
0: R1=ctx() R10=fp0
; data = pkt.data @ probe.py:13
0: (61) r2 = *(u32 *)(r1 +76)         ; R1=ctx() R2_w=pkt(r=0)
; tag = data[5] @ probe.py:14
1: (71) r0 = *(u8 *)(r2 +5)
invalid access to packet, off=5 size=1, R2(id=0,off=5,r=0)
R2 offset is outside of the packet
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""

BRANCHES = """\
0: R1=ctx() R10=fp0
0: (b7) r0 = 0                        ; R0_w=0
1: (15) if r1 == 0x0 goto pc+1
mark_precise: frame0: last_idx 1 first_idx 0 subseq_idx -1
1: R0_w=0 R1=ctx()
2: (95) exit

from 1 to 3: R0_w=0 R1=ctx() R10=fp0
3: R0_w=0 R1=ctx() R10=fp0
3: (bf) r0 = r7
R7 !read_ok
verification time 12 usec
stack depth 0
processed 4 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""

REPORT = """\
0: R1=ctx() R10=fp0
0: (61) r2 = *(u32 *)(r1 +76)
1: (71) r0 = *(u8 *)(r2 +5)
invalid access to packet, off=5 size=1, R2(id=0,off=5,r=0)

Verification failed: Memory Safety: Packet access is not proven in bounds

Reason:
  The program reads 1 byte at offset 5 of the packet, and no check on this
  path shows that the packet is that long.

At:
  probe @ probe.py:14:11
  Source context:
      13 | data = pkt.data
  >>> 14 | tag = data[5]
         | ^-- error: packet access out of range
  Instruction context:
      0 | r2 = *(u32 *)(r1 +76)
  >>> 1 | r0 = *(u8 *)(r2 +5)
      2 | exit

Suggestion:
  Compare the end of the access with data_end before it.

processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""


@pytest.mark.parametrize(
    ("log", "reading"),
    [
        (
            PACKET_ACCESS,
            Reading(
                1, "invalid access to packet, off=5 size=1, R2(id=0,off=5,r=0); R2 offset is outside of the packet", origins={"R2": (0,)}
            ),
        ),
        (BRANCHES, Reading(3, "R7 !read_ok")),
        ("unreachable insn 5\nprocessed 0 insns (limit 1000000)\n", Reading(5, "unreachable insn 5")),
        ("last insn is not an exit or jmp\n", Reading(None, "last insn is not an exit or jmp")),
        ("", Reading(None, "")),
        (
            REPORT,
            Reading(
                1,
                "Memory Safety: Packet access is not proven in bounds: The program reads 1 byte at offset 5 of the packet, "
                "and no check on this path shows that the packet is that long",
                "Compare the end of the access with data_end before it.",
                origins={"R2": (0,)},
            ),
        ),
        (
            "\nVerification failed: Policy: Helper is not allowed\n\nReason:\n  It is not.\n\nAt:\n  insn 7\n   | ^-- error: no\n",
            Reading(7, "Policy: Helper is not allowed: It is not"),
        ),
        ("\nVerification failed: Verifier Limit\n", Reading(None, "Verifier Limit")),
    ],
)
def test_a_log_reads_as_its_instruction_and_message(log: str, reading: Reading) -> None:
    assert read_log(log) == reading


def test_a_diagnostic_stands_at_the_source_line_of_the_refused_instruction() -> None:
    lines = (LineRecord(0, "probe.py", 13, 5, "    data = pkt.data"), LineRecord(1, "probe.py", 14, 11, "    tag = data[5]"))
    diagnostic = diagnose(REPORT, ProgramImage("probe", "lwt_seg6local", "lwt_seg6local", (), lines=lines))
    assert diagnostic.render().splitlines()[0].startswith("probe.py:14:11: error: the kernel refused probe: Memory Safety: Packet access")
    assert diagnostic.message.endswith("; R2 is from `data = pkt.data` in line 13")
    assert diagnostic.source_line == "    tag = data[5]"
    assert diagnostic.hint == "Compare the end of the access with data_end before it."


def test_a_statement_is_shown_as_long_as_it_fits_and_never_the_refused_one() -> None:
    long = LineRecord(0, "probe.py", 13, 5, f"data = {'x' * 70}")
    same = (LineRecord(0, "probe.py", 14, 5, "tag = pkt.data[5]"), LineRecord(1, "probe.py", 14, 11, "tag = pkt.data[5]"))
    found = diagnose(PACKET_ACCESS, ProgramImage("probe", "lwt_seg6local", "lwt_seg6local", (), lines=(long, same[1])))
    assert found.message.endswith(f"; R2 is from `data = {'x' * 50}...` in line 13")
    found = diagnose(PACKET_ACCESS, ProgramImage("probe", "lwt_seg6local", "lwt_seg6local", (), lines=same))
    assert found.message.endswith("R2 offset is outside of the packet")


def test_without_line_records_a_diagnostic_names_the_instruction() -> None:
    diagnostic = diagnose(BRANCHES, ProgramImage("probe", "lwt_seg6local", "lwt_seg6local", ()))
    assert diagnostic.message == "the kernel refused probe: R7 !read_ok (instruction 3)"


def test_a_program_that_the_verifier_gives_up_on_gets_a_hint() -> None:
    log = "5: (05) goto pc-3\nBPF program is too large. Processed 1000001 insn\n"
    found = diagnose(log, ProgramImage("probe", "lwt_seg6local", "lwt_seg6local", ()))
    assert found.hint is not None
    assert "fewer branches" in found.hint


def test_what_the_compiler_has_accepted_is_our_bug() -> None:
    found = diagnose("0: (95) exit\nR0 !read_ok\n", ProgramImage("probe", "lwt_seg6local", "lwt_seg6local", (), on_fault=2))
    assert found.hint is not None
    assert "a bug of pybpfnf" in found.hint


IN_A_SUBPROGRAM = """\
2: (85) call pc+5
caller:
 R10=fp0
callee:
 frame1: R1=ctx() R10=fp0
8: (15) if r1 == 0x0 goto pc+2
9: (85) call pc+9
caller:
 frame1: R10=fp0
callee:
 frame2: R1=ctx() R10=fp0
19: (b7) r0 = 0
20: (95) exit
returning from callee:
 frame2: R0=0 R10=fp0
to caller at 10:
 frame1: R0=0 R10=fp0
10: (95) exit
returning from callee:
 frame1: R0=0 R10=fp0
to caller at 3:
 R0=0 R10=fp0
3: (95) exit
"""


@pytest.mark.parametrize(
    ("log", "calls"),
    [
        ("0: (bf) r6 = r1\n", ()),
        (IN_A_SUBPROGRAM.partition("8: (15)")[0], (2,)),
        (IN_A_SUBPROGRAM.partition("20: (95)")[0], (9, 2)),
        (IN_A_SUBPROGRAM.partition("10: (95)")[0], (2,)),
        (IN_A_SUBPROGRAM, ()),
        (f"{IN_A_SUBPROGRAM}\nfrom 8 to 11: frame1: R1=0 R10=fp0\n11: (95) exit\n", (2,)),
        (f"{IN_A_SUBPROGRAM}\nfrom 1 to 4: R1=0 R10=fp0\n4: (95) exit\n", ()),
        (f"{IN_A_SUBPROGRAM}\nfrom 3 to 19: frame1: R1=0 R10=fp0\n19: (95) exit\n", (3,)),  # a callback, which a helper calls
        (IN_A_SUBPROGRAM.partition("9: (85)")[0] + "Validating other() func#1...\n0: (95) exit\n", ()),
    ],
)
def test_a_log_says_which_calls_lead_to_its_last_instruction(log: str, calls: tuple[int, ...]) -> None:
    assert calls_at_the_end(log.splitlines()) == calls


def test_a_program_that_is_too_large_says_so_also_behind_an_instruction() -> None:
    """The kernel may be in the middle of a line when it gives up."""
    last = "26: (15) if r3 == 0x0 goto pc-11 BPF program is too large. Processed 1000001 insn"
    log = f"25: (0f) r1 += r2\n{last}\nprocessed 1000001 insns (limit 1000000)"
    assert read_log(log).message == "BPF program is too large. Processed 1000001 insn"
