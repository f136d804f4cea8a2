"""How each instruction form is written: one template, read in both directions by `text`.

Places in a template, each one value of the instruction:

    {dst} {src}   number of a register             {imm}    immediate, signed 32 bits
    {off}         offset in memory: `+ 4`, `- 4`    {index}  immediate, so written
    {rel}         offset of a jump: `+4`, `-4`      {long}   immediate, so written
    {hex}         64-bit immediate                  {low} {high}  its signed halves, `+4`, `-4`
    {map}         `map[name]`, `map[fd 3]`, `map[idx 3]`
"""

from __future__ import annotations

from collections.abc import Mapping

from pybpfnf.abi.forms import FORMS, Form, Kind

_ALU = {
    "add": "+=", "sub": "-=", "mul": "*=", "div": "/=", "sdiv": "s/=", "mod": "%=", "smod": "s%=", "or": "|=", "and": "&=",
    "xor": "^=", "lsh": "<<=", "rsh": ">>=", "arsh": "s>>=", "mov": "=",
}  # fmt: skip
_JUMP = {
    "jeq": "==", "jne": "!=", "jgt": ">", "jge": ">=", "jlt": "<", "jle": "<=", "jset": "&",
    "jsgt": "s>", "jsge": "s>=", "jslt": "s<", "jsle": "s<=",
}  # fmt: skip
_ATOMIC = {"add": "+=", "or": "|=", "and": "&=", "xor": "^="}
_IMM64 = {
    "lddw": "r{dst} = {hex} ll",
    "ld_map": "r{dst} = {map}",
    "ld_map_value": "r{dst} = {map}{high}",
    "ld_var": "r{dst} = var[{hex}]",
    "ld_func": "r{dst} = func[{low}]",
    "ld_map_idx": "r{dst} = {map}",
    "ld_map_idx_value": "r{dst} = {map}{high}",
}


def _of(form: Form) -> tuple[str, ...]:
    r = "w" if form.width == 32 else "r"
    also_w = "r" if form.width == 64 else "rw"
    unsigned = f"u{form.width}"
    match form.kind:
        case Kind.ALU if form.op == "neg":
            return (f"{r}{{dst}} = -{r}{{dst}}",)
        case Kind.ALU if form.op.startswith("movsx"):
            return (f"{r}{{dst}} = (s{form.op.removeprefix('movsx')}){r}{{src}}",)
        case Kind.ALU:
            return (f"{r}{{dst}} {_ALU[form.op]} {'{imm}' if form.uses_imm else r + '{src}'}",)
        case Kind.SWAP:
            return (f"r{{dst}} = {form.name} r{{dst}}",)
        case Kind.LOAD if form.op == "ldxs":
            return (f"r{{dst}} = *(s{form.width} *)(r{{src}} {{off}})",)
        case Kind.LOAD:
            return tuple(f"{r}{{dst}} = *({unsigned} *)(r{{src}} {{off}})" for r in also_w)
        case Kind.STORE_REG:
            return tuple(f"*({unsigned} *)(r{{dst}} {{off}}) = {r}{{src}}" for r in also_w)
        case Kind.STORE_IMM:
            return (f"*({unsigned} *)(r{{dst}} {{off}}) = {{imm}}",)
        case Kind.ATOMIC:
            return _atomic_templates(form)
        case Kind.JUMP:
            return (f"if {r}{{dst}} {_JUMP[form.op]} {'{imm}' if form.uses_imm else r + '{src}'} goto {{rel}}",)
        case Kind.GOTO:
            return ("goto {rel}",) if form.op == "ja" else ("gotol {long}",)
        case Kind.EXIT:
            return ("exit",)
        case Kind.CALL_REG:
            return ("callx r{dst}",)
        case Kind.LOAD_IMM64:
            return (_IMM64[form.op],)
        case Kind.PACKET_LOAD if form.op == "abs":
            return (f"r0 = *({unsigned} *)skb[{{imm}}]",)
        case Kind.PACKET_LOAD:
            return (f"r0 = *({unsigned} *)skb[r{{src}} {{index}}]", f"r0 = *({unsigned} *)skb[r{{src}}]")
        case _:
            return ()  # calls


def _atomic_templates(form: Form) -> tuple[str, ...]:
    r = "w" if form.width < 64 else "r"
    also_r = dict.fromkeys((r, "r"))
    place = f"(u{form.width} *)(r{{dst}} {{off}})"
    width = "64" if form.width == 64 else ""
    if form.op in _ATOMIC:
        return tuple(f"lock *{place} {_ATOMIC[form.op]} {r}{{src}}" for r in also_r)
    if form.op.startswith("fetch_"):
        return (f"{r}{{src}} = atomic_{form.op}({place}, {r}{{src}})", f"r{{src}} = atomic{width}_{form.op}({place}, r{{src}})")
    suffix = "_64" if form.width == 64 else "32_32"
    if form.op == "xchg":
        return (f"{r}{{src}} = xchg{suffix}(r{{dst}} {{off}}, {r}{{src}})", f"r{{src}} = atomic{width}_xchg({place}, r{{src}})")
    if form.op == "cmpxchg":
        written = f"{r}0 = cmpxchg{suffix}(r{{dst}} {{off}}, {r}0, {r}{{src}})"
        return (written, f"r0 = atomic{width}_cmpxchg({place}, r0, r{{src}})")
    if form.op == "load_acquire":
        place = f"(u{form.width} *)(r{{src}} {{off}})"
        return tuple(f"{r}{{dst}} = load_acquire({place})" for r in also_r)
    return tuple(f"store_release({place}, {r}{{src}})" for r in also_r)


TEMPLATES: Mapping[str, tuple[str, ...]] = {name: _of(form) for name, form in FORMS.items()}
"""By form name: how it is written, then what is also read (`w` registers where LLVM writes them, the kernel's names of atomics)."""
