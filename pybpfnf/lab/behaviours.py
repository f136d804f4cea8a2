"""Which parameters each static behaviour of a SID takes and needs (seg6local actions, by iproute2's names)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from pybpfnf.records import dataclass
from pybpfnf.routes import Seg6Local


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    """By the fields of `Seg6Local`: what must be said, and what else may be."""

    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


BEHAVIOURS: Mapping[str, Parameters] = {
    "End": Parameters(),
    "End.X": Parameters(("nh6",), ("oif",)),
    "End.T": Parameters(("table",)),
    "End.DX2": Parameters(("oif",)),
    "End.DX6": Parameters(("nh6",)),
    "End.DX4": Parameters(("nh4",)),
    "End.DT6": Parameters(("table",)),
    "End.B6": Parameters(("segments",), ("hmac",)),
    "End.B6.Encaps": Parameters(("segments",), ("hmac",)),
}
"""Without those that need a VRF (End.DT4, End.DT46), and End.BPF, which is a function."""
EVERYWHERE = ("flavors", "count")
PARAMETERS = tuple(dict.fromkeys(name for row in BEHAVIOURS.values() for name in (*row.needs, *row.takes)))
_UNSAID = Seg6Local("End")


@final
@dataclass(frozen=True, slots=True)
class Wrong:
    """`name` is the parameter, or "action"."""

    name: str
    message: str
    hint: str | None = None


def mistake_of(behaviour: Seg6Local) -> Wrong | None:
    """What is wrong with it, None where nothing is."""
    row = BEHAVIOURS.get(behaviour.action)
    if row is None:
        return Wrong("action", f"`{behaviour.action}` is no behaviour of a lab's SID", f"there are: {', '.join(BEHAVIOURS)}, and functions")
    said = [name for name in PARAMETERS if getattr(behaviour, name) != getattr(_UNSAID, name)]
    for name in row.needs:
        if name not in said:
            return Wrong("action", f"{behaviour.action} needs `{name}`")
    for name in said:
        if name not in (*row.needs, *row.takes):
            takes = " and ".join((*row.needs, *row.takes)) or "nothing"
            return Wrong(name, f"{behaviour.action} takes no `{name}`", f"it takes {takes}")
    return None
