"""The packet's first piece, all that a program may touch: pointers to its first byte and past its last."""

from __future__ import annotations

from pybpfnf.backend.building.frame import Frame


def packet_memory(frame: Frame) -> tuple[str, str]:
    """Pointers to the packet's first byte and past its last one."""
    packet = frame.packet
    if packet.data is None or packet.end is None:
        data, end = packet_memory_now(frame)
        frame.packet = packet.with_memory(data, end)
        return data, end
    return packet.data, packet.end


def packet_memory_now(frame: Frame) -> tuple[str, str]:
    """The same, asked of the context once more."""
    return _packet_pointer(frame, "data"), _packet_pointer(frame, "data_end")


def _packet_pointer(frame: Frame, name: str) -> str:
    # 32 bits in the context that the kernel rewrites into a pointer; read as anything else, the verifier refuses it.
    w = frame.writer
    field = frame.context_field(frame.function.hook.context.fields[name].offset)
    wide = w.cast("zext", "i32", w.load("i32", field, 4), "i64")
    return w.cast("inttoptr", "i64", wide, "ptr")
