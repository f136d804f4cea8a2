"""Test files for both routers: what a router does with a packet, in the words of such a file."""

ROUTES = """\
if add dum1
`ip -6 route add table 42 ::/0 dev dum1`
`ip -6 rule add to fc01::/64 lookup 100`
`ip -6 route add blackhole default table 100`
`ip -6 route add fc42::1 dev dum1`

# The router's own address takes a segment
> fc00::10 -> fd00::42 / [fc00::1,fc00::2,+fd00::42,fc00::3] {Ingr: dead::7} {Pad: 2}
< (dum0) fc00::10 -> fc00::2 / [fc00::1,+fc00::2,fd00::42,fc00::3] {Ingr: dead::7} {Pad: 2}

# Also where it is two segments in a row
> fc00::10 -> fd00::42 / [fc00::1,fd00::42,+fd00::42] / UDP(1, 2) / "x"
< fc00::10 -> fc00::1 / [+fc00::1,fd00::42,fd00::42] / UDP(1, 2) / "x"

# Also where the one in the middle is of the prefix of the router's address
> dead::2 -> fd00::42 / [fc00::1,fd00::10,+fd00::42]
< dead::2 -> fc00::1 / [+fc00::1,fd00::10,fd00::42]

# But not where there is no route to it
> dead::2 -> fd00::42 / [fc00::1,baba::28,+fd00::42]
< none

# No segments left
> fc00::1 -> fd00::42 / [fc00::2,fd00::42] <sl 0>
< none

# No segments left, and a packet inside
> fc00::1 -> fd00::42 / [+fd00::42] / dead::1 -> fc00::5 / UDP(1, 2)
< dead::1 -> fc00::5 / UDP(1, 2)

# More segments left than there are
> fc00::1 -> fd00::42 / [fc00::2,fd00::42] <sl 3>
< none

# Segments left of as many as there are
> fc00::1 -> fd00::42 / [fc00::2,fd00::42] <sl 2>
< none

# No route to the next segment
> dead::2 -> fd00::42 / [baba::28,+fd00::42]
< none

# The prefix of the router's address leads nowhere
> dead::2 -> fd00::43
< none

# Only who is addressed looks at the SRH
> beef::1 -> fc00::2 / [fc00::1,fc00::2,fd00::42] <sl 2>
< beef::1 -> fc00::2 / [fc00::1,fc00::2,fd00::42] <sl 2>

# End
`ip -6 route add fc01::42 encap seg6local action End dev dum0 table 100`
> fc00::10 -> fc01::42 / [fc00::1,+fc01::42] <tag 7> / beef::1 -> babe::8
< fc00::10 -> fc00::1 / [+fc00::1,fc01::42] <tag 7> / beef::1 -> babe::8
> fc00::2 -> fc01::42 / [+fc01::42,fc00::1] / beef::1337 -> fc00::8
< none
> fc00::2 -> fc01::42
< none
> fc00::10 -> fc01::42 / [fc01::99,+fc01::42]
< none

# End that takes the SRH off before the last segment
`ip -6 route add fc01::50 encap seg6local action End flavors psp dev dum0 table 100`
> fc00::10 -> fc01::50 / [fc00::1,+fc01::50] <tag 7> / UDP(1, 2) / "x"
< fc00::10 -> fc00::1 / UDP(1, 2) / "x"
> fc00::10 -> fc01::50 / [fc00::1,+fc01::50] / beef::1 -> babe::8
< fc00::10 -> fc00::1 / beef::1 -> babe::8
> fc00::10 -> fc01::50 / [fc00::1,fc00::2,+fc01::50]
< fc00::10 -> fc00::2 / [fc00::1,+fc00::2,fc01::50]
> fc00::10 -> fc01::50 / [fc00::1,fc01::50] <sl 0>
< none
> fc00::10 -> fc01::50 / UDP(1, 2)
< none

# End with several SIDs in one address
`ip -6 route add fc03:0:100::/48 encap seg6local action End flavors next-csid dev dum0`
> fc00::10 -> fc03:0:100:200:300:: / UDP(1, 2)
< none
`ip -6 route add fc03:0:200::/48 dev dum1`
> fc00::10 -> fc03:0:100:200:300:: / UDP(1, 2)
< (dum1) fc00::10 -> fc03:0:200:300:: / UDP(1, 2)
> fc00::10 -> fc03:0:100:200:: / [fc00::1,+fc03:0:100:200::]
< (dum1) fc00::10 -> fc03:0:200:: / [fc00::1,+fc03:0:100:200::]
> fc00::10 -> fc03:0:100:: / [fc00::1,+fc03:0:100::]
< fc00::10 -> fc00::1 / [+fc00::1,fc03:0:100::]
> fc00::10 -> fc03:0:100:: / UDP(1, 2)
< none

# End.X with several SIDs in one address
`ip -6 route add fc03:0:400::/48 encap seg6local action End.X nh6 fc42::1 flavors next-csid dev dum1`
> fc00::10 -> fc03:0:400:500:: / UDP(1, 2)
< (dum1) fc00::10 -> fc03:0:500:: / UDP(1, 2)

# End.X
`ip -6 route add fc01::1234 encap seg6local action End.X nh6 fc42::1 dev dum1 table 100`
> dead::2 -> fc01::1234 / [baba::28,+fc01::1234]
< (dum1) dead::2 -> baba::28 / [+baba::28,fc01::1234]

# End.X to the router itself
`ip -6 route add fc01::1235 encap seg6local action End.X nh6 fd00::42 dev dum1 table 100`
> dead::2 -> fc01::1235 / [fc00::28,+fc01::1235]
< none

# End.X to a neighbour by its link-local address, which says no link
`ip addr add fe80::1/64 dev dum1`
`ip -6 route add fc01::1236 encap seg6local action End.X nh6 fe80::2 dev dum1 table 100`
> dead::2 -> fc01::1236 / [baba::28,+fc01::1236]
< none
`ip -6 route add fc01::1237 encap seg6local action End.X nh6 fe80::2 oif dum1 dev dum1 table 100`
> dead::2 -> fc01::1237 / [baba::28,+fc01::1237]
< (dum1) dead::2 -> baba::28 / [+baba::28,fc01::1237]

# End.T
`ip -6 route add fc02::42 encap seg6local action End.T table 42 dev dum0`
> dead::2 -> fc02::42 / [baba::28,+fc02::42]
< (dum1) dead::2 -> baba::28 / [+baba::28,fc02::42]

# End.T into a table that is not there
`ip -6 route add fc02::43 encap seg6local action End.T table 77 dev dum0`
> dead::2 -> fc02::43 / [fc00::28,+fc02::43]
< none

# End.DX6
`ip -6 route add fc02::6 encap seg6local action End.DX6 nh6 fc42::1 dev dum0`
> fc00::2 -> fc02::6 / [+fc02::6,fc00::1] / dead::1 -> babe::8 / UDP(1, 2)
< (dum1) dead::1 -> babe::8 / UDP(1, 2)
> fc00::2 -> fc02::6 / dead::1 -> babe::8
< (dum1) dead::1 -> babe::8
> fc00::2 -> fc02::6 / [fc00::1,+fc02::6] / dead::1 -> babe::8
< none
> fc00::2 -> fc02::6 / [+fc02::6,fc00::1] / UDP(1, 2)
< none

# End.DX6 to the inner destination
`ip -6 route add fc02::7 encap seg6local action End.DX6 nh6 :: dev dum0`
> fc00::2 -> fc02::7 / [+fc02::7,fc00::1] / dead::1 -> fc00::8
< (dum0) dead::1 -> fc00::8

# End.DT6
`ip -6 route add fc02::8 encap seg6local action End.DT6 table 42 dev dum0`
> fc00::2 -> fc02::8 / [+fc02::8,fc00::1] / dead::1 -> babe::8 / TCP(1, 2) / "x"
< (dum1) dead::1 -> babe::8 / TCP(1, 2) / "x"

# End.DT6 to the router itself, which takes a segment
`ip -6 route add fc02::9 encap seg6local action End.DT6 table 255 dev dum0`
> fc00::2 -> fc02::9 / dead::1 -> fd00::42 / [fc00::1,+fd00::42]
< (dum0) dead::1 -> fc00::1 / [+fc00::1,fd00::42]

# End.B6
`ip -6 route add fc02::b6 encap seg6local action End.B6 srh segs fc00::a,fc00::b dev dum0`
> fc00::2 -> fc02::b6 / [fc00::1,+fc02::b6] / UDP(1, 2)
< fc00::2 -> fc00::a / [fc02::b6,fc00::b,+fc00::a] / [fc00::1,+fc02::b6] / UDP(1, 2)

# End.B6.Encaps
`ip -6 route add fc02::be encap seg6local action End.B6.Encaps srh segs fc00::a,fc00::b dev dum0`
> fc00::2 -> fc02::be / [fc00::1,+fc02::be] / UDP(1, 2)
< fd00::42 -> fc00::a / [fc00::b,+fc00::a] / fc00::2 -> fc00::1 / [+fc00::1,fc02::be] / UDP(1, 2)

# Encapsulation
`ip -6 route add dead:beef::/48 encap seg6 mode encap segs fc00::1,fc00::2,fc00::3 dev dum0`
> deed::1 -> dead:beef::16
< fd00::42 -> fc00::1 / [fc00::3,fc00::2,+fc00::1] / deed::1 -> dead:beef::16

# Encapsulation from another address
`ip addr add fd00::43 dev dum0`
`ip sr tunsrc set fd00::43`
> deed::1 -> dead:beef::16
< fd00::43 -> fc00::1 / [fc00::3,fc00::2,+fc00::1] / deed::1 -> dead:beef::16
`ip -6 route del dead:beef::/48`

# A route that is gone
> deed::1 -> dead:beef::16
< none

# Insertion
`ip -6 route add dead:beef::/48 encap seg6 mode inline segs fc00::1,fc00::2 dev dum0`
> deed::2 -> dead:beef::16 / TCP(1, 2)
< deed::2 -> fc00::1 / [dead:beef::16,fc00::2,+fc00::1] / TCP(1, 2)

# Reduced encapsulation
`ip -6 route replace dead:beef::/48 encap seg6 mode encap.red segs fc00::1,fc00::2,fc00::3 dev dum0`
> deed::2 -> dead:beef::16
< fd00::43 -> fc00::1 / [fc00::3,fc00::2] <sl 2> / deed::2 -> dead:beef::16

# Reduced to nothing
`ip -6 route replace dead:beef::/48 encap seg6 mode encap.red segs fc00::1 dev dum0`
> deed::2 -> dead:beef::16
< fd00::43 -> fc00::1 / deed::2 -> dead:beef::16

# An encapsulation that leads into an action
`ip -6 route add abba::/16 encap seg6 mode inline segs fc02::42,dead:b::2 dev dum0`
> deed::2 -> abba:beef::f
< (dum1) deed::2 -> dead:b::2 / [abba:beef::f,+dead:b::2,fc02::42]

# An encapsulation that leads into itself
`ip -6 route add cafe::/16 encap seg6 mode encap segs cafe::1 dev dum0`
> deed::2 -> cafe::2
< none

# The longer prefix, and the lower metric
`ip -6 route add abcd::/16 dev dum0`
`ip -6 route add abcd:1::/32 dev dum1 metric 2000`
> deed::2 -> abcd:1::1
< (dum1) deed::2 -> abcd:1::1
`ip -6 route add abcd:1::/32 dev dum0 metric 500`
> deed::2 -> abcd:1::1
< (dum0) deed::2 -> abcd:1::1

# A gateway
`ip -6 route add abc1::/16 via fc42::1 dev dum1`
> deed::2 -> abc1::1
< (dum1) deed::2 -> abc1::1

# Link-local and multicast addresses are not forwarded
> fe80::2 -> fc00::1
< none
> deed::1 -> ff0e::1
< none

# HMACs
> fc00::2 -> fd00::42 / [fc00::1,+fd00::42] <fl H> {HMAC: 1042, cb660b51dabb0c8955ec1b6cc1e4242a0c42f7c23b8b037cf348e63fa89b065a}
< none
`ip sr hmac set 1042 sha256 foobar`
> fc00::2 -> fd00::42 / [fc00::1,+fd00::42] <fl H> {HMAC: 1042, cb660b51dabb0c8955ec1b6cc1e4242a0c42f7c23b8b037cf348e63fa89b065a}
< none
> fc00::2 -> fd00::42 / [fc00::1,+fd00::42]
< fc00::2 -> fc00::1 / [+fc00::1,fd00::42]
`sysctl -w net.ipv6.conf.tun0.seg6_require_hmac=1`
> fc00::2 -> fd00::42 / [fc00::1,+fd00::42]
< none
`sysctl -w net.ipv6.conf.tun0.seg6_require_hmac=0`

# SRHs are not taken where that is switched off
`sysctl -w net.ipv6.conf.tun0.seg6_enabled=0`
> fc00::2 -> fd00::42 / [fc00::1,+fd00::42]
< none
"""

