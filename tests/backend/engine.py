"""Run what the backend built in the VM: State variables in and out, one packet through.

Where the kernel can be asked, its verifier sees each program too, so that no shape of code is tested that it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self, final

from pybpfnf import backend, image
from pybpfnf.dsl import ir
from pybpfnf.image.model import ObjectImage, Variable
from pybpfnf.kernel import features, load_program
from pybpfnf.runner import Environment, MapAccess, Outcome, Session
from pybpfnf.testing.packets import srv6
from pybpfnf.types.layout import AddressType
from pybpfnf.types.scalars import decode_scalar
from pybpfnf.vm import VmRunner

PACKET = srv6(segments=["fc00:3::3", "fc00:2::2"], tag=7)
_KEY = bytes(4)


def built(module: ir.Module, *, fault_counters: bool = True) -> ObjectImage:
    return image.read(backend.build(module, fault_counters=fault_counters))


@final
class Engine:
    """One program of a module, loaded in the VM."""

    def __init__(self, module: ir.Module | ObjectImage, program: str | None = None, environment: Environment | None = None) -> None:
        self.image = module if isinstance(module, ObjectImage) else built(module)
        chosen = self.image.program(program)
        if features.lacks("bpf") is None:
            with load_program(self.image, chosen) as loaded:
                assert loaded.btf_refused is None
        self.session: Session = VmRunner().open(self.image, chosen, environment or Environment())

    def run(self, packet: bytes = PACKET) -> Outcome:
        return self.session.run(packet)

    def fault(self, packet: bytes = PACKET) -> str | None:
        """The message of the fault exit that the packet takes, None where it takes none."""
        fault = self.run(packet).fault
        return None if fault is None else fault.message

    def set(self, **values: int | bytes) -> None:
        for name, value in values.items():
            variable = self.image.variables[name]
            if variable.map in self.session.maps:  # else the program does not use it
                contents = bytearray(self._contents(variable))
                contents[variable.offset : variable.offset + variable.size] = _encoded(variable, value)
                self.session.maps[variable.map].update(_KEY, bytes(contents))

    def get(self, name: str) -> int | bytes:
        variable = self.image.variables[name]
        data = self._contents(variable)[variable.offset : variable.offset + variable.size]
        return data if isinstance(variable.type, AddressType) else int(decode_scalar(variable.type, data))

    def _contents(self, variable: Variable) -> bytes:
        contents = self.session.maps[variable.map].lookup(_KEY)
        assert contents is not None
        return contents

    @property
    def maps(self) -> Mapping[str, MapAccess]:
        return self.session.maps

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.session.close()


def _encoded(variable: Variable, value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else (value & ((1 << 8 * variable.size) - 1)).to_bytes(variable.size, "little")
