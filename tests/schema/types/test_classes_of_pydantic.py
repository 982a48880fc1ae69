"""Dataclasses of pydantic inside types that msgspec reads: held where the two libraries agree, else refused by name."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, TypedDict

import msgspec
import pydantic
import pydantic.dataclasses
import pytest

from claude_comm.client.payload_types import accepted, produced
from claude_comm.errors import SchemaError
from tests.support.typed_values import deliver, sender


@pydantic.dataclasses.dataclass
class Plain:
    n: int
    text: str = "x"


@pydantic.dataclasses.dataclass
class Aliased:
    n: int = pydantic.Field(alias="N")


@pydantic.dataclasses.dataclass
class Bounded:
    n: pydantic.PositiveInt = 1


@pydantic.dataclasses.dataclass
class Checked:
    n: int

    @pydantic.field_validator("n")
    @classmethod
    def even(cls, n: int) -> int:
        return n - n % 2


@pydantic.dataclasses.dataclass(config=pydantic.ConfigDict(extra="forbid"))
class Configured:
    n: int


class Model(pydantic.BaseModel):
    n: int


def dictionary(inner: Any) -> Any:
    return TypedDict("Dictionary", {"d": inner})


def structure(inner: Any) -> Any:
    return msgspec.defstruct("Structure", [("d", inner)])


def row(inner: Any) -> Any:
    return NamedTuple("Row", [("d", inner)])


def plain(inner: Any) -> Any:
    return dataclasses.make_dataclass("Plainly", [("d", inner)])


@pytest.mark.parametrize("face", [accepted, produced])
@pytest.mark.parametrize("inner", [Aliased, Bounded, Checked, Configured, Model])
@pytest.mark.parametrize("around", [dictionary, structure, row, plain])
def test_what_says_more_than_msgspec_reads_is_refused(face: Any, inner: Any, around: Any) -> None:
    with pytest.raises(SchemaError, match=f"'{inner.__name__}' is a class of pydantic"):
        face(around(inner))


@pytest.mark.parametrize("around", [structure, row, plain])
def test_one_of_plain_fields_is_read_as_it_is_written(around: Any) -> None:
    shape = around(Plain)
    value = shape(Plain(1))
    assert deliver(value, sender(produced(shape)), shape) == value


def test_a_dictionary_holds_none_at_any_depth() -> None:
    # An object in it is written by pydantic, and would be read by msgspec.
    with pytest.raises(SchemaError, match="make 'Dictionary' a pydantic model"):
        accepted(dictionary(list[Plain]))
    accepted(dictionary(structure(Plain)))


@pytest.mark.parametrize("shape", [dict[str, Aliased], list[Aliased], tuple[Aliased, int], Aliased | None])
def test_what_pydantic_reads_as_a_whole_holds_each(shape: Any) -> None:
    assert "N" in str(produced(shape))
    assert "N" in str(accepted(shape))


class Branch(TypedDict):
    above: Branch | None
    leaves: list[int]


def test_a_dictionary_that_holds_itself_is_looked_at_once() -> None:
    assert accepted(Branch)
