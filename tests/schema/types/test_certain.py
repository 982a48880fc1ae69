"""What is certain of a type: what its decoder takes, what it refuses, and what its schema leaves to code by name."""

from __future__ import annotations

import enum
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta
from pydantic import Field

from claude_comm.client.payload_types import accepted
from claude_comm.errors import SchemaError
from tests.support.certain import Case, field, fields, model, names, wrong


class Plain(enum.Enum):
    A = "a"
    ONE = 1


class Word(enum.StrEnum):
    A = "a"
    ONE = "1"


class Count(enum.IntEnum):
    NONE = 0
    ONE = 1
    LESS = -3


class Long(enum.Enum):
    N = 2**64


class Bits(enum.IntFlag):
    A = 1
    B = 2


class Sure(enum.Enum):
    YES = True
    A = "a"


KEYS: list[Case] = [
    (dict[bytes, int], names("aGk=", ""), [], names("aGk")),
    (dict[bytearray, int], [{}], [], names("aGk=", "")),
    (dict[float, int], names("1", "-1.5e3", "NaN", "-inf", "iNfinity"), names("1e400"), names("+1", "+inf", "x")),
    (dict[Literal["a", "1"], int], names("a", "1"), [], names("b", "01")),
    (dict[Literal[1, "a", "2", "1.5", "nan"], int], names("1", "a"), [], names("2", "1.5", "nan", "01")),
    (dict[Literal[0, 2], int], names("0", "-0", "2"), [], names("-2", "+0", "00")),
    (dict[Count, int], names("0", "-0", "1", "-3"), [], names("2", "1.0")),
    (dict[Word, int], names("a", "1"), [], names("2", "1.0")),
    (dict[int | Word, int], names("a", "1", "7"), [], names("1.5", "b")),
    (dict[Annotated[int, Meta(ge=3)] | Literal["1", "b"], int], names("3", "b"), [], names("1", "x")),
    (dict[float | Literal["b"], int], names("1.5", "1", "b", "inf"), [], names("x")),
    (dict[Literal[1, "a"] | float, int], names("1", "a", "2.5"), [], names("5", "b")),
    (dict[int | Annotated[str, Meta(min_length=2)], int], names("12", "aa"), [], names("1", "a")),
    (
        dict[Annotated[int, Meta(ge=3)] | Annotated[float, Meta(ge=10)], int],
        names("3", "11"),
        names("11.5"),
        names("1", "-4"),
    ),
    (
        dict[int | uuid.UUID, int],
        names("7", uuid.UUID(int=10 << 124).hex),
        [],
        names("12345678e23456781234567812345678", "a"),
    ),
    (dict[int | Decimal, int], [], names("1", "1.5", " 1"), names("x", "sNaN")),
    (dict[int | None, int], names("1"), [], names("null")),
    (dict[uuid.UUID | None, int], names("12345678" * 4, "12345678e23456781234567812345678"), [], names("null", "1")),
    (dict[float | uuid.UUID, int], names("1.5"), names("12345678e23456781234567812345678"), names("x")),
]

LISTED: list[Case] = [
    (model(Literal[Plain.A]), [], [], ["a", 1, None]),
    (model(Literal[Plain.A, "b"]), ["b"], [], ["a", 1]),
    (model(Literal[Word.A, Count.ONE]), ["a", 1, True], [], ["1", 0]),
    (model(Count), [0, "0", "-0", " +00 ", "-3", "-03.0", 1, True, False, 1.0], [], [2, "3", "+-0", "1.5"]),
    (field(Count, strict=True), fields(0, 1, -3, True), [], fields("0", "1", 2)),
    (model(Bits), [1, 2, True], [0, False, "1", 3], [None, 1.5]),
    (model(dict[Literal[True], int]), names("1", "true", "on"), [], names("0", "false", "a")),
    (model(dict[Literal[False], int]), names("0", "off", "false"), [], names("1", "a")),
    (model(Literal[5, "a"]), [5, "a"], [], [True, 1, 0, False]),
    (model(Literal[0]), [0, False], [], [True, 1]),
    (model(dict[bool, int]), names("1", "off"), [], names("2", "")),
    (model(dict[Annotated[int, Field(ge=3)], int]), [{}], names("3"), names("x")),
    (model(dict[float, int]), names("1.5", "nan", " 1 "), [], names("x")),
    (model(dict[int, int]), names("3", "-0"), [], names("x")),
    (model(dict[Sure, int]), names("a", "1", "T"), [], names("0", "no", "b")),
    (field(dict[Sure, int], strict=True), fields({"on": 1}, {"a": 1}), [], fields({"off": 1})),
    (field(dict[Count, int], strict=True), fields({"1": 1}, {"-0": 1}), [], fields({"5": 1}, {"true": 1})),
    (model(dict[Literal[1], int]), [{}], [], names("1", "true")),
]

NUMBERS: list[Case] = [
    (Annotated[float, Meta(multiple_of=3)], [3, -6.0, 0], [], [1, 3.5]),
    (Annotated[float, Meta(multiple_of=0.5)], [0.5, -2, 0], [], [0.25]),
    (
        model(Annotated[Decimal, Field(max_digits=2, decimal_places=2)]),
        [0.12, -0.5, "0.0", "-00.120", "0.00"],
        [".5", "0.", "1e-1", [0, [1], -1]],
        [0, 1, "0", "-0", "1.0", "0.123", 0.125, [0]],
    ),
    (
        model(Annotated[Decimal, Field(max_digits=3, decimal_places=1)]),
        [0, 10, 99.9, -99.9, "000", "0099.90", "-0.1"],
        ["1e1", " 12 ", "1_0", "\u0661", ".5", "10e1", [1, [5], -1]],
        [100, -100, "100", 99.95, "0.12", "a", "", None],
    ),
    (
        model(Annotated[Decimal, Field(max_digits=3, decimal_places=0)]),
        [0, 999, -999, "999.0", "7"],
        ["1e2"],
        [1000, 1.5, "1000", "1.5"],
    ),
    (
        field(Annotated[Decimal, Field(decimal_places=1)], strict=True),
        fields(1e22, "1.5"),
        fields("1e1"),
        fields(1.25, [0, [1], 0]),
    ),
    (model(Annotated[Decimal, Field(max_digits=3)]), [], [1, 1.23, "1", [1, [5], -1]], [None, True, {}]),
    (
        model(Annotated[float, Field(allow_inf_nan=False)]),
        ["1_0", "1_0.5", "1e1_0", "-_1", "._5", " 1 ", 1.5, "1e99"],
        [],
        [" 1_0", "nan", "inf", "1__0", "_1"],
    ),
]


@pytest.mark.parametrize("case", [*KEYS, *LISTED, *NUMBERS], ids=lambda case: str(case[0])[:70])
def test_what_is_certain_is_what_the_decoder_does(case: Case) -> None:
    assert wrong(case) == []


@pytest.mark.parametrize("shape", [Long, list[Long]], ids=str)
def test_a_number_that_msgspec_does_not_carry_is_refused_by_a_sentence(shape: Any) -> None:
    with pytest.raises(NotImplementedError):
        msgspec.inspect.type_info(shape)
    with pytest.raises(SchemaError, match="has no JSON Schema"):
        accepted(shape)