IPV4 = """\
if add dum1
`ip route add 10.1.0.0/16 dev dum0`
`ip -4 route add 10.1.2.0/24 dev dum1`
`ip -6 route add fc42::1 dev dum1`

# The longer prefix
> 10.0.0.1 -> 10.1.1.1 / UDP(1, 2) / "x"
< (dum0) 10.0.0.1 -> 10.1.1.1 / UDP(1, 2) / "x"
> 10.0.0.1 -> 10.1.2.1 / TCP(1, 2)
< (dum1) 10.0.0.1 -> 10.1.2.1 / TCP(1, 2)
> 10.0.0.1 -> 10.9.0.1
< none

# A route that comes first has no metric
`ip route add 10.1.2.0/24 dev dum0 metric 5`
> 10.0.0.1 -> 10.1.2.1
< (dum1) 10.0.0.1 -> 10.1.2.1
`ip route del 10.1.2.0/24`
> 10.0.0.1 -> 10.1.2.1
< (dum0) 10.0.0.1 -> 10.1.2.1
`ip route replace 10.1.2.0/24 dev dum1`

# Refused by a route, and by what the addresses are
`ip route add blackhole 10.66.0.0/16`
`ip route add unreachable 10.67.0.0/16`
> 10.0.0.1 -> 10.66.0.1
< none
> 10.0.0.1 -> 10.67.0.1
< none
> 127.0.0.1 -> 10.1.0.1
< none
> 10.0.0.1 -> 224.0.0.5
< none
> 0.0.0.0 -> 10.1.0.1
< none

# A gateway
`ip route add 10.3.0.0/16 via 10.1.2.9`
> 10.0.0.1 -> 10.3.0.1
< (dum1) 10.0.0.1 -> 10.3.0.1

# Rules and tables
`ip rule add from 10.0.7.0/24 lookup 70`
`ip route add default dev dum1 table 70`
> 10.0.7.1 -> 10.1.1.1
< (dum1) 10.0.7.1 -> 10.1.1.1
`ip rule del from 10.0.7.0/24 lookup 70`
> 10.0.7.1 -> 10.1.1.1
< (dum0) 10.0.7.1 -> 10.1.1.1

# A packet inside another
> 10.0.0.1 -> 10.1.0.1 / 10.5.0.1 -> 10.6.0.1 / UDP(1, 2)
< 10.0.0.1 -> 10.1.0.1 / 10.5.0.1 -> 10.6.0.1 / UDP(1, 2)
> 10.0.0.1 -> 10.1.0.1 / fc00::1 -> fc00::2 / [fc00::2,+fc00::3] / UDP(1, 2)
< 10.0.0.1 -> 10.1.0.1 / fc00::1 -> fc00::2 / [fc00::2,+fc00::3] / UDP(1, 2)

# End.DX4
`ip -6 route add fc02::4 encap seg6local action End.DX4 nh4 10.1.2.3 dev dum0`
> fc00::2 -> fc02::4 / [+fc02::4,fc00::1] / 10.7.0.1 -> 10.8.0.1 / UDP(1, 2) / "x"
< (dum1) 10.7.0.1 -> 10.8.0.1 / UDP(1, 2) / "x"
> fc00::2 -> fc02::4 / 10.7.0.1 -> 10.8.0.1
< (dum1) 10.7.0.1 -> 10.8.0.1
> fc00::2 -> fc02::4 / [fc00::1,+fc02::4] / 10.7.0.1 -> 10.8.0.1
< none
> fc00::2 -> fc02::4 / [+fc02::4,fc00::1] / fc00::1 -> fc00::2
< none
> fc00::2 -> fc02::4 / 127.0.0.1 -> 10.8.0.1
< none

# End.DX4 to the inner destination
`ip -6 route add fc02::5 encap seg6local action End.DX4 nh4 0.0.0.0 dev dum0`
> fc00::2 -> fc02::5 / 10.7.0.1 -> 10.1.2.1
< (dum1) 10.7.0.1 -> 10.1.2.1
> fc00::2 -> fc02::5 / 10.7.0.1 -> 10.99.0.1
< none

# Encapsulation of IPv4
`ip route add 10.20.0.0/16 encap seg6 mode encap segs fc00::1,fc00::2 dev dum0`
> 10.0.0.1 -> 10.20.0.1 / UDP(1, 2)
< fd00::42 -> fc00::1 / [fc00::2,+fc00::1] / 10.0.0.1 -> 10.20.0.1 / UDP(1, 2)
`ip route add 10.21.0.0/16 encap seg6 mode encap.red segs fc00::1 dev dum0`
> 10.0.0.1 -> 10.21.0.1 / UDP(1, 2)
< fd00::42 -> fc00::1 / 10.0.0.1 -> 10.21.0.1 / UDP(1, 2)

# Encapsulation that leads to the router itself, which does not know what came as IPv4
`ip route add 10.22.0.0/16 encap seg6 mode encap segs fd00::42,fc02::4 dev dum0`
> 10.0.0.1 -> 10.22.0.1
< none

# Encapsulation that leads to End.DX4
`ip route add 10.23.0.0/16 encap seg6 mode encap segs fc02::4 dev dum0`
> 10.0.0.1 -> 10.23.0.1
< (dum1) 10.0.0.1 -> 10.23.0.1

# Frames in packets
`ip -6 route add beef::/16 encap seg6 mode l2encap segs fc00::1,fc00::2 dev dum0`
> fc00::9 -> beef::1 / UDP(1, 2)
< fd00::42 -> fc00::1 / [fc00::2,+fc00::1] / Ether / fc00::9 -> beef::1 / UDP(1, 2)
`ip -6 route add bee0::/16 encap seg6 mode l2encap.red segs fc00::1,fc00::2 dev dum0`
> fc00::9 -> bee0::1 / UDP(1, 2)
< fd00::42 -> fc00::1 / [fc00::2] <sl 1> / Ether / fc00::9 -> bee0::1 / UDP(1, 2)
`ip -6 route add bee1::/16 encap seg6 mode l2encap.red segs fc00::1 dev dum0`
> fc00::9 -> bee1::1 / UDP(1, 2)
< fd00::42 -> fc00::1 / Ether / fc00::9 -> bee1::1 / UDP(1, 2)
`ip route add 10.24.0.0/16 encap seg6 mode l2encap segs fc00::1 dev dum0`
> 10.0.0.1 -> 10.24.0.1
< fd00::42 -> fc00::1 / [+fc00::1] / Ether / 10.0.0.1 -> 10.24.0.1

# End.DX2
`ip -6 route add fc02::2 encap seg6local action End.DX2 oif dum1 dev dum0`
> fc00::2 -> fc02::2 / [+fc02::2,fc00::1] / Ether / 10.7.0.1 -> 10.8.0.1 / UDP(1, 2)
< (dum1) 10.7.0.1 -> 10.8.0.1 / UDP(1, 2)
> fc00::2 -> fc02::2 / Ether / dead::1 -> babe::8
< (dum1) dead::1 -> babe::8
> fc00::2 -> fc02::2 / dead::1 -> babe::8
< none
> fc00::2 -> fc02::2 / [fc00::1,+fc02::2] / Ether / dead::1 -> babe::8
< none
`ip -6 route add fc02::3 encap seg6local action End.DX2 oif lo dev dum0`
> fc00::2 -> fc02::3 / Ether / dead::1 -> babe::8
< none

# Programs on routes of IPv4
`ip route add 10.30.0.0/16 encap bpf out obj hooks.py program no_udp_v4 dev dum1`
> 10.0.0.1 -> 10.30.0.1 / TCP(1, 2)
< (dum1) 10.0.0.1 -> 10.30.0.1 / TCP(1, 2)
> 10.0.0.1 -> 10.30.0.1 / UDP(1, 2)
< none
`ip route add 10.31.0.0/16 encap bpf in obj hooks.py program tunnel_v4 dev dum1`
> 10.0.0.1 -> 10.31.0.1 / UDP(1, 2)
< fd00::42 -> fc00::a / [fc00::b,+fc00::a] / 10.0.0.1 -> 10.31.0.1 / UDP(1, 2)
"""

