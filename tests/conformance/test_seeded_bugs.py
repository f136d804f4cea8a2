"""Bugs put into the VM on purpose: what the kernel is on record for finds each of them.

A bug is a change of a function's text. The function's code is exchanged, so that everyone who calls it has the bug; a
text that is no longer there is an error, not a bug that hides.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final, final

import pytest

import pybpfnf
from pybpfnf.image.model import ObjectImage
from pybpfnf.vm import VmRunner, alu, seg6, seg6_helpers, srh
from tests.conformance import corpus, probe
from tests.conformance.engines import difference, engine
from tests.conformance.observation import Observation


@final
@dataclass(frozen=True, slots=True)
class Bug:
    """In `function`, `right` reads `wrong`."""

    name: str
    function: Any
    right: str
    wrong: str


@final
@dataclass(frozen=True, slots=True)
class TableBug:
    """In a table of operations, `key` has another entry."""

    name: str
    table: MutableMapping[Any, Any]
    key: Any
    wrong: Any


BUGS: Final[tuple[Bug | TableBug, ...]] = (
    Bug(
        "store_bytes begins the TLV area where the TLVs begin",
        seg6_helpers.lwt_seg6_store_bytes,
        "tlvs = state.offset + (srh.last_entry",
        "tlvs = state.offset + srh.FIXED_SIZE + (srh.last_entry",
    ),
    Bug("store_bytes leaves a changed SRH unchecked", seg6_helpers.lwt_seg6_store_bytes, "state.valid = False", "state.valid = True"),
    Bug(
        "adjust_srh updates HdrLen at once",
        seg6_helpers.lwt_seg6_adjust_srh,
        "    _set_payload_length(skb)\n",
        "    _set_payload_length(skb)\n    srh.set_hdrlen(skb.data, state.offset, (state.hdrlen + delta) >> 3)\n",
    ),
    Bug("adjust_srh leaves the payload length", seg6_helpers.lwt_seg6_adjust_srh, "    _set_payload_length(skb)\n", ""),
    Bug("adjust_srh takes an offset in the segments", seg6_helpers.lwt_seg6_adjust_srh, "not tlvs <= offset <= end", "offset > end"),
    Bug("the SRH is not checked after the program", seg6.input_action_end_bpf, "not has_valid_srh(host)", "False"),
    Bug("Segments Left is not decremented", seg6.advance_nextseg, "packet[at + 3] -= 1", "pass"),
    Bug("OK keeps the route that an action chose", seg6.input_action_end_bpf, "passage.verdict != _REDIRECT", "skb.dst.to_function"),
    Bug("the TLV walk counts a TLV one byte short", srh._why_tlvs_invalid, "offset += 2 +", "offset += 1 +"),
    Bug("a byte of padding at the end is let through", srh._why_tlvs_invalid, 'return "a TLV of one byte"', "return None"),
    Bug("segments left of one more than the list has are refused", srh.why_invalid, "left > last + 1", "left > last"),
    Bug("the HMAC does not cover the flags", srh.hmac_digest, "byte(data, at + FLAGS)", "0"),
    Bug("End.X on a broken SRH gives EINVAL", seg6_helpers._end_x, "-errno.EBADMSG", "-errno.EINVAL"),
    Bug("End.T takes a table of any size", seg6_helpers._end_t, 'len(parameter) != ACTIONS["end_t"].param_size', "not parameter"),
    Bug("End.DT6 asks for no segments left", seg6_helpers._end_dt6, "if inner < 0", "if srh.segments_left(skb.data, 40) or inner < 0"),
    Bug(
        "End.B6 goes to the segment that is left", seg6_helpers._first_segment, "srh.last_entry(header, 0)", "srh.segments_left(header, 0)"
    ),
    Bug("End.B6 takes a reduced SRH", seg6_helpers.push_seg6, "reduced=False", "reduced=True"),
    Bug("the helpers edit the old SRH after End.B6", seg6_helpers._push, "if not error:", "if error:"),
    TableBug("a 32-bit addition keeps the high half", alu.ALU, ("add", 32), lambda a, b: (a + b) & alu.U64),
    TableBug("a byte swap of 16 bits swaps 32", alu.SWAPS, "be", lambda value, width: alu.swap_bytes(value, max(width, 32))),
)


@contextmanager
def planted(bug: Bug | TableBug) -> Iterator[None]:
    if isinstance(bug, TableBug):
        right = bug.table[bug.key]
        bug.table[bug.key] = bug.wrong
        try:
            yield
        finally:
            bug.table[bug.key] = right
        return
    code = bug.function.__code__
    bug.function.__code__ = _changed(bug).__code__
    try:
        yield
    finally:
        bug.function.__code__ = code


def _changed(bug: Bug) -> FunctionType:
    source = textwrap.dedent(inspect.getsource(bug.function))
    assert bug.right in source, f"{bug.function.__name__} no longer has the text that this bug changes: {bug.right!r}"
    scope: dict[str, Any] = {}
    # Annotations stay text, as in the module that the function is from.
    exec("from __future__ import annotations\n" + source.replace(bug.right, bug.wrong), bug.function.__globals__, scope)
    changed = scope[bug.function.__name__]
    assert isinstance(changed, FunctionType)
    return changed


@pytest.fixture(scope="module")
def images() -> dict[str, ObjectImage]:
    names = {program for program, _, _ in corpus.read()}
    return {name: probe.image() if name == "probe" else pybpfnf.read(name) for name in names}


@pytest.fixture(scope="module")
def records() -> list[tuple[str, str, Observation]]:
    return list(corpus.read())


def _differences(records: list[tuple[str, str, Observation]], images: dict[str, ObjectImage]) -> Iterator[str]:
    """What the VM does otherwise than the kernel did, record by record."""
    with engine(VmRunner()) as vm:
        for program, kind, expected in records:
            found = vm.observe(images[program], expected.environment, expected.packet, expected.script)
            differs = difference(expected, found)
            if differs:
                yield f"{program}, {kind}, packet {expected.packet.hex()}, {expected.script}:\n{differs}"


def test_the_vm_does_what_the_kernel_is_on_record_for(records: list[tuple[str, str, Observation]], images: dict[str, ObjectImage]) -> None:
    found = list(_differences(records, images))
    assert not found, (
        f"{len(found)} differences (a function that is to behave otherwise: record again, {corpus.HOW}); the first:\n{found[0]}"
    )


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_seeded_bug_is_found(bug: Bug | TableBug, records: list[tuple[str, str, Observation]], images: dict[str, ObjectImage]) -> None:
    with planted(bug):
        assert next(_differences(records, images), None) is not None
