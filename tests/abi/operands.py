"""Operands for instruction forms: fixed ones for golden tables, and a hypothesis strategy over all of them."""

from __future__ import annotations

from hypothesis import strategies as st

from pybpfnf.abi.forms import FORMS, Form, Insn, Kind

_RANGES = {"dst": (0, 10), "src": (0, 10), "off": (-(1 << 15), (1 << 15) - 1), "imm": (-(1 << 31), (1 << 31) - 1)}
_ONE_HALF = ("ld_map", "ld_func", "ld_map_idx")  # their 64-bit immediate is the low half alone

# Two classes of operands for each field: near the middle, and negative or at the end of its range.
_FIXED = ({"dst": 1, "src": 2, "off": 4, "imm": 5}, {"dst": 9, "src": 10, "off": -(1 << 15), "imm": -(1 << 31)})
_FIXED64 = (0x1234, 0xFEDCBA9876543210)


def samples(form: Form) -> tuple[Insn, ...]:
    """The form with each class of operands."""
    found = []
    for fixed, wide in zip(_FIXED, _FIXED64, strict=True):
        fields = {name: value if getattr(form, name) is None else getattr(form, name) for name, value in fixed.items()}
        if form.kind is Kind.LOAD_IMM64:
            fields["imm"] = wide & 0xFFFFFFFF if form.name in _ONE_HALF else wide
        found.append(Insn(form, fields["dst"], fields["src"], fields["off"], fields["imm"]))
    return tuple(dict.fromkeys(found))


@st.composite
def insns(draw: st.DrawFn) -> Insn:
    """Any instruction of any form."""
    form = FORMS[draw(st.sampled_from(sorted(FORMS)))]
    fields = {name: draw(st.integers(*limits)) if getattr(form, name) is None else getattr(form, name) for name, limits in _RANGES.items()}
    if form.kind is Kind.LOAD_IMM64:
        fields["imm"] = draw(st.integers(0, (1 << (32 if form.name in _ONE_HALF else 64)) - 1))
    return Insn(form, fields["dst"], fields["src"], fields["off"], fields["imm"])
