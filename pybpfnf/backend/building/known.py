"""What is known of the packet while a function is lowered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import TypeAlias, final

from pybpfnf.dsl import ir
from pybpfnf.records import dataclass

ViewKey: TypeAlias = ir.Local | str
"""A view in a local, or as a value: its name or its number."""


@final
@dataclass(frozen=True, slots=True)
class Packet:
    """What is known of the packet at one point of a function.

    `data` and `end` are pointers of the current packet memory; `ipv6`: 40 bytes from `data` are proven to be there; `version`: it
    was seen to be IPv6, and this is an i32 below 0; `srh` points at the SRH with its first 8 bytes proven. `srh_found`: the SRH's
    offset is in its slot, which stays true when the packet moves. `views`: pointers to views of the packet, all bytes of each proven
    to be there; of a TLV with a trailing array those before that.
    """

    data: str | None = None
    end: str | None = None
    ipv6: bool = False
    version: str | None = None
    srh: str | None = None
    srh_found: bool = False
    views: Mapping[ViewKey, str] = field(default_factory=dict)

    def moved(self) -> Packet:
        """After a helper that may move the packet: pointers are stale, offsets are not."""
        return Packet(srh_found=self.srh_found)

    def with_new_headers(self) -> Packet:
        """After an action that puts other headers in front, or takes them off."""
        return Packet()

    def with_memory(self, data: str, end: str) -> Packet:
        return replace(self, data=data, end=end)

    def with_ipv6(self) -> Packet:
        return replace(self, ipv6=True)

    def with_version(self, version: str) -> Packet:
        return replace(self, version=version)

    def written(self) -> Packet:
        """After a write that may have changed the first byte."""
        return replace(self, version=None)

    def pulled(self, data: str, end: str) -> Packet:
        """Where the packet may have been pulled: its bytes are the same, in memory that may be another."""
        return Packet(data=data, end=end, ipv6=self.ipv6, version=self.version, srh_found=self.srh_found)

    def with_srh(self, srh: str) -> Packet:
        return replace(self, srh=srh, srh_found=True)

    def with_view(self, view: ViewKey, pointer: str) -> Packet:
        return replace(self, views={**self.views, view: pointer})

    def assigned(self, local: ir.Local, value: str) -> Packet:
        """The local is another view now: what was known of it is, of what is known of the value, the same."""
        others = {view: pointer for view, pointer in self.views.items() if view != local}
        return replace(self, views={**others, local: self.views[value]} if value in self.views else others)

    def without_views(self, locals_: Iterable[ir.Local]) -> Packet:
        """Nothing is known of these locals any more."""
        gone = frozenset(locals_)
        return replace(self, views={view: pointer for view, pointer in self.views.items() if view not in gone})

    def joined(self, other: Packet) -> Packet:
        """Where two paths meet. Pointers that each path made and checked for itself are dropped: LLVM would merge the checks
        into one of the merged pointer, and the verifier would no longer see them."""
        same_view = self.data == other.data
        return Packet(
            data=self.data if same_view else None,
            end=self.end if same_view else None,
            ipv6=same_view and self.ipv6 and other.ipv6,
            version=self.version if self.version == other.version else None,
            srh=self.srh if self.srh == other.srh else None,
            srh_found=self.srh_found and other.srh_found,
            views={view: pointer for view, pointer in self.views.items() if same_view and other.views.get(view) == pointer},
        )


def local_of(node: ir.Expr) -> ir.Local | None:
    """The local that a view is read from; None where it is no local's."""
    match node:
        case ir.LocalRead(local):
            return local
        case ir.Unwrap(operand):
            return local_of(operand)
        case _:
            return None
