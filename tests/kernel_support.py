"""What tests that need the kernel share: the skip that names what is missing, a bpffs of their own, small programs and packets.

Loaded as a plugin by tests/conftest.py; every test marked `kernel` is skipped where the system lacks what running
programs in the kernel needs.
"""

from __future__ import annotations

import pytest

from pybpfnf.kernel import features


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("kernel")]
    reason = features.first_lack(*features.RUNNER) if marked else None
    if reason is not None:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=f"the kernel is needed: {reason}"))
