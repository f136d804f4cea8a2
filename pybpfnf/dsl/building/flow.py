"""What is known at one point of a function: which names are bound to what, and what has been asked about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import TypeAlias, final

from pybpfnf.diagnostics import Span
from pybpfnf.dsl import ir
from pybpfnf.dsl.building.intervals import Interval
from pybpfnf.dsl.building.values import HeaderView, PacketView
from pybpfnf.dsl.types import OptionalType, PacketViewType, TlvLayout, TlvViewType, Type, ViewType
from pybpfnf.records import dataclass

# What a packet has that has this header.
IMPLIED: Mapping[str, frozenset[str]] = {
    "srh": frozenset({"srh", "ipv6"}),
    "ipv6": frozenset({"ipv6"}),
    "ipv4": frozenset({"ipv4"}),
}


@final
@dataclass(frozen=True, slots=True)
class ValueBinding:
    """A name that holds a value in `local`; `found`: it is a look-up's result, known not to be None here. `ended`: a view of an
    entry that was deleted or replaced there.

    `values`: what an integer can be here, where that is known; `counter`: of a loop over constants, each like a literal.
    `asked`: classes that a TLV was asked for, as they are written; `layout`: the one that it is of here.
    """

    local: ir.Local
    found: bool = False
    ended: Span | None = None
    values: Interval | None = None
    counter: bool = False
    asked: frozenset[tuple[str, TlvLayout]] = frozenset()
    layout: TlvLayout | None = None

    def joined(self, other: ValueBinding) -> ValueBinding:
        """Of two with one local, what holds of both."""
        values = None if self.values is None or other.values is None else self.values.joined(other.values)
        found, counter = self.found and other.found, self.counter and other.counter
        layout = self.layout if self.layout == other.layout else None
        return ValueBinding(self.local, found, self.ended or other.ended, values, counter, self.asked | other.asked, layout)


@final
@dataclass(frozen=True, slots=True)
class ViewBinding:
    """A name for a place in the packet; `moved` is what moved the packet since."""

    view: HeaderView | PacketView
    moved: Span | None = None


@final
@dataclass(frozen=True, slots=True)
class MixedBinding:
    """A name that is a look-up that can miss on one path and a value on another."""


@final
@dataclass(frozen=True, slots=True)
class PoisonBinding:
    """A name whose assignment was wrong, and reported."""


Binding: TypeAlias = ValueBinding | ViewBinding | MixedBinding | PoisonBinding


_HIDDEN = "^"  # before a name of a caller; one for each call between


@final
@dataclass(frozen=True, slots=True)
class Reservation:
    """A record that was reserved at `span`, and not yet released; `none`: the ring was full, there is none to release."""

    span: Span
    none: bool = False


@final
@dataclass(frozen=True, slots=True)
class Leak:
    """A name whose record is still reserved where it must not be."""

    name: str
    span: Span


@final
@dataclass(slots=True)
class Flow:
    """The state at one point; `bound` has the names that every path to here binds, `headers` what the packet was found to have, `reserved`
    the records that must still be released, `moved` what on some way to here moved the packet, `ended` the maps whose entries may be
    others since the function began."""

    bound: dict[str, Binding] = field(default_factory=dict)
    reachable: bool = True
    headers: frozenset[str] = frozenset()
    reserved: dict[str, Reservation] = field(default_factory=dict)
    moved: Span | None = None
    ended: frozenset[str] = frozenset()

    def give_up(self, names: Iterable[str]) -> None:
        """These names were bound by something that was refused: nothing is said about their uses."""
        self.bound.update(dict.fromkeys(names, PoisonBinding()))

    def copy(self) -> Flow:
        return Flow(dict(self.bound), self.reachable, self.headers, dict(self.reserved), self.moved, self.ended)

    def inside(self, parameters: Mapping[str, Binding]) -> Flow:
        """What is known at the start of a function that is called here: of its parameters; and, hidden, of the names here."""
        bound = {_HIDDEN + name: binding for name, binding in self.bound.items()}
        reserved = {_HIDDEN + name: reservation for name, reservation in self.reserved.items()}
        return Flow({**bound, **parameters}, self.reachable, self.headers, reserved, self.moved, self.ended)

    def outside(self) -> Flow:
        """What is known after the call of the function that ends here, of its caller's names."""
        bound = {name.removeprefix(_HIDDEN): binding for name, binding in self.bound.items() if name.startswith(_HIDDEN)}
        reserved = {name.removeprefix(_HIDDEN): each for name, each in self.reserved.items() if name.startswith(_HIDDEN)}
        return Flow(bound, self.reachable, self.headers, reserved, self.moved, self.ended)

    def learn_found(self, names: Iterable[str]) -> None:
        """These names were asked about and are not None."""
        for name in sorted(names):
            holder, _, class_ = name.partition(":")
            binding = self.bound.get(holder)
            if isinstance(binding, ValueBinding):
                self.bound[holder] = replace(binding, layout=dict(binding.asked).get(class_)) if class_ else replace(binding, found=True)
            self.headers |= self._found_headers(name)

    def learn_values(self, known: Mapping[ir.Local, Interval]) -> None:
        """Integers in these locals are within these bounds, and within what is known of them already."""
        for name, binding in self.bound.items():
            if isinstance(binding, ValueBinding) and binding.local in known:
                values = known[binding.local]
                self.bound[name] = replace(binding, values=values if binding.values is None else values.within(binding.values))

    def ask_class(self, name: str, class_: str, layout: TlvLayout) -> None:
        """The TLV of that name is asked whether it is of a class."""
        binding = self.bound.get(name)
        if isinstance(binding, ValueBinding):
            self.bound[name] = replace(binding, asked=binding.asked | {(class_, layout)})

    def learn_none(self, names: Iterable[str]) -> None:
        """These names were asked about and are None: what could not be reserved needs no release."""
        for name in names:
            if name in self.reserved:
                self.reserved[name] = replace(self.reserved[name], none=True)

    def reserve(self, name: str, span: Span) -> None:
        """The name is a record that was reserved at `span`, or None."""
        if self.reachable:
            self.reserved[name] = Reservation(span)

    def release(self, name: str, span: Span) -> None:
        """The name's record was submitted or discarded at `span`."""
        self.reserved.pop(name, None)
        binding = self.bound.get(name)
        if isinstance(binding, ValueBinding):
            self.bound[name] = replace(binding, ended=span)

    def end_names(self, names: Iterable[str]) -> tuple[Leak, ...]:
        """These names end here; those that still have a record."""
        ended = [(name, self.reserved.pop(name)) for name in names if name in self.reserved]
        return tuple(Leak(name, reservation.span) for name, reservation in ended if not reservation.none)

    def end_path(self) -> tuple[Leak, ...]:
        """The path ends here: in a function that was called, its own names do."""
        return self.end_names([name for name in self.reserved if not name.startswith(_HIDDEN)])

    def _found_headers(self, name: str) -> frozenset[str]:
        """The headers that the packet has where `srh` or `pkt.srh` is not None: an SRH stands in an IPv6 packet."""
        holder, _, header = name.partition(".")
        binding = self.bound.get(holder)
        if not isinstance(binding, ViewBinding):
            return frozenset()
        if isinstance(binding.view, HeaderView):
            header = "" if header or binding.moved else binding.view.header.name
        return IMPLIED.get(header, frozenset())

    def move_packet(self, span: Span) -> None:
        """The packet may have moved at `span`: views of its headers are stale, and it may have others."""
        self.headers = frozenset()
        self.moved = self.moved or span
        for name, binding in self.bound.items():
            if isinstance(binding, ViewBinding) and isinstance(binding.view, HeaderView) and binding.moved is None:
                self.bound[name] = replace(binding, moved=span)
            elif isinstance(binding, ValueBinding) and is_in_packet(binding.local.type) and binding.ended is None:
                self.bound[name] = replace(binding, ended=span)

    def end_views(self, map_name: str, span: Span) -> None:
        """An entry of the map may be another one after `span`: views of the map's entries are stale."""
        self.ended |= {map_name}
        for name, binding in self.bound.items():
            if isinstance(binding, ValueBinding) and _views(binding.local.type) == map_name and binding.ended is None:
                self.bound[name] = replace(binding, ended=span)


