"""What both the requests for routes and those who read routes must know: the mark of a route of ours, and the encapsulations' types."""

from __future__ import annotations

PROTOCOL = 182  # of every route that is ours; the reasons are in pybpfnf.kernel.routes
ENCAP_BPF, ENCAP_SEG6_LOCAL = 6, 7  # LWTUNNEL_ENCAP_BPF, LWTUNNEL_ENCAP_SEG6_LOCAL
