"""Sessions of the VM: fault exits, events, determinism, tracing, and what they refuse to open."""

from __future__ import annotations

import errno

import pytest

from pybpfnf.abi.text import parse
from pybpfnf.errors import InputError
from pybpfnf.image.model import FaultCounters, FaultSite, MapSpec, ObjectImage, ProgramImage
from pybpfnf.runner import Environment, Event, FaultKind
from pybpfnf.vm import SlotRecorder, run_program
from tests.vm.programs import PACKET, image, runner, session

BSS = MapSpec(".bss", "array", 4, 24, 1, initial=bytes(24))
SITES = (FaultSite(0, "f.py", 10, 5, "the first", "f"), FaultSite(1, "f.py", 20, 9, "the second", "f"))
COUNT_THE_SECOND = "r1 = map[.bss]+16\nr2 = 1\nlock *(u64 *)(r1 + 0) += r2\nr0 = 2\nexit"


def test_a_fault_exit_names_its_site_and_keeps_the_verdict() -> None:
    built = image(COUNT_THE_SECOND, BSS, faults=FaultCounters(".bss", 8, SITES))
    outcome = runner().open(built, built.programs[0], Environment()).run(PACKET)
    fault = outcome.fault
    assert fault is not None
    assert (fault.kind, fault.site, fault.message, fault.file, fault.line, fault.column) == (FaultKind.EXIT, 1, "the second", "f.py", 20, 9)
    assert (outcome.verdict, outcome.forwarded) == (2, False)


def test_a_packet_without_a_fault_exit_has_no_fault() -> None:
    built = image("r0 = 0\nexit", BSS, faults=FaultCounters(".bss", 8, SITES))
    assert runner().open(built, built.programs[0], Environment()).run(PACKET).fault is None


def test_instructions_are_counted_over_all_runs() -> None:
    packet = PACKET
    assert session("r0 = 0\nexit").run(packet).instructions == 2
    assert session("r0 = 7\nexit").run(packet).instructions == 2


def test_a_packet_that_never_reached_the_program_ran_nothing() -> None:
    outcome = session("r0 = 0\nexit").run(b"\x60")
    assert (outcome.runs, outcome.instructions, outcome.reason) == (0, 0, "ip6_rcv_core: shorter than an IPv6 header")


RING = MapSpec("events", "ringbuf", 0, 0, 4096)
PERF = MapSpec("samples", "perf_event_array", 4, 4, 2)
_DATA = "*(u64 *)(r10 - 8) = 0x41\n"


def test_a_ring_buffer_record_becomes_an_event() -> None:
    text = (
        "r1 = map[events]\nr2 = 8\nr3 = 0\ncall ringbuf_reserve\nif r0 == 0 goto +4\n"
        "*(u64 *)(r0 + 0) = 7\nr1 = r0\nr2 = 0\ncall ringbuf_submit\nr0 = 0\nexit"
    )
    assert session(text, RING).run(PACKET).events == (Event("events", (7).to_bytes(8, "little")),)


def test_a_discarded_record_becomes_none() -> None:
    text = "r1 = map[events]\nr2 = 8\nr3 = 0\ncall ringbuf_reserve\nif r0 == 0 goto +3\nr1 = r0\nr2 = 0\ncall ringbuf_discard\nr0 = 0\nexit"
    assert session(text, RING).run(PACKET).events == ()


def test_a_record_larger_than_the_buffer_is_not_reserved() -> None:
    text = (
        "r1 = map[events]\nr2 = 4096\nr3 = 0\ncall ringbuf_reserve\nif r0 == 0 goto +3\nr1 = r0\nr2 = 0\ncall ringbuf_discard\nr0 = 0\nexit"
    )
    assert session(text, RING).run(PACKET).fault is None


def test_ringbuf_output_copies() -> None:
    text = _DATA + "r1 = map[events]\nr2 = r10\nr2 += -8\nr3 = 2\nr4 = 0\ncall ringbuf_output\nr0 = 0\nexit"
    assert session(text, RING).run(PACKET).events == (Event("events", b"A\0"),)


def ring(*calls: str) -> str:
    """Each call's r0 is added to what is returned, after eight bits more."""
    return "r6 = 0\n" + "".join(f"{call}\nr6 <<= 8\nr6 |= r0\n" for call in calls) + "r0 = r6\nexit"


def output(size: int, flags: int = 0) -> str:
    return f"{_DATA}r1 = map[events]\nr2 = r10\nr2 += -8\nr3 = {size}\nr4 = {flags}\ncall ringbuf_output"


def query(what: int) -> str:
    return f"r1 = map[events]\nr2 = {what}\ncall ringbuf_query"


def test_ringbuf_query_says_what_is_unread_and_where_both_sides_are() -> None:
    text = ring(output(1), output(8, flags=1), query(0), query(3), query(4))
    with session(text, RING) as opened:
        assert opened.run(PACKET).verdict == 0x20_20_00  # 16 bytes each; the reader has read none of this packet's yet
    with session(ring(output(8), query(2), query(0)), RING) as opened:
        assert [opened.run(PACKET).verdict for _ in range(3)] == [0x00_10, 0x10_10, 0x20_10]


def test_ringbuf_output_takes_wakeup_flags_and_no_other() -> None:
    assert session(ring(output(1, flags=3)), RING).run(PACKET).events == (Event("events", b"A"),)
    assert session(f"{output(1, flags=4)}\nexit", RING).run(PACKET).verdict == 2**32 - errno.EINVAL


