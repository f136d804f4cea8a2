"""The exceptions that callers may catch; nothing else is part of the contract.

    Error                      anything below; its text is one clear message for a user
    |-- InputError             something given cannot be read or used (a file, an option, a value); exit status 2
    |   `-- ObjectError        bytes that are not a usable BPF object
    |-- CompileError           the author's program is wrong; carries its diagnostics; exit status 1
    |-- VerifierError          the kernel's verifier refused a program; carries its diagnostic; exit status 1
    |-- ControlError         a function's `control` failed; carries what it raised as its cause; exit status 1
    |-- SystemLacksError       the running system lacks something, which the text names; exit status 3
    |-- KernelError            a system call or netlink request failed; carries `errno`; exit status 3
    `-- InternalError          our own bug; never raised for anything a user wrote; exit status 70

What a *guest* program does wrong while it runs is no exception: it is `Outcome.fault` (pybpfnf.runner).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pybpfnf.diagnostics import Diagnostic


class Error(Exception):
    """A failure with one clear message; `exit_status` is what the command line ends with."""

    exit_status = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(Error):
    """Something that the user gave cannot be read or used."""


class ObjectError(InputError):
    """These bytes are not an ELF object with BPF programs that we can use."""


class CompileError(Error):
    """The author's program is wrong; `diagnostics` says where and why, at least one."""

    exit_status = 1

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("\n".join(diagnostic.headline() for diagnostic in diagnostics))
        self.diagnostics = tuple(diagnostics)


class VerifierError(Error):
    """The kernel refused a program; `log` is the verifier's whole log, `diagnostic` its reading at the source line."""

    exit_status = 1

    def __init__(self, diagnostic: Diagnostic, log: str) -> None:
        super().__init__(diagnostic.headline())
        self.diagnostic = diagnostic
        self.log = log


class ControlError(Error):
    """A function's own `control` raised an exception, which is the cause of this one."""

    exit_status = 1


class SystemLacksError(Error):
    """The running system lacks what was asked for (root, bpffs, seg6 support, a tool)."""

    exit_status = 3


class KernelError(Error):
    """A system call or netlink request failed; `errno` is the kernel's number, positive."""

    exit_status = 3

    def __init__(self, message: str, *, errno: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.errno = errno


class InternalError(Error):
    """A bug of pybpfnf itself, with what is needed to report it."""

    exit_status = 70
