"""A capture in parts: all of them together have the records of the whole, with their numbers and times, and its errors."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from random import Random

import pytest

from pybpfnf.captures.capture import Capture, Record
from pybpfnf.captures.cuts import cuts, read_cut
from pybpfnf.captures.pcap import read_capture
from pybpfnf.errors import InputError
from tests.captures.generated import CAPTURES, COUNT

SIZE = 9000
PATH = Path("it")


def records(capture: Capture) -> tuple[list[Record], str]:
    found: list[Record] = []
    try:
        found.extend(capture)
    except InputError as error:
        return found, error.message
    return found, ""


def in_parts(data: bytes, size: int) -> tuple[list[Record], str, int]:
    found: list[Record] = []
    error, count = "", 0
    for cut in cuts(io.BytesIO(data), "it", size):
        assert error == ""  # what is wrong is in the last part
        count += 1
        part, error = records(read_cut(io.BytesIO(data), PATH, pickle.loads(pickle.dumps(cut))))
        found += part
    return found, error, count


def blockwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in such small blocks that records lie in two of them."""
    monkeypatch.setattr("pybpfnf.captures.cuts._BLOCK", 1000)


@pytest.mark.parametrize("capture", CAPTURES)
def test_the_parts_have_the_records_of_the_whole(capture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    blockwise(monkeypatch)
    data = CAPTURES[capture](Random(3))
    found, error, count = in_parts(data, SIZE)
    whole, _ = records(read_capture(io.BytesIO(data), "it"))
    assert (found, error) == (whole, "")
    assert len(found) >= COUNT
    assert count > 2  # the first has what was read with the header


@pytest.mark.parametrize("capture", ["pcap", "pcapng"])
def test_what_is_wrong_is_reported_as_for_the_whole(capture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    blockwise(monkeypatch)
    random = Random(4)
    whole = CAPTURES[capture](random)[:9000]
    errors = set()
    for _ in range(60):
        damaged = bytearray(whole[: random.randrange(40, len(whole))])
        damaged[random.randrange(28, len(damaged))] ^= 1 << random.randrange(8)
        expected = records(read_capture(io.BytesIO(damaged), "it"))
        assert in_parts(bytes(damaged), 1000)[:2] == expected
        errors.add(expected[1])
    assert len(errors) > 20
