"""Lines for the kernel's trace: the format and the values that bpf_trace_printk takes, or bpf_trace_vprintk where there are more.

The helper reads an address through a pointer, and text too. After `%pI6` it passes over letters and digits (lib/vsprintf.c,
bstr_printf), and after `%s` it takes none (kernel/bpf/helpers.c, bpf_bprintf_prepare), so one that follows goes as a value of its own.
"""

from __future__ import annotations

from typing import final

from pybpfnf.backend.building.frame import Frame
from pybpfnf.backend.lowering.arithmetic import resize
from pybpfnf.dsl import ir
from pybpfnf.dsl.types import U64, AddressType, BoolType, IntType, VerdictType
from pybpfnf.errors import InternalError
from pybpfnf.records import dataclass

_FEW = 3
_SLOT = 8


@final
@dataclass(frozen=True, slots=True)
class _Argument:
    """A value as the helper takes it, and what stands for it in the format."""

    conversion: str
    value: str  # with its type


def lower_log(frame: Frame, node: ir.Log) -> None:
    text, arguments = "", []
    after_pointer = False
    for part in node.parts:
        if isinstance(part, str):
            if after_pointer and part[0].isalnum():
                arguments.append(_Argument("%c", f"i64 {ord(part[0])}"))
                text, part = text + "%c", part[1:]
            text, after_pointer = text + part.replace("%", "%%"), False
            continue
        argument = _argument(frame, part, len(arguments))
        if after_pointer and argument.conversion[0] != "%":  # 0x
            arguments.append(_Argument("%c", f"i64 {ord('0')}"))
            text += "%c" + argument.conversion[1:]
        else:
            text += argument.conversion
        arguments.append(argument)
        after_pointer = not isinstance(part.value.type, IntType)
    format_ = f"ptr {frame.texts.pointer(text)}", f"i64 {len(text) + 1}"
    values = [argument.value for argument in arguments]
    if len(values) <= _FEW:
        frame.call("trace_printk", *format_, *values)
        return
    frame.call("trace_vprintk", *format_, f"ptr {_array(frame, values)}", f"i64 {len(values) * _SLOT}")


def _array(frame: Frame, values: list[str]) -> str:
    w = frame.writer
    array = frame.scratch("log", len(values) * _SLOT)
    for index, value in enumerate(values):
        type_, _, name = value.partition(" ")
        w.store(type_, name, w.offset(array, index * _SLOT), _SLOT)
    return array


def _argument(frame: Frame, shown: ir.Shown, index: int) -> _Argument:
    """`index`: how many values of the line come before."""
    value, type_ = frame.value(shown.value), shown.value.type
    match type_:
        case IntType():
            # Of 32 bits the helper takes the low ones of what it is given.
            wide = resize(frame, value, type_, IntType("", 64, type_.signed)) if type_.width < U64.width else value
            return _Argument(_conversion(shown, type_), f"i64 {wide}")
        case BoolType():
            texts = frame.texts.pointer("True"), frame.texts.pointer("False")
            return _Argument("%s", f"ptr {frame.writer.select(value, 'ptr', *texts)}")
        case VerdictType():
            return _Argument("%s", f"ptr {_verdict(frame, value)}")
        case AddressType():
            room = frame.scratch(f"logged{index}", type_.size)
            frame.writer.store("i128", value, room, _SLOT)
            return _Argument("%pI6", f"ptr {room}")
    raise InternalError(f"a line with a value of type {type_}")


def _verdict(frame: Frame, value: str) -> str:
    """The name of a verdict of the hook."""
    w = frame.writer
    name = frame.texts.pointer("?")
    for other, number in frame.function.hook.verdicts.items():
        name = w.select(w.icmp("eq", "i32", value, number), "ptr", frame.texts.pointer(other), name)
    return name


def _conversion(shown: ir.Shown, type_: IntType) -> str:
    length = "ll" if type_.width == U64.width else ""
    kind = shown.hexadecimal or ("d" if type_.signed else "u")
    prefix = f"0{shown.hexadecimal}" if shown.prefix else ""
    width = max(0, shown.width - len(prefix))
    flags = shown.sign + ("-" if shown.left else "") + ("0" if shown.zeros and width else "")
    return f"{prefix}%{flags}{width or ''}{length}{kind}"
