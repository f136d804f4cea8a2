"""Packets as files write them: `fc00::2 -> fd00::3 / [fc00::14,+fd00::3] <tag 12> {Pad: 2} / UDP(4242, 51) / "foobar"`."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from pybpfnf.abi.headers import MOST_SEGMENTS
from pybpfnf.testing.seg.cursor import Cursor, wildcard
from pybpfnf.testing.seg.model import FLAG_LETTERS, Ethernet, Ip, Layer, Packet, Payload, Segments, Transport
from pybpfnf.testing.seg.tlvs import read_tlv

_ADDRESS = r"[0-9A-Fa-f:.]+"
_NUMBER = r"0[xX][0-9A-Fa-f]+|\d+"
_OPTIONS = r"<[ \t]*[A-Za-z]+[ \t]+[\w*]+[ \t]*[,>]"
_OPTION_LIMITS = {"sl": 0xFF, "le": 0xFF, "tag": 0xFFFF, "fl": 0xFF}
_LARGEST_PORT = 0xFFFF
_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})")


def read_packet(cursor: Cursor, *, sent: bool) -> Packet:
    """A packet's layers. What is `sent` is definite: no `*`; raises SegError."""
    layers: list[Layer] = [_ip(cursor, sent)]
    while cursor.take("/") is not None:
        if isinstance(layers[-1], Payload):
            raise cursor.error("nothing follows a payload")
        layers.append(_layer(cursor, layers[-1], sent))
    if isinstance(layers[-1], Ethernet):
        raise cursor.error("an Ethernet header has a packet in it", hint="as in Ether / fc00::1 -> fc00::2")
    return tuple(layers)


def _layer(cursor: Cursor, before: Layer, sent: bool) -> Layer:
    if cursor.sees('"') or (cursor.sees(r"\*") and not cursor.sees(r"\*\s*->")):
        return _payload(cursor, sent)
    if isinstance(before, Transport):
        raise cursor.error(f"expected a payload after {before.protocol}, found {cursor.next_word()}", hint='a payload is text: / "foobar"')
    if isinstance(before, Ethernet):
        return _ip(cursor, sent)
    if cursor.sees(r"\["):
        if isinstance(before, Ip) and before.version == 4:
            raise cursor.error("an SRH follows an IPv6 header, and this is one of IPv4")
        return _segments(cursor, sent)
    if cursor.take(r"Ether\b") is not None:
        return Ethernet()
    if cursor.sees(r"UDP\b|TCP\b"):
        return _transport(cursor, sent)
    if cursor.sees(_ADDRESS + r"|\*"):
        return _ip(cursor, sent)
    raise cursor.error(
        f"expected a header after `/`, found {cursor.next_word()}",
        hint='headers are [SEGMENT, +SEGMENT], SOURCE -> DESTINATION, Ether, UDP(1, 2), TCP(1, 2), and "payload"',
    )


def _ip(cursor: Cursor, sent: bool) -> Ip:
    cursor.skip()
    start = cursor.at
    source = _end(cursor, sent)
    cursor.expect("->", "`->`")
    destination = _end(cursor, sent)
    versions = {each.version for each in (source, destination) if each is not None}
    if len(versions) == 2:
        raise cursor.error("from an address of one IP version to one of the other", code="seg-value", start=start)
    return Ip(source, destination, versions.pop() if versions else 6)


def _end(cursor: Cursor, sent: bool) -> IPv4Address | IPv6Address | None:
    return None if wildcard(cursor, sent) else cursor.any_address()


def address(cursor: Cursor, sent: bool) -> IPv6Address | None:
    """An IPv6 address, or None for `*`; raises SegError."""
    if wildcard(cursor, sent):
        return None
    return cursor.address()


# ---------------------------------------------------------------------------------------------------------- segments