VRF = """\
if add dum1
`ip -6 route add table 70 ::/0 dev dum1`
`ip route add table 70 default dev dum1`
`ip route add 10.5.0.0/16 dev dum0`

# End.DT4
`ip -6 route add fc02::d4 encap seg6local action End.DT4 vrftable 70 dev dum0`
> fc00::2 -> fc02::d4 / [+fc02::d4,fc00::1] / 10.7.0.1 -> 10.5.0.1 / UDP(1, 2)
< (dum1) 10.7.0.1 -> 10.5.0.1 / UDP(1, 2)
> fc00::2 -> fc02::d4 / dead::1 -> babe::8
< none
> fc00::2 -> fc02::d4 / [fc00::1,+fc02::d4] / 10.7.0.1 -> 10.5.0.1
< none

# End.DT6 by a VRF
`ip -6 route add fc02::d6 encap seg6local action End.DT6 vrftable 70 dev dum0`
> fc00::2 -> fc02::d6 / dead::1 -> fc00::8
< (dum1) dead::1 -> fc00::8

# End.DT46
`ip -6 route add fc02::46 encap seg6local action End.DT46 vrftable 70 dev dum0`
> fc00::2 -> fc02::46 / 10.7.0.1 -> 10.5.0.1
< (dum1) 10.7.0.1 -> 10.5.0.1
> fc00::2 -> fc02::46 / [+fc02::46] / dead::1 -> fc00::8 / UDP(1, 2)
< (dum1) dead::1 -> fc00::8 / UDP(1, 2)
> fc00::2 -> fc02::46 / UDP(1, 2)
< none

# What no route of the VRF's table has is looked for in the main one
`ip -6 route add fc02::d5 encap seg6local action End.DT4 vrftable 71 dev dum0`
`ip route add table 71 10.9.0.0/16 dev dum1`
> fc00::2 -> fc02::d5 / 10.7.0.1 -> 10.9.0.1
< (dum1) 10.7.0.1 -> 10.9.0.1
> fc00::2 -> fc02::d5 / 10.7.0.1 -> 10.5.0.1
< (dum0) 10.7.0.1 -> 10.5.0.1
"""

