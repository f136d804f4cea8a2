"""Assembler text and instructions, both ways, in the C-like syntax of LLVM and of the kernel's verifier.

    r1 += r2                                    if r1 s> 5 goto +3            call lwt_seg6_action#76
    r2 = *(u8 *)(r1 + 4)                        goto out                      call +5
    r0 = atomic_fetch_add((u64 *)(r1 + 0), r0)  r1 = map[.rodata]+4           exit

One instruction a line. A form's text is one of `TEMPLATES`: `format_insn` fills it in; `parse` cuts a line into tokens, and
the tokens with their values taken out are the key of the form. Calls, whose text depends on the helper rows, have a
function each way (`_format_call`, `_parse_call`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias, final

from pybpfnf.abi.forms import FORMS, Form, Insn, Kind
from pybpfnf.abi.helpers import HELPERS, HELPERS_BY_ID
from pybpfnf.abi.templates import TEMPLATES
from pybpfnf.errors import InputError
from pybpfnf.records import dataclass


class TextError(InputError):
    """Text that is not an instruction; `line` counts from 1."""

    def __init__(self, line: int, reason: str, *, hint: str | None = None) -> None:
        super().__init__(f"line {line}: {reason}", hint=hint)
        self.line = line


# ---------------------------------------------------------------------------------------------------------- writing


def format_insn(insn: Insn, target: str | None = None) -> str:
    """The instruction as text; `target`, a label, replaces the distance of a jump, a local call or a function's address.

    `parse` gives the instruction back, except that the low half of a 64-bit immediate is not written beside a map's name.
    """
    form = insn.form
    if form.kind in (Kind.CALL_HELPER, Kind.CALL_LOCAL, Kind.CALL_KFUNC):
        return _format_call(insn, target)
    low, high = _signed(insn.imm, 32), _signed(insn.imm >> 32, 32)
    return TEMPLATES[form.name][0].format(
        dst=insn.dst,
        src=insn.src,
        imm=insn.imm,
        off=_spaced(insn.off),
        index=_spaced(insn.imm),
        rel=target or f"{insn.off:+d}",
        long=target or f"{insn.imm:+d}",
        hex=f"{insn.imm:#x}",
        low=target or f"{low:+d}",
        high=f"{high:+d}",
        map=_format_map(insn, low),
    )


def _spaced(value: int) -> str:
    return f"{'-' if value < 0 else '+'} {abs(value)}"


def _format_map(insn: Insn, low: int) -> str:
    if insn.ref is not None:
        return f"map[{insn.ref}]"
    return f"map[{'idx' if insn.form.op.startswith('ld_map_idx') else 'fd'} {low}]"


def _format_call(insn: Insn, target: str | None) -> str:
    match insn.form.kind:
        case Kind.CALL_LOCAL:
            return f"call {target or f'{insn.imm:+d}'}"
        case Kind.CALL_KFUNC:
            return f"call kfunc[{insn.ref}]" if insn.ref is not None else f"call kfunc#{insn.imm}" + (f"@{insn.off}" if insn.off else "")
        case _:
            helper = HELPERS_BY_ID.get(insn.imm)
            return f"call {'helper' if helper is None else helper.name}#{insn.imm}"


def _signed(value: int, width: int) -> int:
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) else value


# ------------------------------------------------------------------------------------------------------------ tokens

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<map>map\[[^\]]*\])
    | (?P<operator>s?(?:>>=|/=|%=|>=|<=|>|<)(?!\w*\s*=) | <<= | [+\-*|&^=!]= | [=*()\[\],&])
    | (?P<number>[+-]?\s*(?:0x[0-9a-fA-F]+|\d+)\b)
    | (?P<minus>-)
    | (?P<register>[rw]\d+\b)
    | (?P<word>[A-Za-z_.$][\w.$]*)
    )""",
    re.VERBOSE,
)
_COMMENT = re.compile(r";.*|//.*|(?:^|(?<=\s))#.*")
_LABEL = re.compile(r"([A-Za-z_.$][\w.$]*):$")
_ANNOTATION = re.compile(r"\s*<[\w.$+]+>$")  # llvm-objdump's name of a jump's target

Value: TypeAlias = int | str  # a number, or what stands in `map[...]`


@final
@dataclass(frozen=True, slots=True)
class _Place:
    """A place of a template: the field that it fills, from bit `shift` on; the numbers that it takes; `sample`, a text of its kind.

    `width`: bits that the value is cut to; signed where that is how an instruction holds it.
    """

    field: str
    low: int
    high: int
    sample: str
    width: int = 32
    signed: bool = True
    shift: int = 0


