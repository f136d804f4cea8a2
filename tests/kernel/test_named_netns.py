"""Namespaces with names: seen by iproute2, kept while they have the name, made once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from pybpfnf.errors import InputError
from pybpfnf.kernel.named_netns import (
    DIRECTORY,
    create_namespace,
    inode_of,
    is_namespace,
    namespace_names,
    open_namespace,
    remove_name,
)

pytestmark = pytest.mark.kernel


@pytest.fixture
def name() -> Iterator[str]:
    made = f"pybpfnf-test-{os.getpid()}"
    yield made
    remove_name(made)


def test_a_named_namespace_lives_on_and_is_what_iproute2_sees(name: str) -> None:
    with create_namespace(name) as made:
        inode = made.inode
    assert name in namespace_names()
    assert inode_of(name) == inode
    shown = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    assert name in [line.split()[0] for line in shown.splitlines()]
    with open_namespace(name) as again:
        assert again.inode == inode


def test_a_name_is_given_once(name: str) -> None:
    create_namespace(name).close()
    inode = inode_of(name)
    with pytest.raises(InputError, match="already"):
        create_namespace(name)
    assert inode_of(name) == inode


def test_nothing_is_left_of_a_name_that_was_removed(name: str) -> None:
    create_namespace(name).close()
    remove_name(name)
    assert name not in namespace_names()
    assert inode_of(name) is None
    remove_name(name)
    with pytest.raises(InputError, match="there is no network namespace"):
        open_namespace(name)


def test_a_name_without_a_namespace_is_told_apart_and_removed(name: str) -> None:
    (DIRECTORY / name).touch()
    assert not is_namespace(name)
    assert name in namespace_names()
    remove_name(name)
    assert name not in namespace_names()
