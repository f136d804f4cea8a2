"""A session for the hooks of devices, XDP and traffic control, which have test runs: BPF_PROG_TEST_RUN, on a device of its own.

A test run shows the verdict and the frame, and sends nothing: where a redirected frame would go is not seen.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self, final

from pybpfnf.abi.codec import make
from pybpfnf.abi.contexts import SK_BUFF, XDP_MD
from pybpfnf.abi.headers import ETHER_TYPES, HEADERS
from pybpfnf.abi.programs import PROGRAM_TYPES
from pybpfnf.errors import SystemLacksError
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.kernel import links, wrapper
from pybpfnf.kernel.attrs import LinkCreate
from pybpfnf.kernel.bpf import Command, Fd, bpf, explained
from pybpfnf.kernel.cpus import checked_cpu, on_cpu
from pybpfnf.kernel.links import IFF_UP
from pybpfnf.kernel.load import load_program, program_type
from pybpfnf.kernel.netlink import Netlink
from pybpfnf.kernel.netns import Namespace
from pybpfnf.kernel.trial import TrialRun, trial_run
from pybpfnf.kernel.watched import watched
from pybpfnf.runner import Environment, Outcome

_MAC, _PEER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
_ETHERNET, _MACS = 14, 12
_LONGEST = 3520  # bytes: what a page has for a frame (net/bpf/test_run.c, bpf_test_init)
_XDP, _TC = PROGRAM_TYPES["xdp"], PROGRAM_TYPES["sched_cls"]
_BPF_XDP, _DRIVER = 37, 1 << 2  # enum bpf_attach_type; XDP_FLAGS_DRV_MODE
_TAG = ("mark", "vlan_present", "vlan_tci", "vlan_proto")
_WORD = struct.Struct("=I")
_HEADERS = {ETHER_TYPES[name].to_bytes(2, "big"): HEADERS[name].size for name in ("ipv4", "ipv6")}
_XDP_GOES_ON = frozenset(_XDP.verdicts[name] for name in ("PASS", "TX"))
_TC_ENDS = frozenset(_TC.verdicts[name] for name in ("SHOT", "STOLEN", "TRAP", "REDIRECT"))  # all others leave it to the next classifier


@final
class TrialSession:
    """One loaded program, and a device with the index that frames come in by."""

    def __init__(self, image: ObjectImage, program: ProgramImage, environment: Environment, *, exact: bool) -> None:
        """`exact`: load a program of traffic control as it is; a VLAN tag that it puts beside the frame is not seen then."""
        self.image = image
        self.program = program
        self._type = program_type(program)
        self._environment = environment
        self._cpu = checked_cpu(environment.cpu)
        with ExitStack() as stack:
            self._watched = stack.enter_context(watched(image, program, exact=exact or self._type is _XDP, fields=_TAG))
            self.maps = self._watched.maps
            self._device = stack.enter_context(_device(environment.ifindex))
            self._stack = stack.pop_all()

    def run(self, packet: bytes) -> Outcome:
        """Run on one frame, given from its Ethernet header on."""
        if len(packet) < _ETHERNET:
            return Outcome(None, None, False, reason=f"{len(packet)} bytes are less than an Ethernet header", runs=0)
        if len(packet) > _LONGEST:
            raise SystemLacksError(f"the kernel's test run takes no frame of {len(packet)} bytes", hint=f"the longest is {_LONGEST}")
        if self._type is _TC and len(packet) < _ETHERNET + _HEADERS.get(packet[_MACS:_ETHERNET], 0):
            raise SystemLacksError("the kernel's test run takes no IP packet shorter than its header", hint="leave it out, or use the VM")
        result = self._run(packet)
        frame, mark = self._left(result)
        goes_on = self._goes_on(result.value)
        return Outcome(
            verdict=result.value,
            packet=frame if goes_on else None,
            forwarded=goes_on,
            reason=None if goes_on else self._reason(result.value),
            events=self._watched.take_events(),
            log=self._watched.take_log(),
            mark=mark,
        )

    def run_many(self, packets: Sequence[bytes]) -> list[Outcome]:
        return [self.run(packet) for packet in packets]

    def _run(self, packet: bytes) -> TrialRun:
        context = bytearray(self._type.context.size)
        if self._type is _XDP:
            _put(context, XDP_MD.fields["data_end"].offset, len(packet))
        else:
            self._device.receive_for(packet[:6])
            _put(context, SK_BUFF.fields["mark"].offset, self._environment.mark)
            _put(context, SK_BUFF.fields["ifindex"].offset, self._environment.ifindex)
        fields = self._type.context.fields
        _put(context, fields["ingress_ifindex"].offset, self._environment.ifindex)
        with self._device.namespace.entered(), on_cpu(self._cpu):
            return trial_run(self._watched.loaded, packet, context=bytes(context))

    def _left(self, result: TrialRun) -> tuple[bytes, int]:
        """The frame, with the VLAN tag that is beside it, and the mark."""
        if self._type is _XDP:
            return result.data[_get(result.context, XDP_MD.fields["data"].offset) :], 0
        mark = _get(result.context, SK_BUFF.fields["mark"].offset)
        if self._watched.results is None:
            return result.data, mark
        _, present, tci, protocol = wrapper.read_results(self._watched.results).fields
        tag = protocol.to_bytes(4, "little")[:2] + tci.to_bytes(2, "big") if present else b""
        return result.data[:_MACS] + tag + result.data[_MACS:], mark

    def _goes_on(self, verdict: int) -> bool:
        return verdict in _XDP_GOES_ON if self._type is _XDP else verdict not in _TC_ENDS

    def _reason(self, verdict: int) -> str:
        name = next((name for name, number in self._type.verdicts.items() if number == verdict), f"{verdict}, which is no verdict")
        return f"the program returned {name}"

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


@final
class _Device:
    """A device in a namespace, which takes the address that a frame is for."""

    def __init__(self, namespace: Namespace, netlink: Netlink, index: int) -> None:
        self.namespace = namespace
        self._netlink = netlink
        self._index = index
        self._address = b""

    def receive_for(self, address: bytes) -> None:
        """An address of several is nobody's own, and neither is that of zeros."""
        if address != self._address and not address[0] & 1 and any(address):
            links.set_address(self._netlink, self._index, address)
            self._address = address


