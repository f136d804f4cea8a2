"""The arguments of a helper, checked by its row before the helper sees them, as the verifier does for the kernel's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, final

from pybpfnf.abi.helpers import Arg, Helper
from pybpfnf.abi.kfuncs import Kfunc
from pybpfnf.records import dataclass
from pybpfnf.runner import FaultKind
from pybpfnf.vm.alu import U64
from pybpfnf.vm.dynptr import DYNPTR_SIZE
from pybpfnf.vm.faults import GuestFault
from pybpfnf.vm.host import Host
from pybpfnf.vm.maps import VmMap
from pybpfnf.vm.memory import Handle, StackFrame

# Helpers whose memory arguments may be packet memory (`pkt_access` in their bpf_func_proto).
_PACKET_READERS = frozenset({"map_lookup_elem", "map_update_elem", "map_delete_elem", "map_push_elem", "csum_diff"})


@final
@dataclass(frozen=True, slots=True)
class Subprogram:
    """What an address taken of a function stands for."""

    slot: int


@final
@dataclass(slots=True)
class _Call:
    """One call while its arguments are unpacked: `map` is the last map among them, to which keys and values belong."""

    host: Host
    helper: Helper | Kfunc
    map: VmMap | None = None

    def refuse(self, message: str) -> GuestFault:
        return GuestFault(FaultKind.HELPER, f"{self.helper.name}: {message}")

    def read(self, address: int, size: int) -> bytes:
        if self.host.packet_holds(address) and self.helper.name not in _PACKET_READERS:
            raise self.refuse("helper access to the packet is not allowed; copy the bytes to the stack first")
        return self.host.memory.read(address, size)

    @property
    def spec_sizes(self) -> tuple[int, int]:
        if self.map is None:
            raise self.refuse("a key or value without a map before it")
        return self.map.spec.key_size, self.map.spec.value_size


Unpack = Callable[[_Call, int, int], Any]  # the call, the argument's register, the next one's


def unpack_arguments(host: Host, helper: Helper | Kfunc, registers: list[int]) -> Iterator[Any]:
    """The arguments as helpers take them: a context as its Skb, a map as a VmMap, keys, values and memory as bytes, memory to be
    written as its address, a function as its slot. Raises GuestFault for one that the verifier would refuse."""
    call = _Call(host, helper)
    for number, kind in enumerate(helper.args, start=1):
        following = registers[number + 1] if number < 5 else 0
        yield UNPACKED[kind](call, registers[number] & U64, following)
    # What the row does not ask for is read only when the helper needs it.
    yield from registers[len(helper.args) + 1 : len(helper.args) + 1 + helper.variadic]


def _context(call: _Call, value: int, _: int) -> Any:
    if call.host.context is None or value != call.host.context.address:
        raise call.refuse("the first argument is not the context that the program was given")
    return call.host.context.skb


def _scalar(call: _Call, value: int, _: int) -> int:
    return value


def _map(call: _Call, value: int, _: int) -> VmMap:
    call.map = call.host.map_at(value)
    return call.map


def _key(call: _Call, value: int, _: int) -> bytes:
    return call.read(value, call.spec_sizes[0])


def _value(call: _Call, value: int, _: int) -> bytes:
    return call.read(value, call.spec_sizes[1])


def _value_out(call: _Call, value: int, _: int) -> int:
    call.host.memory.check_writable(value, call.spec_sizes[1])
    return value


def _memory(call: _Call, value: int, size: int) -> bytes:
    return call.read(value, size & U64) if size else b""


def _memory_out(call: _Call, value: int, size: int) -> int:
    if size:
        call.host.memory.check_writable(value, size & U64)
    return value


def _size(call: _Call, value: int, _: int) -> int:
    if value == 0:
        raise call.refuse("invalid zero-sized read")
    return value


def _function(call: _Call, value: int, _: int) -> int:
    region = call.host.memory.region(value)
    if isinstance(region, Handle) and isinstance(region.object, Subprogram):
        return region.object.slot
    raise call.refuse(f"expected a function and got {region.name}")


def _record(call: _Call, value: int, _: int) -> int:
    if value not in call.host.records:
        raise call.refuse("not the address of a record that is still reserved")
    return value


def _iterator_out(call: _Call, value: int, _: int) -> int:
    """Memory of the stack: where nothing else can change what is counted."""
    if value % 8 or value in call.host.iterators or not isinstance(call.host.memory.region(value), StackFrame):
        raise call.refuse("expected 8 aligned bytes of the stack that hold no other iterator")
    call.host.memory.check_writable(value, 8)
    return value


def _iterator(call: _Call, value: int, _: int) -> int:
    if value not in call.host.iterators:
        raise call.refuse("expected an initialized iterator")
    return value


def _dynptr_out(call: _Call, value: int, _: int) -> int:
    """Nothing is to be lost by it that must be given back."""
    if value % 8 or not isinstance(call.host.memory.region(value), StackFrame):
        raise call.refuse(f"expected {DYNPTR_SIZE} aligned bytes of the stack")
    call.host.memory.check_writable(value, DYNPTR_SIZE)
    before = call.host.dynptrs.at(value)
    if before is not None and before.reference:
        raise call.refuse("a dynamic pointer to a reserved record would be overwritten")
    return value


def _dynptr(call: _Call, value: int, _: int) -> int:
    if call.host.dynptrs.at(value) is None:
        raise call.refuse("expected an initialized dynptr")
    return value


UNPACKED: Mapping[Arg, Unpack] = {
    Arg.CTX: _context,
    Arg.SCALAR: _scalar,
    Arg.MAP: _map,
    Arg.MAP_KEY: _key,
    Arg.MAP_VALUE: _value,
    Arg.MAP_VALUE_OUT: _value_out,
    Arg.MEM: _memory,
    Arg.MEM_OR_NULL: _memory,
    Arg.MEM_OUT: _memory_out,
    Arg.SIZE: _size,
    Arg.SIZE_OR_ZERO: _scalar,
    Arg.FUNC: _function,
    Arg.STACK_OR_NULL: _scalar,
    Arg.RECORD: _record,
    Arg.ITERATOR_OUT: _iterator_out,
    Arg.ITERATOR: _iterator,
    Arg.DYNPTR_OUT: _dynptr_out,
    Arg.DYNPTR: _dynptr,
    Arg.OTHER: _scalar,
}
