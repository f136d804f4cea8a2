"""What an author imports: the same facts as the rows, and real Python objects that say what they are."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, cast

import pytest

import pybpfnf
from pybpfnf import headers
from pybpfnf.abi.headers import HEADERS, NEXT_HEADERS
from pybpfnf.abi.helpers import HELPERS, Arg, Helper
from pybpfnf.abi.programs import LWT_TYPES, PROGRAM_TYPES, ProgramType
from pybpfnf.abi.seg6 import ACTIONS, ENCAP_TYPES
from pybpfnf.dsl import ir, surface
from pybpfnf.dsl.building.hooks import HOOKS, METHODS, PUSHES
from pybpfnf.dsl.constructs.packet import readable_fields
from pybpfnf.dsl.surface import (
    Array,
    Config,
    Hash,
    Header,
    Hook,
    Ipv4,
    Ipv6,
    LpmTrie,
    LruHash,
    LruPerCpuHash,
    PerCpuArray,
    PerCpuHash,
    PerfEventArray,
    RingBuf,
    Seg6Packet,
    Srh,
    State,
    Struct,
    Tlv,
    Verdict,
    XmitIpv4,
    XmitIpv6,
    array,
    bits,
    lwt_in,
    lwt_out,
    lwt_xmit,
    octets,
    seg6local,
    u8,
    u16,
    u32,
)
from pybpfnf.dsl.surface.calls import NAMED_HELPERS, is_scalar_helper
from pybpfnf.dsl.surface.context import ContextPacket
from pybpfnf.dsl.surface.definitions import DefinitionError, NotCompiledError
from pybpfnf.dsl.surface.route_packets import RoutePacket
from pybpfnf.errors import InputError
from tests.dsl.cases import compile_text, function

SEG6LOCAL = PROGRAM_TYPES["lwt_seg6local"]

packets = PerCpuArray(u32, 1)


class Sent(Struct):
    at: u32


class Large(Struct):
    """With the 8 bytes before it, the whole of a ring of 4096 bytes, of which 8 stay free."""

    data: list[u32] = array(u32, 1022)


LIMIT = Config(u32, default=5)
COUNT = State(u32)
WHERE = State(IPv6Address)


class Pair(Struct):
    low: u8
    high: u16 = 3


class Blob(Tlv, type=6):
    flags: u8
    value: bytes = octets(5)


@pytest.mark.parametrize(("header", "seen"), [("ipv6", Ipv6), ("srh", Srh)])
def test_a_header_class_has_the_fields_of_its_row_and_writes_what_the_hook_may(header: str, seen: type) -> None:
    lists = {"segments", "tlvs"}
    read_only = {name for name, member in vars(seen).items() if isinstance(member, property)} - lists
    writable = set(vars(seen).get("__annotations__", {}))
    assert read_only | writable == set(HEADERS[header].fields)
    assert writable == set(HOOKS["lwt_seg6local"].writable.get(header, ()))


@pytest.mark.parametrize(("header", "seen", "written"), [("ipv4", Ipv4, XmitIpv4), ("ipv6", Ipv6, XmitIpv6)])
def test_a_header_of_a_route_s_packet_has_the_fields_of_its_row_and_lwt_xmit_writes_some(header: str, seen: type, written: type) -> None:
    read_only = {name for name, member in vars(seen).items() if isinstance(member, property)}
    assert read_only == set(HEADERS[header].fields)
    assert set(written.__annotations__) == set(HOOKS["lwt_xmit"].writable[header])
    assert not {hook for hook in ("lwt_in", "lwt_out") if HOOKS[hook].writable}


@pytest.mark.parametrize("hook", [seg6local, lwt_in, lwt_out, lwt_xmit])
def test_the_packet_has_the_headers_of_its_hook(hook: Hook[Any]) -> None:
    assert {name for name in HEADERS if hasattr(hook.packet, name)} == set(HOOKS[hook.name].headers)


def test_the_packet_has_the_integer_fields_of_the_context_that_the_hook_may_read() -> None:
    read_only = {name for name, member in (vars(ContextPacket) | vars(Seg6Packet)).items() if isinstance(member, property)}
    read_only -= {"ipv6", "srh", "received"}  # headers, and what is in another structure
    writable = set(ContextPacket.__annotations__)
    fields = readable_fields(SEG6LOCAL)
    assert read_only | writable == set(fields)
    assert writable == {name for name, field in fields.items() if SEG6LOCAL.name in field.writable}


def test_the_packet_has_a_method_for_each_action() -> None:
    assert set(METHODS) == set(ACTIONS)
    assert {name: row.action.value for name, row in METHODS.items()} == {name: row.number for name, row in ACTIONS.items()}
    assert all(callable(getattr(Seg6Packet, name)) for name in METHODS)


def test_verdicts_are_those_of_the_rows() -> None:
    rows = {name: value for hook in LWT_TYPES for name, value in PROGRAM_TYPES[hook].verdicts.items()}
    assert {verdict.name: verdict.value for verdict in Verdict} == rows


@pytest.mark.parametrize("hook", [lwt_in, lwt_out, lwt_xmit])
def test_the_packet_of_a_route_has_the_fields_of_its_row_and_the_encapsulations_of_its_hook(hook: Hook[Any]) -> None:
    row = PROGRAM_TYPES[hook.name]
    members = vars(ContextPacket) | vars(RoutePacket) | vars(hook.packet)
    read_only = {name for name, member in members.items() if isinstance(member, property)} - {"ipv6", "ipv4", "srh", "received"}
    writable = set(ContextPacket.__annotations__)
    fields = readable_fields(row)
    assert read_only | writable == set(fields)
    assert writable == {name for name, field in fields.items() if row.name in field.writable}
    assert {name for name in members if name.startswith("push")} == {name for name, push in PUSHES.items() if hook.name in push.hooks}


def test_encapsulations_have_the_numbers_of_the_rows() -> None:
    assert {kind.name.lower(): kind.value for kind in ir.EncapKind} == dict(ENCAP_TYPES)


@pytest.mark.parametrize("hook", [lwt_in, lwt_out, lwt_xmit])
def test_a_routes_hook_asks_for_the_verdict_of_a_fault(hook: Hook[Any]) -> None:
    with pytest.raises(DefinitionError, match="the verdict of a fault is missing") as refused:
        hook(lambda pkt: Verdict.OK)
    assert refused.value.hint == f"write @{hook.name}(on_fault=OK) or @{hook.name}(on_fault=DROP)"


def test_named_helpers_are_rows_that_the_hook_has() -> None:
    for name, _ in NAMED_HELPERS.values():
        assert is_scalar_helper(HELPERS[name])
        assert name in SEG6LOCAL.helpers


def test_a_new_helper_row_is_callable_without_further_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = Helper("brand_new", 9999, (Arg.CTX, Arg.SCALAR), Arg.SCALAR, "9.9", "Something new.")
    monkeypatch.setitem(cast("dict[str, Helper]", HELPERS), row.name, row)
    hook = replace(SEG6LOCAL, helpers=SEG6LOCAL.helpers | {row.name})
    monkeypatch.setitem(cast("dict[str, ProgramType]", PROGRAM_TYPES), hook.name, hook)
    assert "brand_new" in dir(surface.helpers)
    assert surface.helpers.brand_new.__doc__ == "Something new."
    evaluated = compile_text(function("helpers.brand_new(-1)\nreturn OK"), tmp_path).functions[0].body[0]
    assert isinstance(evaluated, ir.Evaluate)
    assert isinstance(evaluated.value, ir.HelperCall)
    assert evaluated.value.helper is row
    assert [argument.value for argument in evaluated.value.args if isinstance(argument, ir.Const)] == [(1 << 64) - 1]


def test_widths_reduce_in_ordinary_python_too() -> None:
    assert (u8(300), surface.s8(200), repr(u16)) == (44, -56, "u16")


@pytest.mark.parametrize(
    "use", [lambda: Blob(flags=0, value=b"12345"), surface.monotonic, lambda: packets[0], lambda: surface.helpers.jiffies64()]
)
def test_what_is_only_for_functions_says_so_in_ordinary_python(use: object) -> None:
    with pytest.raises(NotCompiledError) as caught:
        use()  # type: ignore[operator]
    assert "inside a network function" in caught.value.message
    assert "pybpfnf.run(function, packet)" in str(caught.value.hint)


def test_a_program_is_an_object_with_a_name_and_is_not_called() -> None:
    @surface.seg6local(on_fault=surface.OK, license="Dual BSD/GPL")
    def quiet(pkt: Seg6Packet) -> Verdict:
        """What it does."""
        return surface.OK

    assert (quiet.name, quiet.doc, quiet.on_fault, quiet.license) == ("quiet", "What it does.", Verdict.OK, "Dual BSD/GPL")
    assert repr(quiet) == "<lwt_seg6local program quiet>"
    with pytest.raises(NotCompiledError, match="quiet is a network function: it is compiled, not called"):
        quiet(None)  # type: ignore[operator]


def test_maps_and_variables_know_the_name_that_their_module_gave_them() -> None:
    assert packets.name == "packets"
    assert repr(LIMIT) == "<Config(u32) LIMIT>"
    assert repr(packets) == "<PerCpuArray(u32, 1) packets>"
    assert Array(u8, 1).name is None


def test_a_state_starts_at_zero() -> None:
    assert (COUNT.initial, WHERE.initial) == (0, bytes(16))  # type: ignore[attr-defined]


def test_a_tlv_is_laid_out_as_on_the_wire() -> None:
    assert Blob.layout.size == 8
    assert [(field.name, field.offset, field.size) for field in Blob.layout.fields] == [("flags", 2, 1), ("value", 3, 5)]


@pytest.mark.parametrize(
    ("row", "seen"),
    [
        ("ethernet", headers.Ethernet), ("ipv4", headers.Ipv4), ("ipv6", headers.Ipv6), ("hop_by_hop", headers.Options),
        ("srh", headers.Routing), ("fragment", headers.Fragment), ("udp", headers.Udp), ("tcp", headers.Tcp), ("icmpv6", headers.Icmpv6),
    ],
)  # fmt: skip
def test_a_ready_made_header_has_the_bits_of_its_row(row: str, seen: type[Header]) -> None:
    def last_bit(offset: int, size: int, shift: int) -> int:
        return (offset + size) * 8 - shift

    laid_out = {field.name: (last_bit(field.offset, field.size, field.shift), field.bits or field.size * 8) for field in seen.layout.fields}
    wanted = {field.name: (last_bit(field.offset, field.storage, field.shift), field.width) for field in HEADERS[row].fields.values()}
    assert {name: place for name, place in laid_out.items() if not name.startswith("reserved")} == {
        name: place for name, place in wanted.items() if not name.startswith("reserved")
    }
    assert seen.layout.size == HEADERS[row].size
    assert seen.layout.number in (None, NEXT_HEADERS.get(row))


def test_every_ready_made_header_is_compared_with_its_row_or_is_not_there() -> None:
    assert {name for name, thing in vars(headers).items() if isinstance(thing, type) and thing.__module__ == headers.__name__} == set(
        headers.__all__
    )


def test_bits_of_a_header_are_counted_from_the_high_end_over_bytes() -> None:
    class Mixed(Header):
        low: u8 = bits(4)
        wide: u32 = bits(24)
        last: u8 = bits(4)

    assert [(field.offset, field.size, field.bits, field.shift) for field in Mixed.layout.fields] == [
        (0, 1, 4, 4),
        (0, 4, 24, 4),
        (3, 1, 4, 0),
    ]


def test_annotations_may_be_text() -> None:
    scope: dict[str, object] = {}
    exec(
        "from __future__ import annotations\nfrom pybpfnf.dsl.surface import *\nclass T(Tlv, type=7):\n    x: u16\n    y: IPv6Address\n",
        scope,
    )
    assert scope["T"].layout.size == 20  # type: ignore[attr-defined]


def _tlv(**fields: object) -> type[Tlv]:
    return type("T", (Tlv,), {"__annotations__": dict.fromkeys(fields, u8), **{k: v for k, v in fields.items() if v is not u8}}, type=9)


@pytest.mark.parametrize(
    ("definition", "code", "message"),
    [
        (lambda: Array(int, 3), "type", "is no value type"),
        (lambda: Array(u8, 0), "type", "0 is no number of entries"),
        (lambda: RingBuf(cast(Any, u32), 4096), "type", "is no type of records"),
        (lambda: RingBuf(Sent, 4095), "overflow", "4095 is no size"),
        (lambda: RingBuf(Sent, 12288), "overflow", "12288 is no size: a power of two of bytes, in whole pages"),
        (lambda: RingBuf(Sent, 2048), "overflow", "2048 is no size"),
        (lambda: RingBuf(Large, 4096), "overflow", "no Large fits into 4096 bytes"),
        (lambda: PerfEventArray(cast(Any, u8)), "type", "is no type of records"),
        (lambda: Hash(bool, u8, 3), "type", "a bool is no key type"),
        (lambda: Hash(u8, u8, 3, default=256), "overflow", "default 256 is no u8"),
        (lambda: LruHash(bool, u8, 3), "type", "LruHash: a bool is no key type"),
        (lambda: LpmTrie(cast(Any, u32), u32, 3), "type", "LpmTrie: u32 is no type of addresses"),
        (lambda: PerCpuHash(u8, u8, 3, default=1), "type", "PerCpuHash: a default is zero here"),
        (lambda: LruPerCpuHash(u8, Pair, 3, default=Pair(low=0, high=1)), "type", "LruPerCpuHash: a default is zero here"),
        (lambda: Config(u8, default=-1), "overflow", "value -1 is no u8"),
        (lambda: Config(u8, default=True), "type", "value True is no u8"),
        (lambda: State(str), "type", "is no variable type"),
        (lambda: octets(0), "type", "0 is no number of bytes"),
        (lambda: octets(2, default=b"1"), "type", "the default has 1 bytes, not 2"),
        (lambda: array(u8), "type", "it has one number of items"),
        (lambda: array(u8, 3, max=3), "type", "it has one number of items"),
        (lambda: _tlv(x=array(u32, max=64)), "type", "64 items of x do not fit the 255 bytes of a TLV"),
        (lambda: _tlv(x=array(u8, max=4), y=u8), "type", "TLV T: y comes after x, which is as long as the TLV's length makes it"),
        (lambda: _tlv(length=u8), "name", "every TLV has a length of its own"),
        (lambda: _tlv(x=array(bytes, max=4)), "type", "is no type of items"),
        (lambda: type("S", (Struct,), {"__annotations__": {"x": list}, "x": array(u8, max=4)}), "type", "has no number of items"),
        (lambda: type("T", (Tlv,), {}, type=4), "type", "type 4 is PadN"),
        (lambda: type("T", (Tlv,), {}, type=256), "type", "256 is no type"),
        (lambda: type("T", (Tlv,), {"__annotations__": {"x": int}}, type=9), "type", "is no field type"),
        (lambda: type("T", (Tlv,), {"__annotations__": {"x": bytes}}, type=9), "type", "has no length"),
        (lambda: type("T", (Tlv,), {"__annotations__": {"x": u8}, "x": 256}, type=9), "overflow", "the default 256 is no u8"),
        (lambda: type("T", (Tlv,), {"__annotations__": {"x": "nope"}}, type=9), "name", "'nope' is not defined"),
        (lambda: type("S", (Struct,), {"__annotations__": {"x": int}}), "type", "struct S: field x: int is no field type"),
        (lambda: type("S", (Struct,), {"__annotations__": {"x": bytes}}), "type", "field x has no length"),
        (lambda: type("S", (Struct,), {"__annotations__": {"x": u8}, "x": bits(9)}), "type", "9 bits of u8 are no bit field"),
        (lambda: type("S", (Struct,), {"__annotations__": {"x": u8}, "x": 256}), "overflow", "the default 256 is no u8"),
        (lambda: type("S", (Struct,), {"__annotations__": {"x": u8}, "x": bits(2, default=4)}), "overflow", "4 does not fit 2 bits"),
        (lambda: type("S", (Struct,), {}), "type", "struct S has no fields"),
        (lambda: type("S", (Struct,), {"__annotations__": {"x": object}, "x": array(u32, 1025)}), "type", "the most is 4096"),
        (lambda: type("H", (Header,), {}), "type", "header H has no fields"),
        (lambda: type("H", (Header,), {"__annotations__": {"x": u8}}, number=256), "type", "256 is no Next Header value"),
        (lambda: type("H", (Header,), {"__annotations__": {"x": int}}), "type", "header H: field x: int is no field type"),
        (lambda: type("H", (Header,), {"__annotations__": {"x": Pair}}), "type", "is no field type"),
        (lambda: type("H", (Header,), {"__annotations__": {"x": bytes}}), "type", "field x has no length"),
        (lambda: type("H", (Header,), {"__annotations__": {"x": u8}, "x": 1}), "type", "has a default, and a header is read"),
        (lambda: type("H", (Header,), {"__annotations__": {"x": u8}, "x": bits(4)}), "type", "header H ends inside a byte"),
        (lambda: type("H", (Header,), {"__annotations__": {"x": u8, "y": u8}, "x": bits(4)}), "type", "field y begins inside a byte"),
        (lambda: type("H", (Header,), {"__annotations__": {"x": u8}, "x": bits(9)}), "type", "9 bits of u8 are no bit field"),
        (lambda: array(u8, 0), "type", "0 is no number of items"),
        (lambda: bits(65), "type", "65 is no number of bits"),
        (lambda: Hash(u8, Pair, 3, default=cast(Any, 0)), "type", "default 0 is no Pair"),
        (lambda: Config(Pair), "type", "is no variable type"),
        (lambda: surface.seg6local(on_fault=cast(Verdict, 7)), "type", "on_fault 7 is no verdict"),
        (lambda: surface.seg6local(cast(Any, 3)), "type", "decorates a plain function"),
    ],
)
def test_a_wrong_definition_says_what_is_wrong(definition: object, code: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        definition()  # type: ignore[operator]
    assert caught.value.code == code
    assert message in caught.value.message


def test_a_struct_is_a_plain_object_in_ordinary_python() -> None:
    pair = Pair(low=1)
    pair.high += 1
    assert (pair, pair.high, repr(pair)) == (Pair(low=1, high=4), 4, "Pair(low=1, high=4)")
    assert pair != Pair(low=2, high=4)
    assert {Pair(low=1): "found"}[Pair(low=1, high=3)] == "found"


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({}, TypeError, "Pair needs low"),
        ({"low": 1, "wide": 2}, TypeError, "Pair has no field 'wide': it has low, high"),
        ({"low": 256}, InputError, "Pair.low: 256 is not a u8"),
        ({"low": True}, InputError, "Pair.low: True is not a u8"),
    ],
)
def test_a_struct_takes_what_its_fields_can_hold(values: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Pair(**values)


def test_every_public_name_resolves_and_the_lists_agree() -> None:
    assert sorted(pybpfnf._MODULE_OF) == pybpfnf.__all__
    assert set(surface.__all__) <= set(pybpfnf.__all__)
    for name in pybpfnf.__all__:
        assert getattr(pybpfnf, name).__class__ is not None
    for name in surface.__all__:
        assert getattr(pybpfnf, name) is getattr(surface, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        pybpfnf.nope  # noqa: B018


def test_importing_the_package_or_the_language_imports_no_heavy_package() -> None:
    code = (
        "import sys, pybpfnf; from pybpfnf import seg6local, Seg6Packet, OK; "
        "print([name for name in ('llvmlite', 'pyroute2', 'scapy', 'elftools', 'click', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
