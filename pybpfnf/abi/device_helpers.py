"""Rows of the helpers that programs of devices have and those of lightweight tunnels have not: XDP, and tc's classifiers."""

from __future__ import annotations

from pybpfnf.abi.helper import Arg, Helper

CTX, SCALAR, MAP, MEM, MEM_OUT, SIZE, SIZE_OR_ZERO = Arg.CTX, Arg.SCALAR, Arg.MAP, Arg.MEM, Arg.MEM_OUT, Arg.SIZE, Arg.SIZE_OR_ZERO
OTHER, VOID = Arg.OTHER, Arg.VOID

SHARED = (
    Helper("fib_lookup", 69, (CTX, MEM_OUT, SIZE, SCALAR), SCALAR, "4.18",
           "Look a destination up as forwarding would: device, addresses of the link, or why not.", gpl_only=True),
    Helper("check_mtu", 163, (CTX, SCALAR, OTHER, SCALAR, SCALAR), SCALAR, "5.12",
           "Whether the packet, so many bytes longer, fits a device's MTU.", gpl_only=True),
    Helper("sk_lookup_tcp", 84, (CTX, OTHER, SIZE, SCALAR, SCALAR), OTHER, "4.20",
           "The TCP socket for a pair of addresses and ports, or null."),
    Helper("sk_lookup_udp", 85, (CTX, OTHER, SIZE, SCALAR, SCALAR), OTHER, "4.20",
           "The UDP socket for a pair of addresses and ports, or null."),
    Helper("sk_release", 86, (OTHER,), SCALAR, "4.20", "Give back a socket that was looked up."),
    Helper("skc_lookup_tcp", 99, (CTX, OTHER, SIZE, SCALAR, SCALAR), OTHER, "5.2",
           "As sk_lookup_tcp, with sockets that are not complete yet."),
    Helper("tcp_check_syncookie", 100, (OTHER, MEM, SIZE, MEM, SIZE), SCALAR, "5.2", "Whether an ACK carries a SYN cookie.", gpl_only=True),
    Helper("tcp_gen_syncookie", 110, (OTHER, MEM, SIZE, MEM, SIZE), SCALAR, "5.4", "A SYN cookie for a SYN.", gpl_only=True),
    Helper("tcp_raw_gen_syncookie_ipv4", 204, (OTHER, MEM, SIZE_OR_ZERO), SCALAR, "6.0", "A SYN cookie, without a socket.", gpl_only=True),
    Helper("tcp_raw_gen_syncookie_ipv6", 205, (OTHER, MEM, SIZE_OR_ZERO), SCALAR, "6.0", "A SYN cookie, without a socket.", gpl_only=True),
    Helper("tcp_raw_check_syncookie_ipv4", 206, (OTHER, OTHER), SCALAR, "6.0", "Whether an ACK carries a SYN cookie.", gpl_only=True),
    Helper("tcp_raw_check_syncookie_ipv6", 207, (OTHER, OTHER), SCALAR, "6.0", "Whether an ACK carries a SYN cookie.", gpl_only=True),
)  # fmt: skip

XDP = (
    Helper("xdp_adjust_head", 44, (CTX, SCALAR), SCALAR, "4.10",
           "Move the start of the frame: into the room before it, or past its first bytes.", changes_packet=True),
    Helper("xdp_adjust_meta", 54, (CTX, SCALAR), SCALAR, "4.15",
           "Move the start of the metadata in front of the frame.", changes_packet=True),
    Helper("xdp_adjust_tail", 65, (CTX, SCALAR), SCALAR, "4.18", "Cut the frame's end off, or add zeros to it.", changes_packet=True),
    Helper("redirect_map", 51, (MAP, SCALAR, SCALAR), SCALAR, "4.14",
           "Send the frame to what a map has under a key once the program has returned REDIRECT; the low bits of the flags are the answer "
           "where it has nothing."),
    Helper("xdp_get_buff_len", 188, (CTX,), SCALAR, "5.18", "Length of the frame, over all its pieces."),
    Helper("xdp_load_bytes", 189, (CTX, SCALAR, MEM_OUT, SIZE), SCALAR, "5.18", "Copy bytes of the frame from an offset."),
    Helper("xdp_store_bytes", 190, (CTX, SCALAR, MEM, SIZE), SCALAR, "5.18", "Write bytes into the frame at an offset."),
)  # fmt: skip

