"""Asks the running kernel about generated packets and writes down its answers: `python -m tests.conformance.record`, as root.

To be run again when a kind of packet or a catalogue function changes; the difference to the old file says what the kernel
does otherwise now.
"""

from __future__ import annotations

import platform
import warnings
import zlib
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import NonInteractiveExampleWarning

import pybpfnf
from pybpfnf.kernel.runner import KernelRunner
from tests.conformance import corpus, probe
from tests.conformance.engines import Engine, engine
from tests.conformance.generator import KINDS
from tests.conformance.scripts import PROBES

FUNCTIONS = ("end", "end_t", "tag_increment", "add_tlv", "add_tlv_20")
EXAMPLES = 2  # of a kind for each function
SCRIPT_EXAMPLES = 6


def main() -> None:
    warnings.simplefilter("ignore", NonInteractiveExampleWarning)
    with engine(KernelRunner()) as kernel:
        corpus.write(f"Linux {platform.release().partition(chr(45))[0]}", list(_lines(kernel)))


def _lines(kernel: Engine) -> Iterator[str]:
    for function in FUNCTIONS:
        image = pybpfnf.read(function)
        for kind in KINDS.values():
            for packet in examples(f"{function} {kind.name}", kind.packets, EXAMPLES):
                yield corpus.encode(function, kind.name, "ordinary", kernel.observe(image, corpus.ROUTERS["ordinary"], packet))
    end = pybpfnf.read("end")
    for router in ("hmac_required", "hmac_ignored"):
        for name in ("tlvs", "hmac", "hmac_wrong_digest", "hmac_tlv_without_flag", "destination_options_and_hmac"):
            for packet in examples(f"{router} {name}", KINDS[name].packets, EXAMPLES):
                yield corpus.encode("end", name, router, kernel.observe(end, corpus.ROUTERS[router], packet))
    program = probe.image()
    for name, probes in PROBES.items():
        for given_probe in examples(name, probes, SCRIPT_EXAMPLES):
            seen = kernel.observe(program, corpus.ROUTERS["ordinary"], given_probe.packet, given_probe.script)
            yield corpus.encode("probe", name, "ordinary", seen)


def examples(name: str, strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """The same examples each time for a name."""
    found: list[Any] = []

    @seed(zlib.crc32(name.encode()))
    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    collect()
    return found


if __name__ == "__main__":
    main()
