"""A bar for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def bar(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """On stderr, gone at the end. The bytes of `size` that are done go to what this gives."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(name, total=size)
        yield lambda done: shown.update(task, completed=done)
