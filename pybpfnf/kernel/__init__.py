"""Programs in the running kernel: loaded, bound to routes, run on real packets. ctypes and pyroute2 are used here alone.

What needs no pyroute2 (220 ms to import) is named here; `attach` and `runner` are imported by those who use them.
"""

from pybpfnf.kernel.info import ProgramInfo, statistics
from pybpfnf.kernel.load import LoadedProgram, load_program
from pybpfnf.kernel.maps import Map

__all__ = ["LoadedProgram", "Map", "ProgramInfo", "load_program", "statistics"]
