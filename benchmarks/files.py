"""How fast captures go from file to file: the whole of `pybpfnf run FUNCTION IN -q -w OUT`, from its start to its end."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import final

from pybpfnf.errors import InternalError
from pybpfnf.testing import packets

FUNCTIONS = ("end", "tag_increment", "add_tlv")
PACKETS = 1_000_000
_ETHERNET = bytes(12) + b"\x86\xdd"
_DIFFERENT = 1000


@final
@dataclass(frozen=True, slots=True)
class FileSpeed:
    """`packets` of a capture of so many `bytes` in `seconds`, the least of the rounds; `memory` in bytes at most (max RSS)."""

    function: str
    packets: int
    bytes: int
    seconds: float
    memory: int


def measure(rounds: int, count: int, where: Path) -> Iterator[FileSpeed]:
    """Each function in turn in each round, by the compiled engine."""
    given = where / "in.pcap"
    _write_capture(given, count)
    taken: dict[str, list[tuple[float, int]]] = {name: [] for name in FUNCTIONS}
    for _ in range(rounds):
        for name, times in taken.items():
            times.append(_run(name, given, where / "out.pcap"))
    for name, times in taken.items():
        yield FileSpeed(name, count, given.stat().st_size, min(each for each, _ in times), max(memory for _, memory in times))


def _run(function: str, given: Path, out: Path) -> tuple[float, int]:
    command = (sys.executable, "-m", "pybpfnf", "run", function, str(given), "-q", "-w", str(out), "--engine", "compiled")
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise InternalError(f"{' '.join(command)} ended with {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss * 1024


def _write_capture(path: Path, count: int) -> None:
    """SRv6 packets with UDP, of one to four segments and 8 to 136 bytes of data: about 200 bytes each on Ethernet."""
    random = Random(1)
    frames = [_ETHERNET + _packet(random) for _ in range(_DIFFERENT)]
    with path.open("wb") as stream:
        stream.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1))
        for at in range(count):
            frame = frames[at % _DIFFERENT]
            seconds, microseconds = divmod(at, 1_000_000)
            stream.write(struct.pack("<IIII", seconds, microseconds * 1000, len(frame), len(frame)) + frame)


def _packet(random: Random) -> bytes:
    segments = [f"fc00:{hop:x}::{hop:x}" for hop in range(random.randint(1, 4), 0, -1)]
    return packets.srv6(
        segments=["fc00:9::9", *segments], tag=random.randrange(1 << 16), payload=packets.udp(bytes(random.randrange(8, 136)))
    )
