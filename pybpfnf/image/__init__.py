"""ELF objects as data: `read` gives an ObjectImage, `configure` sets its variables."""

from pybpfnf.image.configure import configure, missing, require_complete
from pybpfnf.image.reader import read

__all__ = ["configure", "missing", "read", "require_complete"]
