"""One model of values, from prover to wire to decoder: kinds of message that were agreed on once, and then refused."""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import attrs
import msgspec
import pytest
from msgspec import Meta, Struct
from pydantic import BaseModel, Field

from claude_comm.client.payload_types import accepted, produced
from claude_comm.errors import AgreementBroken, DecodeError, EncodeError
from claude_comm.schema import Compatible, Incompatible, Undecided, check
from claude_comm.schema.types.samples import samples
from tests.support.typed_values import AWARE, MOMENT, deliver, sender, take


class Address(BaseModel):
    ip: ipaddress.IPv4Address


class Price(BaseModel):
    pattern: Annotated[str, Field(pattern=r"^\s$")]


REFUSED: list[tuple[Any, Any]] = [
    *((str, shape) for shape in (dt.datetime, dt.date, dt.time, dt.timedelta, uuid.UUID, Decimal, bytes)),
    (dict[str, str], Address),
    (dt.date, dt.datetime),
    (dt.datetime, dt.date),
    (Annotated[dt.datetime, Meta(tz=False)], Annotated[dt.datetime, Meta(tz=True)]),
    (Annotated[dt.datetime, Meta(tz=True)], Annotated[dt.datetime, Meta(tz=False)]),
    (float, int),
    (Annotated[str, Meta(pattern=r"^\s$")], Price),
    (str, Annotated[str, Meta(pattern="^a$")]),
    (dict[str, str], dict[int, str]),
    (Decimal, float),
]


@pytest.mark.parametrize(("sent", "taken"), REFUSED, ids=str)
def test_what_a_decoder_refuses_is_incompatible_with_a_message_that_it_refuses(sent: Any, taken: Any) -> None:
    verdict = check(produced(sent), accepted(taken))
    assert isinstance(verdict, Incompatible), verdict
    with pytest.raises(DecodeError):
        take(verdict.witness, taken)


DELIVERED: list[tuple[Any, Any, Any, Any]] = [
    (dt.datetime, MOMENT, str, "2020-02-29T01:02:03.000004"),
    (dt.datetime, AWARE, str, "2020-02-29T01:02:03.000004Z"),
    (bytes, b"hi", str, "aGk="),
    (bytes, b"hi", bytes, b"hi"),
    (dict[int, str], {1: "a"}, dict[int, str], {1: "a"}),
    (dict[int, str], {1: "a"}, dict[str, str], {"1": "a"}),
    (set[int], {1}, list[int], [1]),
    (uuid.UUID, uuid.UUID(int=1), str, str(uuid.UUID(int=1))),
    (Decimal, Decimal("1.50"), Decimal, Decimal("1.50")),
    (dt.timedelta, dt.timedelta.max, dt.timedelta, dt.timedelta.max),
    (int, 2**64 - 1, float, float(2**64 - 1)),
]


@pytest.mark.parametrize(("sent", "value", "taken", "given"), DELIVERED, ids=str)
def test_what_messagepack_would_write_natively_is_sent_as_the_schema_says(
    sent: Any, value: Any, taken: Any, given: Any
) -> None:
    assert isinstance(check(produced(sent), accepted(taken)), Compatible)
    assert deliver(value, sender(produced(sent)), taken) == given


@pytest.mark.parametrize(
    ("schema", "value", "taken", "given"),
    [
        ({"type": "integer"}, 1.0, int, 1),
        ({"type": "integer"}, 1e23, int, 10**23),
        ({"const": 1}, 1.0, Literal[1], 1),
        ({"enum": [1, 2]}, 2.0, Annotated[int, Meta(ge=1)], 2),
        ({"type": "array", "items": {"type": "integer"}}, [1.0, 2], list[int], [1, 2]),
    ],
)
def test_one_and_one_point_nought_are_one_number(schema: Any, value: Any, taken: Any, given: Any) -> None:
    assert isinstance(check(schema, accepted(taken)), Compatible)
    got = deliver(value, sender(schema), taken)
    assert got == given
    assert isinstance(got, type(given))


def test_a_multiple_of_a_tenth_is_left_to_code_where_it_is_divided_in_binary() -> None:
    tenths = Annotated[float, Meta(multiple_of=0.1)]
    with pytest.raises(DecodeError):
        take(0.3, tenths)
    verdict = check({"type": "number", "multipleOf": 0.1}, accepted(tenths))
    assert isinstance(verdict, Undecided)
    assert "multiple_of=0.1" in verdict.why


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"a": [1.0, math.nan]}, r"\$\.a\[1\] is not a finite number"),
        ({"a": math.inf}, r"\$\.a is not a finite number"),
        ({"a": 2**64}, r"\$\.a is an integer beyond 64 bits"),
        ({"a": {(1, 2): 3}}, "no JSON form"),
        pytest.param({"a": object()}, "object", id="an object"),
        ({"a": "\ud800"}, "surrogates"),
    ],
    ids=repr,
)
def test_what_json_does_not_have_is_refused_at_the_door_by_name(value: Any, named: str) -> None:
    with pytest.raises(EncodeError, match=named):
        sender({})(value)


def test_nan_is_no_null() -> None:
    with pytest.raises(EncodeError):
        sender({"type": ["null", "number"]})(math.nan)


def test_bytes_that_look_like_a_nan_are_sent() -> None:
    assert deliver(b"\xcb\x7f\xf8\x00", sender(produced(bytes)), bytes) == b"\xcb\x7f\xf8\x00"
    assert deliver(["\u02ff" * 40, 1.5], sender({}), Any) == ["\u02ff" * 40, 1.5]


def test_an_integer_of_the_bytes_of_an_infinite_float_is_sent() -> None:
    payload = [0xCB7FF00000000000, 1.5]
    assert deliver(payload, sender({}), Any) == payload


def test_a_decimal_that_is_not_finite_breaks_the_agreement() -> None:
    with pytest.raises(AgreementBroken):
        sender(produced(Decimal))(Decimal("NaN"))


class Checked(Struct):
    a: int

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError("negative")


@attrs.define
class Converted:
    a: int = attrs.field(converter=abs)


@pytest.mark.parametrize(("shape", "code"), [(Checked, "Checked.__post_init__"), (Converted, "Converted.a")])
def test_code_that_decides_makes_a_verdict_undecided_by_its_name(shape: Any, code: str) -> None:
    def sent(kind: str) -> dict[str, Any]:
        return {"type": "object", "properties": {"a": {"type": kind}}, "required": ["a"]}

    verdict = check(sent("integer"), accepted(shape))
    assert isinstance(verdict, Undecided)
    assert code in verdict.why
    assert isinstance(check(sent("string"), accepted(shape)), Incompatible)


def test_samples_of_a_schema_are_the_same_for_the_same_choices() -> None:
    schema = accepted(dict[str, list[int]])
    first, again = (samples(schema, lambda count: count - 1) for _ in range(2))
    assert [next(first) for _ in range(3)] == [next(again) for _ in range(3)]


def test_a_struct_that_omits_its_defaults_may_send_nothing() -> None:
    class Sparse(Struct, omit_defaults=True):
        a: int = 1

    class Whole(Struct):
        a: int

    verdict = check(produced(Sparse), accepted(Whole))
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == {}
    assert isinstance(check(produced(Whole), accepted(Sparse)), Compatible)
    assert msgspec.to_builtins(Sparse()) == {}
