"""What is certain of sets and mappings as pydantic counts them, and of numbers at their ends."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import pydantic
import pytest
from msgspec import Meta
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from claude_comm.client.payload_types import accepted, produced
from claude_comm.json_form import json_form
from claude_comm.schema.containment.check import check
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.verdict import Compatible
from tests.support.certain import Case, field, fields, model, wrong


class Open(BaseModel):
    n: int = 0


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)
    n: int = 0


class FrozenList(BaseModel):
    model_config = ConfigDict(frozen=True)
    items: list[int]


class FrozenUnion(BaseModel):
    model_config = ConfigDict(frozen=True)
    item: list[int] | int


class TwoOfOneName(BaseModel):
    first: int = Field(alias="al")
    second: int | None = Field(alias="al")


class FurtherAsWritten(BaseModel):
    model_config = ConfigDict(extra="allow")
    n: int = Field(validation_alias="m")


class Point(NamedTuple):
    x: int
    y: int = 0


@dataclasses.dataclass(slots=True)
class Slotted:
    n: int


class Shape(enum.Enum):
    PAIR = (1, 2)
    WORD = "q"


class Pairs(enum.Enum):
    ONLY = (1, 2)


def number(kind: Any, **bounds: Any) -> Any:
    return model(Annotated[kind, Field(**bounds)])


class FrozenChain(BaseModel, frozen=True):
    n: int
    next: FrozenChain | None = None


Lowered = Annotated[str, StringConstraints(to_lower=True)]

SETS: list[Case] = [
    *((model(set[shape]), [[]], [], [[{}], [{"n": 1}]]) for shape in (Open, dict[str, int])),
    *((model(frozenset[shape]), [[]], [], [[[]], [[1]]]) for shape in (list[int], set[int])),
    (model(set[Frozen]), [[], [{"n": 1}, {}]], [], [[1]]),
    (model(set[FrozenList]), [[]], [], [[{"items": []}]]),
    (model(set[FrozenUnion]), [[]], [[{"item": 1}], [{"item": [1]}]], [[1]]),
    (model(set[list[int] | None]), [[]], [[None]], [[[1]]]),
    (model(set[list[int] | str]), [[]], [["a"]], [[[1]]]),
    (model(set[tuple[int, str]]), [[[1, "a"]]], [], [[[1]]]),
    (model(set[tuple[int, list[int]]]), [[]], [], [[[1, [1]]]]),
    (model(set[tuple[list[int], ...]]), [[]], [[[]]], [[1]]),
    (model(set[Decimal]), [["1", 2]], [], [["NaN"]]),
    (model(set[Annotated[int, AfterValidator(lambda n: n)]]), [], [[1]], [["x"]]),
    (model(set[FrozenChain]), [[]], [[{"n": 1}]], [[{"n": "x"}]]),
    (model(set[Annotated[Decimal, Field(allow_inf_nan=True)]]), [[]], [["1"], ["sNaN"]], [["x"]]),
]
MAPPINGS: list[Case] = [
    (number(dict[int, int], min_length=2), [{"1": 1, "2": 2}], [{"1": 1, "01": 2}, {"0": 1, "-0": 2}], [{"1": 1}]),
    (number(dict[int, int], max_length=1), [{}, {"1": 1}], [{"1": 1, "01": 2}], [{"1": "x"}]),
    (number(dict[int, int], min_length=1), [{"1": 1}], [], [{}]),
    (number(dict[str, int], min_length=2), [{"a": 1, "b": 2}], [], [{"a": 1}]),
    (number(dict[Lowered, int], min_length=2), [], [{"a": 1, "A": 2}], [{"a": 1}]),
    (number(dict[float, int], min_length=2), [], [{"1": 1, "1.0": 2}], [{"1": 1}]),
    (number(dict[Any, int], min_length=2), [{"a": 1, "b": 2}], [], [{"a": 1}]),
]
STRICT_WITHIN = collections.defaultdict[str, list[Annotated[dt.date, Field(strict=True)]]]
FIELDS: list[Case] = [
    (TwoOfOneName, [{"al": 1}], [], [{"al": None}, {}]),
    (field(Point, alias_generator=str.upper), [{"V": [1]}, {"V": {"X": 1}}], [], [{"V": {"x": 1}}, {"V": {}}]),
    (field(Slotted, extra="allow"), [], fields({"n": 1}, {"n": 1, "m": 2}), fields({})),
    (field(bytes, val_json_bytes="base64"), fields("aA", "aA=", "aA=="), [], fields("aGk==")),
    (model(STRICT_WITHIN), [], [{"a": ["2020-01-01"]}], [[]]),
    (model(collections.defaultdict[str, list[dt.date]]), [{"a": ["2020-01-01"]}], [], [[]]),
    (model(collections.deque[Annotated[dt.date, Field(strict=True)]]), [["2020-01-01"]], [], [[0]]),
]
LISTED: list[Case] = [
    (model(Shape), ["q"], [], [[1, 2], "a"]),
    (model(Pairs), [], [], [[1, 2]]),
    (model(Literal[b"a", "b"]), ["b"], [], ["a"]),
]
NUMBERS: list[Case] = [
    (number(float, multiple_of=0.001), [1, True, False], ["1"], [0.00025]),
    (number(int, multiple_of=10), [9.223372036854776e18, 1.8446744073709552e19], [], [2**63]),
    (number(float, multiple_of=0.25), [0.25, -3, 2**40], [1e22, 2**63 - 1, 1e308, 0.750000000025], [0.26, 0.1]),
    (number(float, multiple_of=0.1), [0.3, 0.7, 9_999.9], [0.30000000000000004, 123456789.1], [0.35]),
    (
        field(Annotated[float, Field(multiple_of=0.1)], strict=True),
        fields(0.3),
        fields(0.30000000000000004),
        fields("1"),
    ),
    (Annotated[float, Meta(gt=2**63)], [1e19, 2**64 - 1], [9.223372036854776e18], [1, 9.2e18]),
    (number(float, le=2**53 + 1), [1, -1e300], [2**53, 2**53 + 1], [1e17]),
    (
        field(float, allow_inf_nan=False),
        fields("9" * 200, "1e99"),
        fields("1" * 310, "1e308", "1e309", "9_9e-7_90"),
        fields("nan", "-inf"),
    ),
    (
        number(Decimal, max_digits=4, decimal_places=1),
        ["1E+2", "1.2E+2", "0E-7", "-0E+9"],
        ["1.23E+2", "1E+3", "1.000E+2"],
        ["x"],
    ),
    (number(Decimal, decimal_places=1), ["1E+2", "1.5E+70", "0E-7"], ["1.23E+1"], [0.25]),
    (number(Decimal, max_digits=9, decimal_places=8), ["1E-7", "1.2E-7", "1E-8"], ["1.23E-7", "1E-9"], []),
    (number(Decimal, max_digits=2, decimal_places=2), ["0E-7"], ["0E+2"], ["0"]),
    (number(Decimal, gt=Decimal("0.5")), ["1E+2"], ["1E+02"], ["0.1"]),
    (number(Decimal, allow_inf_nan=True), [[0, [1], 5]], [[0, [1], 2**53], [0, [1], 10**18]], []),
    (model(dt.date), [86_400, "0"], ["86400", "86401", "-1", 0.0000001, 0.5], [1, "1e5"]),
    (field(dt.date, val_temporal_unit="seconds"), fields("2020-01-01"), fields(86_400, 1e14, "86400"), fields(None)),
    (field(dt.datetime, val_temporal_unit="milliseconds"), fields("2020-01-01T00:00:00"), fields(1e14), fields(True)),
    (model(pydantic.AwareDatetime), ["253402300799999.00", "253402300799999.90"], [], ["253402300800000"]),
    (field(dict[float, int], allow_inf_nan=False), fields({"1.5": 1}), fields({"1e308": 1}), fields({"inf": 1})),
    (field(dt.date, strict=True), fields("2020-01-01", "0"), fields("86400", "1"), fields("0.0", 0.5)),
    (
        model(dt.timedelta),
        ["P2739726Y9DT13H54M59S", "-P1243835Y224DT6H33M7.203125S", "P2739726Y9DT23H59M59.999999S"],
        [],
        ["-P2739726Y9DT13H54M59S"],
    ),
]


@pytest.mark.parametrize("case", [*SETS, *MAPPINGS, *FIELDS, *LISTED, *NUMBERS], ids=lambda case: str(case[0])[-70:])
def test_what_is_certain_is_what_the_decoder_does(case: Case) -> None:
    assert wrong(case) == []


MOMENTS = (dt.datetime(2020, 1, 1, 1), dt.date(2020, 1, 1), dt.time(1, 2), dt.timedelta(1, microseconds=3))
WRITTEN: list[tuple[Any, Any]] = [
    (field(Annotated[Decimal, Field(max_digits=6, decimal_places=1)]), Decimal("1E+2")),
    (field(Annotated[Decimal, Field(decimal_places=2)]), Decimal("0E-7")),
    (field(dt.timedelta), dt.timedelta.max),
    (field(dt.timedelta), dt.timedelta(days=999_999_999, seconds=50_099)),
    (field(dt.timedelta), dt.timedelta(days=-454_000_000, seconds=1)),
    (field(Annotated[float, Field(multiple_of=0.1)]), 0.1 * 3),
    (field(Shape), Shape.PAIR),
    *((field(type(moment), ser_json_temporal="seconds"), moment) for moment in MOMENTS),
    *((field(dict[type(moment), int], ser_json_temporal="milliseconds"), {moment: 1}) for moment in MOMENTS),  # type: ignore[misc]
    (field(dict[dt.timedelta, int], ser_json_timedelta="float"), {dt.timedelta(1): 1}),
    (field(dict[Literal[True, "a"], int]), {True: 1}),
    (field(dict[int | None, int]), {None: 1}),
    (field(Annotated[str, Field(pattern="^a$")], str_to_upper=True), "a"),
    (field(Annotated[str, StringConstraints(to_upper=True, max_length=1)]), "\u00df"),
    (field(Literal[b"a"]), b"a"),
]


@pytest.mark.parametrize(("shape", "value"), WRITTEN, ids=str)
def test_what_is_written_of_a_value_that_was_read_is_in_the_contract(shape: Any, value: Any) -> None:
    form = msgspec.json.decode(msgspec.json.encode(json_form(shape(v=value))))
    assert compile_validator(produced(shape)).validate(form) == []


OBJECTS: list[Any] = [
    FurtherAsWritten.model_validate({"m": 1, "n": "x"}),
    TwoOfOneName.model_validate({"al": 1}),
]


@pytest.mark.parametrize("value", OBJECTS, ids=repr)
def test_what_is_written_of_an_object_that_was_read_is_in_the_contract(value: Any) -> None:
    assert compile_validator(produced(type(value))).validate(json_form(value)) == []


@pytest.mark.parametrize("shape", [WRITTEN[0][0], WRITTEN[1][0], WRITTEN[2][0]], ids=str)
def test_a_type_agrees_with_itself_on_them(shape: Any) -> None:
    assert isinstance(check(produced(shape), accepted(shape)), Compatible)
