"""A message is put to the part of a schema that it reaches, which says of it what the whole says."""

from __future__ import annotations

import random

import msgspec
import pytest

from claude_comm.schema.containment.boundary_values import candidates, harvest
from claude_comm.schema.containment.confirm import Side, compile_side
from claude_comm.schema.containment.reached import SMALL, Parts, reached
from claude_comm.schema.containment.sides import side_of
from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.values import text
from claude_comm.schema.verdict import Json
from tests.support.schemas.pairs import Maker, message

TEXT, NUMBER = {"type": "string"}, {"type": "number", "minimum": 1}
REFERRED, ELSEWHERE = {"$ref": "#/$defs/A"}, {"$ref": "#/$defs/C"}


@pytest.mark.parametrize(
    ("schema", "value", "part"),
    [
        # Properties that the message has, in the order of the schema; what is required stays.
        (
            {"properties": {"a": TEXT, "b": NUMBER, "c": TEXT}, "required": ["c"]},
            {"b": 1, "a": "x"},
            {"properties": {"a": TEXT, "b": NUMBER}, "required": ["c"]},
        ),
        ({"properties": {"a": TEXT}, "minimum": 2}, 1, {"properties": {}, "minimum": 2}),
        (
            {"properties": {"a": {"properties": {"b": TEXT, "c": TEXT}}}},
            {"a": {"c": ""}},
            {"properties": {"a": {"properties": {"c": TEXT}}}},
        ),
        # What is said of further properties counts those that are left out as declared: the message has none of them.
        (
            {"properties": {"a": TEXT}, "additionalProperties": False},
            {"b": 1},
            {"properties": {}, "additionalProperties": False},
        ),
        # Items, where there are some.
        ({"items": TEXT, "minItems": 1}, [], {"items": True, "minItems": 1}),
        ({"items": TEXT}, {}, {"items": True}),
        ({"items": {"properties": {"a": TEXT}}}, [{}], {"items": {"properties": {}}}),
        ({"items": {"properties": {"a": TEXT}}}, [{}, {}], {"items": {"properties": {"a": TEXT}}}),
        (
            {"items": {"properties": {"a": TEXT}}, "prefixItems": [NUMBER]},
            [{}],
            {"items": {"properties": {"a": TEXT}}, "prefixItems": [NUMBER]},
        ),
        # Forms, each for the same value; a `not` stays whole.
        ({"anyOf": [{"properties": {"a": TEXT}}, TEXT]}, {}, {"anyOf": [{"properties": {}}, TEXT]}),
        ({"not": {"properties": {"a": TEXT}}}, {}, {"not": {"properties": {"a": TEXT}}}),
        # Definitions that something left refers to, and those behind them.
        (
            {
                "properties": {"a": REFERRED, "b": ELSEWHERE},
                "$defs": {"A": {"$ref": "#/$defs/B"}, "B": TEXT, "C": TEXT},
            },
            {"a": ""},
            {"properties": {"a": REFERRED}, "$defs": {"A": {"$ref": "#/$defs/B"}, "B": TEXT}},
        ),
        ({"properties": {"a": REFERRED}, "$defs": {"A": TEXT}}, {}, {"properties": {}}),
        (True, 1, True),
    ],
)
def test_the_part_has_what_the_message_reaches(schema: Json, value: Json, part: Json) -> None:
    assert text(reached(schema, value)) == text(part)


@pytest.mark.parametrize("seed", range(40))
def test_the_part_says_of_the_message_what_the_whole_says(seed: int) -> None:
    chance = random.Random(seed)
    schema = normalise(Maker(chance).document(), DEFAULT).schema
    whole = compile_side(schema, DEFAULT)
    guesses = candidates(schema, harvest(schema, schema))
    values = [value for value, _ in zip(guesses, range(40), strict=False)] + [message(chance) for _ in range(20)]
    for value in values:
        said = [
            sorted(
                (error.message, str(error.instance_path), str(error.schema_path)) for error in ready.iter_errors(value)
            )
            for ready in (whole, compile_side(reached(schema, value), DEFAULT))
        ]
        assert said[0] == said[1], value


MANY: Json = {"type": "object", "properties": {f"property_{at}": NUMBER for at in range(20)}}


def parts(schema: Json) -> tuple[Parts, list[Json]]:
    """With all that is compiled."""
    made: list[Json] = []

    def make(part: Json) -> object:
        made.append(part)
        return compile_side(part, DEFAULT)

    return Parts(schema, len(text(schema)), make), made  # type: ignore[arg-type]


def test_messages_that_reach_the_same_share_what_is_compiled() -> None:
    ready, made = parts(MANY)
    first, second = {"property_1": 3}, {"property_1": "x"}
    validator = ready.validator(first)
    assert validator is ready.validator(first) is ready.validator(second)
    assert made == [{"type": "object", "properties": {"property_1": NUMBER}}]
    assert validator is not None
    assert [validator.is_valid(value) for value in (first, second)] == [True, False]
    assert ready.validator({"property_2": 3}) is not validator


def test_the_whole_is_compiled_once_its_parts_have_come_to_as_much() -> None:
    ready, made = parts(MANY)
    answers = [ready.validator({f"property_{at}": 1}) is None for at in range(20)]
    assert sorted(answers) == answers
    assert 2 < len(made) < 20
    assert sum(len(text(part)) for part in made) <= len(text(MANY))
    # Nor is what was compiled before asked for again.
    assert ready.validator({"property_0": 1}) is None


def test_a_part_that_is_larger_than_what_is_left_is_not_compiled() -> None:
    made: list[Json] = []
    ready = Parts(MANY, SMALL + 1, made.append)  # type: ignore[arg-type]
    for _ in range(2):
        assert ready.validator({f"property_{at}": 1 for at in range(20)}) is None
    assert made == []


def test_a_small_schema_is_compiled_as_a_whole() -> None:
    small: Json = {"properties": {"a": TEXT}}
    assert len(text(small)) < SMALL
    ready, made = parts(small)
    assert ready.validator({"a": 1}) is None
    assert made == []


def side(schema: Json) -> Side:
    return msgspec.structs.replace(side_of(schema, DEFAULT, lambda: None))


def test_a_message_is_put_to_a_part_or_to_the_whole_where_there_is_one() -> None:
    many, value = side(MANY), {"property_3": "x"}
    assert many.rust_for(value) is many.rust_for(value)
    assert "rust" not in vars(many)
    assert not many.rust_for(value).is_valid(value)
    # For other names a whole is at hand.
    whole = many.rust
    assert many.rust_for(value) is whole is many.rust_for({"property_4": 1})


def test_where_a_schema_has_names_of_its_own_it_stays_whole() -> None:
    named = side({**MANY, "$id": "https://example.com/many"})
    assert named.rust_for({"property_3": 1}) is named.rust


def test_a_closed_form_is_put_together_from_parts_as_well() -> None:
    closed = side(MANY).closed
    assert closed.sure
    assert not closed.rust_for({"other": 1}).is_valid({"other": 1})
    assert "rust" not in vars(closed)
    # What is compiled along references is looked at first.
    assert not side({**MANY, "anyOf": [{"properties": {"a": TEXT}}, TEXT]}).closed.sure
