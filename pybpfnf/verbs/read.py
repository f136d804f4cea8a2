"""`read`: an object as data."""

from __future__ import annotations

import os

from pybpfnf import targets
from pybpfnf.image.model import ObjectImage


def read(target: bytes | str | os.PathLike[str]) -> ObjectImage:
    """The programs, maps and variables of an object: its bytes, its path, or what `build` would make of the target.

    Raises ObjectError for bytes that are no object that we can use.
    """
    return targets.object_image(target)
