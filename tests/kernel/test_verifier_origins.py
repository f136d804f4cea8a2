"""Which instructions made the value that a refusal names by its register, from logs as the kernel prints them."""

from __future__ import annotations

import pytest

from pybpfnf.kernel.verifier_origins import origins


def origin(log: str, message: str = "R2 offset is outside of the packet") -> tuple[int, ...]:
    (chain,) = origins([line.strip() for line in log.strip().splitlines()], message).values()
    return chain


def test_a_value_is_from_the_instruction_that_made_it() -> None:
    assert origin("0: (61) r2 = *(u32 *)(r1 +76)   ; R2_w=pkt(r=0)\n1: (71) r0 = *(u8 *)(r2 +5)") == (0,)


def test_what_the_refused_instruction_would_have_made_is_not_there_yet() -> None:
    assert origin("0: (61) r2 = *(u32 *)(r1 +76)\n1: (71) r2 = *(u8 *)(r2 +5)") == (0,)


def test_copies_and_changes_go_back_to_the_original() -> None:
    assert origin("0: (61) r7 = *(u32 *)(r1 +76)\n1: (bf) r2 = r7\n2: (07) r2 += 40\n3: (71) r0 = *(u8 *)(r2 +5)") == (0, 1, 2)


def test_a_value_comes_back_from_the_stack() -> None:
    log = """
    0: (61) r7 = *(u32 *)(r1 +76)
    1: (7b) *(u64 *)(r10 -16) = r7        ; R7=pkt(r=0) R10=fp0 fp-16_w=pkt(r=0)
    2: (b7) r7 = 0
    3: (79) r2 = *(u64 *)(r10 -16)        ; R2_w=pkt(r=0) R10=fp0
    4: (71) r0 = *(u8 *)(r2 +5)
    """
    assert origin(log) == (0, 1, 3)


SPILLED = ["0: (61) r7 = *(u32 *)(r1 +76)", "1: (7b) *(u64 *)(r10 -16) = r7"]
FILLED = ["7: (79) r2 = *(u64 *)(r10 -16)", "8: (71) r0 = *(u8 *)(r2 +5)"]


@pytest.mark.parametrize(
    "between",
    [
        ["2: (63) *(u32 *)(r10 -16) = r3"],
        ["2: (62) *(u32 *)(r10 -12) = 7"],
        ["2: (7a) *(u64 *)(r10 -16) = 0"],
        ["2: (7b) *(u64 *)(r10 -20) = r3"],
        ["2: (c3) lock *(u32 *)(r10 -16) += r3"],
        ["2: (bf) r4 = r10", "3: (07) r4 += -24", "4: (73) *(u8 *)(r4 +8) = r3"],
        ["2: (bf) r3 = r10", "3: (07) r3 += -24", "4: (85) call bpf_skb_load_bytes#26"],
        ["2: (bf) r1 = r10", "3: (85) call pc+9", "caller:", "callee:", "12: (95) exit", "to caller at 4:"],
    ],
)  # fmt: skip
def test_what_is_written_over_on_the_stack_has_no_origin_any_more(between: list[str]) -> None:
    assert origins([*SPILLED, *between, *FILLED], "R2 is bad") == {"R2": (7,)}


@pytest.mark.parametrize(
    "between",
    [
        ["2: (63) *(u32 *)(r10 -8) = r3"],
        ["2: (7b) *(u64 *)(r10 -24) = r3"],
        ["2: (63) *(u32 *)(r3 -16) = r4"],
        ["2: (bf) r4 = r10", "3: (61) r4 = *(u32 *)(r1 +80)", "4: (73) *(u8 *)(r4 -16) = r3"],
        ["2: (bf) r2 = r10", "3: (07) r2 += -4", "4: (85) call bpf_map_lookup_elem#1"],
        ["2: (85) call bpf_ktime_get_ns#5"],
    ],
)  # fmt: skip
def test_other_writes_leave_it_its_origin(between: list[str]) -> None:
    assert origins([*SPILLED, *between, *FILLED], "R2 is bad") == {"R2": (0, 1, 7)}


def test_at_a_branch_values_are_what_they_were_there() -> None:
    log = """
    0: (b7) r2 = 1
    1: (15) if r1 == 0x0 goto pc+2
    2: (b7) r2 = 2
    3: (95) exit

    from 1 to 4: R1=0 R10=fp0
    4: (71) r0 = *(u8 *)(r2 +5)
    """
    assert origin(log) == (0,)


def test_a_subprogram_has_registers_of_its_own() -> None:
    log = """
    0: (61) r1 = *(u32 *)(r1 +76)
    1: (b7) r6 = 1
    2: (85) call pc+2
    caller:
     R6=1 R10=fp0
    callee:
     frame1: R1=pkt(r=0) R10=fp0
    5: (bf) r6 = r1
    6: (bf) r0 = r6
    7: (95) exit
    returning from callee:
     frame1: R0=pkt(r=0)
    to caller at 3:
     R0=pkt(r=0) R6=1 R10=fp0
    3: (0f) r0 += r6
    4: (71) r0 = *(u8 *)(r0 +5)
    """
    assert origin(log, "R0 offset is outside of the packet") == (0, 5, 6, 3)
    assert origin(log, "R6 is not a pointer") == (1,)


@pytest.mark.parametrize("number", range(1, 6))
def test_after_a_call_its_arguments_have_no_value(number: int) -> None:
    log = [f"0: (b7) r{number} = 1", "1: (85) call bpf_ktime_get_ns#5", f"2: (bf) r0 = r{number}"]
    assert origins(log, f"R{number} !read_ok") == {}


def test_what_a_helper_gave_is_from_its_call() -> None:
    assert origin("0: (85) call bpf_map_lookup_elem#1\n1: (61) r0 = *(u32 *)(r0 +0)", "R0 invalid mem access") == (0,)


def test_a_chain_is_as_long_as_a_reader_can_use() -> None:
    log = "\n".join(["0: (b7) r2 = 1", *(f"{slot}: (07) r2 += 1" for slot in range(1, 1000)), "1000: (95) exit"])
    assert origin(log) == tuple(range(984, 1000))


def test_a_message_without_a_register_has_none() -> None:
    assert origins(["0: (b7) r2 = 1", "1: (95) exit"], "unreachable insn 5") == {}
