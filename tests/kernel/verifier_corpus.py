"""`data/verifier_logs`: one program of each kind that the verifier refuses, the log of Linux 6.18 about it, and what we say.

    ; type lwt_in               where it is not lwt_seg6local; `; license MIT` where it is not GPL
    r0 = r7
    exit
    [log]
    what the kernel wrote; the middle of what is long is left out
    [out]
    the diagnostic, at the line of this text

`pytest tests/kernel/test_verifier_corpus.py --update-data` as root rewrites logs and diagnostics.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pybpfnf.abi.text import parse
from pybpfnf.errors import VerifierError
from pybpfnf.image.model import LineRecord, MapSpec, ObjectImage, ProgramImage
from pybpfnf.kernel import load_program

DATA: Final = Path(__file__).parent / "data"
TODAY: Final = DATA / "verifier_logs"
# Put together by hand from kernel/bpf/diagnostics.c: the log of before, and the report that Linux 7.3 adds to it.
LINUX_7_3: Final = DATA / "verifier_logs_7_3"
_READ_ONLY: Final = 1 << 7  # BPF_F_RDONLY_PROG (include/uapi/linux/bpf.h)
MAPS: Final[Mapping[str, MapSpec]] = {
    spec.name: spec
    for spec in (
        MapSpec("flows", "hash", key_size=4, value_size=4, max_entries=16),
        MapSpec("events", "ringbuf", key_size=0, value_size=0, max_entries=4096),
        MapSpec("programs", "prog_array", key_size=4, value_size=4, max_entries=4),
        MapSpec(".rodata", "array", key_size=4, value_size=4, max_entries=1, initial=bytes(4), frozen=True, flags=_READ_ONLY),
    )
}
_LOG, _OUT = "[log]\n", "[out]\n"
_DIRECTIVE = re.compile(r"^; (type|license) (\S+)$", re.MULTILINE)
_MOST_LINES = 60  # of a log, at either end


@dataclass(frozen=True)
class Refused:
    path: Path
    text: str
    log: str
    out: str

    @property
    def program(self) -> ProgramImage:
        """With a line record for each instruction, at its line of the text."""
        type_ = dict(_DIRECTIVE.findall(self.text)).get("type", "lwt_seg6local")
        insns = parse(self.text)
        records, slot, rest = [], 0, iter(insns)
        for number, line in enumerate(self.text.splitlines(), start=1):
            if line and line[0] != ";" and not line.endswith(":"):
                records.append(LineRecord(slot, self.path.name, number, 1, line))
                slot += next(rest).slots
        return ProgramImage("sample", type_, type_, insns, lines=tuple(records))

    def ask_the_kernel(self) -> VerifierError | None:
        license_ = dict(_DIRECTIVE.findall(self.text)).get("license", "GPL")
        program = self.program
        try:
            load_program(ObjectImage((program,), MAPS, license_), program).close()
        except VerifierError as error:
            return error
        return None

    def rewrite(self, log: str, out: str) -> None:
        self.path.write_text(f"{self.text}{_LOG}{_shortened(log)}{_OUT}{out}\n", encoding="utf-8")


def _shortened(log: str) -> str:
    lines = log.splitlines(keepends=True)
    return log if len(lines) <= 2 * _MOST_LINES else "".join([*lines[:_MOST_LINES], "\n", *lines[-_MOST_LINES:]])


def refused(directory: Path) -> Iterator[Refused]:
    for path in sorted(directory.glob("*.test")):
        text, _, rest = path.read_text(encoding="utf-8").partition(_LOG)
        log, _, out = rest.partition(_OUT)
        yield Refused(path, text, log, out.rstrip("\n"))
