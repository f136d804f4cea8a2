"""Records are the standard library's data classes in all that one can see of them."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import field
from typing import Any

import pytest

from pybpfnf import records


@records.dataclass(frozen=True, slots=True)
class Ours:
    """One of each kind of field."""

    name: str
    size: int = 4
    parts: list[int] = field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    """One of each kind of field."""

    name: str
    size: int = 4
    parts: list[int] = field(default_factory=list)


Ours.__qualname__ = Standard.__qualname__ = Ours.__name__ = Standard.__name__ = "Both"  # their texts are compared
BOTH = pytest.mark.parametrize("cls", [Ours, Standard], ids=["ours", "standard"])


@BOTH
def test_fields_take_arguments_in_order_and_by_name_and_have_defaults(cls: Any) -> None:
    one, other = cls("a", 5, [1]), cls(name="a")
    assert (one.name, one.size, one.parts) == ("a", 5, [1])
    assert (other.size, other.parts) == (4, [])
    assert cls("a").parts is not cls("a").parts


@BOTH
def test_wrong_arguments_are_a_type_error(cls: Any) -> None:
    with pytest.raises(TypeError, match=r"__init__\(\) missing 1 required positional argument: 'name'"):
        cls()
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        cls("a", colour=1)


@BOTH
def test_equality_is_by_class_and_values(cls: Any) -> None:
    assert cls("a") == cls("a")
    assert cls("a") != cls("b")
    assert cls("a") != ("a", 4, [])
    assert cls("a") != Frozen("a")


@BOTH
def test_the_hash_is_that_of_the_values(cls: Any) -> None:
    assert hash(cls("a", 5, ())) == hash(("a", 5, ()))
    with pytest.raises(TypeError, match="unhashable"):
        hash(cls("a", 5, []))


@BOTH
def test_a_frozen_one_does_not_change(cls: Any) -> None:
    frozen = cls("a")
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'name'"):
        frozen.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'name'"):
        del frozen.name
    assert dataclasses.replace(frozen, name="b") == cls("b")


@BOTH
def test_what_one_reads_of_it(cls: Any) -> None:
    assert repr(cls("a")) == "Both(name='a', size=4, parts=[])"
    assert str(inspect.signature(cls)).startswith("(name: 'str', size: 'int' = 4, parts: 'list[int]' = <factory>)")
    assert cls.__match_args__ == ("name", "size", "parts")
    assert [each.name for each in dataclasses.fields(cls)] == ["name", "size", "parts"]
    assert dataclasses.asdict(cls("a", 1, [2])) == {"name": "a", "size": 1, "parts": [2]}


def test_copies_are_equal() -> None:
    record = Plain("a", [1])
    assert copy.deepcopy(record) == record == pickle.loads(pickle.dumps(record))
    frozen = Frozen("a")
    assert copy.copy(frozen) == frozen == pickle.loads(pickle.dumps(frozen))


@records.dataclass(frozen=True, slots=True)
class Frozen:
    name: str


@records.dataclass(slots=True)
class Plain:
    name: str
    parts: list[int]


def test_one_that_is_not_frozen_changes_and_has_no_hash() -> None:
    record = Plain("a", [])
    record.name = "b"
    assert record == Plain("b", [])
    with pytest.raises(TypeError, match="unhashable type: 'Plain'"):
        hash(record)


def test_methods_of_the_class_itself_stay() -> None:
    @records.dataclass(frozen=True, slots=True)
    class Loud:
        name: str

        def __repr__(self) -> str:
            return self.name.upper()

        def __post_init__(self) -> None:
            if not self.name:
                raise ValueError("no name")

    assert repr(Loud("a")) == "A"
    with pytest.raises(ValueError, match="no name"):
        Loud("")