PROGRAMS = """\
if add dum1
`ip -6 route add table 42 ::/0 dev dum1`
`ip -6 route add fd00::3 encap seg6local action End.BPF endpoint obj tag_increment dev dum0`
`ip -6 route add fd00::7 encap seg6local action End.BPF obj hooks.py program into_42 dev dum0`
`ip -6 route add fd00::8 encap bpf in obj hooks.py program wrap dev dum0`
`ip -6 route add fd00::9 encap bpf out obj hooks.py program no_udp dev dum1`
`ip -6 route add beef::1 encap bpf xmit obj hooks.py program tunnel headroom 64 dev dum1`
`ip -6 route add beef::2 encap bpf in obj hooks.py program tunnel_in dev dum1`

# The tag
> fc00::2 -> fd00::3 / [fc00::14,+fd00::3] <tag 65535>
< fc00::2 -> fc00::14 / [+fc00::14,fd00::3] <tag 0>
> fc00::1 -> fd00::3
< none

# A table of the program's choice
> fc00::2 -> fd00::7 / [dead::1,+fd00::7]
< (dum1) fc00::2 -> dead::1 / [+dead::1,fd00::7]

# Two functions in turn
> fc00::2 -> fd00::3 / [dead::1,fd00::7,+fd00::3] <tag 1>
< (dum1) fc00::2 -> dead::1 / [+dead::1,fd00::7,fd00::3] <tag 2>

# Encapsulated on its way in
> fc00::2 -> fd00::8 / UDP(1, 2)
< fd00::42 -> fc00::a / [+fc00::a] / fc00::2 -> fd00::8 / UDP(1, 2)

# Encapsulated at its transmission, and routed anew
> fc00::2 -> beef::1 / UDP(1, 2) / "x"
< (dum0) fd00::42 -> fc00::a / [fc00::b,+fc00::a] / fc00::2 -> beef::1 / UDP(1, 2) / "x"

# Encapsulated on its way in, and routed anew into a function
> fc00::2 -> beef::2 / UDP(1, 2) / "x"
< (dum0) fd00::42 -> fc00::b / [+fc00::b,fd00::3] <tag 1> / fc00::2 -> beef::2 / UDP(1, 2) / "x"

# Seen on its way out
> fc00::2 -> fd00::9 / UDP(1, 2)
< none
> fc00::2 -> fd00::9 / TCP(1, 2)
< (dum1) fc00::2 -> fd00::9 / TCP(1, 2)
"""