def _segments(cursor: Cursor, sent: bool) -> Segments:
    start = cursor.at
    cursor.take(r"\[")
    segments: list[IPv6Address | None] = []
    active: int | None = None
    while True:
        if cursor.take(r"\+") is not None:
            if active is not None:
                raise cursor.error("a second segment is marked with `+`", start=cursor.at - 1, hint="one segment is the current one")
            active = len(segments)
        segments.append(address(cursor, sent))
        if cursor.take(",") is None:
            break
    cursor.expect(r"\]", "`,` or `]`")
    if len(segments) > MOST_SEGMENTS:
        raise cursor.error(f"an SRH has room for {MOST_SEGMENTS} segments, and these are {len(segments)}", code="seg-value", start=start)
    options = _options(cursor, sent)
    tlvs = []
    any_tlvs = False
    while cursor.take(r"\{") is not None:
        if any_tlvs:
            raise cursor.error("a TLV after `{*}`, which is all that follow", start=cursor.at - 1)
        if wildcard(cursor, sent):
            any_tlvs = True
        else:
            tlvs.append(read_tlv(cursor, sent))
        cursor.expect(r"\}", "`}`")
    # The first hop is listed last. What is expected without saying which segment is current leaves it open.
    first = len(segments) - 1 if sent else None
    return Segments(
        segments=tuple(segments),
        left=options.get("sl", first if active is None else active),
        last_entry=options.get("le", len(segments) - 1),
        tag=options.get("tag", 0),
        flags=options.get("fl", 0),
        tlvs=tuple(tlvs),
        any_tlvs=any_tlvs,
    )


def _options(cursor: Cursor, sent: bool) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    if not cursor.sees(_OPTIONS):  # else `<` begins the line of what is expected
        return found
    cursor.take("<")
    while True:
        start = cursor.at
        name = cursor.expect(r"[A-Za-z]+", "an option")
        if name not in _OPTION_LIMITS:
            raise cursor.error(f"no option `{name}`", start=cursor.at - len(name), hint=f"there are: {', '.join(_OPTION_LIMITS)}")
        if name in found:
            raise cursor.error(f"`{name}` is said twice", start=start)
        found[name] = _option(cursor, name, sent)
        if cursor.take(",") is None:
            break
    cursor.expect(">", "`,` or `>`")
    return found


def _option(cursor: Cursor, name: str, sent: bool) -> int | None:
    if wildcard(cursor, sent):
        return None
    if name == "fl" and (letters := cursor.take(r"[A-Za-z]+")) is not None:
        for letter in letters[0]:
            if letter not in FLAG_LETTERS:
                known = ", ".join(FLAG_LETTERS)
                raise cursor.error(
                    f"no flag `{letter}`", code="seg-value", start=cursor.at - len(letters[0]), hint=f"the flags are {known}"
                )
        return sum(FLAG_LETTERS[letter] for letter in set(letters[0]))
    return number(cursor, _OPTION_LIMITS[name], f"the value of `{name}`")


def number(cursor: Cursor, largest: int, what: str) -> int:
    """A decimal number, or a hexadecimal one after 0x, up to `largest`; raises SegError."""
    text = cursor.expect(_NUMBER, what)
    value = int(text, 16) if text[:2].lower() == "0x" else int(text)
    if value > largest:
        raise cursor.error(f"{what} is {value}, and goes up to {largest}", code="seg-value", start=cursor.at - len(text))
    return value


# ------------------------------------------------------------------------------------------------- what is inside


def _transport(cursor: Cursor, sent: bool) -> Transport:
    protocol = cursor.expect("UDP|TCP", "UDP or TCP")
    if cursor.take(r"\(") is None:
        return Transport(protocol)
    source = _port(cursor, sent)
    cursor.expect(",", "`,` and the destination's port")
    destination = _port(cursor, sent)
    cursor.expect(r"\)", "`)`")
    return Transport(protocol, source, destination)


def _port(cursor: Cursor, sent: bool) -> int | None:
    return None if wildcard(cursor, sent) else number(cursor, _LARGEST_PORT, "a port")


def _payload(cursor: Cursor, sent: bool) -> Payload:
    if wildcard(cursor, sent):
        return Payload(None)
    found = cursor.take(r'"([^"\n]*)"')
    if found is None:
        raise cursor.error('a payload has no closing `"` on its line')
    return Payload(_ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), found[1].encode()))
