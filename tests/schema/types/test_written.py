"""What the encoders write: which members are always there, what is said of texts, and what an adapter may fill in."""

from __future__ import annotations

import dataclasses
import datetime as dt
import ipaddress
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, TypedDict

import attrs
import msgspec
import pydantic
import pytest
from msgspec import Meta, Struct
from pydantic import BaseModel, Field, PlainSerializer, RootModel

from claude_comm.client.payload_types import produced
from claude_comm.errors import SchemaError
from claude_comm.schema import Compatible, check
from claude_comm.schema.types import msgspec_texts as own
from claude_comm.schema.types import pydantic_texts as models
from claude_comm.schema.types.exact import accepts, beside, is_schema, produces, reads_forms
from claude_comm.schema.types.texts import Text
from claude_comm.schema.validation.validator import compile_validator


class Inner(Struct, frozen=True):
    m: dict[int, int]


class Filled(Struct):
    a: int
    b: int = 1
    c: list[int] = []
    d: Inner = Inner({1: 2})
    e: dict[str, int] = msgspec.field(default_factory=lambda: {"a": 1})
    f: Any = object()


class Sparse(Struct, omit_defaults=True):
    a: int
    b: int = 1


class Partial(TypedDict, total=False):
    a: int


class Tagged(Struct, tag="t"):
    a: int


class Row(Struct, array_like=True, tag="row"):
    a: int
    b: int = 0


@attrs.define
class Private:
    _x: int
    y_: int = 2


class Model(BaseModel):
    a: int
    b: int = 1
    c: dict[int, int] = {1: 2}
    d: Any = object()
    e: list[int] = Field(default_factory=list)


@pytest.mark.parametrize(
    ("shape", "defaults"),
    [
        (Filled, {"b": 1, "c": [], "d": {"m": {"1": 2}}}),
        (Sparse, {"b": 1}),
        (Partial, {}),
        (Model, {"b": 1, "c": {"1": 2}}),
    ],
)
def test_the_defaults_that_json_has_may_be_filled_in(shape: Any, defaults: dict[str, Any]) -> None:
    members = accepts(shape)["properties"]
    assert {name: member["default"] for name, member in members.items() if "default" in member} == defaults
    assert not any("default" in member for member in produces(shape)["properties"].values())


class Hidden(BaseModel):
    hidden: int = Field(default=1, exclude=True)
    seldom: int = Field(default=1, exclude_if=lambda value: value == 1)
    a: int = Field(default=1, serialization_alias="A")

    @pydantic.computed_field
    @property
    def twice(self) -> int:
        return 2 * self.a


class Extras(BaseModel, extra="allow"):
    __pydantic_extra__: dict[str, int]


class Texted(BaseModel):
    always: Annotated[int | None, PlainSerializer(str, return_type=str)] = None
    unless: Annotated[int | None, PlainSerializer(str, return_type=str, when_used="unless-none")] = None
    never: Annotated[int, PlainSerializer(str, return_type=str, when_used="unless-none")] = 1
    wrapped: Annotated[int, pydantic.WrapValidator(lambda value, handler: handler(value))] = 1
    after: Annotated[int, pydantic.AfterValidator(abs)] = 1
    before: Annotated[int, pydantic.BeforeValidator(int)] = 1
    free: Annotated[int, PlainSerializer(lambda value: [value])] = 1


TEXTED = {"always": "None", "unless": None, "never": "1", "wrapped": 1, "after": 1, "before": 1, "free": [1]}


