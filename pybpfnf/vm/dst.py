"""What a look-up in the router's FIB gave a packet."""

from __future__ import annotations

from typing import final

from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Route:
    """What a look-up installed on the packet (`skb_dst`). `error` is `dst->error`: 0 or negative; `reason` says why a
    packet that takes it does not leave. `to_function`: it leads into the function's own SID again."""

    error: int = 0
    reason: str | None = None
    to_function: bool = False
    entry: int = 0  # of a router's FIB, where there is one
