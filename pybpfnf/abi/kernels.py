"""The kernels that the VM follows, and in what they differ: a row a kernel, a column a difference.

They are Linux 6.18 and what Debian 12 ships as 6.1 and 6.12, with the repairs that reached those series: most of what changed in
net/ipv6/seg6_local.c and net/core/lwt_bpf.c since is in all of them. What each lacks besides is in the rows of helpers, kernel functions,
map types and instructions (`versions`). `scripts/test-kernels` runs the tests that compare the VM with the kernel on each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from pybpfnf.abi.versions import parse_kernel
from pybpfnf.errors import InputError
from pybpfnf.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Kernel:
    """`csum_diff_folds`: csum_diff gives 16 bits and takes any size; before Linux 6.13 it gave an unfolded sum of 32 bits, and -EINVAL
    for what is no multiple of four bytes (net/core/filter.c, bpf_csum_diff).

    `map_errors_are_long`: helpers of maps give an error with all 64 bits; before Linux 6.4 the functions that stand in the place of a call
    give an int, whose high half is zero in r0 (include/linux/bpf.h, struct bpf_map_ops).

    `knows_decap`: skb_adjust_room has flags for what an IP header that is taken off leaves, since Linux 6.3; -EINVAL before.

    `longest_metadata`: bytes before an XDP frame; 32 until Linux 6.8 (include/net/xdp.h, xdp_metalen_invalid).
    """

    name: str  # "6.1"
    csum_diff_folds: bool
    map_errors_are_long: bool
    knows_decap: bool
    longest_metadata: int


_ROWS = (
    Kernel("6.1", csum_diff_folds=False, map_errors_are_long=False, knows_decap=False, longest_metadata=32),
    Kernel("6.12", csum_diff_folds=False, map_errors_are_long=True, knows_decap=True, longest_metadata=252),
    Kernel("6.18", csum_diff_folds=True, map_errors_are_long=True, knows_decap=True, longest_metadata=252),
)

KERNELS: Mapping[str, Kernel] = {row.name: row for row in _ROWS}
"""By name, the oldest first."""

NEWEST = _ROWS[-1]


def kernel_named(name: str) -> Kernel:
    """Raises InputError for one that has no row."""
    if name not in KERNELS:
        raise InputError(f"the VM does not follow Linux {name}", hint=f"it follows {', '.join(KERNELS)}")
    return KERNELS[name]


def kernel_like(release: str) -> Kernel:
    """The row of the newest kernel that is no newer than `release` ("6.12.117+deb12-amd64"); the oldest for what is older than all."""
    version = parse_kernel(release)
    return next((row for row in reversed(_ROWS) if parse_kernel(row.name) <= version), _ROWS[0])
