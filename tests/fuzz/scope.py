"""What a generated function can name at one point, and what it makes of the random numbers: shared by all productions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias, TypeVar, final

from pybpfnf.dsl.types import ADDRESS, BOOL, INT_TYPES, S64, IntType, ValueType

T = TypeVar("T")
Weighted: TypeAlias = Sequence[tuple[int, Callable[..., T]]]
"""Productions with their weights. One that does not apply where it is tried gives None."""

INTEGERS: tuple[IntType, ...] = tuple(INT_TYPES.values())
SHARED_UPDATES = ("+", "-", "&", "|", "^")  # `op=` on memory that CPUs share takes 32 or 64 bits with these
OPERATORS = (*SHARED_UPDATES, "*", "//", "%", "<<", ">>")
_TRIES = 12


@final
@dataclass(frozen=True, slots=True)
class Global:
    """A Config or State of the module. `kind` is its constructor's name."""

    name: str
    kind: str
    type: ValueType
    initial: str


@final
@dataclass(frozen=True, slots=True)
class Store:
    """A map of the module. `kind` is its constructor's name, `key` None for arrays."""

    name: str
    kind: str
    value: ValueType
    size: int
    key: ValueType | None = None
    default: str | None = None

    @property
    def sparse(self) -> bool:
        """Whether a key may be missing."""
        return self.key is not None

    @property
    def shared(self) -> bool:
        return "PerCpu" not in self.kind

    @property
    def is_trie(self) -> bool:
        """Whether it is asked for addresses, and stores under prefixes."""
        return self.kind == "LpmTrie"


@final
@dataclass(frozen=True, slots=True)
class Callee:
    """A function that others call, its first parameter the packet. `result` None: it gives nothing; `optional`: or None.

    `moves`: it may move the packet, and is called where nothing else of the statement reads it. `apart`: it is a subprogram.
    """

    name: str
    parameters: tuple[ValueType, ...]
    result: ValueType | None
    optional: bool
    moves: bool
    apart: bool


@final
@dataclass(frozen=True, slots=True)
class Looker:
    """A function of a header: it takes a view of a `kind`, or None where it is `optional`, and gives a value. Without a `result` it
    gives the view itself."""

    name: str
    kind: str
    optional: bool
    result: ValueType | None = None


@final
@dataclass(slots=True)
class Scope:
    """The random numbers, the module's names, and the locals that every path to here has bound."""

    random: Random
    globals: tuple[Global, ...]
    stores: tuple[Store, ...]
    locals: dict[str, ValueType] = field(default_factory=dict)
    literal_only: set[str] = field(default_factory=set)  # locals that are s64 because nothing but literals is assigned
    lookups: dict[str, ValueType] = field(default_factory=dict)  # results of `get` that may be None here
    fresh_srh: set[str] = field(default_factory=set)  # names for pkt.srh that no move of the packet has made stale
    counters: dict[str, tuple[int, int]] = field(default_factory=dict)  # of loops over constants, with their least and greatest value
    loops: int = 0  # around this place
    raw: bool = False  # bytes are read by their place, also the SRH's length, which the kernel writes only some time after an append
    callees: tuple[Callee, ...] = ()
    choosers: tuple[str, ...] = ()  # functions of an integer that give a Record of their own, a copy of an entry, or None
    lookers: tuple[Looker, ...] = ()
    calls: int = 3  # that may still be made: each has all that the function has
    of: Callee | None = None  # the function that this is, None for the program
    _count: list[int] = field(default_factory=lambda: [0])

    def fresh(self, prefix: str) -> str:
        self._count[0] += 1
        return f"{prefix}{self._count[0]}"

    @property
    def may_move(self) -> bool:
        """Whether the packet may move here: not in a function that is called in the middle of an expression."""
        return not self.raw and (self.of is None or self.of.moves)

    def inside(self, callee: Callee) -> Scope:
        """The scope of a function: it has the names of the module, and calls those before it."""
        mine = Scope(self.random, self.globals, self.stores, raw=self.raw, callees=self.callees, calls=1, of=callee)
        mine._count = self._count
        return mine

    def chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    def pick(self, items: Iterable[T]) -> T | None:
        choices = list(items)
        return self.random.choice(choices) if choices else None

    def produce(self, productions: Weighted[T | None], *arguments: object) -> T | None:
        """What one of the productions makes, chosen by weight; None where several in turn do not apply."""
        weights = [weight for weight, _ in productions]
        for _ in range(_TRIES):
            ((_, production),) = self.random.choices(productions, weights)
            made = production(self, *arguments)
            if made is not None:
                return made
        return None

    def values_of(self, type_: ValueType) -> list[str]:
        """Names that can be read as that type."""
        return [name for name, of in self.locals.items() if of == type_] + [each.name for each in self.globals if each.type == type_]

    @contextmanager
    def arm(self) -> Iterator[None]:
        """One arm of a branch: what it binds is forgotten; what it does to the packet is not."""
        before = dict(self.locals), set(self.literal_only), dict(self.lookups), dict(self.counters)
        fresh_srh, loops = set(self.fresh_srh), self.loops
        yield
        self.locals, self.literal_only, self.lookups, self.counters = before
        self.fresh_srh &= fresh_srh
        self.loops = loops


def narrower(type_: IntType) -> list[IntType]:
    """The types that go with `type_` and give it: itself, narrower ones of its sign, and narrower unsigned ones where it is signed."""
    return [other for other in INTEGERS if type_.holds(other.minimum) and type_.holds(other.maximum)]


def partners(type_: IntType) -> list[IntType]:
    """The types that `type_` can be mixed with at all."""
    return [other for other in INTEGERS if type_ in narrower(other) or other in narrower(type_)]


def any_integer(scope: Scope) -> IntType:
    return scope.random.choice(INTEGERS)


def any_type(scope: Scope) -> ValueType:
    """Integers mostly; the literal-only type a little more."""
    return scope.random.choices((any_integer(scope), BOOL, ADDRESS, S64), (12, 2, 1, 2))[0]
