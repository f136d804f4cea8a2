"""How a guest's fault travels inside the VM, and what an unset register is. Neither leaves the package: outside, a fault is data."""

from __future__ import annotations

from typing import Any, NoReturn, final

from pybpfnf.runner import FaultKind


@final
class GuestFault(Exception):  # noqa: N818 (the word of runner.Fault)
    """The running program did what the verifier would have refused; the machine turns this into a `runner.Fault`."""

    def __init__(self, kind: FaultKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@final
class Unset:
    """What a register holds that has no value. Any use of it as an operand is a fault.

    Registers hold plain integers, so that the fast path asks nothing; this stands in for them and refuses every operator
    that the instructions use.
    """

    __slots__ = ("_message",)

    def __init__(self, message: str) -> None:
        self._message = message

    def _refuse(self, *_: object) -> NoReturn:
        raise GuestFault(FaultKind.MEMORY, self._message)

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = __invert__ = _refuse
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = _refuse
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __lt__ = __le__ = __gt__ = __ge__ = __index__ = __bool__ = _refuse
    __eq__ = __ne__ = _refuse
    __hash__ = None  # type: ignore[assignment]


_CALLER_SAVED = "r{} is read after a call, which leaves r1 to r5 unset"
_UNWRITTEN = "r{} is read before anything was written to it"

# Typed as Any: to a type checker a register is an integer.
UNWRITTEN: tuple[Any, ...] = tuple(Unset(_UNWRITTEN.format(number)) for number in range(11))
AFTER_CALL: tuple[Any, ...] = tuple(Unset(_CALLER_SAVED.format(number)) for number in range(1, 6))
NO_RESULT: Any = Unset("r0 is read after a helper that has no result")