def test_a_ring_is_full_a_byte_before_its_end() -> None:
    """255 records of 16 bytes fit into 4096, 256 do not."""
    text = "r6 = 0\nloop:\n" + output(8) + "\nif r0 != 0 goto end\nr6 += 1\nif r6 < 300 goto loop\nend:\nr0 = r6\nexit"
    with session(text, RING) as opened:
        assert [opened.run(PACKET).verdict for _ in range(2)] == [255, 255]


def test_perf_event_output_adds_the_start_of_the_packet() -> None:
    text = _DATA + "r2 = map[samples]\nr3 = 0x4ffffffff ll\nr4 = r10\nr4 += -8\nr5 = 1\ncall perf_event_output\nr0 = 0\nexit"
    after = session("r0 = 0\nexit").run(PACKET).packet
    assert after is not None
    assert session(text, PERF).run(PACKET).events == (Event("samples", b"A" + after[:4] + bytes(7)),)  # perf rounds up


def printk(text: str, *arguments: str) -> str:
    data = text.encode() + b"\0"
    data = data.ljust(-(-len(data) // 8) * 8, b"\0")
    stores = [
        f"r1 = {int.from_bytes(data[at : at + 8], 'little'):#x} ll\n*(u64 *)(r10 - {64 - at}) = r1\n" for at in range(0, len(data), 8)
    ]
    registers = [f"r{number} = {value}\n" for number, value in enumerate(arguments, 3)]
    return "".join(stores) + "".join(registers) + f"r1 = r10\nr1 += -64\nr2 = {len(text) + 1}\ncall trace_printk\nexit"


@pytest.mark.parametrize(
    ("text", "arguments", "line"),
    [
        ("plain", (), b"plain"),
        ("%d %u", ("-1", "-1"), b"-1 4294967295"),
        ("%lld %llu", ("-1", "-1"), b"-1 18446744073709551615"),
        ("%x %08x", ("255", "255"), b"ff 000000ff"),
        ("100%%", (), b"100%"),
    ],
)
def test_trace_printk_formats_as_the_kernel(text: str, arguments: tuple[str, ...], line: bytes) -> None:
    assert session(printk(text, *arguments)).run(PACKET).log == (line.decode(),)


@pytest.mark.parametrize("text", ["%b", "%#x", "%5", "%sx", "%pI5", "%lld %lls", "caf\u00e9", "\x1b"])
def test_trace_printk_refuses_what_the_kernel_refuses(text: str) -> None:
    outcome = session(printk(text, "1", "2")).run(PACKET)
    assert (outcome.verdict, outcome.log) == (2**32 - errno.EINVAL, ())


def test_trace_printk_reads_only_the_arguments_that_the_text_names() -> None:
    fault = session(printk("%d %d", "1")).run(PACKET).fault
    assert fault is not None
    assert fault.message == "r4 is read before anything was written to it"


def test_an_unknown_conversion_is_einval() -> None:
    assert session(printk("%f", "1")).run(PACKET).verdict == 0xFFFFFFEA


def test_clocks_are_the_environments_and_go_on_from_packet_to_packet() -> None:
    with session("call ktime_get_tai_ns\nr0 >>= 10\nexit", environment=Environment(clock_tai=1 << 40)) as running:
        first, second = running.run(PACKET).verdict, running.run(PACKET).verdict
    assert (first, second) == (1 << 30, (1 << 30) + (1_000_000 >> 10))


def test_the_same_seed_gives_the_same_numbers() -> None:
    def numbers(seed: int) -> list[int | None]:
        with session("call get_prandom_u32\nexit", environment=Environment(seed=seed)) as running:
            return [running.run(PACKET).verdict for _ in range(3)]

    assert numbers(1) == numbers(1) != numbers(2)


def test_a_tracer_sees_every_instruction() -> None:
    tracer = SlotRecorder()
    session("r0 = 0 ll\nif r0 == 0 goto +1\nr0 = 1\nexit", tracer=tracer).run(PACKET)
    assert tracer.slots == [0, 2, 4]


def test_a_bare_program_takes_arguments_and_gives_r0() -> None:
    result = run_program(parse("r0 = r1\nr0 += r2\nexit"), (40, 2))
    assert (result.r0, result.fault, result.instructions) == (42, None, 3)


def test_a_bare_program_has_no_packet_for_helpers() -> None:
    fault = run_program(parse("r2 = 0\nr3 = r10\nr3 += -8\nr4 = 8\ncall skb_load_bytes\nexit"), (0,)).fault
    assert fault is not None
    assert fault.kind is FaultKind.HELPER


@pytest.mark.parametrize(("type_name", "message"), [("kprobe", "is of type kprobe"), (None, "says no program type")])
def test_programs_of_other_types_are_refused(type_name: str | None, message: str) -> None:
    built = image("r0 = 0\nexit", type_name=type_name)
    with pytest.raises(InputError, match=message):
        runner().open(built, built.programs[0], Environment())


def test_a_map_type_that_is_not_emulated_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="map 's' is of type stack_trace, which the VM does not have"):
        session("r1 = map[s]\nr0 = 0\nexit", MapSpec("s", "stack_trace", 4, 8, 1))


def test_a_map_that_the_program_does_not_name_is_no_hindrance() -> None:
    program = ProgramImage("sample", "lwt_seg6local", "lwt_seg6local", parse("r0 = 0\nexit"))
    built = ObjectImage((program,), {"s": MapSpec("s", "stack_trace", 4, 8, 1)})
    assert runner().open(built, program, Environment()).run(PACKET).forwarded


def test_the_flow_hash_is_that_of_the_flow() -> None:
    with session("call get_hash_recalc\nexit") as running:
        other = PACKET[:3] + b"\x77" + PACKET[4:]
        assert running.run(PACKET).verdict == running.run(PACKET).verdict != running.run(other).verdict
