"""Commands in this process, and captures to give them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from pybpfnf.cli import exit_status

ETHERNET = bytes.fromhex("020000000002 020000000001 86dd")
FIRST = 1_700_000_000  # seconds; each frame of a capture comes one second after the one before


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def documents(self) -> list[Any]:
        """Stdout as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]


Command: TypeAlias = Callable[..., Ended]
CaptureOf: TypeAlias = Callable[..., Path]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """`command("run", "end", path)`. No command ever shows a traceback."""

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        status = exit_status([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Ended(status, captured.out, captured.err)

    return run


@pytest.fixture
def capture_of(tmp_path: Path) -> CaptureOf:
    """A pcap of these IPv6 packets, behind `link` (an Ethernet header unless given)."""

    def write(*packets: bytes, link: bytes = ETHERNET, number: int = 1) -> Path:
        data = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, number)
        for index, packet in enumerate(packets):
            frame = link + packet
            data += struct.pack("<IIII", FIRST + index, 5, len(frame), len(frame)) + frame
        path = tmp_path / "in.pcap"
        path.write_bytes(data)
        return path

    return write
