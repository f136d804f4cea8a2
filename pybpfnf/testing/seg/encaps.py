"""What follows `encap` in a route: seg6, seg6local and bpf, with all their parameters, and the spellings that came before today's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv6Address

from pybpfnf.abi.seg6 import FLAVORS, ROUTE_ACTIONS, ROUTE_MODES
from pybpfnf.routes import PLACES, Bpf, Encap, ProgramRef, Seg6, Seg6Local, most_segments
from pybpfnf.testing.seg.words import Words

_LARGEST_HEADROOM = 256  # LWT_BPF_MAX_HEADROOM


def read_encap(words: Words) -> Encap:
    """Raises SegError."""
    kind = words.choice("an encapsulation", list(_KINDS))
    return _KINDS[kind](words)


def _seg6(words: Words) -> Encap:
    if not words.has("mode"):
        raise words.error("expected `mode`", hint=f"the modes are {', '.join(ROUTE_MODES)}")
    mode = words.choice("a mode", list(ROUTE_MODES))
    if not words.has("segs"):
        raise words.error("expected `segs` and the segments")
    segments = words.segments()
    found = Seg6(mode, segments, words.number("the number of an HMAC key", least=1) if words.has("hmac") else 0)
    _check_room(words, found.segments, inline=mode == "inline", hmac=found.hmac)
    return found


def _check_room(words: Words, segments: tuple[IPv6Address, ...], *, inline: bool, hmac: int) -> None:
    most = most_segments(inline=inline, hmac=hmac)
    if len(segments) > most:
        raise words.wrong(f"an SRH has room for {most} segments here, and these are {len(segments)}")


def _bpf(words: Words) -> Encap:
    programs: list[tuple[str, ProgramRef]] = []
    headroom = None
    while True:
        if words.here in PLACES:
            place = words.take("a place")
            if place in dict(programs):
                raise words.error(f"a second program at `{place}`", back=True)
            programs.append((place, _program(words)))
        elif words.has("headroom"):
            headroom = words.number("the headroom", 0, _LARGEST_HEADROOM)
        elif not programs:
            raise words.error("expected `in`, `out` or `xmit`, and a program", hint="as in `encap bpf in obj FILE section NAME`")
        else:
            return Bpf(tuple(programs), headroom)


def _seg6local(words: Words) -> Encap:
    if not words.has("action"):
        raise words.error("expected `action`", hint=f"the actions are {', '.join(ROUTE_ACTIONS)}")
    found = Seg6Local(words.choice("an action", list(ROUTE_ACTIONS)))
    needed = _NEEDED[found.action]
    while words.here in _PARAMETERS:
        if words.here == "table" and "table" not in needed:
            break  # the route's own
        name = words.take("a parameter")
        if name in ("srh", "endpoint"):
            continue  # `srh segs ...`; `endpoint obj ...` as iproute2 has it today, `obj ...` alone as it had it first
        if name not in (*needed, *_ALWAYS, *_WITH.get(found.action, ())):
            raise words.error(f"{found.action} takes no `{name}`", back=True, hint=f"it takes {' and '.join(needed)}" if needed else None)
        found = _PARAMETERS[name](words, found)
    for name in needed:
        if not _IS_SAID[name](found):
            raise words.error(f"{found.action} needs `{name}`")
    _check_room(words, found.segments, inline=found.action == "End.B6", hmac=found.hmac)
    return found


def _program(words: Words) -> ProgramRef:
    if not words.has("obj", "object", "object-file"):
        raise words.error("expected `obj` and a file", hint="as in `obj FILE section NAME`, or `obj FUNCTION`")
    return _after_obj(words)


def _after_obj(words: Words) -> ProgramRef:
    found = ProgramRef(words.take("an object file"))
    while True:
        if words.has("section", "sec"):
            found = replace(found, section=words.take("the name of a section"))
        elif words.has("program"):
            found = replace(found, program=words.take("the name of a program"))
        elif words.has("set"):
            found = replace(found, values=(*found.values, _assignment(words, found)))
        elif not words.has("verbose"):
            return found


def _assignment(words: Words, found: ProgramRef) -> tuple[str, str]:
    """A variable's value: ours, where iproute2 has nothing."""
    name, equals, value = words.take("NAME=VALUE").partition("=")
    if not (name and equals):
        raise words.wrong("a variable is set by NAME=VALUE", hint="as in `obj end_t set TABLE=100`")
    if name in dict(found.values):
        raise words.wrong(f"{name} is set twice")
    return name, value


_KINDS: Mapping[str, Callable[[Words], Encap]] = {"seg6": _seg6, "seg6local": _seg6local, "bpf": _bpf}


def _flavors(words: Words, found: Seg6Local) -> Seg6Local:
    names = tuple(words.take("flavors").split(","))
    for name in names:
        if name not in FLAVORS:
            raise words.wrong(f"no flavor `{name}`", hint=f"there are: {', '.join(FLAVORS)}")
    return replace(found, flavors=names)


_PARAMETERS: Mapping[str, Callable[[Words, Seg6Local], Seg6Local]] = {
    "nh6": lambda words, found: replace(found, nh6=words.address()),
    "nh4": lambda words, found: replace(found, nh4=words.address_v4()),
    "table": lambda words, found: replace(found, table=words.table()),
    "vrftable": lambda words, found: replace(found, vrftable=words.table()),
    "oif": lambda words, found: replace(found, oif=words.take("the name of a device")),
    "segs": lambda words, found: replace(found, segments=words.segments()),
    "hmac": lambda words, found: replace(found, hmac=words.number("the number of an HMAC key", least=1)),
    "obj": lambda words, found: replace(found, program=_after_obj(words)),
    "flavors": _flavors,
    "count": lambda words, found: replace(found, count=True),
    "srh": lambda words, found: found,
    "endpoint": lambda words, found: found,
}
_ALWAYS = ("flavors", "count")
_WITH: Mapping[str, tuple[str, ...]] = {"End.B6": ("hmac",), "End.B6.Encaps": ("hmac",), "End.DT6": ("vrftable",), "End.X": ("oif",)}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "End": (),
    "End.X": ("nh6",),
    "End.T": ("table",),
    "End.DX2": ("oif",),
    "End.DX6": ("nh6",),
    "End.DX4": ("nh4",),
    "End.DT6": ("table",),
    "End.DT4": ("vrftable",),
    "End.B6": ("segs",),
    "End.B6.Encaps": ("segs",),
    "End.BPF": ("obj",),
    "End.DT46": ("vrftable",),
}
_IS_SAID: Mapping[str, Callable[[Seg6Local], bool]] = {
    "nh6": lambda found: found.nh6 is not None,
    "nh4": lambda found: found.nh4 is not None,
    "table": lambda found: found.table is not None or found.vrftable is not None,
    "vrftable": lambda found: found.vrftable is not None,
    "oif": lambda found: found.oif is not None,
    "segs": lambda found: bool(found.segments),
    "obj": lambda found: found.program is not None,
}
