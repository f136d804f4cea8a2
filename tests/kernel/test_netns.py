"""Namespaces, devices and a namespace's SRv6 settings: made, entered, left, gone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from ipaddress import IPv6Address, IPv6Network

import pytest

from pybpfnf.errors import InputError, KernelError, SystemLacksError
from pybpfnf.kernel import links, seg6
from pybpfnf.kernel.netlink import Netlink
from pybpfnf.kernel.netns import Namespace, current_inode, set_sysctl, sysctl
from pybpfnf.kernel.routes import warnings_for
from pybpfnf.runner import HmacKey
from tests.kernel_support import run_tool

pytestmark = pytest.mark.kernel


def test_entering_concerns_one_thread_and_ends_with_the_block() -> None:
    home = current_inode()
    elsewhere: list[int] = []
    with Namespace() as namespace, namespace.entered():
        assert current_inode() == namespace.inode != home
        thread = threading.Thread(target=lambda: elsewhere.append(current_inode()))
        with Namespace() as inner, inner.entered():
            assert current_inode() == inner.inode
        assert current_inode() == namespace.inode
    thread.start()
    thread.join()
    assert (current_inode(), elsewhere) == (home, [home])


def test_an_error_inside_leaves_the_namespace_too() -> None:
    home = current_inode()
    with Namespace() as namespace, pytest.raises(ZeroDivisionError), namespace.entered():
        raise ZeroDivisionError
    assert current_inode() == home


def test_other_programs_can_enter_it_by_its_path() -> None:
    with Namespace() as namespace:
        told = run_tool("nsenter", f"--net={namespace.path}", "readlink", "/proc/self/ns/net")
        assert told.strip() == f"net:[{namespace.inode}]"


def test_a_namespace_has_no_name_that_could_be_left_behind() -> None:
    before = set(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else set()
    with Namespace():
        assert (set(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else set()) == before


def test_sysctls_are_the_namespaces_own() -> None:
    with Namespace() as namespace, namespace.entered():
        set_sysctl("ipv6/conf/all/forwarding", 1)
        assert sysctl("ipv6/conf/all/forwarding") == 1
        with Namespace() as other, other.entered():
            assert sysctl("ipv6/conf/all/forwarding") == 0
        assert sysctl("ipv6/conf/all/no_such_thing") is None
        with pytest.raises(SystemLacksError, match=r"no sysctl net\.ipv6\.conf\.all\.no_such_thing"):
            set_sysctl("ipv6/conf/all/no_such_thing", 1)
        with pytest.raises(KernelError, match=r"cannot set net\.ipv6\.conf\.default\.addr_gen_mode to 99: Invalid arg"):
            set_sysctl("ipv6/conf/default/addr_gen_mode", 99)


def test_devices_addresses_and_routes(namespace: Namespace) -> None:
    with Netlink() as netlink:
        links.add_veth(netlink, "x.0", 40, "x1", 41, mac="02:00:00:00:00:01", peer_mac="02:00:00:00:00:02", mtu=9000)
        for index in (40, 41):
            links.set_flags(netlink, index, links.IFF_UP, links.IFF_UP)
        links.add_address(netlink, 40, IPv6Address("fc00:a::1"), 64)
        links.add_route(netlink, IPv6Network("fc00:b::/32"), 40, via=IPv6Address("fc00:a::2"))
        links.add_route(netlink, IPv6Network("::/0"), 40, table=1000)
        with pytest.raises(KernelError, match=r"cannot add a route to fc00:b::/32: File exists"):
            links.add_route(netlink, IPv6Network("fc00:b::/32"), 40, via=IPv6Address("fc00:a::2"))
    assert "mtu 9000" in run_tool("ip", "link", "show", "x.0")
    assert "via fc00:a::2 dev x.0" in run_tool("ip", "-6", "route", "show", "fc00:b::/32")
    assert "default dev x.0" in run_tool("ip", "-6", "route", "show", "table", "1000")


def test_the_kernels_explanation_is_part_of_the_message(namespace: Namespace) -> None:
    with Netlink() as netlink, pytest.raises(KernelError, match=r"cannot add a route to fc00:b::/32: .* \(Invalid gateway address"):
        links.add_route(netlink, IPv6Network("fc00:b::/32"), socket.if_nametoindex("b0"), via=IPv6Address("ff02::1"))


def test_seg6_settings_are_those_that_ip_shows(namespace: Namespace) -> None:
    seg6.set_tunnel_source(IPv6Address("fc00:5::5"))
    seg6.set_hmac_key(7, HmacKey("sha256", b"a secret"))
    seg6.set_hmac_key(7, HmacKey("sha1", b"another"))
    assert "fc00:5::5" in run_tool("ip", "sr", "tunsrc", "show")
    assert run_tool("ip", "sr", "hmac", "show").split() == ["hmac", "7", "algo", "sha1", "secret", '"another"']


def test_the_number_of_an_hmac_key_is_not_zero(namespace: Namespace) -> None:
    with pytest.raises(InputError, match="the number has 32 bits and is not 0"):
        seg6.set_hmac_key(0, HmacKey("sha1", b"x"))


SID = IPv6Network("fc00:f::2/128")


def test_a_sid_that_is_an_address_of_the_machine_is_warned_of(namespace: Namespace) -> None:
    run_tool("ip", "address", "add", "fc00:f::2/64", "dev", "b0", "nodad")
    # The kernel adds an address's local route a moment later, also with nodad.
    deadline = time.monotonic() + 5
    while "local fc00:f::2 " not in run_tool("ip", "-6", "route", "show", "table", "local"):
        assert time.monotonic() < deadline
    (warning,) = warnings_for("b0", SID)
    assert warning.startswith("fc00:f::2 is an address of this machine, on b0")


def test_warnings_name_what_would_drop_packets_all_the_same(namespace: Namespace) -> None:
    assert warnings_for("b0", SID) == []
    set_sysctl("ipv6/conf/all/forwarding", 0)
    set_sysctl("ipv6/conf/b0/disable_ipv6", 1)
    assert [text.partition(":")[0] for text in warnings_for("b0", SID)] == ["this machine does not forward IPv6", "IPv6 is off on b0"]
    assert warnings_for("b1", SID) == warnings_for("b0", SID)[:1]


def test_without_rights_a_namespace_is_refused_by_name() -> None:
    script = (
        "import os; from pybpfnf.errors import SystemLacksError; from pybpfnf.kernel.netns import Namespace\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: Namespace()\nexcept SystemLacksError as error: print(error.message, error.hint, sep='; ')"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told == "not permitted to make a network namespace; run as root, or with the capability CAP_SYS_ADMIN\n"
