"""What a lab's namespaces are called: `pybpfnf.LAB.NODE`, and `pybpfnf.LAB.@links` for the one that the link process is in."""

from __future__ import annotations

from pybpfnf.kernel.named_netns import namespace_names

_PREFIX = "pybpfnf."
LINKS = "@links"  # no node is called so


def namespace_of(lab: str, node: str) -> str:
    return f"{_PREFIX}{lab}.{node}"


def namespaces_of(lab: str) -> dict[str, str]:
    """What there is of a lab: by node, or LINKS, the namespace's name."""
    prefix = namespace_of(lab, "")
    return {name.removeprefix(prefix): name for name in namespace_names() if name.startswith(prefix)}


def labs() -> list[str]:
    """Those of which there is anything."""
    found = (name.removeprefix(_PREFIX).partition(".") for name in namespace_names() if name.startswith(_PREFIX))
    return sorted({lab for lab, dot, _ in found if dot})