@pytest.mark.parametrize(
    ("shape", "fits", "fails"),
    [
        (set[int], [[], [1, 2]], [[1, 1], [2**64]]),
        (Tagged, [{"type": "t", "a": 1}], [{"a": 1}]),
        (Tagged | None, [{"type": "t", "a": 1}, None], [{"a": 1}]),
        (Row, [["row", 1, 2]], [["row", 1], ["row", 1, 2, 3], [1, 2]]),
        (Filled, [], [{"a": 1, "b": 1}]),
        (Sparse, [{"a": 1}, {"a": 1, "b": 2}], [{"b": 2}]),
        (Private, [{"y_": 1}, {"_x": 1, "y_": 1}], [{"_x": 1}]),
        (dict[int | str, int], [{"1": 1}, {"x": 1}], []),
        (dict[int | uuid.UUID, int], [{"1": 1}, {"12345678-1234-5678-1234-567812345678": 1}], [{"x": 1}]),
        (Hidden, [{"A": 1, "twice": 2, "seldom": 1}, {"A": 1, "twice": 2}], [{"A": 1}, {"twice": 2}, {"A": "x"}]),
        (Extras, [{}, {"x": 1}], [{"x": "y"}]),
        (Texted, [TEXTED, {**TEXTED, "unless": "1"}], [{**TEXTED, "always": None}, {**TEXTED, "never": None}]),
        (Texted, [], [{**TEXTED, name: "x"} for name in ("wrapped", "after", "before")]),
        (RootModel[bool], [True], [0, "yes"]),
        (RootModel[dict[bool, int]], [{"true": 1}], [{"1": 1}]),
    ],
)  # fmt: skip
def test_what_is_written_is_said_and_no_more(shape: Any, fits: list[Any], fails: list[Any]) -> None:
    validator = compile_validator(produced(shape))
    assert [message for message in fits if not validator.accepts(message)] == []
    assert [message for message in fails if validator.accepts(message)] == []


# What is written, and a language of those that read it.
WITHIN: dict[str, Callable[[], tuple[Text, Text]]] = {
    "date": lambda: (own.write_date(), models.read_date()),
    "date, strict": lambda: (own.write_date(), models.read_date(strict=True)),
    "time": lambda: (own.write_time(None), own.read_time(None)),
    "time of a model": lambda: (own.write_time(None), models.read_time()),
    "aware time": lambda: (own.write_time(True), own.read_time(True)),
    "moment": lambda: (own.write_datetime(None), own.read_datetime(None)),
    "moment of a model": lambda: (own.write_datetime(None), models.read_datetime(None)),
    "moment, strict": lambda: (own.write_datetime(None), models.read_datetime(None, strict=True)),
    "aware moment": lambda: (own.write_datetime(True), own.read_datetime(True)),
    "aware moment of a model": lambda: (own.write_datetime(True), models.read_datetime(True)),
    "aware moment, strict": lambda: (own.write_datetime(True), models.read_datetime(True, strict=True)),
    "decimal": lambda: (own.write_decimal(), own.read_decimal()),
    "finite decimal": lambda: (own.write_decimal(), own.read_decimal(finite=True)),
    "float key": lambda: (own.write_float_key(), own.read_float_key()[0]),
}


@pytest.mark.parametrize("name", WITHIN)
def test_a_text_that_is_written_lies_within_those_that_are_read(name: str) -> None:
    written, read = WITHIN[name]()
    said = [written.assertions()["pattern"], *(part["pattern"] for part in written.schema().get("allOf", ()))]
    assert read.assertions()["pattern"] in said
    assert isinstance(check(written.schema(), read.schema()), Compatible)


# The longest that is promised, and what is longer by the least.
LONGEST = [
    ("P999999999D", "P1000000000D"),
    ("-P999999999D", "-P999999999DT1S"),
    ("PT23999999999H", "PT24000000000H"),
    ("PT1439999999999M", "PT1440000000000M"),
    ("PT86399999913600S", "PT86399999913601S"),
    ("-PT86399999913600S", "-PT86399999913601S"),
    ("P999999999DT86399S", "P999999999DT86400S"),
    ("-P999999998DT86399.999999S", "-P999999999DT0.000001S"),
    ("P99999999DT1H", "P999999999DT24H"),
]


@pytest.mark.parametrize(("longest", "longer"), LONGEST)
def test_a_duration_is_read_up_to_the_longest(longest: str, longer: str) -> None:
    validator = compile_validator(own.read_duration().schema())
    assert validator.accepts(longest)
    msgspec.convert(longest, dt.timedelta)
    assert not validator.accepts(longer)


@pytest.mark.parametrize(
    "text", ["P1DT2H3M4.5S", "PT999999999H9999999999M999999999999S", "P99999999D", "pt0.5h", "P1.5D", "+PT1M0.5S"]
)
def test_a_duration_of_several_units_is_read(text: str) -> None:
    assert compile_validator(own.read_duration().schema()).accepts(text)
    msgspec.convert(text, dt.timedelta)


