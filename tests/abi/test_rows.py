"""The rows by themselves: keys, numbers and cross references hold together on any machine."""

from __future__ import annotations

import pytest

from pybpfnf.abi.contexts import SK_BUFF, XDP_MD, Context
from pybpfnf.abi.headers import HEADERS, SRH_TLVS, Header
from pybpfnf.abi.helpers import HELPERS, HELPERS_BY_ID, Arg
from pybpfnf.abi.maps import MAP_TYPES, MAP_TYPES_BY_ID
from pybpfnf.abi.programs import PROGRAM_TYPES, type_of_section
from pybpfnf.abi.seg6 import ACTIONS
from pybpfnf.abi.versions import parse_kernel


def test_every_row_is_found_by_its_name_and_its_number() -> None:
    assert {name: row.name for name, row in HELPERS.items()} == {name: name for name in HELPERS}
    assert {name: row.name for name, row in MAP_TYPES.items()} == {name: name for name in MAP_TYPES}
    assert {name: row.name for name, row in PROGRAM_TYPES.items()} == {name: name for name in PROGRAM_TYPES}
    assert len(HELPERS_BY_ID) == len(HELPERS)
    assert len(MAP_TYPES_BY_ID) == len(MAP_TYPES)
    assert len({row.id for row in PROGRAM_TYPES.values()}) == len(PROGRAM_TYPES)


def test_every_helper_is_callable_from_some_type_and_every_type_names_known_helpers() -> None:
    assert set().union(*(row.helpers for row in PROGRAM_TYPES.values())) == set(HELPERS)
    for row in PROGRAM_TYPES.values():
        assert row.helpers | row.withdrawn <= set(HELPERS)
        assert not row.helpers & row.withdrawn


def test_a_size_argument_follows_each_memory_argument_and_no_helper_takes_more_than_five() -> None:
    memory, sizes = (Arg.MEM, Arg.MEM_OR_NULL, Arg.MEM_OUT), (Arg.SIZE, Arg.SIZE_OR_ZERO)
    for helper in HELPERS.values():
        assert len(helper.args) + helper.variadic <= 5
        for position, kind in enumerate(helper.args):
            if kind in memory:
                assert helper.args[position + 1] in sizes, helper.name


def test_no_lightweight_tunnel_type_has_a_helper_before_the_kernel_has_it() -> None:
    for helper in HELPERS.values():
        if helper.lwt_since is not None:
            assert parse_kernel(helper.lwt_since) > parse_kernel(helper.since)


def test_seg6local_never_pulls_data() -> None:
    assert "skb_pull_data" not in PROGRAM_TYPES["lwt_seg6local"].helpers


@pytest.mark.parametrize("context", [SK_BUFF, XDP_MD], ids=lambda context: context.name)
def test_context_fields_neither_overlap_nor_leave_the_struct_and_may_be_read_where_written(context: Context) -> None:
    covered = [byte for field in context.fields.values() for byte in range(field.offset, field.offset + field.size)]
    assert len(covered) == len(set(covered))
    assert max(covered) < context.size
    for field in context.fields.values():
        assert field.writable <= field.readable <= set(PROGRAM_TYPES)
        assert field.size % field.count == 0
        assert context.at(field.offset) is context.at(field.offset + field.size - 1) is field


def test_padding_of_the_context_has_no_field() -> None:
    assert SK_BUFF.at(181) is None
    assert SK_BUFF.at(192) is None


@pytest.mark.parametrize("header", HEADERS.values(), ids=lambda header: header.name)
def test_header_fields_lie_within_the_header_and_share_no_bit(header: Header) -> None:
    bits: set[int] = set()
    for field in header.fields.values():
        assert field.offset + field.storage <= header.size
        end = (field.offset + field.storage) * 8 - field.shift
        own = set(range(end - field.width, end))
        assert min(own) >= field.offset * 8
        assert not own & bits, field.name
        bits |= own


def field_of(header: str, name: str, wire: str) -> int:
    """What a field's row reads from bytes given in hexadecimal."""
    field = HEADERS[header].fields[name]
    whole = int.from_bytes(bytes.fromhex(wire)[field.offset : field.offset + field.storage], "big")
    return whole >> field.shift & (1 << field.width) - 1


def test_ipv6_fields_read_what_the_bytes_of_a_real_header_say() -> None:
    wire = "6 2a 12345 0058 2b 3f fc000001000000000000000000000001 fc000002000000000000000000000002".replace(" ", "")
    expected = {
        "version": 6, "traffic_class": 0x2A, "flow_label": 0x12345, "payload_length": 0x58, "next_header": 43, "hop_limit": 63,
        "source": 0xFC000001 << 96 | 1, "destination": 0xFC000002 << 96 | 2,
    }  # fmt: skip
    assert {name: field_of("ipv6", name, wire) for name in HEADERS["ipv6"].fields} == expected


def test_srh_fields_read_what_the_bytes_of_a_real_header_say() -> None:
    expected = {
        "next_header": 41, "hdr_ext_len": 4, "routing_type": 4, "segments_left": 1, "last_entry": 2, "flags": 8, "tag": 0xBEEF,
    }  # fmt: skip
    assert {name: field_of("srh", name, "290404010208beef") for name in HEADERS["srh"].fields} == expected


def test_srh_tlv_types_are_those_of_rfc_8754() -> None:
    assert (SRH_TLVS["pad1"], SRH_TLVS["padn"], SRH_TLVS["hmac"]) == (0, 4, 5)


def test_actions_are_those_of_seg6_local_h() -> None:
    assert {name: action.number for name, action in ACTIONS.items()} == {
        "end_x": 2, "end_t": 3, "end_dt6": 7, "end_b6": 9, "end_b6_encaps": 10,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("section", "type_"),
    [
        ("lwt_seg6local", "lwt_seg6local"),
        ("lwt_seg6local/tag_increment", "lwt_seg6local"),
        ("lwt_in", "lwt_in"),
        ("lwt_xmit/x/y", "lwt_xmit"),
        ("tc", "sched_cls"),
        ("classifier/ingress", "sched_cls"),
        ("xdp", "xdp"),
        ("lwt_seg6localx", None),
        ("prog", None),
        (".text", None),
    ],
)
def test_a_section_name_means_a_type_by_itself_or_up_to_a_slash(section: str, type_: str | None) -> None:
    found = type_of_section(section)
    assert (None if found is None else found.name) == type_