HOOKS = """\
from pybpfnf import DROP, OK, REROUTE, IPv6Address, LwtInPacket, LwtOutPacket, LwtXmitPacket, Seg6Packet, Srh, Verdict
from pybpfnf import lwt_in, lwt_out, lwt_xmit, seg6local
from pybpfnf.headers import Udp


@seg6local
def into_42(pkt: Seg6Packet) -> Verdict:
    return pkt.end_t(table=42)


@lwt_in(on_fault=DROP)
def wrap(pkt: LwtInPacket) -> Verdict:
    if pkt.ipv6 is None:
        return DROP
    pkt.push_encap(Srh(path=[IPv6Address("fc00::a")]))
    return OK


@lwt_out(on_fault=DROP)
def no_udp(pkt: LwtOutPacket) -> Verdict:
    return OK if pkt.find(Udp) is None else DROP


@lwt_out(on_fault=DROP)
def no_udp_v4(pkt: LwtOutPacket) -> Verdict:
    return DROP if pkt.ipv4 is not None and pkt.ipv4.protocol == 17 else OK


@lwt_in(on_fault=DROP)
def tunnel_v4(pkt: LwtInPacket) -> Verdict:
    pkt.push_ip(Srh(path=[IPv6Address("fc00::a"), IPv6Address("fc00::b")]), source=IPv6Address("fd00::42"), hop_limit=64)
    return REROUTE


@lwt_xmit(on_fault=DROP)
def tunnel(pkt: LwtXmitPacket) -> Verdict:
    pkt.push_ip(Srh(path=[IPv6Address("fc00::a"), IPv6Address("fc00::b")]), source=IPv6Address("fd00::42"), hop_limit=64)
    return REROUTE


@lwt_in(on_fault=DROP)
def tunnel_in(pkt: LwtInPacket) -> Verdict:
    pkt.push_ip(Srh(path=[IPv6Address("fd00::3"), IPv6Address("fc00::b")]), source=IPv6Address("fd00::42"), hop_limit=64)
    return REROUTE
"""
"""hooks.py, beside the files."""
