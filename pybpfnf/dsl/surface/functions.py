"""`@func`: a function that network functions call."""

from __future__ import annotations

from collections.abc import Callable
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from types import FunctionType
from typing import Generic, ParamSpec, TypeVar, final, overload

from pybpfnf.dsl.surface.definitions import DefinitionError

P = ParamSpec("P")
R = TypeVar("R")


@final
class Func(Generic[P, R]):
    """A function that `func` decorated. Network functions call it; ordinary Python does too, and then it is the plain function:
    its integers have no width, and a packet has no meaning."""

    def __init__(self, function: Callable[P, R], *, inline: bool) -> None:
        if not isinstance(function, FunctionType):
            raise DefinitionError(f"@func decorates a plain function, not {function!r}", hint="write it above `def`, below nothing else")
        odd = CO_COROUTINE | CO_ASYNC_GENERATOR | CO_GENERATOR
        if function.__code__.co_flags & odd or function.__name__ == "<lambda>":
            message = "@func takes no lambda, no generator and no `async def`"
            raise DefinitionError(message, code="unsupported", hint="write it with `def`, and `return` its result")
        self.function: FunctionType = function
        self.inline = inline
        self.name: str = function.__name__
        self.__doc__ = function.__doc__
        self.__name__ = self.name
        self.__module__ = function.__module__
        self.__wrapped__: Callable[P, R] = function

    def __call__(self, *args: P.args, **keywords: P.kwargs) -> R:
        return self.__wrapped__(*args, **keywords)

    def __repr__(self) -> str:
        return f"<function {self.name}>"


@overload
def func(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def func(*, inline: bool = ...) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def func(function: Callable[P, R] | None = None, /, *, inline: bool = True) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """A function that network functions call: `@func`. Its parameters and its result are annotated.

    It becomes part of each function that calls it, with what is known at the call. With `inline=False` it is there once, as a
    subprogram, for all that call it in one hook: the object is smaller, each call takes longer, and of what it is given the types are
    known alone.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        return Func(function, inline=inline)

    return decorate if function is None else decorate(function)
