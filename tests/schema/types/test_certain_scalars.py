"""What is certain of numbers, texts and moments as pydantic reads them, and of functions that validate them."""

from __future__ import annotations

import collections
import collections.abc
import datetime as dt
import enum
import ipaddress
import pathlib
from decimal import Decimal
from typing import Annotated, Any

import pydantic
import pytest
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, WrapValidator
from pydantic_core import core_schema

from tests.support.certain import Case, field, fields, model, wrong


def number(kind: Any, **bounds: Any) -> Any:
    return model(Annotated[kind, Field(**bounds)])


MANY = "9" * 4_300

INTEGERS: list[Case] = [
    (number(int, ge=3, le=5), [3, 5, "3", " 5 ", "4.0"], ["03", "+4"], [2, 6, "2", "6", True, "x"]),
    (number(int, gt=1, lt=4), [2, 3, "2", "3"], ["02"], [1, 4, "1", "4", True]),
    (number(int, ge=0, le=1), [0, 1, True, False, "0", "1"], ["01"], [2, -1, "2"]),
    (number(int, gt=0, lt=1), [], [], [0, 1, True, False, "0", "1", "01"]),
    (number(int, ge=3, le=2), [], [], [2, 3, "2", "3", "02"]),
    (number(int, ge=5, le=5), [5, "5"], ["05"], [4, 6, "4", "6"]),
    (number(int, ge=1), [1, True, "1", MANY], ["01"], [0, False, "0", MANY + "9"]),
    (number(int, gt=0), [1, True, "1"], [], [0, False, "0"]),
    (number(int, le=0), [0, False, "0", "-7"], [], [1, True, "1"]),
    (number(int, lt=1), [0, False, "0"], [], [1, True, "1"]),
    (number(int, le=1), [1, True, False, "1"], [], [2, "2"]),
    (number(int, lt=2), [1, True, "1"], [], [2, "2"]),
    (number(int, ge=1.0), [1, True], ["1"], [0]),
    (model(int), ["3", "\u00a03", "\u20283"], [], ["\ufeff3", "\x1c3"]),
    (number(int, multiple_of=2), [2, 0, False], ["2", "4"], [1, True, "x"]),
    (number(int, multiple_of=1), [1, True, False], ["2"], ["x"]),
    (number(int, multiple_of=2, ge=1), [2], ["2"], [0, False, True, 1]),
]
FLOATS: list[Case] = [
    (model(float), [1.5, True, "nan", " inf ", "1e5"], [], ["x", None]),
    (number(float, gt=0), [0.5, 3, True, "0.5", "3"], ["1e1", " 3 ", "inf"], [0, False, "0", "-1", "0.0", "x"]),
    (Annotated[float, Field(gt=0)], [0.5, "3", True], ["1e1"], ["0", False]),
    (number(float, ge=0), [0, False, "0", "0.5"], [" 0 "], [-1, "-1", "-0.5"]),
    (number(float, lt=1.5), [1, True, "1.4", "-7"], ["1e0"], [1.5, "1.5", "2"]),
    (number(float, le=1.5), [1.5, "1.5", "1.50"], [], [2, "2", "1.51"]),
    (number(float, multiple_of=0.5), [0.5, True, False], ["0.5"], [0.25]),
    (field(float, allow_inf_nan=False), fields(1.5, "1.5"), [], fields("nan", "inf")),
]
DECIMALS: list[Case] = [
    (model(Decimal), [1, 0.5, "1.5", "1e5", [0, [1, 5], -1]], [], ["NaN", "inf", "x", [2, [1], 0], [0, [10], 0]]),
    (
        model(Decimal),
        [[True, [1], 0], [False, [True], 0], [1, [], 10**15], [0, [9], -(10**15)], [0, [1], True]],
        [],
        [[0, [1]], [0, [1], 0, 0], [[1], 0], [0, 1, 0], [0, [-1], 0]],
    ),
    (number(Decimal, allow_inf_nan=True), ["NaN", "inf", "1"], [], ["x"]),
    (
        number(Decimal, ge=Decimal("0.5"), lt=10),
        [0.5, 9, "0.5", "9.99"],
        ["1e0", " 5 ", [0, [5], 0]],
        [0.4, 10, "0.4", "10", "x"],
    ),
    (number(Decimal, gt=Decimal("0.5"), le=10), [0.6, 10, "0.51", "10.0"], [], [0.5, 10.1, "0.5", "10.01"]),
    (number(Decimal, max_digits=1, decimal_places=0), [9, "9", "-9"], [], [10, 0.5, "10"]),
    (number(Decimal, ge=1, max_digits=3, decimal_places=1), [1, 9.5, "1.5"], ["1e0"], [0.5]),
    (field(Decimal, strict=True), fields(1, "1.5"), [], fields([0, [1], 0], True)),
]


class Ratio(float, enum.Enum):
    HALF = 0.5