_S16, _ANY32, _ANY64 = (-(1 << 15), (1 << 15) - 1), (-(1 << 31), (1 << 32) - 1), (-(1 << 63), (1 << 64) - 1)
_PLACES: Mapping[str, _Place] = {
    "dst": _Place("dst", 0, 10, "1"),
    "src": _Place("src", 0, 10, "1"),
    "off": _Place("off", *_S16, "+ 1"),
    "rel": _Place("off", *_S16, "+1"),
    "imm": _Place("imm", *_ANY32, "1"),
    "index": _Place("imm", *_ANY32, "+ 1"),
    "long": _Place("imm", *_ANY32, "+1"),
    "hex": _Place("imm", *_ANY64, "0x1", width=64, signed=False),
    "low": _Place("imm", *_ANY32, "+1", signed=False),
    "high": _Place("imm", *_ANY32, "+1", signed=False, shift=32),
    "map": _Place("imm", *_ANY32, "map[x]", signed=False),
}


@final
@dataclass(frozen=True, slots=True)
class _Shape:
    """What a template reads: the form, and where each value of the line goes: a place, or the number it must be."""

    form: Form
    places: tuple[Value, ...]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each token; a kind "" for what is none."""
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            if text[position:].strip():
                yield "", text[position:].strip()
            return
        position = match.end()
        kind = str(match.lastgroup)
        yield kind, match[kind]


_PLACE = re.compile(r"\{(\w+)\}")


def _read_template(form: Form, template: str) -> tuple[str, _Shape]:
    names = iter(_PLACE.findall(template))
    places: list[Value] = []
    key = []
    for kind, text in _tokens(_PLACE.sub(lambda match: _PLACES[match[1]].sample, template)):
        key.append(_key_part(kind, text))
        if kind == "register" and text[1:] == "0":
            places.append(0)  # `r0` in the template itself
        elif kind in ("register", "number", "map"):
            places.append(next(names))
    return " ".join(key), _Shape(form, tuple(places))


def _key_part(kind: str, text: str) -> str:
    return {"register": text[0] + "@", "number": "#", "map": "map"}.get(kind, text)


_SHAPES: dict[str, list[_Shape]] = {}
for _form in FORMS.values():
    for _template in TEMPLATES[_form.name]:
        _key, _shape = _read_template(_form, _template)
        _SHAPES.setdefault(_key, []).append(_shape)

# ----------------------------------------------------------------------------------------------------------- reading


@final
@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    slot: int
    text: str


def parse(text: str) -> tuple[Insn, ...]:
    """The instructions of a program text; raises TextError at the first line that is none.

    A line is empty, a label (`name:`) or one instruction; `;`, `//` and a `#` after a blank start a comment. Where a
    distance stands, a label may stand.
    """
    lines, labels = _lines(text)
    return tuple(_parse_line(line, labels) for line in lines)


def _lines(text: str) -> tuple[list[_Line], dict[str, int]]:
    lines: list[_Line] = []
    labels: dict[str, int] = {}
    slot = 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", raw).strip()
        label = _LABEL.match(line)
        if label is not None:
            if label[1] in labels:
                raise TextError(number, f"label {label[1]!r} is defined twice")
            labels[label[1]] = slot
        elif line:
            lines.append(_Line(number, slot, _ANNOTATION.sub("", line)))
            slot += 2 if _is_wide(line) else 1
    return lines, labels


def _is_wide(line: str) -> bool:
    """Whether the line is a 64-bit immediate load, by its look: `... ll`, or a bracketed name after the equals sign."""
    return line.endswith(" ll") or re.search(r"=\s*(map|var|func)\[", line) is not None


def _parse_line(line: _Line, labels: Mapping[str, int]) -> Insn:
    if re.match(r"call\b", line.text):
        return _parse_call(line, labels)
    key: list[str] = []
    values: list[Value] = []
    for kind, text in _tokens(line.text):
        if kind == "":
            raise TextError(line.number, f"cannot read {text!r}")
        if kind == "word" and text == "pc":
            continue  # the kernel writes `goto pc+3`
        if kind == "word" and key and key[-1] in ("goto", "gotol", "["):
            if text not in labels:
                raise TextError(line.number, f"no label {text!r}")
            kind, text = "number", str(labels[text] - line.slot - 1)
        key.append(_key_part(kind, text))
        if kind == "register":
            values.append(_register(line, text))
        elif kind == "number":
            values.append(_number(text))
        elif kind == "map":
            values.append(text[4:-1].strip())
    for shape in _SHAPES.get(" ".join(key), ()):
        insn = _fill(line, shape, values)
        if insn is not None:
            return insn
    raise TextError(line.number, f"not an instruction: {line.text!r}")


def _register(line: _Line, text: str) -> int:
    number = int(text[1:])
    if number > 10:
        raise TextError(line.number, f"there is no register {text}", hint="registers are r0 to r10")
    return number


def _number(text: str) -> int:
    return int(text.replace(" ", ""), 0)


def _fill(line: _Line, shape: _Shape, values: list[Value]) -> Insn | None:
    """The instruction, or None when the line does not fit the shape: two registers where it has one twice, the other kind of map."""
    found: dict[str, Value] = {}
    for place, value in zip(shape.places, values, strict=True):
        if isinstance(place, int):
            if place != value:
                return None
        elif found.setdefault(place, value) != value:
            return None
    form, ref = shape.form, None
    fields = {field: getattr(form, field) or 0 for field in ("dst", "src", "off", "imm")}
    for name, value in found.items():
        if name == "map":
            reference = _map_reference(form, str(value))
            if reference is None:
                return None
            ref, value = reference
        fields[_PLACES[name].field] |= _held(line, _PLACES[name], int(value))
    return Insn(form, **fields, ref=ref)


def _held(line: _Line, place: _Place, value: int) -> int:
    """The value as the instruction's field holds it; raises TextError when it does not fit."""
    if not place.low <= value <= place.high:
        raise TextError(line.number, f"{value} does not fit", hint=f"it must be from {place.low} to {place.high}")
    if place.signed:
        return _signed(value, place.width)
    return (value & ((1 << place.width) - 1)) << place.shift


