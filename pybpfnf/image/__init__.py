"""ELF objects as data: `read` gives an ObjectImage, `configure` sets its variables.

Names are imported when they are first used: who writes objects needs no pyelftools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpfnf.lazy import load_module

if TYPE_CHECKING:
    from pybpfnf.image.reader import read as read
    from pybpfnf.image.settings import configure as configure
    from pybpfnf.image.settings import missing as missing
    from pybpfnf.image.settings import require_complete as require_complete
    from pybpfnf.image.settings import set_by_loader as set_by_loader

__all__ = ["configure", "missing", "read", "require_complete", "set_by_loader"]

_MODULE_OF = {
    "configure": "pybpfnf.image.settings",
    "missing": "pybpfnf.image.settings",
    "read": "pybpfnf.image.reader",
    "require_complete": "pybpfnf.image.settings",
    "set_by_loader": "pybpfnf.image.settings",
}


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(load_module(module), name)
