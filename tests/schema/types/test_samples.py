"""Messages by chance: what a schema asks for is met, in every kind of value, by every choice."""

from __future__ import annotations

import random
from typing import Any

import pytest

from claude_comm.schema.types.samples import MAX_DEPTH, Sampler, samples
from claude_comm.schema.validation.validator import compile_validator

SOME = 150


def drawn(schema: Any, seed: int = 0, some: int = SOME) -> list[Any]:
    source = samples(schema, random.Random(seed).randrange)
    return [next(source) for _ in range(some)]


MET: list[Any] = [
    {"const": [1]},
    {"enum": ["a", 1]},
    {"type": "null"},
    {"type": "boolean"},
    {"type": ["null", "boolean"]},
    {"type": "string", "minLength": 3, "maxLength": 4},
    {"type": "string", "maxLength": 0},
    {"type": "string", "minLength": 30, "maxLength": 40},
    {"type": "string", "pattern": "^[a-f]{2,3}(?:x|yz)?[0-9]*$"},
    {"pattern": "^a+$", "type": "string"},
    {"type": "integer", "minimum": 5, "maximum": 9},
    {"type": "number", "minimum": -2, "maximum": 3},
    {"type": "number", "minimum": 10, "maximum": 30, "multipleOf": 5},
    {"type": "integer"},
    {"type": "array", "minItems": 2, "maxItems": 3},
    {"type": "array", "maxItems": 0},
    {"type": "array", "minItems": 7},
    {"type": "array", "prefixItems": [{"const": 1}, {"const": "a"}], "items": {"const": None}},
    {"type": "array", "prefixItems": [{"const": 1}], "minItems": 1, "maxItems": 1},
    {"type": "object", "required": ["a"], "properties": {"a": {"const": 1}, "b": {"const": 2}}},
    {"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": False},
    {"type": "object", "additionalProperties": {"type": "integer"}},
    {"type": "object", "propertyNames": {"pattern": "^[a-z]{9}$"}, "minProperties": 2},
    {"allOf": [{"type": "object", "properties": {"a": {"const": 1}}}, {"required": ["a"]}], "required": ["b"]},
    {"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}, "required": ["a", "b"]}]},
    {"anyOf": [{"const": 1}, {"type": "object", "required": ["a"]}]},
    {"oneOf": [{"const": 1}, {"const": 2}]},
    {"if": {"properties": {"a": {"const": 1}}, "required": ["a"]}, "then": {"required": ["b"]}, "else": {"const": 5}},
    {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/b"}}, "b": {"const": 1}}},
    {"properties": {"a": {"const": 1}}, "required": ["a"]},
    {"items": {"const": 1}, "minItems": 1},
    {"prefixItems": [{"const": 1}], "minItems": 1},
    {"required": ["a"]},
    {},
    True,
]


@pytest.mark.parametrize("schema", MET, ids=str)
def test_a_sample_is_what_the_schema_asks_for(schema: Any) -> None:
    validator = compile_validator(schema)
    assert [sample for sample in drawn(schema) if not validator.accepts(sample)] == []


@pytest.mark.parametrize(
    ("schema", "met"),
    [
        ({"type": "boolean"}, [True, False]),
        ({"enum": [1, 2, 3]}, [1, 2, 3]),
        ({"type": "integer", "minimum": 5, "maximum": 9}, [5, 6, 7, 8, 9]),
        ({"type": "integer", "minimum": 1000}, [999, 1000, 1001]),
        ({"type": "number", "exclusiveMaximum": 1000}, [999, 1000, 1001]),
        ({"type": "string", "pattern": "^[a-c]$"}, ["a", "b", "c"]),
        ({"type": "string", "pattern": "^a{1,3}$"}, ["a", "aa", "aaa"]),
        ({"type": "string", "pattern": "^a*$"}, ["", "a", "aa", "aaa"]),
        ({"type": "string", "pattern": "^(?:a|b){0,1}$"}, ["", "a", "b"]),
        ({"type": "string", "pattern": "("}, [""]),
        ({"type": "array", "items": {"const": 1}}, [[], [1], [1, 1], [1, 1, 1]]),
        ({"type": "array", "items": {"const": 1}, "minItems": 1}, [[1], [1] * 2, [1] * 3]),
        ({"type": "array", "items": {"const": 1}, "maxItems": 2}, [[], [1], [1, 1]]),
        ({"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": False}, [{}, {"a": 1}]),
        ({"type": ["null", "integer"], "maximum": 7, "minimum": 7}, [None, 7]),
        ({"anyOf": [{"const": 1}, {"const": 2}], "oneOf": [{}]}, [1, 2]),
        ({"if": {"const": 1}, "then": True, "else": {"const": 2}}, [1, 2]),
        ({"type": "object", "required": ["a"], "additionalProperties": False}, [{"a": None}]),
        ({"allOf": [{"const": 1}]}, [1]),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"const": 1}}}, [1]),
    ],
    ids=str,
)
def test_every_value_is_met_and_none_beside_them_where_they_are_few(schema: Any, met: list[Any]) -> None:
    found = drawn(schema)
    assert [value for value in met if value not in found] == []
    few = "minimum" not in schema and "exclusiveMaximum" not in schema
    assert not few or [value for value in found if value not in met] == []


def test_further_members_are_met_beside_the_declared_ones() -> None:
    schema = {"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": {"const": 2}}
    found = drawn(schema)
    assert any(sample.keys() == {"a"} for sample in found)
    assert any("a" in sample and len(sample) > 1 for sample in found)
    assert any("a" not in sample and sample for sample in found)
    assert {} in found


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth_of, inner), default=0)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"$ref": "#/$defs/a"}, "minItems": 1, "maxItems": 1},
        {"type": "object", "properties": {"p": {"$ref": "#/$defs/a"}}},
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/a"}},
        {"type": "array", "items": {"$ref": "#/$defs/a"}},
    ],
    ids=str,
)
def test_a_schema_that_holds_itself_is_met_to_some_depth(schema: Any) -> None:
    whole = {"$ref": "#/$defs/a", "$defs": {"a": schema}}
    deepest = max(map(depth_of, drawn(whole, some=60)))
    most = 4 * MAX_DEPTH + 3 if schema.get("minItems") else MAX_DEPTH + 2
    assert 4 <= deepest <= most


def test_what_refers_to_itself_in_place_has_an_end() -> None:
    whole = {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}], "const": 1}}}
    assert drawn(whole, some=2) == [1, 1]


def test_each_value_is_told_before_it_is_made() -> None:
    told = list[None]()
    sampler = Sampler({}, lambda _count: 0, lambda: told.append(None))
    sampler.value({"type": "array", "items": {"type": "null"}, "minItems": 9}, 0)
    assert len(told) >= 20
