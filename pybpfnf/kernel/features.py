"""What the running system has of what this package needs, tried out; for messages, and for the reasons of skipped tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from ipaddress import IPv6Address
from typing import final

from pybpfnf.abi.codec import make
from pybpfnf.errors import Error
from pybpfnf.image.model import ObjectImage, ProgramImage
from pybpfnf.kernel import bpffs, seg6
from pybpfnf.kernel.load import load_program
from pybpfnf.kernel.netns import Namespace
from pybpfnf.kernel.runner import KernelRunner
from pybpfnf.records import dataclass
from pybpfnf.runner import Environment, HmacKey


def _nothing(hook: str) -> ObjectImage:
    """An object with a program of this type that lets each packet go on."""
    return ObjectImage((ProgramImage("nothing", hook, hook, (make("mov64_imm", imm=0), make("exit"))),), {}, "GPL")


@final
@dataclass(frozen=True, slots=True)
class Feature:
    """`try_out` raises an Error that names what is missing."""

    name: str
    summary: str
    try_out: Callable[[], None]


def _load() -> None:
    whole = _nothing("lwt_seg6local")
    load_program(whole, whole.program()).close()


def _namespace() -> None:
    Namespace().close()


def _route(hook: str) -> Callable[[], None]:
    def try_out() -> None:
        whole = _nothing(hook)
        with KernelRunner().open(whole, whole.program(), Environment(sid=IPv6Address("fc00::1"))):
            pass

    return try_out


def _hmac() -> None:
    with Namespace() as namespace, namespace.entered():
        seg6.set_hmac_key(1, HmacKey("sha256", b"secret"))


def _bpffs() -> None:
    bpffs.mount_point()


FEATURES: Mapping[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature("bpf", "loading lwt_seg6local programs", _load),
        Feature("netns", "making network namespaces", _namespace),
        Feature("seg6local", "binding SIDs to programs (End.BPF routes)", _route("lwt_seg6local")),
        Feature("lwt_bpf", "programs on other routes (CONFIG_LWTUNNEL_BPF)", _route("lwt_in")),
        Feature("hmac", "SRv6 HMAC keys", _hmac),
        Feature("bpffs", "keeping programs after the process that loaded them", _bpffs),
    )
}
RUNNER = ("bpf", "netns", "seg6local", "lwt_bpf")  # what running programs in the kernel needs


@cache
def lacks(name: str) -> str | None:
    """Why the system lacks that feature (a key of FEATURES), None where it has it. Tried once a process."""
    try:
        FEATURES[name].try_out()
    except Error as error:
        return error.message
    return None


def first_lack(*names: str) -> str | None:
    """Of these features, the first that is missing: `name: why`; None where all are there."""
    for name in names:
        reason = lacks(name)
        if reason is not None:
            return f"{name}: {reason}"
    return None
