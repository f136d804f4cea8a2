"""What each hook may read, write and call, from the rows: the language has it where the kernel has, and refuses it elsewhere.

That the rows are the kernel's is in tests/abi; that what compiles loads, here.
"""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from pybpfnf import backend, image
from pybpfnf.abi.contexts import SK_BUFF
from pybpfnf.abi.helpers import HELPERS, Arg
from pybpfnf.abi.programs import LWT_TYPES, PROGRAM_TYPES
from pybpfnf.abi.versions import parse_kernel
from pybpfnf.dsl import compile_module, load_programs
from pybpfnf.dsl.building.hooks import METHODS, PUSHES
from pybpfnf.dsl.surface.calls import is_scalar_helper
from pybpfnf.errors import CompileError
from pybpfnf.kernel.load import load_program

_PACKETS = {"lwt_seg6local": "Seg6Packet", "lwt_in": "LwtInPacket", "lwt_out": "LwtOutPacket", "lwt_xmit": "LwtXmitPacket"}
_NO_INTEGERS = {"data", "data_end", "sk", "cb"}  # pointers, and an array: the language's own forms stand for what they are for
_FORMS = {  # of the packet, by the helper that each is made of
    **dict.fromkeys(METHODS, "lwt_seg6_action"),
    **dict.fromkeys(PUSHES, "lwt_push_encap"),
    "redirect": "redirect",
    "clone_redirect": "clone_redirect",
}


def compiled(hook: str, statement: str, directory: Path) -> str | None:
    """The code of the one thing that is wrong; None where nothing is, and the kernel takes the program."""
    decorator = "@seg6local" if hook == "lwt_seg6local" else f"@{hook}(on_fault=DROP)"
    path = directory / "case.py"
    text = f"from pybpfnf import *\n\n\n{decorator}\ndef f(pkt: {_PACKETS[hook]}) -> Verdict:\n    {statement}\n    return OK\n"
    path.write_text(text, encoding="utf-8")
    try:
        module = compile_module(load_programs(path))
    except CompileError as error:
        (diagnostic,) = error.diagnostics
        assert diagnostic.hint
        return diagnostic.code
    built = image.read(backend.build(module))
    load_program(built, built.program()).close()
    return None


HOOKS = pytest.mark.parametrize("hook", LWT_TYPES)


@pytest.mark.kernel
@HOOKS
@pytest.mark.parametrize("name", SK_BUFF.fields)
def test_a_field_of_the_context_is_read_where_the_kernel_lets_it_be(hook: str, name: str, tmp_path: Path) -> None:
    expected = "not-here" if hook not in SK_BUFF.fields[name].readable else "unsupported" if name in _NO_INTEGERS else None
    if name in ("data_meta", "flow_keys", "remote_ip6", "local_ip6"):
        expected = "unsupported"
    assert compiled(hook, f"seen = pkt.{name}", tmp_path) == expected


@pytest.mark.kernel
@HOOKS
@pytest.mark.parametrize("name", [name for name, field in SK_BUFF.fields.items() if field.readable >= set(LWT_TYPES)])
def test_a_field_of_the_context_is_written_where_the_kernel_lets_it_be(hook: str, name: str, tmp_path: Path) -> None:
    expected = "unsupported" if name in _NO_INTEGERS else None if hook in SK_BUFF.fields[name].writable else "read-only"
    assert compiled(hook, f"pkt.{name} = 1", tmp_path) == expected


@pytest.mark.kernel
@HOOKS
@pytest.mark.parametrize("name", [name for name, row in HELPERS.items() if is_scalar_helper(row)])
def test_a_helper_is_called_by_name_where_the_hook_has_it(hook: str, name: str, tmp_path: Path) -> None:
    arguments = ", ".join("0" for arg in HELPERS[name].args if arg is Arg.SCALAR)
    expected = None if name in PROGRAM_TYPES[hook].helpers else "not-here"
    since = HELPERS[name].lwt_since
    if expected is None and since is not None and parse_kernel(platform.release()) < parse_kernel(since):
        pytest.skip(f"before Linux {since} the hook has no {name}")
    assert compiled(hook, f"helpers.{name}({arguments})", tmp_path) == expected


_CALLS = {
    "end_x": 'return pkt.end_x(nexthop=IPv6Address("fc00::1"))',
    "end_t": "return pkt.end_t(table=254)",
    "end_dt6": "return pkt.end_dt6(table=254)",
    "end_b6": 'return pkt.end_b6(Srh(path=[IPv6Address("fc00::1")]))',
    "end_b6_encaps": 'return pkt.end_b6_encaps(Srh(path=[IPv6Address("fc00::1")]))',
    "push_encap": 'assert pkt.ipv6 is not None; pkt.push_encap(Srh(path=[IPv6Address("fc00::1")]))',
    "push_encap_inline": 'assert pkt.ipv6 is not None; pkt.push_encap_inline(Srh(path=[IPv6Address("fc00::1")]))',
    "push_ip": 'pkt.push_ip(Srh(path=[IPv6Address("fc00::1")]), source=IPv6Address("fc00::2"))',
    "redirect": "return pkt.redirect(7)",
    "clone_redirect": "pkt.clone_redirect(7)",
}


@pytest.mark.kernel
@HOOKS
@pytest.mark.parametrize("name", _FORMS)
def test_a_method_of_the_packet_is_there_where_its_helper_is(hook: str, name: str, tmp_path: Path) -> None:
    there = _FORMS[name] in PROGRAM_TYPES[hook].helpers and (name not in PUSHES or hook in PUSHES[name].hooks)
    call = _CALLS[name].removeprefix("assert pkt.ipv6 is not None; ") if hook == "lwt_seg6local" else _CALLS[name]
    assert compiled(hook, call, tmp_path) == (None if there else "not-here")


@pytest.mark.kernel
@HOOKS
@pytest.mark.parametrize("verdict", ["OK", "DROP", "REDIRECT", "REROUTE"])
def test_a_verdict_is_returned_where_the_hook_has_it(hook: str, verdict: str, tmp_path: Path) -> None:
    """REDIRECT leads nowhere in lwt_xmit until a device is chosen."""
    there = verdict in PROGRAM_TYPES[hook].verdicts and (hook, verdict) != ("lwt_xmit", "REDIRECT")
    assert compiled(hook, f"return {verdict}", tmp_path) == (None if there else "not-here")
