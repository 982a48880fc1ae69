"""Whether a schema plainly leaves a value: certainly, or else not seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from claude_comm.schema.containment.room import MAX_LEVELS, MAX_STEPS, Room
from claude_comm.schema.verdict import Json

A_ONCE = {"type": "string", "pattern": "^a$"}


@pytest.mark.parametrize(
    ("schema", "leaves"),
    [
        (True, True),
        (False, False),
        (A_ONCE, True),
        ({**A_ONCE, "minLength": 1}, True),
        ({**A_ONCE, "minLength": 2}, False),
        ({**A_ONCE, "maxLength": 0}, False),
        ({"type": "string", "pattern": "^a(?!.*)a$"}, False),
        ({"type": "string", "pattern": "("}, False),
        ({"type": "string", "minLength": 2, "maxLength": 2}, True),
        ({"type": "string", "minLength": 3, "maxLength": 2}, False),
    ],
    ids=str,
)
def test_a_text_is_seen_where_one_of_that_length_matches(schema: Any, leaves: bool) -> None:
    assert Room({}).leaves(schema) is leaves


DEFINITIONS: dict[str, Json] = {
    "T": {"type": "null"},
    "L": {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/L"}}},
    "M": {"type": "object", "properties": {"next": {"$ref": "#/$defs/M"}}},
    "E": {"type": "array", "minItems": 2, "maxItems": 1},
    "I": {"minimum": 1},
}
LEFT: list[Json] = [
    {"type": ["array", "null"], "minItems": 2, "maxItems": 1},
    {"type": "string", "maxLength": 0},
    {"type": "object", "required": [""], "propertyNames": {"maxLength": 1}},
    {},
    {"type": "null"},
    {"type": ["null", "string"]},
    {"$ref": "#/$defs/T"},
    {"$ref": "#/$defs/M"},
    {"$ref": "#/$defs/I", "type": "integer"},
    {"allOf": [{"type": "null"}, {"type": ["null", "string"]}]},
    {"allOf": [{"type": "string", "pattern": "a"}, {"pattern": "b"}]},
    {"anyOf": [{"type": "array", "minItems": 2, "maxItems": 1}, {"type": "null"}]},
    {"oneOf": [{"type": "array", "minItems": 2, "maxItems": 1}, {"type": "null"}]},
    {"oneOf": [{"type": "null"}, {"type": "string"}]},
    {"oneOf": [{"type": "null"}, {"type": ["null", "string"]}, {"type": "boolean"}]},
    {"type": "string", "anyOf": [{"type": "null"}, {"minLength": 1}]},
    {"type": "null", "oneOf": [{"type": "null"}, {"type": "boolean"}]},
    {"const": 1},
    {"enum": [1]},
    {"type": "string", "enum": [None, "a"]},
    {"type": ["string", "null"], "enum": [None]},
    {"type": "boolean", "const": True},
    {"type": "object", "const": {}},
    {"type": "array", "enum": [[]]},
    {"type": "integer", "minimum": 1},
    {"type": "integer", "minimum": 1, "maximum": 1},
    {"type": "integer", "exclusiveMinimum": 0, "maximum": 1},
    {"type": "integer", "minimum": 0.2, "maximum": 1.2},
    {"type": "number", "multipleOf": 0.5, "minimum": 0.2, "maximum": 0.8},
    {"type": "integer", "multipleOf": 1.5, "minimum": 1, "maximum": 3},
    {"type": "number", "multipleOf": 3, "exclusiveMinimum": -1, "maximum": 2},
    {"type": "number", "multipleOf": 3},
    {"type": "number", "minimum": 0.5, "multipleOf": 0.5, "maximum": 0.5},
    {"type": "string", "minimum": 4},
    {"type": "string", "format": "date"},
    {"type": "string", "pattern": "^a+$", "not": {"pattern": "^a$"}},
    {"type": "null", "pattern": "(", "minItems": 3},
    {"type": "boolean", "minimum": 3},
    {"type": "null", "not": {"type": "string"}},
    {"type": "string", "not": {"type": ["integer", "null"]}},
    {"type": "string", "not": {"const": "a"}},
    {"type": "number", "not": {"enum": [1]}},
    {"type": "number", "minimum": 3, "not": {"enum": [4]}},
    {"type": "array", "minItems": 2},
    {"type": "array", "minItems": 2, "maxItems": 2},
    {"type": "array", "minItems": 1, "uniqueItems": True},
    {"type": "array", "items": False},
    {"type": "array", "prefixItems": [False]},
    {"type": "array", "prefixItems": [{"type": "null"}, False], "minItems": 1},
    {"type": "array", "prefixItems": [{"type": "null"}], "items": False, "minItems": 1},
    {"type": "object", "required": ["a"]},
    {"type": "object", "properties": {"a": False}},
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "null"}}, "additionalProperties": False},
    {"type": "object", "required": ["a"], "maxProperties": 1},
    {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": {"a": {"type": "null"}}},
    {"type": "object", "minProperties": 1, "required": ["a"], "properties": {"a": {"type": "null"}}},
    {
        "type": "object",
        "minProperties": 2,
        "required": ["a"],
        "properties": {"a": {"type": "null"}, "b": {"type": "null"}, "c": {"type": "null"}},
        "additionalProperties": False,
    },
    {
        "type": "object",
        "minProperties": 2,
        "maxProperties": 2,
        "required": ["a"],
        "properties": {"a": {"type": "null"}, "b": {"type": "null"}, "c": {"type": "null"}},
        "additionalProperties": False,
    },
    {"type": "object", "required": ["a"], "dependentRequired": {"z": ["b"]}, "properties": {"b": False}},
    {"type": "object", "required": ["a"], "dependentRequired": {"a": ["b", "a"]}, "maxProperties": 2},
    {"type": "object", "required": ["a"], "patternProperties": {"^b": {"type": "null"}}},
    {"type": "object", "required": ["a"], "propertyNames": {"minLength": 1}},
    {"type": "object", "required": ["a"], "propertyNames": {"maxLength": 1}},
    {"type": "object", "required": ["a"], "propertyNames": {"pattern": "a"}},
]
NONE_SEEN: list[Json] = [
    {"type": "object", "required": ["a", "bb"], "propertyNames": {"maxLength": 1}},
    {"oneOf": [{"type": "null"}, {"type": "null"}, {"type": "array", "minItems": 2, "maxItems": 1}]},
    {"type": "number", "multipleOf": 0.5, "minimum": 0.5, "exclusiveMinimum": 2, "maximum": 1},
    {"type": "number", "multipleOf": 0.5, "maximum": 5, "exclusiveMaximum": 1.5, "minimum": 2},
    {"type": []},
    {"description": "d"},
    {"$ref": "#/$defs/L"},
    {"$ref": "#/$defs/E"},
    {"$ref": "#/$defs/I", "type": "integer", "maximum": 0},
    {"$ref": "#/$defs/I", "type": "integer", "allOf": [{"maximum": 0}]},
    {"$ref": "#/$defs/T", "description": "d"},
    {"allOf": [{"type": "null"}, {"type": "string"}]},
    {"allOf": [False]},
    {"allOf": [{"properties": {}}, {"additionalProperties": False}]},
    {"allOf": [{"type": "string", "pattern": "^a$"}, {"pattern": "^b$"}]},
    {"anyOf": [{"type": "array", "minItems": 2, "maxItems": 1}, {"type": "array", "minItems": 2, "maxItems": 1}]},
    {"oneOf": [{"type": "null"}, {"type": "null"}]},
    {"oneOf": [{"type": "null"}, {}]},
    {"type": "string", "anyOf": [{"type": "null"}]},
    {"type": "string", "oneOf": [{"type": "null"}, {"type": "boolean"}]},
    {"enum": []},
    {"type": "string", "enum": [None]},
    {"type": "integer", "const": 1},
    {"const": 1, "minimum": 1},
    {"type": "null", "const": None, "not": {}},
    {"enum": ["a"], "const": "a"},
    {"type": "integer", "minimum": 1, "maximum": 0},
    {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "integer", "minimum": 0.2, "maximum": 0.8},
    {"type": "number", "minimum": 0.2, "maximum": 0.8},
    {"type": "number", "multipleOf": 0.5, "minimum": 0.6, "maximum": 0.8},
    {"type": "integer", "multipleOf": 0.5, "minimum": 0.2, "maximum": 0.8},
    {"type": "integer", "multipleOf": 1.5, "minimum": 1, "maximum": 2},
    {"type": "number", "multipleOf": 3, "exclusiveMinimum": 0, "exclusiveMaximum": 3},
    {"type": "number", "exclusiveMinimum": 0.5, "multipleOf": 0.5, "maximum": 0.5},
    {"type": "string", "if": {}},
    {"type": "string", "pattern": "^a$", "not": {"const": "a"}},
    {"type": "null", "not": {"type": "null"}},
    {"type": "integer", "not": {"type": "number"}},
    {"type": "number", "not": {"type": "integer"}},
    {"type": "string", "not": {"type": ["integer", "string"]}},
    {"type": "boolean", "not": {"const": True}},
    {"type": "number", "maximum": 3, "not": {"enum": [1]}},
    {"type": "string", "maxLength": 1, "not": {"enum": ["a"]}},
    {"type": "null", "not": {"type": "string", "minLength": 1}},
    {"type": "null", "not": True},
    {"type": "null", "not": {"minLength": 1}},
    {"type": "array", "minItems": 3, "maxItems": 2},
    {"type": "array", "minItems": 2, "uniqueItems": True},
    {"type": "array", "items": False, "minItems": 1},
    {"type": "array", "prefixItems": [False], "minItems": 1},
    {"type": "array", "prefixItems": [{"type": "null"}, False], "minItems": 2},
    {"type": "array", "prefixItems": [{"type": "null"}], "items": False, "minItems": 2},
    {"type": "array", "prefixItems": [False], "items": {"type": "null"}, "minItems": 2},
    {"type": "array", "contains": {}},
    {"type": "object", "required": ["a"], "properties": {"a": False}},
    {"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "null"}, "b": False}},
    {"type": "object", "required": ["a"], "additionalProperties": False},
    {"type": "object", "required": ["a"], "maxProperties": 0},
    {"type": "object", "minProperties": 1, "additionalProperties": False},
    {"type": "object", "minProperties": 2, "additionalProperties": False, "properties": {"a": {"type": "null"}}},
    {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": {"a": False}},
    {"type": "object", "minProperties": 2, "maxProperties": 1},
    {"type": "object", "minProperties": 1, "properties": {"a": {"type": "null"}}, "dependentRequired": {"a": ["b"]}},
    {"type": "object", "required": ["a"], "dependentRequired": {"a": ["b"]}, "properties": {"b": False}},
    {"type": "object", "required": ["a"], "dependentRequired": {"a": ["b"], "b": ["c"]}, "properties": {"c": False}},
    {"type": "object", "required": ["a"], "patternProperties": {"a": {"type": "null"}}},
    {"type": "object", "required": ["a"], "patternProperties": {"(": {"type": "null"}}},
    {"type": "object", "minProperties": 1, "patternProperties": {"b": {"type": "null"}}},
    {"type": "object", "required": ["a"], "propertyNames": {"minLength": 2}},
    {"type": "object", "required": ["a"], "propertyNames": {"maxLength": 0}},
    {"type": "object", "required": ["a"], "propertyNames": {"pattern": "b"}},
    {"type": "object", "required": ["a"], "propertyNames": {"pattern": "("}},
    {"type": "object", "required": ["a"], "propertyNames": False},
    {"type": "object", "required": ["a"], "propertyNames": {"enum": ["a"]}},
    {"type": "object", "minProperties": 1, "propertyNames": {"minLength": 1}},
    {"type": "object", "minProperties": 1, "properties": {"a": {"type": "null"}}, "propertyNames": {"pattern": "b"}},
    {"type": "object", "dependentSchemas": {}},
]
# A name that nobody declares is what closing takes away.
LEFT_WHERE_OPEN: list[Json] = [
    {"type": "object", "minProperties": 1},
    {"type": "object", "minProperties": 2, "required": ["a"], "properties": {"a": {"type": "null"}}},
]


@pytest.mark.parametrize("schema", LEFT, ids=range(len(LEFT)))
def test_room_is_seen(schema: Json) -> None:
    assert Room(DEFINITIONS).leaves(schema) is True
    assert Room(DEFINITIONS, closed=True).leaves(schema) is True


@pytest.mark.parametrize("schema", NONE_SEEN, ids=range(len(NONE_SEEN)))
def test_no_room_is_seen(schema: Json) -> None:
    assert Room(DEFINITIONS).leaves(schema) is False
    assert Room(DEFINITIONS, closed=True).leaves(schema) is False


@pytest.mark.parametrize("schema", LEFT_WHERE_OPEN)
def test_room_for_further_names_is_seen_where_it_is_open(schema: Json) -> None:
    assert [Room(DEFINITIONS, closed=closed).leaves(schema) for closed in (False, True)] == [True, False]


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: {"anyOf": [inner]},
        lambda inner: {"allOf": [inner]},
        lambda inner: {"type": "array", "minItems": 1, "items": inner},
        lambda inner: {"type": "object", "required": ["a"], "properties": {"a": inner}},
    ],
    ids=["union", "parts", "items", "property"],
)
def test_what_is_deep_is_not_seen(around: Callable[[Json], Json]) -> None:
    schema: Json = {"type": "null"}
    for _ in range(MAX_LEVELS):
        schema = around(schema)
    assert [Room({}).leaves(schema), Room({}).leaves(around(schema))] == [True, False]


def test_a_long_chain_of_references_is_not_followed() -> None:
    def chain(length: int) -> dict[str, Json]:
        links: dict[str, Json] = {f"D{at}": {"$ref": f"#/$defs/D{at + 1}"} for at in range(length)}
        return {**links, f"D{length}": {"type": "null"}}

    seen = [Room(chain(length)).leaves({"$ref": "#/$defs/D0"}) for length in (MAX_LEVELS - 1, MAX_LEVELS)]
    assert seen == [True, False]


def test_it_ends_after_so_many_steps() -> None:
    def record(count: int) -> Json:
        names = [f"{number}" for number in range(count)]
        return {"type": "object", "required": names, "properties": {name: {"type": "null"} for name in names}}

    assert [Room({}).leaves(record(count)) for count in (MAX_STEPS - 1, MAX_STEPS)] == [True, False]
