"""What a function says in words, to who reads the kernel's trace."""

from __future__ import annotations

from pybpfnf.dsl.surface.definitions import only_compiled


def log(text: str) -> None:
    """Write a line to the kernel's trace (/sys/kernel/tracing/trace_pipe): text, or an f-string of integers, bools, verdicts and addresses.

    Integers take Python's `d`, `x`, `X`, `#`, `+`, a width, `0` and `<`. For looking into a function; it costs microseconds a line.
    """
    only_compiled("log")
