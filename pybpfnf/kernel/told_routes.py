"""Routes as `pybpfnf.routes` says them, as netlink messages (include/uapi/linux/rtnetlink.h, seg6_local.h, seg6_iptunnel.h)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping
from typing import TypeAlias

from pybpfnf.abi.seg6 import FLAVORS, ROUTE_ACTIONS, ROUTE_MODES
from pybpfnf.kernel.bpf import Fd
from pybpfnf.kernel.route_message import (
    DST,
    ENCAP,
    ENCAP_TYPE,
    GATEWAY,
    MULTIPATH,
    OIF,
    PRIORITY,
    TABLE,
    Attributes,
    RouteMessage,
    encoded,
    end_bpf_encap,
    next_hop,
    programs_encap,
)
from pybpfnf.kernel.route_numbers import ENCAP_BPF, ENCAP_SEG6_LOCAL, PROTOCOL
from pybpfnf.routes import END_BPF, Bpf, Encap, Hop, Route, Seg6, Seg6Local, srh

Index: TypeAlias = Callable[[str], int]
"""The interface index of a device; raises an Error where there is none."""
Programs: TypeAlias = Mapping[str, tuple[Fd, str]]
"""By place (or program type, for End.BPF): the loaded program and its name."""

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253  # RT_SCOPE_*: IPv4 asks whether a gateway is between
_TYPES = {"unicast": 1, "local": 2, "blackhole": 6, "unreachable": 7, "prohibit": 8}  # RTN_*
_ENCAP_SEG6 = 5  # LWTUNNEL_ENCAP_SEG6
_IPTUNNEL_SRH = 1
_ACTION, _SRH, _TABLE, _NH4, _NH6, _OIF, _VRFTABLE, _COUNTERS, _FLAVORS = 1, 2, 3, 4, 5, 7, 9, 10, 11  # SEG6_LOCAL_*
_FLAVORS_OPERATION = 1
_COUNTED = (2, 3, 4)  # SEG6_LOCAL_CNT_PACKETS, BYTES, ERRORS
_NESTED = 0x8000  # NLA_F_NESTED


def route_message(route: Route, index: Index, programs: Programs) -> RouteMessage:
    """`programs`: those of the route's encapsulation, loaded; of a route to delete, none are needed."""
    attributes = [(DST, route.prefix.network_address.packed)] if route.prefix.prefixlen else []
    attributes += [] if route.metric is None else [(PRIORITY, _u32(route.metric))]
    tunnel = () if route.encap is None or not _is_bound(route.encap, programs) else _encapsulation(route.encap, index, programs)
    if len(route.hops) > 1:
        hops = [next_hop(0 if hop.device is None else index(hop.device), hop.weight, (*_gateway(hop), *tunnel)) for hop in route.hops]
        attributes.append((MULTIPATH, b"".join(hops)))
    else:
        for hop in route.hops:
            attributes += [*_gateway(hop), *([] if hop.device is None else [(OIF, _u32(index(hop.device)))])]
        attributes += tunnel
    table = route.table if route.table < 256 else 0
    return RouteMessage(
        _FAMILIES[route.prefix.version], route.prefix.prefixlen, 0, table, PROTOCOL, _scope(route), _TYPES[route.type], 0,
        (*attributes, (TABLE, _u32(route.table))),
    )  # fmt: skip


def _scope(route: Route) -> int:
    """As iproute2 says it: IPv4's alone."""
    direct = route.prefix.version == 4 and route.type == "unicast" and not any(hop.via for hop in route.hops)
    return _SCOPE_LINK if direct else _SCOPE_UNIVERSE


def _is_bound(encap: Encap, programs: Programs) -> bool:
    """Whether the programs that it needs are there: a route to delete is found without."""
    return bool(programs) or not (isinstance(encap, Bpf) or (isinstance(encap, Seg6Local) and encap.program is not None))


def _gateway(hop: Hop) -> Attributes:
    return () if hop.via is None else ((GATEWAY, hop.via.packed),)


def _encapsulation(encap: Encap, index: Index, programs: Programs) -> Attributes:
    match encap:
        case Seg6():
            header = srh(encap.segments, inline=encap.mode == "inline", hmac=encap.hmac)
            kind, data = _ENCAP_SEG6, encoded([(_IPTUNNEL_SRH, _u32(ROUTE_MODES[encap.mode]) + header)])
        case Seg6Local(action="End.BPF"):
            fd, name = programs[END_BPF]
            kind, data = ENCAP_SEG6_LOCAL, end_bpf_encap(fd.number, name) + encoded(_options(encap))
        case Seg6Local():
            kind, data = ENCAP_SEG6_LOCAL, encoded(_action(encap, index))
        case Bpf():
            bound = [(place, programs[place][0].number, programs[place][1]) for place, _ in encap.programs]
            kind, data = ENCAP_BPF, programs_encap(bound, encap.headroom)
    return ((ENCAP_TYPE, kind.to_bytes(2, "little")), (ENCAP, data))


def _action(encap: Seg6Local, index: Index) -> Attributes:
    """An action with what it takes; an SRH to insert leaves its last segment to the packet's destination."""
    header = srh(encap.segments, inline=encap.action == "End.B6", hmac=encap.hmac) if encap.segments else None
    said = (
        (_ACTION, _u32(ROUTE_ACTIONS[encap.action])),
        (_SRH, header),
        (_TABLE, None if encap.table is None else _u32(encap.table)),
        (_NH4, None if encap.nh4 is None else encap.nh4.packed),
        (_NH6, None if encap.nh6 is None else encap.nh6.packed),
        (_OIF, None if encap.oif is None else _u32(index(encap.oif))),
        (_VRFTABLE, None if encap.vrftable is None else _u32(encap.vrftable)),
    )
    return (*((number, data) for number, data in said if data is not None), *_options(encap))


def _options(encap: Seg6Local) -> Attributes:
    """What any action may have."""
    flavors = encoded([(_FLAVORS_OPERATION, _u32(sum(1 << FLAVORS[name] for name in encap.flavors)))]) if encap.flavors else None
    counters = encoded([(number, bytes(8)) for number in _COUNTED]) if encap.count else None
    return tuple((number | _NESTED, data) for number, data in ((_COUNTERS, counters), (_FLAVORS, flavors)) if data is not None)


def _u32(value: int) -> bytes:
    return struct.pack("=I", value)
