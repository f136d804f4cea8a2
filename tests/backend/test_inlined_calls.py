"""The chain of calls that each instruction was inlined through travels in the object, beside its line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pybpfnf import build, image
from pybpfnf.backend.objects import elf, extinfo
from pybpfnf.backend.objects.linetable import place_calls
from pybpfnf.errors import ObjectError
from pybpfnf.image.meta import Meta, MetaCalls, decode_meta, encode_meta
from pybpfnf.image.model import LineRecord
from pybpfnf.kernel.verifier_log import diagnose

HEAD = "from pybpfnf import DROP, OK, Seg6Packet, Verdict, func, seg6local, u16\n\n"
NESTED = """\
@func
def inner(pkt: Seg6Packet, n: u16) -> u16:
    return pkt.srh.tag // n

@func
def outer(pkt: Seg6Packet) -> u16:
    return inner(pkt, pkt.srh.flags) + inner(pkt, pkt.srh.last_entry)

@seg6local
def probe(pkt: Seg6Packet) -> Verdict:
    pkt.srh.tag = outer(pkt)
    return DROP if inner(pkt, 7) > 5 else OK
"""


def read(folder: Path, text: str) -> image.ObjectImage:
    path = folder / "probe.py"
    path.write_text(HEAD + text)
    return image.read(build(path))


def of_line(lines: tuple[LineRecord, ...], number: int) -> set[tuple[str, ...]]:
    return {record.callers for record in lines if record.line == number}


def test_a_line_of_an_inlined_function_has_the_chain_of_each_call(tmp_path: Path) -> None:
    lines = read(tmp_path, NESTED).program().lines
    first, second = (("probe.py:9:12", "probe.py:13:19"), ("probe.py:9:40", "probe.py:13:19"))
    assert of_line(lines, 5) >= {first, second, ("probe.py:14:20",)}


def test_a_line_of_the_program_itself_has_none(tmp_path: Path) -> None:
    lines = read(tmp_path, NESTED).program().lines
    assert of_line(lines, 13) | of_line(lines, 14) == {()}


def test_a_subprogram_has_those_that_were_inlined_in_it_alone(tmp_path: Path) -> None:
    lines = read(tmp_path, NESTED.replace("@func\ndef outer", "@func(inline=False)\ndef outer")).program().lines
    assert of_line(lines, 5) >= {("probe.py:9:12",), ("probe.py:9:40",), ("probe.py:14:20",)}
    assert not any("probe.py:13:19" in record.callers for record in lines)


def test_places_move_along_with_the_instructions(tmp_path: Path) -> None:
    """Each line record keeps its rank and its chain where a jump is put before it (`latches`)."""
    path = tmp_path / "probe.py"
    path.write_text(HEAD + NESTED)
    object_ = elf.read(build(path))
    btf, ext = (object_.section(name) for name in (".BTF", ".BTF.ext"))
    assert btf is not None
    assert ext is not None
    shifted = replace(ext, data=extinfo.moved(ext.data, btf.data, {"lwt_seg6local": lambda offset: offset + 8}))
    moved = replace(object_, sections=tuple(shifted if section is ext else section for section in object_.sections))
    records = list(extinfo.records(ext.data, btf.data, extinfo.LINES))
    numbers = [(section, rank % 3) for rank, (section, _) in enumerate(records)]
    chains = (("probe.py:1:1",), ("probe.py:2:1",))
    rows = tuple((offset + 8, rank % 3) for rank, (_, offset) in enumerate(records))[1:]  # the first has none, as before it
    assert place_calls(moved, numbers, chains) == MetaCalls(chains, {"lwt_seg6local": rows})


def test_a_refusal_in_an_inlined_function_says_who_called_it(tmp_path: Path) -> None:
    program = read(tmp_path, NESTED).program()
    slot = next(record.slot for record in program.lines if record.callers == ("probe.py:14:20",))
    found = diagnose(f"{slot}: (71) r0 = *(u8 *)(r7 +0)\nR7 invalid mem access 'scalar'\n", program)
    assert found.headline().startswith("probe.py:5:")
    assert "    called from probe.py:14:20\n" in found.render()


def test_a_refusal_in_a_subprogram_says_who_called_that(tmp_path: Path) -> None:
    program = read(tmp_path, NESTED.replace("@func\ndef inner", "@func(inline=False)\ndef inner")).program()
    call = next(record.slot for record in program.lines if record.line == 9 and record.callers)
    start = next(function.slot for function in program.functions if function.name.startswith("inner"))
    log = f"{call}: (85) call pc+9\ncaller:\n R10=fp0\ncallee:\n frame1: R10=fp0\n{start}: (71) r0 = *(u8 *)(r7 +0)\nR7 !read_ok\n"
    place = next(record for record in program.lines if record.slot == call)
    callers = [f"    called from probe.py:9:{place.column}", "    called from probe.py:13:19"]
    assert [line for line in diagnose(log, program).render().splitlines() if "called from" in line] == callers


def test_an_object_without_inlined_calls_says_nothing_of_them(tmp_path: Path) -> None:
    data = read(tmp_path, "@seg6local\ndef probe(pkt: Seg6Packet) -> Verdict:\n    return OK\n")
    assert {record.callers for record in data.program().lines} == {()}
    assert b'"calls"' not in encode_meta(Meta({}))


def test_calls_are_read_as_they_were_written() -> None:
    meta = Meta({}, calls=MetaCalls((("a.py:1:2",), ("b.py:3:4", "a.py:1:2")), {"lwt_in": ((8, 1), (24, 2), (32, 0))}))
    assert decode_meta(encode_meta(meta)) == meta


@pytest.mark.parametrize("damaged", ['{"chains":[],"places":{"lwt_in":[[0,1]]}}', '{"chains":[]}', '{"chains":[1],"places":{}}', "[]"])
def test_damaged_calls_are_refused(damaged: str) -> None:
    whole = encode_meta(Meta({}, calls=MetaCalls((("a.py:1:2",),)))).decode()
    with pytest.raises(ObjectError, match="malformed"):
        decode_meta(whole.replace('{"chains":[["a.py:1:2"]],"places":{}}', damaged).encode())