def is_tlv_view(type_: Type) -> bool:
    """Whether a value of this type is a TLV in the packet, or None."""
    return isinstance(type_.inner if isinstance(type_, OptionalType) else type_, TlvViewType)


def is_packet_view(type_: Type) -> bool:
    """Whether a value of this type is a header in the packet, or an array of one, or None."""
    return isinstance(type_.inner if isinstance(type_, OptionalType) else type_, PacketViewType)


def is_in_packet(type_: Type) -> bool:
    """Whether a value of this type is a place in the packet, which moves with it, or None."""
    return is_tlv_view(type_) or is_packet_view(type_)


def _views(type_: Type) -> str | None:
    """The map that a value of this type is a view into."""
    inner = type_.inner if isinstance(type_, OptionalType) else type_
    return inner.map if isinstance(inner, ViewType) else None


@final
@dataclass(frozen=True, slots=True)
class LoopEdges:
    """The ways out of a loop's body while it is built. On all of them `plain` names, look-ups that did not miss, become values."""

    plain: frozenset[str]
    continues: list[Flow] = field(default_factory=list)
    breaks: list[Flow] = field(default_factory=list)


@final
@dataclass(frozen=True, slots=True)
class Copy:
    """At the end of an arm, `local` takes the value of `found`, a look-up of the same name that did not miss there."""

    name: str
    local: ir.Local
    found: ir.Local


