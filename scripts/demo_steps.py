"""The demo: one function from Python to packets, in this process and, where it may, on the kernel's own End.BPF route.

Run by scripts/demo, which sets the environment up. Exit status 0 when everything shown agrees.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pybpfnf
from pybpfnf.captures.pcap import read_capture
from pybpfnf.errors import Error, SystemLacksError
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.runner import Environment, Outcome, Runner
from pybpfnf.testing.fields import fields
from pybpfnf.vm import VmRunner

ROOT = Path(__file__).resolve().parent.parent
FUNCTION = Path("functions/tag_increment.py")
CAPTURE = Path("examples/srv6.pcap")


def main() -> int:
    title("A network function, whole")
    print((ROOT / FUNCTION).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="pybpfnf-demo-") as folder:
        built, written = Path(folder) / "tag.o", Path(folder) / "out.pcap"
        title("Compiled in this process to a standard ELF object: no clang, no kernel headers")
        command("pybpfnf", "build", FUNCTION, "-o", built)
        title("The object, Python lines beside instructions")
        command("pybpfnf", "show", built)
        title("Run in the VM, without root, on the packets of a capture")
        command("pybpfnf", "run", built, CAPTURE, "-w", written)
    return compare()


def compare() -> int:
    """The same bytes on the VM and on a real End.BPF route; status 1 when they differ."""
    with (ROOT / CAPTURE).open("rb") as stream:
        packets = [record.packet for record in read_capture(stream, str(CAPTURE)) if record.packet is not None]
    title("Before and after, in the VM")
    vm = outcomes(VmRunner(), packets)
    show(packets, vm)
    title("The same object on this kernel: a real End.BPF route, in a network namespace of its own")
    try:
        kernel = outcomes(KernelRunner(), packets)
    except SystemLacksError as lack:
        print(f"not shown here: {lack.message}" + (f"\nhint: {lack.hint}" if lack.hint else ""))
        print("Everything above ran without root and without the kernel's help.")
        return 0
    show(packets, kernel)
    same = [(a.verdict, a.packet) == (b.verdict, b.packet) for a, b in zip(vm, kernel, strict=True)]
    print(f"\nThe VM and the kernel agree on {sum(same)} of {len(same)} packets: verdict and every byte.")
    return 0 if all(same) else 1


def outcomes(runner: Runner, packets: list[bytes]) -> list[Outcome]:
    image = pybpfnf.read(ROOT / FUNCTION)
    with runner.open(image, image.program(), Environment()) as session:
        return [session.run(packet) for packet in packets]


def show(packets: list[bytes], found: list[Outcome]) -> None:
    for number, (before, outcome) in enumerate(zip(packets, found, strict=True)):
        print(f"packet {number}  in   {describe(before)}")
        print(f"          out  {f'dropped: {outcome.reason}' if outcome.packet is None else describe(outcome.packet)}")


def describe(packet: bytes) -> str:
    """The fields that the hook and the function touch."""
    named = fields(packet)
    left, tag = (int(named[name], 16) for name in ("srh.segments_left", "srh.tag"))
    return f"to {named['ipv6.destination']}, segments left {left}, tag {tag}"


def title(text: str) -> None:
    print(f"\n=== {text}", flush=True)


def command(*words: str | Path) -> None:
    shown = [str(word) for word in words]
    print(f"$ {shlex.join(shown)}", flush=True)
    subprocess.run(shown, check=True, cwd=ROOT)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Error as error:
        sys.exit(f"demo: {error}" + (f"\nhint: {error.hint}" if error.hint else ""))
