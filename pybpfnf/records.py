"""`dataclass(frozen=..., slots=...)` as in the standard library, but each method is compiled when it is first called.

The standard library compiles six methods when a frozen class is made, half a millisecond; a command makes 170 classes and calls few of
them. Records do not inherit from one another, and know the field options `default` and `default_factory` alone.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen=False, slots=False):
        """As the standard library's decorator with these arguments."""
        return lambda cls: _record(cls, frozen, slots)


@final
class _Factory:
    """The default of a parameter whose field has a default_factory."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()


def _record(cls: type, frozen: bool, slots: bool) -> Any:
    if not cls.__doc__:
        cls.__doc__ = f"{cls.__name__}({', '.join(cls.__annotations__)})"  # else the decorator compiles a signature for it
    own = frozenset(cls.__dict__)
    record: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
    record.__dataclass_params__.frozen = frozen
    record.__signature__ = _Signature()
    for name in _SOURCES:
        if name not in own and (frozen or name != "__hash__"):
            setattr(record, name, _compiled_when_called(record, name))
    for name, method in (_FROZEN if frozen else _OPEN).items():
        if name not in own:
            setattr(record, name, method)
    return record


# --------------------------------------------------------------------------------------- methods for each class, compiled


def _compiled_when_called(record: Any, name: str) -> Callable[..., Any]:
    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        compiled = _compiled(record, name)
        setattr(record, name, compiled)
        return compiled(self, *arguments, **named)

    return method


def _compiled(record: Any, name: str) -> Callable[..., Any]:
    known: dict[str, Any] = {"_put": object.__setattr__, "_FACTORY": _FACTORY}
    exec(_SOURCES[name](record, known), known)  # text made of the names of fields alone
    method: Callable[..., Any] = known[name]
    method.__qualname__ = f"{record.__qualname__}.{name}"
    return method


@final
class _Signature:
    """What `help()` and `inspect.signature` ask a class for."""

    def __get__(self, _instance: object, record: Any) -> inspect.Signature:
        own = inspect.signature(_compiled(record, "__init__"))
        parameters = list(own.parameters.values())[1:]
        return own.replace(parameters=[each.replace(annotation=record.__annotations__[each.name]) for each in parameters])


def _init_source(record: Any, known: dict[str, Any]) -> str:
    """Defaults go by name to `known`, the function's globals."""
    parameters, lines = [], []
    frozen = record.__dataclass_params__.frozen
    for field in dataclasses.fields(record):
        name, value = field.name, field.name
        if field.default_factory is not dataclasses.MISSING:
            known[f"_make_{name}"] = field.default_factory
            parameters.append(f"{name}=_FACTORY")
            value = f"_make_{name}() if {name} is _FACTORY else {name}"
        elif field.default is not dataclasses.MISSING:
            known[f"_default_{name}"] = field.default
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        lines.append(f" _put(self, {name!r}, {value})" if frozen else f" self.{name} = {value}")
    if hasattr(record, "__post_init__"):
        lines.append(" self.__post_init__()")
    return "\n".join([f"def __init__(self, {', '.join(parameters)}):", *(lines or [" pass"])])


def _values(record: Any, of: str) -> str:
    """A tuple of the fields' values, as an expression."""
    return f"({''.join(f'{of}.{field.name}, ' for field in dataclasses.fields(record))})"


def _eq_source(record: Any, _known: dict[str, Any]) -> str:
    same = f"{_values(record, 'self')} == {_values(record, 'other')}"
    return f"def __eq__(self, other):\n return {same} if other.__class__ is self.__class__ else NotImplemented"


def _hash_source(record: Any, _known: dict[str, Any]) -> str:
    return f"def __hash__(self):\n return hash({_values(record, 'self')})"


_SOURCES: Mapping[str, Callable[[Any, dict[str, Any]], str]] = {
    "__init__": _init_source,
    "__eq__": _eq_source,
    "__hash__": _hash_source,
}


# --------------------------------------------------------------------------------------------- methods that all classes share


@recursive_repr()
def _repr(self: Any) -> str:
    values = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self))
    return f"{type(self).__qualname__}({values})"


def _refuse_assignment(self: Any, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deletion(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_FROZEN: Mapping[str, Any] = {
    "__repr__": _repr,
    "__setattr__": _refuse_assignment,
    "__delattr__": _refuse_deletion,
    "__getstate__": _state,
    "__setstate__": _set_state,
}
_OPEN: Mapping[str, Any] = {"__repr__": _repr, "__hash__": None}
