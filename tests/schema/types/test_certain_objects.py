"""What is certain of objects: fields by all their names, tags, what is left out, and what a collection may hold."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import attrs
import pydantic
import pytest
import typing_extensions
from msgspec import UNSET, Meta, Struct, UnsetType
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, OnErrorOmit, RootModel
from pydantic_core import core_schema

from claude_comm.client.payload_types import accepted
from claude_comm.schema.opaque import code_in
from tests.support.certain import Case, field, fields, model, wrong


class One(Struct, tag=True):
    n: int


class Two(Struct, tag=True):
    n: int


class Row(Struct, array_like=True, tag="row"):
    n: int
    m: int = 0


class Other(Struct, array_like=True, tag="other", forbid_unknown_fields=True):
    n: int


class Open(Struct, frozen=True):
    n: int


class Mutable(Struct):
    n: int


class ByIdentity(Struct, eq=False):
    n: int


class Nested(Struct, frozen=True):
    items: list[int]


class Twig(Struct, frozen=True):
    twigs: tuple[Twig, ...] = ()


class Deep(Struct, frozen=True):
    inner: Nested


@dataclasses.dataclass(frozen=True)
class FrozenData:
    n: int


@dataclasses.dataclass
class MutableData:
    n: int


@dataclasses.dataclass(eq=False)
class DataByIdentity:
    items: list[int]


@attrs.define
class Private:
    n: int
    _m: int = 1


class Unset(Struct):
    n: int | UnsetType = UNSET


STRUCTS: list[Case] = [
    (One, [{"n": 1}, {"type": "One", "n": 1}], [], [{"type": "Two", "n": 1}, {}]),
    (One | None, [{"n": 1}, None], [], [{"type": "Two", "n": 1}]),
    (One | Two, [{"type": "One", "n": 1}, {"type": "Two", "n": 1}], [], [{"n": 1}, {"type": "X", "n": 1}]),
    (Row, [["row", 1], ["row", 1, 2], ["row", 1, 2, 3]], [], [["row"], [1], ["x", 1], []]),
    (Row | Other, [["row", 1, 2, 3], ["other", 1]], [], [["row"], ["other", 1, 2], ["x", 1]]),
    (Unset, [{}, {"n": 1}], [], [{"n": None}]),
    (Private, [{"n": 1}, {"n": 1, "_m": 2}], [], [{"n": 1, "_m": "x"}]),
    *((set[shape], [[], [{"n": 1}]], [], [[1]]) for shape in (Open, ByIdentity, FrozenData)),
    *((set[shape], [[]], [], [[{"n": 1}]]) for shape in (Mutable, MutableData)),
    (set[DataByIdentity], [[], [{"items": [1]}]], [], [[1]]),
    (set[Nested], [[]], [], [[{"items": []}]]),
    (set[Deep], [[]], [], [[{"inner": {"items": []}}]]),
    (set[tuple[Open, ...]], [[], [[{"n": 1}]]], [], [[1]]),
    (set[tuple[Mutable, ...]], [[]], [], [[[{"n": 1}]]]),
    (set[tuple[int, Mutable]], [[]], [], [[[1, {"n": 1}]]]),
    (set[Twig], [[], [{"twigs": []}], [{"twigs": [{"twigs": []}]}]], [], [[1]]),
    (set[frozenset[int]], [[], [[1]]], [], [[1]]),
    (dict[Annotated[int, Meta(gt=1, lt=4)], int], [{"2": 1}, {"3": 1}], [], [{"1": 1}, {"4": 1}]),
    (dict[Annotated[int, Meta(ge=1, le=4)], int], [{"1": 1}, {"4": 1}], [], [{"0": 1}, {"5": 1}]),
    (dict[Annotated[float, Meta(gt=1)], int], [], [{"2": 1}], [{"x": 1}]),
    (dict[Annotated[float, Meta(multiple_of=0.5)], int], [], [{"2": 1}], [{"x": 1}]),
    (dict[None, int], [{}], [], [{"null": 1}, {"x": 1}]),
    (Annotated[float, Meta(multiple_of=2**-10)], [2**-10, -0.5], [], [2**-11]),
    (int | float, [1, 1.5, 2.0], [], ["1"]),
    (Annotated[int, Meta(ge=5)] | Annotated[float, Meta(lt=3)], [5, 2.5], [], [4, 2, 3.5]),
]


class Choice(BaseModel):
    model_config = ConfigDict(extra="forbid")
    first: int = Field(validation_alias=AliasChoices("a", "b", "c"))
    second: int = Field(2, validation_alias=AliasChoices("d", "e"))


class Loose(BaseModel):
    first: int = Field(validation_alias=AliasChoices("a", "b"))


class OneChoice(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_by_name=True)
    first: int = Field(validation_alias=AliasChoices("first"))


class NoAlias(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_by_name=True, validate_by_alias=False)
    n: int = Field(alias="A")


class Both(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_by_name=True)
    n: int = Field(alias="A")


class ByPath(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_by_name=True)
    n: int = Field(validation_alias=AliasPath("deep", "n"))


class ByPaths(BaseModel):
    model_config = ConfigDict(extra="forbid")
    n: int = Field(validation_alias=AliasChoices(AliasPath("x", 0), "m"))


class OnePath(BaseModel):
    model_config = ConfigDict(extra="forbid")
    n: int = Field(validation_alias=AliasChoices(AliasPath("x", 0)))


class Extras(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int]
    n: int = Field(validation_alias=AliasChoices("a", "b"))


class Ignored(BaseModel):
    __pydantic_extra__: dict[str, int]
    n: int


@pydantic.dataclasses.dataclass(config=ConfigDict(extra="forbid"))
class Given:
    fixed: int = pydantic.dataclasses.Field(default=1, init=False)
    n: int = 2
    made: dataclasses.InitVar[int] = 3


class Point(NamedTuple):
    x: int
    y: int = 0


class A(BaseModel):
    k: Literal["a"]


class B(BaseModel):
    k: Literal["b", "c"] = "b"


class Number(BaseModel):
    k: Literal[1]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    n: int
    m: Annotated[int, Field(strict=False)] = 1


class Loosely(BaseModel):
    n: Annotated[int, Field(strict=True)]
    inner: Strict | None = None


class Wide(typing_extensions.TypedDict, total=False):
    n: typing_extensions.Required[int]
    m: int


def core(schema: Any) -> Any:
    hook = classmethod(lambda _cls, _source, _handler: schema)
    return RootModel[type("Core", (), {"__get_pydantic_core_schema__": hook})]


INT, TEXT, FLAG = core_schema.int_schema(), core_schema.str_schema(), core_schema.bool_schema()
OMITTED = core(core_schema.with_default_schema(core_schema.int_schema(), default=5, on_error="default"))

MODELS: list[Case] = [
    (
        Choice,
        [{"a": 1}, {"b": "1"}, {"c": 1, "d": 2}, {"b": 1, "e": 2}],
        [],
        [{}, {"d": 1}, {"a": 1, "b": 1}, {"a": "x"}, {"first": 1}, {"a": 1, "second": 1}],
    ),
    (Loose, [{"a": 1, "b": "x"}, {"b": 1, "z": 1}], [], [{"a": "x", "b": 1}, {"first": 1}]),
    (OneChoice, [{"first": 1}], [], [{}, {"first": "x"}, {"first": 1, "x": 1}]),
    (NoAlias, [{"n": 1}], [], [{"A": 1}, {"n": 1, "A": 1}]),
    (Both, [{"n": 1}, {"A": 1}], [], [{}, {"n": 1, "A": 1}, {"x": 1, "n": 1}]),
    (ByPath, [], [{"deep": {"n": 1}}, {"n": 1}], [{"x": 1}, {"n": 1, "x": 1}]),
    (ByPaths, [], [{"x": [1]}, {"m": 1}], [{"m": 1, "z": 1}, []]),
    (OnePath, [], [{"x": [1]}], [{"y": 1}, {"x": [1], "y": 1}]),
    (Extras, [{"a": 1, "z": 2}, {"b": 1}], [], [{"a": 1, "z": "x"}, {"a": 1, "b": "x"}]),
    (Ignored, [{"n": 1, "z": "x"}], [], [{"n": "x"}]),
    (Given, [{}, {"n": 1}, {"made": 1}], [], [{"fixed": 1}, {"n": "x"}, {"made": "x"}]),
    (model(Point), [[1], [1, 2], {"x": 1}, {"x": 1, "y": 2}], [], [[], [1, 2, 3], {}, {"x": 1, "z": 1}]),
    (model(Wide), [{"n": 1}, {"n": 1, "m": 2, "z": 3}], [], [{}, {"m": 2}, {"n": 1, "m": "x"}]),
    (
        model(Annotated[A | B, Field(discriminator="k")]),
        [{"k": "a"}, {"k": "b"}, {"k": "c"}],
        [],
        [{}, {"k": "x"}, {"k": 1}],
    ),
    (model(Annotated[A | Number, Field(discriminator="k")]), [{"k": 1}, {"k": True}, {"k": "a"}], [], [{"k": 0}]),
    (Strict, [{"n": 1}, {"n": 1, "m": "1"}], [], [{"n": "1"}]),
    (
        Loosely,
        [{"n": 1}, {"n": 1, "inner": {"n": 1, "m": "1"}}],
        [],
        [{"n": "1"}, {"n": 1, "inner": {"n": "1"}}],
    ),
    (field(Mapping[str, int], strict=True), fields({"a": 1}), [], fields({"a": "1"})),
    (field(Annotated[list[int], Field(strict=True)]), fields([1], ["1"]), [], fields(["x"])),
    (field(OnErrorOmit[int]), fields(1, "1"), fields("x", None), [{}]),
    (model(list[OnErrorOmit[int]]), [[1], []], [["x"]], [1]),
    (OMITTED, [1, "1"], ["x", None], []),
    (model(collections.deque[int]), [[], [1, "2"]], [], [1, ["x"]]),
    (model(Annotated[set[int], Field(min_length=1, max_length=2)]), [[1], [1, 1]], [[1, 1, 1]], [[], ["x"]]),
    (core(core_schema.union_schema([(INT, "whole"), TEXT])), [1, "a"], [], [[]]),
    (
        core(core_schema.dict_schema(core_schema.union_schema([(INT, "whole"), FLAG]), INT)),
        [{"1": 1}, {"on": 1}],
        [],
        [{"x": 1}],
    ),
    (core(core_schema.chain_schema([INT])), [1], [], ["x"]),
    (core(core_schema.chain_schema([INT, INT])), [], [1], ["x"]),
    (core(core_schema.tuple_schema([INT, TEXT], variadic_item_index=1)), [[1], [1, "a", "b"]], [], [[], ["x"], [1, 2]]),
    (core(core_schema.tuple_schema([INT, TEXT], variadic_item_index=0)), [], [["a"], [1, "a"]], [[], [[]]]),
    (core(core_schema.tuple_schema([INT], variadic_item_index=0)), [[], [1, 2]], [], [["x"]]),
    (core(core_schema.custom_error_schema(INT, "own", custom_error_message="no")), [1], [], ["x"]),
    (core(core_schema.is_instance_schema(complex)), [], [], [{}, 1, None]),
    (core(core_schema.url_schema()), [], ["https://a.b/"], [1, None]),
    (core(core_schema.dict_schema()), [{}, {"a": [1]}], [], [[], 1]),
    (model(Annotated[set[int], Field(min_length=1)]), [[1], [1, 1]], [], [[]]),
    (model(Annotated[set[int], Field(min_length=2)]), [[1, 2]], [[1, 1], [1], ["1", 1]], [[], ["x", "y"]]),
    (model(Annotated[set[int], Field(max_length=1)]), [[], [1]], [[1, 1], [1, 2]], [["x"]]),
    (model(Annotated[set[str], Field(min_length=2, max_length=2)]), [["a", "b"]], [["a", "b", "b"]], [[], [1, 2]]),
    (field(Annotated[set[str], Field(min_length=2)], str_to_lower=True), [], fields(["a", "b"]), fields([])),
    (field(Annotated[set[str], Field(min_length=2)], str_strip_whitespace=True), [], fields(["a", "b"]), fields([])),
]


@pytest.mark.parametrize("case", [*STRUCTS, *MODELS], ids=lambda case: str(case[0])[-60:])
def test_what_is_certain_of_an_object_is_what_the_decoder_does(case: Case) -> None:
    assert wrong(case) == []


def test_a_set_that_is_not_empty_leaves_nothing_to_code() -> None:
    assert code_in(accepted(model(Annotated[set[int], Field(min_length=1)]))) is None
    assert code_in(accepted(model(set[int]))) is None