@final
@dataclass(frozen=True, slots=True)
class Joined:
    """Two arms joined, and what each arm must copy at its end so that a name is in one local after it."""

    flow: Flow
    left: tuple[Copy, ...] = ()
    right: tuple[Copy, ...] = ()
    leaks: tuple[Leak, ...] = ()


def join(left: Flow, right: Flow) -> Joined:
    """What is known after two arms: what both know. An arm that does not reach the end says nothing."""
    if not left.reachable:
        return Joined(right)
    if not right.reachable:
        return Joined(left)
    flow, copies = Flow(headers=left.headers & right.headers, moved=left.moved or right.moved, ended=left.ended | right.ended), ([], [])  # type: tuple[Flow, tuple[list[Copy], list[Copy]]]
    for name, one in left.bound.items():
        other = right.bound.get(name)
        if other is None:
            continue
        flow.bound[name] = _join_binding(one, other)
        if isinstance(one, ValueBinding) and isinstance(other, ValueBinding):
            # `n = m.get(k)` and, where it missed, `n = 0`: two locals of one name.
            if _takes_copy(one, other):
                copies[0].append(Copy(name, other.local, one.local))
            elif _takes_copy(other, one):
                copies[1].append(Copy(name, one.local, other.local))
    flow.reserved, leaks = _join_reserved(left.reserved, right.reserved)
    flow.give_up(leak.name for leak in leaks if leak.name in flow.bound)
    return Joined(flow, tuple(copies[0]), tuple(copies[1]), leaks)


def _join_reserved(left: dict[str, Reservation], right: dict[str, Reservation]) -> tuple[dict[str, Reservation], tuple[Leak, ...]]:
    """What is reserved on both ways. What is so on one alone leaks: after them nobody knows whether to release it."""
    reserved, leaks = {}, []
    for name in (*left, *(name for name in right if name not in left)):
        one, other = left.get(name), right.get(name)
        if one is not None and other is not None:
            reserved[name] = Reservation(one.span if not one.none else other.span, one.none and other.none)
        else:
            alone = one or other
            assert alone is not None
            leaks += [] if alone.none else [Leak(name, alone.span)]
    return reserved, tuple(leaks)


def mixed_names(flows: Iterable[Flow]) -> frozenset[str]:
    """Names that are a look-up that did not miss at the end of one of these, and a value at the end of another."""
    bindings = [(name, binding) for flow in flows if flow.reachable for name, binding in flow.bound.items()]
    values = [(name, binding) for name, binding in bindings if isinstance(binding, ValueBinding)]
    plain = {name for name, binding in values if not isinstance(binding.local.type, OptionalType)}
    return frozenset(name for name, binding in values if name in plain and binding.found and isinstance(binding.local.type, OptionalType))


def _takes_copy(looked_up: ValueBinding, plain: ValueBinding) -> bool:
    return looked_up.found and isinstance(looked_up.local.type, OptionalType) and not isinstance(plain.local.type, OptionalType)


def _join_binding(one: Binding, other: Binding) -> Binding:
    if one == other:
        return one
    if isinstance(one, ViewBinding) and isinstance(other, ViewBinding) and one.view == other.view:
        return replace(one, moved=one.moved or other.moved)
    if isinstance(one, ValueBinding) and isinstance(other, ValueBinding):
        if one.local == other.local:
            return one.joined(other)
        if _takes_copy(one, other):
            return ValueBinding(other.local)
        if _takes_copy(other, one):
            return ValueBinding(one.local)
        return MixedBinding()
    return PoisonBinding() if PoisonBinding() in (one, other) else MixedBinding()
