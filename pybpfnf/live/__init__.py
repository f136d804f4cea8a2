"""The maps and variables of a program that runs, by name and with the language's types: in the VM, loaded, or attached.

    nf[RATIO] = 1000
    print(nf[packets][0])

Values are `int`, `bool`, `IPv6Address` and structs; keys and values of objects that do not say their types are unsigned integers
in host byte order where they have 1, 2, 4 or 8 bytes, else `bytes`. Bytes come and go through `runner.MapAccess`.
"""

from pybpfnf.live.entries import LiveArray, LiveHash, LiveMapping
from pybpfnf.live.events import LiveEvents
from pybpfnf.live.program import FaultCount, Live
from pybpfnf.live.programs import LivePrograms
from pybpfnf.live.queues import LiveQueue
from pybpfnf.live.tries import LiveTrie

__all__ = ["FaultCount", "Live", "LiveArray", "LiveEvents", "LiveHash", "LiveMapping", "LivePrograms", "LiveQueue", "LiveTrie"]
