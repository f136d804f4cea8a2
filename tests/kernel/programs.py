"""Small programs for the kernel's tests, as assembler text."""

from __future__ import annotations

from pybpfnf.abi.text import parse
from pybpfnf.image.model import FaultCounters, FaultSite, MapSpec, ObjectImage, ProgramImage, Role, Variable
from pybpfnf.types.layout import U64

COUNTER = MapSpec("counter", "array", key_size=4, value_size=8, max_entries=1)
TABLE = MapSpec(".rodata", "array", key_size=4, value_size=4, max_entries=1, initial=b"\x2a\0\0\0", frozen=True)
STATE = MapSpec(".data", "array", key_size=4, value_size=16, max_entries=1, initial=bytes(range(16)))

OK = "r0 = 0\nexit"
DROP = "r0 = 2\nexit"
REDIRECT = "r0 = 7\nexit"


def program(text: str, *, name: str = "sample", type_name: str | None = "lwt_seg6local") -> ProgramImage:
    return ProgramImage(name, type_name or "prog", type_name, parse(text))


def image(text: str = OK, *maps: MapSpec, name: str = "sample", type_name: str | None = "lwt_seg6local") -> ObjectImage:
    """An object with one program and these maps, under GPL."""
    return ObjectImage((program(text, name=name, type_name=type_name),), {spec.name: spec for spec in maps}, "GPL")


# Drops a packet whose tag is 0xdead, and counts that as the second of its fault sites; counts all packets in a State.
FAULTY = """
    r6 = r1
    r1 = map[.bss]+16
    r2 = 1
    lock *(u64 *)(r1 + 0) += r2
    r1 = r6
    r2 = 46
    r3 = r10
    r3 += -8
    r4 = 2
    call skb_load_bytes
    if r0 != 0 goto out
    r0 = *(u16 *)(r10 - 8)
    if r0 != 0xadde goto out
    r1 = map[.bss]+8
    r2 = 1
    lock *(u64 *)(r1 + 0) += r2
    r0 = 2
    exit
out:
    r0 = 0
    exit
"""


def faulty() -> ObjectImage:
    """FAULTY with its `.bss`: two fault counters, then the State PACKETS."""
    bss = MapSpec(".bss", "array", key_size=4, value_size=24, max_entries=1, initial=bytes(24))
    sites = tuple(FaultSite(number, "probe.py", 10 + number, 5, f"fault {number}", "probe") for number in range(2))
    packets = Variable("PACKETS", Role.STATE, U64, ".bss", offset=16, size=8, required=False, default=bytes(8))
    return ObjectImage(
        programs=(program(FAULTY, name="probe"),),
        maps={".bss": bss},
        license="GPL",
        variables={"PACKETS": packets},
        faults=FaultCounters(".bss", 0, sites),
    )
