"""Program-type rows: the hooks, what they may do to the packet, their helpers and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import final

from pybpfnf.abi.contexts import Context


class PacketRights(Enum):
    """Direct access through data and data_end."""

    NONE = "none"
    READ_ONLY = "read only"
    READ_WRITE = "read and write"


@final
@dataclass(frozen=True, slots=True)
class ProgramType:
    """One program type (enum bpf_prog_type). `sections`: ELF section names that mean it, first the one that we write;
    a section may go on after a slash (`lwt_seg6local/name`)."""

    name: str
    id: int
    sections: tuple[str, ...]
    context: Context
    packet: PacketRights
    helpers: frozenset[str]
    verdicts: Mapping[str, int]
    doc: str


PROGRAM_TYPES: Mapping[str, ProgramType] = {}