@pytest.mark.parametrize("text", ["P1H", "PT1D", "PT", "P", "PT1S2M", "P1D1D", "P1.5DT1H", "T1S", "PT1.S"])
def test_what_is_no_duration_is_not_read(text: str) -> None:
    assert not compile_validator(own.read_duration().schema()).accepts(text)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, dt.timedelta)


@pytest.mark.parametrize("text", ["iNf", "-Infinity", "NaN", "sNaN1", "n_a_n_", "I_nf"])
def test_a_decimal_that_is_not_finite_is_spelled_in_any_case(text: str) -> None:
    assert compile_validator(own.read_decimal().schema()).accepts(text)
    assert not compile_validator(own.read_decimal(finite=True).schema()).accepts(text)
    Decimal(text)


def test_a_model_is_called_as_its_class_and_a_value_alone_is_not() -> None:
    assert accepts(Model)["title"] == "Model"
    assert "title" not in accepts(RootModel[list[int]])
    assert "allOf" not in accepts(Model)


@dataclasses.dataclass
class Holds:
    data: bytes
    again: Tagged
    twice: list[Tagged]


@pytest.mark.parametrize(
    ("shape", "apart"),
    [
        *((shape, True) for shape in (bytes, list[bytes], dict[int, str], Filled, dict[str, bytearray], Holds)),
        *((shape, False) for shape in (int, dict[str, int], Sparse, Model, RootModel[bytes], dict[uuid.UUID, int])),
    ],
)
def test_bytes_and_numbers_as_keys_are_read_apart(shape: Any, apart: bool) -> None:
    assert reads_forms(shape) is apart


def test_a_schema_is_a_mapping_or_a_boolean() -> None:
    assert [is_schema(shape) for shape in ({}, True, False, int, Model, Sparse, None)] == [True] * 3 + [False] * 4


SPARSE = accepts(Sparse)
DRAFT_7 = {"$schema": "http://json-schema.org/draft-07/schema#"}


@pytest.mark.parametrize(
    ("schema", "shape", "both"),
    [
        ({"required": ["b"]}, Sparse, {"required": ["b"], "allOf": [SPARSE]}),
        ({"allOf": [{"minProperties": 1}]}, Sparse, {"allOf": [{"minProperties": 1}, SPARSE]}),
        (True, Sparse, SPARSE),
        (False, Sparse, False),
        ({"minimum": 1}, Any, {"minimum": 1}),
        ({"minimum": 1}, {"type": "integer"}, {"minimum": 1}),
        ({"type": "object"}, dict[Annotated[float, Meta(gt=1)], int], {"type": "object"}),
        (DRAFT_7, Sparse, DRAFT_7),
        ({"unevaluatedProperties": False}, Sparse, {"unevaluatedProperties": False}),
    ],
)  # fmt: skip
def test_a_schema_beside_a_type_is_what_both_take(schema: Any, shape: Any, both: Any) -> None:
    assert beside(schema, shape) == both


class Tree(Struct):
    kids: list[Tree] = []


def test_definitions_of_both_stand_beside_each_other_unless_they_share_a_name() -> None:
    tree = accepts(Tree)
    theirs = {"$defs": {"Other": {"type": "object"}}, "$ref": "#/$defs/Other"}
    named: Any = {**theirs["$defs"], **tree["$defs"]}  # type: ignore[dict-item]
    assert beside(theirs, Tree) == {**theirs, "allOf": [{"$ref": "#/$defs/Tree"}], "$defs": named}
    assert beside({"type": "object"}, Tree)["$defs"] == tree["$defs"]  # type: ignore[index]
    shared = {"$defs": {"Tree": {"type": "object"}}, "$ref": "#/$defs/Tree"}
    assert beside(shared, Tree) == shared


@pydantic.dataclasses.dataclass
class Aliased:
    m: int
    n: int = Field(alias="N", default=1)


@pydantic.dataclasses.dataclass
class Factory:
    m: int
    n: int = dataclasses.field(default_factory=int, metadata={})
    k: Annotated[int, Field(gt=1)] = 5


@pydantic.dataclasses.dataclass
class Defaulted:
    m: int
    n: int = Field(default=1)