def _map_reference(form: Form, text: str) -> tuple[str | None, int] | None:
    """Name and low half of the immediate; None when the text is of the other kind (`fd` against `idx`)."""
    by_index = form.op.startswith("ld_map_idx")
    match = re.fullmatch(r"(fd|idx) (-?\d+)", text)
    if match is None:
        return None if by_index else (text, 0)
    return (None, int(match[2])) if (match[1] == "idx") == by_index else None


_KFUNC_CALL = re.compile(r"call\s+kfunc\[(?P<name>\w+)\]$")
_CALL = re.compile(r"call\s+(?:(?P<name>[A-Za-z_.$][\w.$]*)?(?:(?P<hash>#)?(?P<number>[+-]?\d+))?(?:@(?P<module>-?\d+))?)$")


def _parse_call(line: _Line, labels: Mapping[str, int]) -> Insn:
    """`call name#76`, `call name`, `call 76` a helper; `call +5`, `call pc+5`, `call label` local; `call kfunc#5` a kernel function,
    as is `call kfunc[name]`."""
    named = _KFUNC_CALL.match(line.text)
    if named is not None:
        return Insn(FORMS["call_kfunc"], src=2, ref=named["name"])
    match = _CALL.match(line.text)
    if match is None or (match["name"] is None and match["number"] is None):
        raise TextError(line.number, f"not a call: {line.text!r}")
    name, number = match["name"], None if match["number"] is None else int(match["number"])
    if name == "kfunc" and match["hash"] is not None and number is not None:
        return Insn(
            FORMS["call_kfunc"], src=2, off=_held(line, _PLACES["off"], int(match["module"] or 0)), imm=_held(line, _PLACES["imm"], number)
        )
    if number is not None and match["number"][0] in "+-" and name in (None, "pc"):
        return Insn(FORMS["call_local"], src=1, imm=_held(line, _PLACES["imm"], number))
    if name in labels and number is None:
        return Insn(FORMS["call_local"], src=1, imm=labels[str(name)] - line.slot - 1)
    return Insn(FORMS["call"], imm=_held(line, _PLACES["imm"], _helper_number(line, name, number)))


def _helper_number(line: _Line, name: str | None, number: int | None) -> int:
    helper = HELPERS.get((name or "").removeprefix("bpf_"))
    if helper is None:
        if number is None:
            raise TextError(line.number, f"no helper or label {name!r}", hint="call it by its number")
        return number
    if number is not None and number != helper.id:
        raise TextError(line.number, f"helper {helper.name} has number {helper.id}, not {number}")
    return helper.id