TC = (
    Helper("skb_vlan_push", 18, (CTX, SCALAR, SCALAR), SCALAR, "4.3", "Put a VLAN tag on the frame.", changes_packet=True),
    Helper("skb_vlan_pop", 19, (CTX,), SCALAR, "4.3", "Take the outer VLAN tag off the frame.", changes_packet=True),
    Helper("skb_change_proto", 31, (CTX, SCALAR, SCALAR), SCALAR, "4.8",
           "Make room for the header of the other IP version; writing it is the program's business.", changes_packet=True),
    Helper("skb_change_type", 32, (CTX, SCALAR), SCALAR, "4.8", "Change whom the frame is for, as `pkt_type` has it."),
    Helper("skb_adjust_room", 50, (CTX, SCALAR, SCALAR, SCALAR), SCALAR, "4.13",
           "Make or take away room after the network header (mode 0) or after the link-layer header (mode 1).", changes_packet=True),
    Helper("skb_load_bytes_relative", 68, (CTX, SCALAR, MEM_OUT, SIZE, SCALAR), SCALAR, "4.18",
           "Copy bytes of the packet, from an offset after the link-layer header's start (0) or the network header's (1)."),
    Helper("set_hash", 48, (CTX, SCALAR), SCALAR, "4.13", "Set the packet's flow hash."),
    Helper("redirect_neigh", 152, (SCALAR, OTHER, SIZE_OR_ZERO, SCALAR), SCALAR, "5.10",
           "Send the packet to another device, with the link-layer addresses of a neighbour there."),
    Helper("redirect_peer", 155, (SCALAR, SCALAR), SCALAR, "5.10",
           "Send the packet to the other end of a pair of devices, as received there."),
    Helper("skb_ecn_set_ce", 97, (CTX,), SCALAR, "5.1", "Mark congestion in the IP header, where the packet can carry it."),
    Helper("skb_set_tstamp", 192, (CTX, SCALAR, SCALAR), SCALAR, "5.18", "Set the packet's time of delivery."),
    Helper("skb_get_xfrm_state", 66, (CTX, SCALAR, MEM_OUT, SIZE, SCALAR), SCALAR, "4.18", "State of the IPsec transformation."),
    Helper("get_socket_cookie", 46, (CTX,), SCALAR, "4.12", "A number of the packet's socket that no other has had."),
    Helper("get_socket_uid", 47, (CTX,), SCALAR, "4.12", "Owner of the packet's socket."),
    Helper("get_netns_cookie", 122, (OTHER,), SCALAR, "6.15", "A number of the network namespace that no other has had."),
    Helper("skb_cgroup_id", 79, (CTX,), SCALAR, "4.18", "Id of the cgroup of the packet's socket."),
    Helper("skb_ancestor_cgroup_id", 83, (CTX, SCALAR), SCALAR, "4.19", "Id of an ancestor of that cgroup."),
    Helper("skb_cgroup_classid", 151, (CTX,), SCALAR, "5.10", "net_cls class of the packet's socket."),
    Helper("sk_fullsock", 95, (OTHER,), OTHER, "5.1", "A socket with all its fields, or null."),
    Helper("tcp_sock", 96, (OTHER,), OTHER, "5.1", "A socket as a TCP socket, or null."),
    Helper("get_listener_sock", 98, (OTHER,), OTHER, "5.1", "The listening socket that a socket came from, or null."),
    Helper("sk_storage_get", 107, (MAP, OTHER, OTHER, SCALAR), OTHER, "5.2", "A socket's entry of a socket storage map, or null."),
    Helper("sk_storage_delete", 108, (MAP, OTHER), SCALAR, "5.2", "Remove a socket's entry of a socket storage map."),
    Helper("sk_assign", 124, (CTX, OTHER, SCALAR), SCALAR, "5.7", "Give the packet to a socket."),
)  # fmt: skip
