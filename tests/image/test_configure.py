"""Config and State set before loading."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from pybpfnf.errors import InputError
from pybpfnf.image import configure, missing, read, require_complete
from pybpfnf.image.model import ObjectImage
from pybpfnf.types.scalars import decode_scalar
from tests.image.objects import committed

COLLECTOR = IPv6Address("fc00:9::9")


@pytest.fixture(name="image")
def fixture_image() -> ObjectImage:
    return read(committed("meta"))


def contents(image: ObjectImage, name: str) -> object:
    """What a program would read in the variable's place."""
    variable = image.variables[name]
    data = image.maps[variable.map].initial
    assert data is not None
    return decode_scalar(variable.type, data[variable.offset :][: variable.size])


def test_a_config_is_set_in_the_contents_of_its_map_and_nothing_else_changes(image: ObjectImage) -> None:
    configured = configure(image, {"COLLECTOR": "fc00:9::9"})
    assert contents(configured, "COLLECTOR") == COLLECTOR
    assert contents(configured, "TABLE") == 254
    assert configured.maps[".data"] == image.maps[".data"]
    assert contents(image, "COLLECTOR") == IPv6Address("::")


def test_a_state_may_be_given_the_value_it_starts_with(image: ObjectImage) -> None:
    assert contents(configure(image, {"RATIO": 7}), "RATIO") == 7


def test_variables_of_a_c_object_can_be_set() -> None:
    configured = configure(read(committed("data")), {"PORT": "0x1f90", "STRICT": False, "balance": -9})
    assert [contents(configured, name) for name in ("PORT", "STRICT", "balance", "TABLE")] == [8080, False, -9, 254]


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({"TABEL": 1}, "no variable 'TABEL' in the object", "it has: COLLECTOR (IPv6Address), RATIO (u32), TABLE (u32)"),
        ({"internal": 1}, "no variable 'internal' in the object", "it has: COLLECTOR (IPv6Address), RATIO (u32), TABLE (u32)"),
        ({"TABLE": 1 << 32}, "TABLE: 4294967296 is not a u32 (0 to 4294967295)", None),
        ({"COLLECTOR": "fc00::9::9"}, "COLLECTOR: fc00::9::9 is not an IPv6 address", None),
    ],
)
def test_a_wrong_name_or_value_is_named(image: ObjectImage, values: dict[str, object], message: str, hint: str | None) -> None:
    with pytest.raises(InputError) as caught:
        configure(image, values)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_config_without_value_is_missing_from_the_program_that_reads_it(image: ObjectImage) -> None:
    assert [variable.name for variable in missing(image, image.program("probe"))] == ["COLLECTOR"]
    with pytest.raises(InputError) as caught:
        require_complete(image, image.program("probe"))
    assert caught.value.message == "program 'probe' needs a value for COLLECTOR (IPv6Address)"
    assert caught.value.hint == "give --set COLLECTOR=VALUE"


def test_a_program_that_does_not_read_a_config_does_not_need_it(image: ObjectImage) -> None:
    assert missing(image, image.program("plain")) == ()
    require_complete(image, image.program("plain"))


def test_a_config_that_was_given_is_not_missing(image: ObjectImage) -> None:
    configured = configure(image, {"COLLECTOR": COLLECTOR})
    assert missing(configured, configured.program("probe")) == ()
