"""What is certain at the ends of what is promised: bounds beyond 2^53, hashes of unions, aliases, powers of ten."""

from __future__ import annotations

import collections
import datetime as dt
from decimal import Decimal
from typing import Annotated, Any, NamedTuple

import msgspec
import pydantic
import pytest
from msgspec import Meta
from pydantic import Field, Tag
from pydantic_core import core_schema

from claude_comm.client.payload_types import accepted, produced
from claude_comm.schema.opaque import OPAQUE
from claude_comm.schema.validation.validator import compile_validator
from tests.support.certain import Case, field, fields, model, wrong


def number(kind: Any, **bounds: Any) -> Any:
    return model(Annotated[kind, Field(**bounds)])


class Frozen(msgspec.Struct, frozen=True):
    n: int = 0


class Point(NamedTuple):
    x: int
    y: int = 0


def upper_y(name: str) -> str:
    return name.upper() if name == "y" else name


class FirstAndLists:
    """A tuple of an integer and of lists: pydantic reads it, though no annotation of Python 3.11 says it."""

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> Any:
        lists = core_schema.list_schema(core_schema.int_schema())
        return core_schema.tuple_schema([core_schema.int_schema(), lists], variadic_item_index=1)


FAR = 2**60
BOUNDS: list[Case] = [
    *((number(float, le=bound), [bound, -1.5], [], [bound + 2]) for bound in (1_000, 2**52 + 2)),
    (number(float, le=2**53), [2**53], [], [2**54]),
    (number(float, le=FAR), [float(FAR - 1_536), 1], [FAR - 640, FAR + 640], [FAR + 2_048]),
    (number(float, ge=FAR), [float(FAR + 1_536)], [FAR - 640, FAR + 640], [FAR - 2_048, 1]),
    (Annotated[float, Meta(multiple_of=1)], [2.0, 2**60, 1e22], [], [1.5]),
    (number(float, multiple_of=0.1), [-9_999.9, 10_000.0, -10_000.0], [10_000.1, -10_000.1], [0.25]),
]
SETS: list[Case] = [
    (set[Frozen], [[], [{}], [{"n": 1}]], [], [[1]]),
    (model(set[int | None]), [[], [1, None]], [], [["x"]]),
    (model(set[FirstAndLists]), [[]], [[[1]]], [[1]]),
    (model(set[list[int] | dict[str, int]]), [[]], [], [[[1]], [{}]]),
    (model(set[Annotated[int, Tag("number")] | Annotated[bool, Tag("flag")]]), [[1, True]], [], [["x"]]),
    (model(set[pydantic.SecretStr]), [["a"]], [], [[1]]),
]
MAPPINGS: list[Case] = [
    (
        number(dict[int, int], min_length=1, max_length=2),
        [{"1": 1}, {"01": 1}, {"1": 1, "01": 2}],
        [{"1": 1, "01": 1, "2": 2}],
        [{}],
    ),
]
DECIMALS: list[Case] = [
    (number(Decimal, max_digits=4, decimal_places=1), ["1E+1"], [], []),
    (
        number(Decimal, decimal_places=0),
        [f"1.{'1' * 59}E+60"],
        [f"1.{'1' * 60}E+60", f"1.{'1' * 61}E+61"],
        [0.5],
    ),
]
ALIASES: list[Case] = [
    (
        field(Point, alias_generator=upper_y, validate_by_name=True, validate_by_alias=True),
        fields([1], [1, 2]),
        fields({"x": 1}, {"x": 1, "y": 2}, {"x": 1, "Y": 2}),
        fields(1, []),
    ),
    (
        model(collections.defaultdict[str, tuple[Annotated[dt.date, Field(strict=True)], int]]),
        [],
        [{"a": ["2020-01-01", 1]}],
        [[]],
    ),
]


@pytest.mark.parametrize("case", [*BOUNDS, *SETS, *MAPPINGS, *DECIMALS, *ALIASES], ids=lambda case: str(case[0])[-70:])
def test_what_is_certain_is_what_the_decoder_does(case: Case) -> None:
    assert wrong(case) == []


def test_what_is_written_under_the_name_that_it_is_read_by_keeps_its_type() -> None:
    written = compile_validator(produced(field(int, extra="allow")))
    assert written.accepts({"v": 1, "other": "x"})
    assert not written.accepts({"v": "x"})


@pytest.mark.parametrize("bounds", [{"le": FAR}, {"le": FAR, "multiple_of": 3}, {"multiple_of": 0.1}], ids=str)
def test_what_is_written_is_left_to_no_code(bounds: Any) -> None:
    assert OPAQUE not in str(produced(number(float, **bounds)))


def test_a_mapping_whose_keys_no_rule_reads_has_none_for_certain() -> None:
    schema = compile_validator(accepted(dict[complex, int]))
    assert [schema.accepts(value) for value in ({}, {"1": 1})] == [True, False]
