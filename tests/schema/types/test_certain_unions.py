"""What is certain of unions as msgspec reads them, of items of sets, and of rows with a default before the end."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, Struct, UnsetType

from claude_comm.client.payload_types import produced
from claude_comm.schema.validation.validator import compile_validator
from tests.support.certain import Case, wrong


class Count(enum.IntEnum):
    ONE = 1


class Row(Struct, array_like=True, kw_only=True, forbid_unknown_fields=True):
    a: int = 1
    b: int
    c: int = 2


class Tagged(Struct, array_like=True, kw_only=True, tag="row"):
    a: int = 1
    b: int


class Mutable(Struct):
    n: int = 0


class Held(Struct, frozen=True):
    inner: Mutable | UnsetType = UNSET


class Defaulted(Struct, frozen=True):
    items: list[int] = []


@dataclasses.dataclass(frozen=True)
class Priced:
    price: Decimal


@dataclasses.dataclass(frozen=True)
class Anything:
    item: Any


class ByIdentity(Struct, eq=False):
    price: Decimal


def whole(**bounds: Any) -> Any:
    return Annotated[int, Meta(**bounds)]


Aware, Naive = Annotated[dt.datetime, Meta(tz=True)], Annotated[dt.datetime, Meta(tz=False)]
MOMENT, AWARE = "2020-01-01T00:00:00", "2020-01-01T00:00:00Z"

UNIONS: list[Case] = [
    (whole(ge=2) | whole(ge=5), [5], [], [2, 0]),
    (whole(ge=5) | whole(gt=2), [3, 5], [], [2]),
    (whole(ge=2) | whole(le=5) | None, [2, 5, None], [], [1, 6]),
    (whole(multiple_of=2) | whole(multiple_of=3), [3, 6], [], [2]),
    (Annotated[float, Meta(ge=2)] | float, [2, 2.5], [], [1, 1.5]),
    (Annotated[str, Meta(min_length=2)] | str, ["ab"], [], ["a"]),
    (Annotated[str, Meta(pattern="a")] | Annotated[str, Meta(pattern="b")], ["b", "ab"], [], ["a"]),
    (Annotated[bytes, Meta(min_length=1)] | bytes, ["aa=="], [], [""]),
    (Aware | dt.datetime, [AWARE], [], [MOMENT]),
    (
        Annotated[dt.datetime, Meta(tz=True)] | Annotated[dt.datetime, Meta(tz=False)] | None,
        [None],
        [],
        [MOMENT, AWARE],
    ),
    (dict[whole(ge=2) | int, int], [{"2": 1}], [], [{"1": 1}]),  # type: ignore[misc]
    (Literal["a"] | Annotated[str, Meta(min_length=2)], ["bb"], [], ["a", "b"]),
    (Literal[1, None] | whole(ge=2), [2, None], [], [1, 0]),
    (Literal[1, "a"] | float, [1, 1.5, "a"], [], [2, "b"]),
    (Count | float, [1, 1.5], [], [2]),
    (Decimal | whole(ge=5), [5, 1.5, "1"], [], [1]),
    (Decimal | Annotated[float, Meta(ge=5)], [5, 5.5, "1"], [], [1, 1.5]),
    (Decimal | Literal[1], [1, 1.5, "7"], [], [7]),
    (Decimal | bool, [1, 1.5, True], [], [None]),
    (msgspec.Raw | str, ["a"], [], [None, 1, []]),
    (msgspec.Raw | None, [None], [], [1, "a"]),
    (dict[str, msgspec.Raw], [{"a": 1}], [], [1]),
    (dict[int, msgspec.Raw], [], [{"1": 1}], [{"a": 1}]),
    (Mapping[object, int], [{"a": 1}], [], [{"a": "x"}]),
    # A float is the decimal that it prints as.
    (Annotated[int, Meta(multiple_of=10)], [9.223372036854776e18, 1.8446744073709552e19, 1e22], [], [2**63, 5]),
    (Annotated[int, Meta(ge=-(2**63))], [-(2**63), 5.0], [], [-9.223372036854776e18, -1e22]),
    (Literal[2**63 - 1], [2**63 - 1], [], [9.223372036854776e18]),
    (Annotated[float, Meta(multiple_of=0.25)], [0.25, 2**40], [1936547839769312.2], [0.3]),
    (Annotated[float, Meta(multiple_of=3)], [3, 2**53 - 2], [2**53 + 1, 2**63], [4]),
]
ROWS: list[Case] = [
    (Row, [[1, 2], [1, 2, 3]], [], [[], [1], [1, 2, 3, 4]]),
    (Tagged, [["row", 1, 2]], [], [["row"], ["row", 1]]),
]
SETS: list[Case] = [
    (set[Decimal], [[], [1, "NaN"]], [], [["sNaN"]]),
    (set[Priced], [[{"price": "1"}]], [], [[{"price": "sNaN"}]]),
    (set[ByIdentity], [[{"price": "1"}, {"price": "sNaN"}]], [], [[1]]),
    (set[tuple[Decimal, int]], [[["1", 1]]], [], [[["sNaN", 1]]]),
    (set[Anything], [[]], [[{"item": 1}], [{"item": [1]}]], [[1]]),
    (set[Mutable | str], [["a"]], [], [[{"n": 1}]]),
    (set[Held], [[{}]], [], [[{"inner": {"n": 1}}]]),
    (set[Defaulted], [[]], [], [[{}]]),
    (set[tuple[Mutable, ...]], [[[]]], [], [[[{"n": 1}]]]),
    (tuple[Decimal, set[Decimal]], [["sNaN", []]], [], [["1", ["sNaN"]]]),
]


@pytest.mark.parametrize("case", [*UNIONS, *ROWS, *SETS], ids=lambda case: str(case[0])[-60:])
def test_what_is_certain_is_what_the_decoder_does(case: Case) -> None:
    assert wrong(case) == []


@pytest.mark.parametrize("shape", [int | float, float | int | None])
def test_a_float_beyond_64_bits_is_written_beside_integers(shape: object) -> None:
    assert compile_validator(produced(shape)).validate(1e22) == []


@pytest.mark.parametrize(
    ("bounds", "sent", "never"),
    [({"multiple_of": 2}, [4.0, -2.0], [3.0]), ({"ge": 2**60}, [2.0**60, 2.0**61], [2.0**59])],
)
def test_a_float_is_sent_within_its_bounds(bounds: Any, sent: list[float], never: list[float]) -> None:
    validator = compile_validator(produced(Annotated[float, Meta(**bounds)]))
    assert [validator.validate(value) for value in sent] == [[]] * len(sent)
    assert all(validator.validate(value) for value in never)
