"""Programs as an author makes them: a decorator for each hook, and the verdicts that a function returns."""

from __future__ import annotations

from collections.abc import Callable
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, final, overload

from pybpfnf.abi.programs import PROGRAM_TYPES, ProgramType
from pybpfnf.dsl.surface.definitions import DefinitionError, NotCompiledError
from pybpfnf.dsl.surface.packets import Seg6Packet, Verdict
from pybpfnf.dsl.surface.route_packets import LwtInPacket, LwtOutPacket, LwtXmitPacket

P = TypeVar("P")

OK: Final = Verdict.OK
DROP: Final = Verdict.DROP
REDIRECT: Final = Verdict.REDIRECT
REROUTE: Final = Verdict.REROUTE


class Program:
    """One network function: a Python function bound to a hook by its decorator. It is compiled when it is built, run or loaded."""

    def __init__(self, function: FunctionType, hook: Hook[Any], on_fault: Verdict, license: str) -> None:  # noqa: A002 as in the object
        self.function = function
        self.hook = hook
        self.on_fault = on_fault
        self.license = license
        self.name: str = function.__name__
        self.doc = function.__doc__ or ""
        self.__doc__ = self.doc
        self.__name__ = self.name
        self.__module__ = function.__module__
        self.__wrapped__ = function

    @property
    def type(self) -> ProgramType:
        """The hook's row."""
        return PROGRAM_TYPES[self.hook.name]

    def __repr__(self) -> str:
        return f"<{self.hook.name} program {self.name}>"

    if not TYPE_CHECKING:

        def __call__(self, *_args: object, **_keywords: object) -> None:
            """A program runs on packets, not on Python values."""
            raise NotCompiledError(
                f"{self.name} is a network function: it is compiled, not called",
                hint=f"run it with pybpfnf.run({self.name}, packet), or `pybpfnf run FILE.py IN.pcap`",
            )


@final
class HookProgram(Program, Generic[P]):
    """A program as a decorator gives it: to a type checker, one of a hook with packets of type P is none of another hook."""

    hook: Hook[P]


class Hook(Generic[P]):
    """The decorator of one hook: `@seg6local`, or `@seg6local(on_fault=OK, license="GPL")`.

    `on_fault` is the verdict where the function faults; `license` becomes the object's.
    """

    def __init__(self, name: str, packet: type[P], on_fault: Verdict | None, doc: str) -> None:
        self.name = name
        self.packet = packet
        self._on_fault = on_fault
        self.__doc__ = doc

    @overload
    def __call__(self, function: Callable[[P], Verdict], /) -> HookProgram[P]: ...
    @overload
    def __call__(self, *, on_fault: Verdict = ..., license: str = ...) -> Callable[[Callable[[P], Verdict]], HookProgram[P]]: ...
    def __call__(
        self,
        function: Callable[[P], Verdict] | None = None,
        *,
        on_fault: Verdict | None = None,
        license: str = "GPL",  # noqa: A002 as in the object
    ) -> HookProgram[P] | Callable[[Callable[[P], Verdict]], HookProgram[P]]:
        verdict = self._checked(on_fault if on_fault is not None else self._default())
        if not isinstance(license, str):
            raise DefinitionError(f"{self!r}: the license {license!r} is no string", code="arguments", hint='write license="GPL"')

        def decorate(function: Callable[[P], Verdict]) -> HookProgram[P]:
            if not isinstance(function, FunctionType):
                raise DefinitionError(f"{self!r} decorates a plain function, not {function!r}", hint="write one decorator above `def`")
            if function.__code__.co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR) or function.__name__ == "<lambda>":
                raise DefinitionError(
                    f"a network function is a plain function: {self!r} takes no lambda and no `async def`",
                    code="unsupported",
                    hint="write it with `def`",
                )
            return HookProgram(function, self, verdict, license)

        return decorate if function is None else decorate(function)

    def __repr__(self) -> str:
        return f"@{self.name.removeprefix('lwt_')}"

    def _default(self) -> Verdict:
        if self._on_fault is None:
            message = f"the verdict of a fault is missing from {self!r}: other people's packets go by this route"
            raise DefinitionError(message, code="arguments", hint=f"write {self!r}(on_fault=OK) or {self!r}(on_fault=DROP)")
        return self._on_fault

    def _checked(self, on_fault: Verdict) -> Verdict:
        if not isinstance(on_fault, Verdict):
            raise DefinitionError(f"{self!r}: on_fault {on_fault!r} is no verdict", hint="write on_fault=OK or on_fault=DROP")
        if on_fault.value not in PROGRAM_TYPES[self.name].verdicts.values():
            raise DefinitionError(
                f"on_fault of {self!r}: the hook has no verdict {on_fault.name}", code="not-here", hint="write on_fault=DROP"
            )
        return on_fault


@final
class RouteHook(Hook[P]):
    """The decorator of a route's hook: `@lwt_in(on_fault=OK)`. `on_fault` must be written."""

    if TYPE_CHECKING:

        def __call__(  # type: ignore[override]  # it asks for more than the others
            self,
            *,
            on_fault: Verdict,
            license: str = ...,  # noqa: A002
        ) -> Callable[[Callable[[P], Verdict]], HookProgram[P]]: ...

    def __repr__(self) -> str:
        return f"@{self.name}"


seg6local: Hook[Seg6Packet] = Hook(
    "lwt_seg6local",
    Seg6Packet,
    DROP,
    """A function bound to a local SID (End.BPF). It runs after the kernel has checked the SRH and moved to the next segment.

It may write the SRH's flags, tag and TLVs, and run seg6 actions. Returns OK (look the destination up), DROP, or REDIRECT (go
where an action chose). `on_fault` is DROP unless given.
""",
)

lwt_in: RouteHook[LwtInPacket] = RouteHook(
    "lwt_in",
    LwtInPacket,
    None,
    """A function at the input of a route: for packets received that match it, IPv6 or IPv4, before they are forwarded.

It may put an encapsulation on them. Returns OK (go on; after `push_encap` by the new route), REROUTE (look the destination up
again), or DROP. `on_fault` must be given: a fault of the function is other people's packet.
""",
)

lwt_out: RouteHook[LwtOutPacket] = RouteHook(
    "lwt_out",
    LwtOutPacket,
    None,
    """A function at the output of a route: for packets that leave by it, those made here included. It may read, count and drop.

Returns OK or DROP. `on_fault` must be given.
""",
)

lwt_xmit: RouteHook[LwtXmitPacket] = RouteHook(
    "lwt_xmit",
    LwtXmitPacket,
    None,
    """A function at the transmission of a route, just before the link layer: for packets that leave by it, those made here included.

It may put an IP header in front. Returns OK, REROUTE (look the destination up again), or DROP. `on_fault` must be given.
""",
)
