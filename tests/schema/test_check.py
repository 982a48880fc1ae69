"""Verdicts that anybody can check by reading: each pair is small, each answer follows from the words of JSON Schema."""

from __future__ import annotations

import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema import Compatible, Incompatible, check


def obj(required: list[str] | None = None, **properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": required or []}


INTEGER, NUMBER, STRING = {"type": "integer"}, {"type": "number"}, {"type": "string"}

COMPATIBLE = {
    "an integer is a number": (INTEGER, NUMBER),
    "a number is a number or a string": (NUMBER, {"type": ["number", "string"]}),
    "an optional property more on the consumer's side breaks nobody": (
        obj(["a"], a=STRING),
        obj(["a"], a=STRING, b=INTEGER),
    ),
    "a property that the consumer does not know is ignored": (obj(["a"], a=STRING, b=INTEGER), obj(["a"], a=STRING)),
    "fewer enum values": ({"enum": ["a", "b"]}, {"enum": ["b", "c", "a"]}),
    "a closed consumer that knows everything declared": (
        obj(["a"], a=STRING),
        {**obj(a=STRING, b=STRING), "additionalProperties": False},
    ),
}

INCOMPATIBLE = {
    "items of another type": ({"type": "array", "items": STRING}, {"type": "array", "items": INTEGER}, "type"),
    "an enum value too many": ({"enum": ["a", "b", "z"]}, {"enum": ["a", "b"]}, "enum"),
    "the consumer requires what the producer does not declare": (
        obj(["x"], x=STRING),
        obj(["y"], y=STRING),
        "required",
    ),
    "the consumer requires what the producer only lists": (obj(x=STRING, y=STRING), obj(["y"], y=STRING), "required"),
    "a string is no array": (STRING, {"type": "array"}, "type"),
    "a negative price": (
        obj(["price"], price=NUMBER),
        obj(["price"], price={"type": "number", "minimum": 0}),
        "minimum",
    ),
}


@pytest.mark.parametrize("name", COMPATIBLE)
def test_compatible(name: str) -> None:
    assert isinstance(check(*COMPATIBLE[name]), Compatible)


@pytest.mark.parametrize("name", INCOMPATIBLE)
def test_incompatible(name: str) -> None:
    produced, accepted, rule = INCOMPATIBLE[name]
    verdict = check(produced, accepted)
    assert isinstance(verdict, Incompatible)
    assert rule in {reason.rule for reason in verdict.reasons}


def test_the_witness_lacks_what_the_consumer_requires() -> None:
    verdict = check(obj(x=STRING, y=STRING), obj(["y"], y=STRING))
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == {}


def test_an_enum_value_too_many_is_the_witness() -> None:
    verdict = check({"enum": ["a", "b", "z"]}, {"enum": ["a", "b"]})
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == "z"


def test_reasons_speak_of_both_sides() -> None:
    verdict = check(obj(["price"], price=NUMBER), obj(["price"], price={"type": "number", "minimum": 0}))
    assert isinstance(verdict, Incompatible)
    assert verdict.reasons[0].path == "$.price"
    assert verdict.reasons[0].schema_path == "/properties/price/minimum"
    assert verdict.reasons[0].sentence == "`price` may be negative; the consumer needs at least 0"
    assert len(verdict.reasons[0].mends) == 2


def test_strict_policy_lets_the_producer_send_what_it_does_not_declare() -> None:
    produced, accepted = obj(["a"], a=STRING), obj(["a"], a=STRING, b=INTEGER)
    assert isinstance(check(produced, accepted, policy="strict"), Incompatible)


def test_an_unusable_schema_is_an_error_that_names_the_place() -> None:
    with pytest.raises(SchemaError) as caught:
        check({"properties": {"a": {"type": "strin"}}}, True)
    assert caught.value.path == "/properties/a/type"
