"""`load`: a program in the kernel for as long as this process wants it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self, final

from pybpfnf.image.model import ProgramImage
from pybpfnf.kernel.attach import Destination
from pybpfnf.kernel.binding import Where, parse_destination, plan, unbind
from pybpfnf.kernel.events import with_readers
from pybpfnf.kernel.info import ProgramInfo
from pybpfnf.kernel.links import MAIN_TABLE
from pybpfnf.kernel.load import LoadedProgram, load_program, program_type
from pybpfnf.kernel.netlink import Netlink
from pybpfnf.live import Live
from pybpfnf.live.changes import without_entries
from pybpfnf.targets import Target, prepare


@final
class Loaded(Live):
    """A program in the kernel: its maps and variables, by the same names as in the VM. A context manager.

    What `attach` binds here ends with it; `pybpfnf.attach` makes bindings that outlive the process.
    """

    def __init__(self, loaded: LoadedProgram) -> None:
        self._loaded = loaded
        self._stack = ExitStack()
        self._stack.enter_context(loaded)
        super().__init__(loaded.image, with_readers(loaded.maps, self._stack))

    @property
    def program(self) -> ProgramImage:
        return self._loaded.program

    def info(self) -> ProgramInfo:
        """The kernel's id, tag and sizes of the program, and its run counts where statistics are on."""
        return self._loaded.info()

    def attach(
        self,
        destination: Destination,
        *,
        dev: str | None = None,
        via: str | None = None,
        headroom: int | None = None,
        table: int | None = None,
    ) -> None:
        """Bind a destination (an address or a prefix) to the program in this network namespace, until this is closed.

        As `pybpfnf.attach` does: a SID on the device `dev`, or for the other hooks a route, which is as it was afterwards.
        """
        where = Where(parse_destination(str(destination)), MAIN_TABLE if table is None else table, dev, via, headroom)
        self._stack.enter_context(_bound(self._loaded, where))

    def close(self) -> None:
        """Unbind and unload."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


@contextmanager
def _bound(loaded: LoadedProgram, where: Where) -> Iterator[None]:
    """A route to the program while the block runs, in the network namespace in which it began."""
    with Netlink() as netlink:
        planned = plan(netlink, program_type(loaded.program).name, where)
        route = planned.bind(loaded.fd, loaded.info().id, loaded.program.name)
        try:
            yield
        finally:
            unbind(netlink, route, known=True, original=planned.original)


def load(
    target: Target,
    *,
    program: str | None = None,
    type: str | None = None,  # noqa: A002 the word of the command line
    config: Mapping[str, object] | None = None,
    **values: object,
) -> Loaded:
    """Load a program into the running kernel (root). What `simulate` is for the VM.

    Its Config comes by name, in `config` or as keywords of their own. Raises VerifierError where the kernel refuses it,
    SystemLacksError, InputError, CompileError.
    """
    variables, entries = without_entries({**(config or {}), **values})
    prepared = prepare(target, variables, program=program, type_name=type)
    loaded = Loaded(load_program(prepared.image, prepared.program))
    try:
        loaded.update(entries)
    except BaseException:
        loaded.close()
        raise
    return loaded
