"""What the compiler accepted and the kernel refuses is a bug of ours: each command that loads says so, and keeps the log."""

from __future__ import annotations

from pathlib import Path

import pytest

import pybpfnf
from pybpfnf.abi.codec import encode
from pybpfnf.abi.text import parse
from pybpfnf.errors import VerifierError
from tests.cli.conftest import Command

SOURCE = """\
from pybpfnf import OK, Seg6Packet, Verdict, seg6local


@seg6local
def faulty(pkt: Seg6Packet) -> Verdict:
    pkt.mark = 77
    return OK
"""
RIGHT, WRONG = (encode(parse(text)) for text in ("*(u32 *)(r1 + 8) = r2", "*(u32 *)(r1 + 500) = r2"))


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiled object whose mark goes to where the context has nothing, as if the compiler had made it so."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = tmp_path / "faulty.py"
    source.write_text(SOURCE, encoding="utf-8")
    built = pybpfnf.build(source)
    assert built.count(RIGHT) == 1
    path = tmp_path / "faulty.o"
    path.write_bytes(built.replace(RIGHT, WRONG))
    return path


@pytest.mark.kernel
@pytest.mark.parametrize("arguments", [("check",), ("attach", "fc00::1", "--dev", "b0")], ids=lambda arguments: arguments[0])
@pytest.mark.usefixtures("namespace", "own_bpffs")
def test_a_refusal_of_what_was_compiled_is_our_bug_and_its_log_is_kept(arguments: tuple[str, ...], damaged: Path, command: Command) -> None:
    name, *rest = arguments
    ended = command(name, damaged, *rest)
    headline, line, caret, hint, kept, _, explain = ended.err.splitlines()
    assert ended.status == 1
    assert headline.startswith("faulty.py:6:")
    assert "the kernel refused faulty: invalid bpf_context access off=500 size=4" in headline
    assert (line.strip(), caret.strip()) == ("pkt.mark = 77", "^" * len("pkt.mark = 77"))
    assert hint == "hint: the compiler has accepted this, so it is a bug of pybpfnf: please report it with the log"
    assert "(63) *(u32 *)(r1 +500) = r2" in Path(kept.partition(": ")[2]).read_text(encoding="utf-8")
    assert "explain verifier" in explain


@pytest.mark.kernel
def test_the_same_of_a_run_in_the_kernel(damaged: Path) -> None:
    with pytest.raises(VerifierError, match="refused faulty") as caught:
        pybpfnf.simulate(damaged, runner=pybpfnf.KernelRunner())
    assert "a bug of pybpfnf" in str(caught.value.diagnostic.hint)
    assert "off=500" in caught.value.log