@contextmanager
def _device(index: int) -> Iterator[_Device]:
    """It has an XDP program, without which a veth has no receive queue for a test run to name (drivers/net/veth.c, veth_enable_xdp)."""
    with ExitStack() as stack:
        namespace = stack.enter_context(Namespace())
        with namespace.entered():
            netlink = stack.enter_context(Netlink())
            links.add_veth(netlink, "in0", index, "feed0", index + 1, mac=_MAC, peer_mac=_PEER_MAC)
            for each in (index, index + 1):
                links.set_flags(netlink, each, IFF_UP, IFF_UP)
            stack.enter_context(_attached(index))
        yield _Device(namespace, netlink, index)


def _attached(index: int) -> Fd:
    code = (make("mov64_imm", dst=0, imm=_XDP.verdicts["PASS"]), make("exit"))
    passing = ProgramImage("pass", "xdp", "xdp", code)
    with load_program(ObjectImage((passing,), {}, "GPL"), passing) as loaded:
        try:
            return Fd(bpf(Command.LINK_CREATE, LinkCreate(loaded.fd.number, index, _BPF_XDP, _DRIVER)))
        except OSError as error:
            raise explained("attach an XDP program to a device", error) from None


def _put(context: bytearray, offset: int, value: int) -> None:
    _WORD.pack_into(context, offset, value)


def _get(context: bytes, offset: int) -> int:
    value: int = _WORD.unpack_from(context, offset)[0]
    return value
