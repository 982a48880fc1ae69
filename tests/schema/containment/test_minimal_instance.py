"""Instances that are read off a schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from claude_comm.schema.containment.minimal_instance import (
    MAX_BRANCHES,
    MAX_LEVELS,
    MAX_STEPS,
    NoMinimalInstance,
    minimal_instance,
    read_off,
)
from claude_comm.schema.verdict import Json


def record(count: int) -> dict[str, Any]:
    names = [f"p{number}" for number in range(count)]
    return {"type": "object", "properties": {name: {"type": "null"} for name in names}, "required": names}


def test_one_of_few_parts_is_read_off() -> None:
    assert read_off(record(3), {}) == {"p0": None, "p1": None, "p2": None}


def test_one_of_more_parts_than_steps_is_left_to_the_search() -> None:
    with pytest.raises(NoMinimalInstance):
        read_off(record(MAX_STEPS), {})


DEFINITIONS: dict[str, Json] = {"T": {"type": "boolean"}}
READ: list[tuple[Json, Json]] = [
    (True, None),
    ({}, None),
    ({"type": "null"}, None),
    ({"type": "boolean"}, True),
    ({"type": "string"}, ""),
    ({"type": "integer"}, 0),
    ({"type": "number"}, 0),
    ({"type": "array"}, []),
    ({"type": "object"}, {}),
    ({"type": ["string", "null"]}, None),
    ({"type": ["object", "string"]}, ""),
    ({"const": [1]}, [1]),
    ({"enum": ["bb", "c", "a"]}, "a"),
    ({"enum": [[], "a", 2, True]}, True),
    ({"enum": [1, None]}, None),
    ({"enum": ["a", "b"], "type": "string"}, "a"),
    ({"enum": [1.5, 2]}, 2),
    ({"enum": [{}, []]}, []),
    ({"enum": [10, 9]}, 9),
    ({"type": "integer", "minimum": 3}, 3),
    ({"type": "integer", "minimum": -3}, 0),
    ({"type": "integer", "maximum": -3}, -3),
    ({"type": "integer", "minimum": -5, "maximum": -3}, -3),
    ({"type": "integer", "maximum": 3}, 0),
    ({"type": "integer", "minimum": 0, "maximum": 0}, 0),
    ({"type": "integer", "exclusiveMinimum": 3}, 4),
    ({"type": "integer", "exclusiveMaximum": -3}, -4),
    ({"type": "integer", "exclusiveMinimum": 0}, 1),
    ({"type": "integer", "exclusiveMaximum": 0}, -1),
    ({"type": "number", "minimum": 0.5}, 1),
    ({"type": "number", "maximum": -0.5}, -1),
    ({"type": "number", "exclusiveMinimum": 0}, 1),
    ({"type": "number", "exclusiveMaximum": 0}, -1),
    ({"type": "number", "minimum": 1.5, "multipleOf": 0.5}, 1.5),
    ({"type": "number", "minimum": 1.2, "multipleOf": 0.5}, 1.5),
    ({"type": "number", "maximum": -1.2, "multipleOf": 0.5}, -1.5),
    ({"type": "number", "exclusiveMinimum": 1.5, "multipleOf": 0.5}, 2),
    ({"type": "number", "exclusiveMaximum": -1.5, "multipleOf": 0.5}, -2),
    ({"type": "number", "minimum": 0.5, "maximum": 1}, 1),
    ({"type": "number", "minimum": -1, "maximum": -0.5}, -1),
    ({"type": "integer", "multipleOf": 3, "minimum": 4}, 6),
    ({"type": "integer", "multipleOf": 3, "maximum": -4}, -6),
    ({"type": "integer", "multipleOf": 3, "exclusiveMinimum": 3}, 6),
    ({"type": "number", "minimum": 0.5, "multipleOf": 1e-09}, 0.5),
    ({"type": "number", "minimum": 2, "exclusiveMinimum": 2}, 3),
    ({"type": "number", "multipleOf": 0.5, "exclusiveMinimum": 0}, 0.5),
    ({"type": "number", "multipleOf": 0.5, "minimum": -1}, 0),
    ({"type": "number", "multipleOf": 0.5, "maximum": 1}, 0),
    ({"type": "number", "multipleOf": 0.5, "minimum": 1, "maximum": 1}, 1),
    ({"type": "number", "multipleOf": 0.5, "minimum": -1, "maximum": -1}, -1),
    ({"type": "string", "minLength": 3}, "aaa"),
    ({"type": "string", "minLength": 1000}, "a" * 1000),
    ({"type": "string", "maxLength": 2}, ""),
    ({"type": "array", "minItems": 2}, [None, None]),
    ({"type": "array", "minItems": 1, "uniqueItems": True}, [None]),
    ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}], "minItems": 1}, [""]),
    ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}], "minItems": 2}, ["", None]),
    (
        {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "boolean"}, "minItems": 3},
        ["", True, True],
    ),
    (
        {
            "type": "object",
            "required": ["a", "b"],
            "properties": {"a": {"type": "string"}},
            "additionalProperties": {"type": "boolean"},
        },
        {"a": "", "b": True},
    ),
    ({"type": "object", "required": ["a"]}, {"a": None}),
    ({"type": "object", "minProperties": 1, "required": ["a"]}, {"a": None}),
    ({"type": "object", "propertyNames": {}}, {}),
    ({"$ref": "#/$defs/T"}, True),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
    ({"anyOf": [False, {"type": "string"}, {"pattern": "a"}, {"type": "array"}]}, ""),
    ({"oneOf": [{"type": "boolean"}]}, True),
    ({"allOf": [{"type": "string"}, {"minLength": 2}]}, "aa"),
    ({"type": "string", "minLength": 3, "allOf": [{"minLength": 2}]}, "aaa"),
    ({"type": "integer", "allOf": [{"minimum": 2}, {"minimum": 5}, {"maximum": 9}, {"maximum": 8}]}, 5),
    ({"type": "string", "allOf": [True, {"type": "string"}]}, ""),
    ({"type": "null", "not": {"type": "string"}}, None),
    ({"type": "string", "not": {"type": "integer"}}, ""),
    ({"type": "integer", "not": {"const": 1}}, 0),
    ({"type": "integer", "not": {"enum": [2, 1]}}, 0),
    ({"type": "boolean", "not": {"type": "integer"}}, True),
    ({"type": "boolean", "not": {"const": 1}}, True),
    ({"type": "string", "format": "date"}, ""),
    ({"type": "string", "minimum": 4}, ""),
]
SEARCHED: list[Json] = [
    {"enum": ["a", 1], "type": "string"},
    {"enum": ["a"], "type": "integer"},
    {"enum": ["a"], "minLength": 1},
    {"type": "integer", "minimum": 4, "maximum": 3},
    {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    {"type": "number", "minimum": 0.2, "maximum": 0.4},
    {"type": "number", "minimum": -0.4, "maximum": -0.2},
    {"type": "integer", "multipleOf": 0.5},
    {"type": "string", "minLength": 1001},
    {"type": "string", "pattern": "a"},
    {"type": "array", "minItems": 2, "uniqueItems": True},
    {"type": "array", "minItems": 20001},
    {"type": "array", "items": {"type": "array", "minItems": 2}, "minItems": 6667},
    {"type": "array", "contains": {}},
    {"type": "object", "minProperties": 1},
    {"type": "object", "minProperties": 2, "required": ["a"]},
    {"type": "object", "required": ["a"], "propertyNames": {}},
    {"type": "object", "required": ["a"], "patternProperties": {"b": {}}},
    {"$ref": "#/$defs/T", "type": "boolean"},
    {"anyOf": [{"type": "null"}], "type": "null"},
    {"type": "string", "allOf": [{"type": "integer"}]},
    {"type": "null", "not": {"type": "null"}},
    {"type": "integer", "not": {"type": "number"}},
    {"type": "number", "not": {"type": "integer"}},
    {"type": "integer", "not": {"const": 0}},
    {"type": "integer", "not": {"enum": [0, 1]}},
    {"type": "integer", "not": {"minimum": 1}},
    {"type": "integer", "not": {"type": "string", "minLength": 1}},
    {"type": "integer", "not": True},
    {"type": "integer", "not": {}},
    {"minLength": 2},
    {"type": "object", "dependentSchemas": {}},
    {"type": "object", "if": {}},
]
EMPTY: list[Json] = [
    False,
    {"enum": []},
    {"oneOf": [False]},
]
# A schema, one that is to be refused, and the first narrowed to what breaks the second.


@pytest.mark.parametrize(("schema", "instance"), READ, ids=range(len(READ)))
def test_the_least_instance_is_read_off(schema: Json, instance: Json) -> None:
    assert repr(read_off(schema, DEFINITIONS)) == repr(instance)


@pytest.mark.parametrize("schema", SEARCHED, ids=range(len(SEARCHED)))
def test_what_cannot_be_read_off_is_searched(schema: Json) -> None:
    assert minimal_instance(schema, DEFINITIONS, lambda _: "searched") == "searched"
    with pytest.raises(NoMinimalInstance):
        read_off(schema, DEFINITIONS)


@pytest.mark.parametrize("schema", EMPTY)
def test_what_has_no_instance_is_not_searched(schema: Json) -> None:
    with pytest.raises(NoMinimalInstance):
        minimal_instance(schema, DEFINITIONS, lambda _: "searched")


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: {"anyOf": [inner]},
        lambda inner: {"type": "array", "minItems": 1, "items": inner},
        lambda inner: {"type": "array", "minItems": 1, "prefixItems": [inner]},
        lambda inner: {"type": "object", "required": ["a"], "properties": {"a": inner}},
    ],
    ids=["union", "items", "prefix", "property"],
)
def test_what_is_deep_is_left_alone(around: Callable[[Json], Json]) -> None:
    schema: Json = {"type": "null"}
    for _ in range(MAX_LEVELS):
        schema = around(schema)
    read_off(schema, {})
    with pytest.raises(NoMinimalInstance):
        read_off(around(schema), {})


def test_the_least_of_the_first_alternatives_is_taken() -> None:
    few, many = ({"anyOf": [{"type": "string"}] * n + [{"type": "null"}]} for n in (MAX_BRANCHES - 1, MAX_BRANCHES))
    assert (read_off(few, {}), read_off(many, {})) == (None, "")
