"""`data/kernel.asm`: what the kernel does with programs that the language refuses to make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

import pytest

from pybpfnf.abi.text import parse
from pybpfnf.errors import VerifierError
from pybpfnf.explanations import written_out
from pybpfnf.image.model import MapSpec, ObjectImage, ProgramImage
from pybpfnf.kernel import load_program
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.runner import Environment
from pybpfnf.testing.packets import ipv4, srv6, udp
from tests.dsl.cases import DATA

_READ_ONLY: Final = 1 << 7  # BPF_F_RDONLY_PROG (include/uapi/linux/bpf.h)
MAPS: Final[Mapping[str, MapSpec]] = {
    spec.name: spec
    for spec in (
        MapSpec("hash", "hash", key_size=4, value_size=4, max_entries=16),
        MapSpec("array", "array", key_size=4, value_size=4, max_entries=16),
        MapSpec("samples", "perf_event_array", key_size=4, value_size=4, max_entries=2),
        MapSpec("queue", "queue", key_size=0, value_size=4, max_entries=16),
        MapSpec("events", "ringbuf", key_size=0, value_size=0, max_entries=4096),
        MapSpec(
            ".rodata", "array", key_size=4, value_size=4, max_entries=1, initial=bytes(4), frozen=True, flags=0x80
        ),  # BPF_F_RDONLY_PROG
    )
}
PACKETS: Final = {"srv6": srv6(["fc00:c::2", "fc00:c::1"], tag=77), "ipv4": ipv4("198.51.100.1", payload=udp())}
_PROGRAM = re.compile(r"^\[program (.*)\]\n", re.MULTILINE)
_DIRECTIVE = re.compile(r"^; (type|license|packet|refused|verdict|lost|corrupts)\b ?(.*)$", re.MULTILINE)


def ipv6_source(packet: bytes) -> IPv6Address:
    return IPv6Address(packet[8:24])


@dataclass(frozen=True)
class KernelProgram:
    """A program as text, and what becomes of it (the first lines of data/kernel.asm say how that is written)."""

    name: str
    text: str
    said: Mapping[str, str]

    def check(self) -> None:
        image = ObjectImage((self._program(),), MAPS, self.said.get("license", "GPL"))
        if "refused" in self.said:
            self._check_refusal(image)
            return
        packet = PACKETS[self.said.get("packet", "srv6")]
        with KernelRunner().open(image, image.program(), Environment()) as session:
            outcome = session.run(packet)
        if "verdict" in self.said:
            assert outcome.verdict == int(self.said["verdict"])
        elif "lost" in self.said:
            assert not outcome.forwarded
        else:
            assert outcome.packet is not None
            assert ipv6_source(outcome.packet) != Environment().device_address

    def _program(self) -> ProgramImage:
        type_ = self.said.get("type", "lwt_seg6local")
        return ProgramImage("sample", type_, type_, parse(written_out(self.text)))

    def _check_refusal(self, image: ObjectImage) -> None:
        with pytest.raises(VerifierError) as caught:
            load_program(image, image.program())
        assert any(words in caught.value.diagnostic.message for words in self.said["refused"].split(" | "))


def _programs() -> Iterator[KernelProgram]:
    _, *parts = _PROGRAM.split((DATA / "kernel.asm").read_text(encoding="utf-8"))
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        yield KernelProgram(name, text, dict(_DIRECTIVE.findall(text)))


PROGRAMS: Final[Mapping[str, KernelProgram]] = {program.name: program for program in _programs()}