@pytest.mark.parametrize("inner", [Aliased, Factory, Defaulted])
def test_one_field_that_says_more_is_enough_and_the_type_around_is_named(inner: Any) -> None:
    around = msgspec.defstruct("Around", [("v", inner)], module="a.b")
    with pytest.raises(SchemaError, match=rf"^'{inner.__name__}' is a class of pydantic, and in 'Around', which"):
        accepts(around)
    with pytest.raises(SchemaError, match=r"and in 'Around \| None', which msgspec reads"):
        accepts(around | None)


# Base64 of no byte, one, two, three and four.
BYTES = ["", "YQ==", "YWE=", "YWFh", "YWFhYQ=="]


@pytest.mark.parametrize("most", [None, 0, 1, 2, 3, 4, 6])
def test_bytes_of_a_length_are_base64_of_so_many(most: int | None) -> None:
    for least in (None, 0, 1, 2, 3, 4, 5):
        validator = compile_validator(own.read_base64(least, most).schema())
        for length, text in enumerate([*BYTES, "YWFhYWE=", "YWFhYWFh", "YWFhYWFhYQ=="]):
            within = (least or 0) <= length and (most is None or length <= most)
            assert validator.accepts(text) is within, (least, most, text)
        assert not any(map(validator.accepts, ("Y", "YQ", "YQ=", "YWFhY", "====")))


def loose(shape: Any, text: str) -> bool:
    try:
        pydantic.TypeAdapter(shape).validate_json(f'"{text}"')
    except (ValueError, OverflowError):
        return False
    return True


@pytest.mark.parametrize(
    ("longest", "longer"),
    [
        ("P999999999D", "P1000000000D"),
        ("P2739725Y364DT86399S", "P2739727Y"),
        ("P2739726Y9D", "P2739726Y10D"),
        ("-P2739726Y8DT1S", "-P2739726Y9DT1S"),
        ("999999998 days, 23:59:59", "-999999999 days 00:00:01"),
        ("P999999Y9999999M9999999W99999999DT999999H9999999M9999999S", "P9999999Y"),
        ("P1Y1M1W1DT1H1M1S", "P1Z"),
        ("PT1H1S", "PT1"),
        ("P1.5W", "P1.5W1D"),
        ("1:00:00", "1:00"),
    ],
)
def test_a_duration_of_pydantic_is_read_up_to_the_longest(longest: str, longer: str) -> None:
    validator = compile_validator(models.read_duration().schema())
    assert loose(dt.timedelta, longest)
    assert validator.accepts(longest)
    assert not loose(dt.timedelta, longer)
    assert not validator.accepts(longer)


GROUPS = ["1", "22", "333", "4444", "a", "BB", "cCc", "0"]


def test_an_address_leaves_out_one_run_of_zeros_wherever_it_stands() -> None:
    validator = compile_validator(models.read_ipv6().schema())
    for dotted in (False, True):
        groups = [*GROUPS[:6], "1.2.3.4"] if dotted else GROUPS
        assert validator.accepts(":".join(groups))
        assert not validator.accepts(":".join(groups[1:]))
        assert not validator.accepts(":".join(["1", *groups]))
        for before in range(len(groups) + 1):
            for after in range(len(groups) + 1):
                head, tail = groups[:before], groups[len(groups) - after :]
                text = ":".join(head) + "::" + ":".join(tail)
                assert validator.accepts(text) is loose(ipaddress.IPv6Address, text), text


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("zone", [None, True, False])
def test_a_day_is_a_moment_where_no_zone_is_asked_for(zone: bool | None, strict: bool) -> None:
    validator = compile_validator(models.read_datetime(zone, strict=strict).schema())
    assert validator.accepts("2020-01-01") is (zone is not True and not strict)
    assert validator.accepts("1577836800") is (zone is not False)
    assert validator.accepts("2020-01-01T00:00") is (zone is not True)
    assert validator.accepts("2020-01-01T00:00Z") is (zone is not False)


def test_an_integer_as_text_has_as_many_digits_as_python_converts() -> None:
    validator = compile_validator(models.read_int().schema())
    assert validator.accepts("9" * 4_300)
    assert not validator.accepts("9" * 4_301)