TEXTS: list[Case] = [
    (model(bool), [True, 0, 1, "yes", "0", "OFF"], [], [2, -1, 0.5, "2", ""]),
    (field(bool, strict=True), fields(True), [], fields(0, 1, "yes")),
    (model(Ratio), [], [0.5], []),
    (model(Annotated[str, StringConstraints(strip_whitespace=True)]), [" a ", ""], [], [1]),
    (model(Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]), [], ["a", " a "], [1]),
    (model(Annotated[str, StringConstraints(strip_whitespace=True, pattern="^a$")]), [], ["a", " a "], [1]),
    (field(Annotated[str, Field(max_length=1)], str_strip_whitespace=True), [], fields("a", " a "), fields(1)),
    (field(str, str_min_length=1, str_max_length=2), fields("a", "ab"), [], fields("", "abc")),
    (field(str, coerce_numbers_to_str=True), [], fields("a", 5), fields(None)),
    (field(str, coerce_numbers_to_str=True, strict=True), fields("a"), [], fields(5)),
    (field(Annotated[str, Field(pattern=r"^\s$")], regex_engine="python-re"), fields("\x1c"), [], fields("a")),
    (field(Annotated[str, Field(pattern=r"^\s$")]), fields(" "), [], fields("\x1c", "a")),
    (field(bytes, val_json_bytes="hex"), fields("f0", ""), [], fields("f", "gg")),
    (field(bytes, val_json_bytes="base64"), fields("aGk=", "aGk", "_-8="), [], fields("a")),
    (field(Annotated[bytes, Field(max_length=1)]), [], fields("a"), fields(1)),
    (model(pydantic.UUID4), ["12345678-1234-4678-9234-567812345678"], [], ["12345678-1234-1678-9234-567812345678"]),
    (
        model(dt.date),
        ["2020-01-01", 86_400, 0, 1_577_836_800_000, "2020-01-01T00:00"],
        [],
        [1, 86_401, "2020-1-1"],
    ),
    (field(dt.date, strict=True), fields("2020-01-01"), [], fields(0, "2020-01-01T00:00")),
    (number(dt.date, gt=dt.date(2020, 1, 1)), [], ["2020-01-02"], ["x"]),
    (model(pydantic.AwareDatetime), ["2020-01-01T00:00Z", 0], [], ["2020-01-01T00:00", "2020-01-01"]),
    (model(pydantic.NaiveDatetime), ["2020-01-01T00:00", "2020-01-01"], [], ["2020-01-01T00:00Z", 0]),
    (model(dt.datetime), [253_402_300_799_999, -62_135_596_800_000], [], [253_402_300_800_000, -62_135_596_800_001]),
    (field(dt.datetime, strict=True), fields("2020-01-01T00:00Z"), [], fields("2020-01-01", 0)),
    (model(dt.time), ["12:00", "12:00:00Z", 0, 86_399.999999], [], [-1, 86_400, "24:00"]),
    (field(dt.time, strict=True), fields("12:00"), [], fields(0)),
    (
        model(dt.timedelta),
        ["P1D", "1 day", 0, -86_399_999_913_600, 86_399_999_999_999],
        [],
        [86_400_000_000_000, -86_399_999_913_601, "x"],
    ),
    (field(dt.timedelta, strict=True), fields("P1D"), [], fields(0)),
    (model(ipaddress.IPv4Address), ["1.2.3.4", 0, 2**32 - 1, True], [], [-1, 2**32, "1.2.3", "::1"]),
    (model(ipaddress.IPv6Address), ["::1", 0, 2**64 - 1, "fe80::1%eth0"], [], [-1, "1.2.3", "1.2.3.4"]),
]


def path_validator(value: Any) -> Any:
    """Called like one of pydantic's own."""
    return value


def sequence_validator(value: Any, handler: Any) -> Any:
    return handler(value)


def address(name: str) -> Any:
    """A validator of a user's own, which is called like the class of an address."""
    function: Any = lambda value: value  # noqa: E731
    function.__qualname__ = name
    return function


def after(function: Any) -> Any:
    """A text that a function is called with."""
    schema = core_schema.no_info_after_validator_function(function, core_schema.str_schema())
    hook = classmethod(lambda _cls, _source, _handler: schema)
    return model(type("Core", (), {"__get_pydantic_core_schema__": hook}))


class OwnInit(BaseModel):
    n: int

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)


class Allowing(BaseModel, extra="allow"):
    n: int


FUNCTIONS: list[Case] = [
    (model(pathlib.Path), ["a/b", ""], [], [1, None]),
    (model(pydantic.SecretStr), ["a"], [], [1]),
    (model(pydantic.Base64Bytes), [], ["aGk="], [1]),
    (model(collections.abc.Sequence[int]), [[1], []], [], [1, ["x"]]),
    (model(collections.defaultdict[str, int]), [{"a": 1}], [], [[], {"a": "x"}]),
    (model(Annotated[str, AfterValidator(path_validator)]), [], ["a"], [1]),
    (model(Annotated[list[int], WrapValidator(sequence_validator)]), [], [[1], ["x"]], []),
    (after(address("IPv4Address")), [], ["1.2.3.4", "x"], [1]),
    (after(ipaddress.IPv4Address), ["1.2.3.4"], [], ["x"]),
    (OwnInit, [], [{"n": 1}], [{"n": "x"}]),
    (Allowing, [{"n": 1}, {"n": 1, "x": []}], [], [{}]),
]


@pytest.mark.parametrize(
    "case", [*INTEGERS, *FLOATS, *DECIMALS, *TEXTS, *FUNCTIONS], ids=lambda case: str(case[0])[-60:]
)
def test_what_is_certain_of_a_scalar_is_what_the_decoder_does(case: Case) -> None:
    assert wrong(case) == []
