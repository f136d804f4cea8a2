"""What a run can be given: a router that cannot be is refused when it is described, whoever runs it."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

import pytest

from pybpfnf.errors import InputError
from pybpfnf.runner import Environment, HmacKey


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cpu": 2, "cpus": 2}, "there is no CPU 2 where there are 2"),
        ({"cpus": 0}, "there is no CPU 0 where there are 0"),
        ({"ifindex": 0}, "ifindex is 0"),
        ({"mark": 1 << 32}, "mark is 4294967296"),
        ({"fuel": 0}, "fuel is 0"),
        ({"clock_tai": -1}, "clock_tai is -1"),
        ({"unreachable": ("nonsense",)}, "'nonsense' is no prefix"),
        ({"unreachable": ("fc00::1/64",)}, "has host bits set"),
    ],
)
def test_an_environment_that_cannot_be_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refused:
        Environment(**given)
    assert said in refused.value.message


@pytest.mark.parametrize("key", [("md5", b"secret"), ("sha1", b""), ("sha256", bytes(65))])
def test_an_hmac_key_that_the_kernel_would_not_take_is_refused(key: tuple[str, bytes]) -> None:
    with pytest.raises(InputError):
        HmacKey(*key)


def test_an_address_is_unreachable_below_one_of_the_prefixes() -> None:
    environment = Environment(unreachable=("fc00:1::/32", "10.0.0.0/8"))
    assert environment.is_unreachable(IPv6Address("fc00:1::1"))
    assert not environment.is_unreachable(IPv6Address("fc00:2::1"))
