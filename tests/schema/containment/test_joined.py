"""The parts of an `allOf` as one schema, keyword by keyword."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.containment.joined import joined, loosely
from claude_comm.schema.verdict import Json

JOINED: list[tuple[dict[str, Any], Json]] = [
    ({"type": "string", "allOf": [{"type": "number"}]}, {"type": []}),
    ({"type": "integer", "allOf": [{"type": "string"}]}, {"type": []}),
    ({"allOf": [True, {"type": "string"}]}, {"type": "string"}),
    ({"allOf": [False]}, None),
    ({"allOf": [True, True, {"minLength": 1}], "type": "string"}, {"type": "string", "minLength": 1}),
    ({"type": "integer", "allOf": [{"type": "number"}]}, {"type": ["integer"]}),
    ({"type": "number", "allOf": [{"type": "integer"}]}, {"type": ["integer"]}),
    ({"type": ["number", "integer"], "allOf": [{"type": ["integer", "null"]}]}, {"type": ["integer"]}),
    ({"type": ["string", "null"], "allOf": [{"type": ["null", "boolean"]}]}, {"type": ["null"]}),
    ({"type": ["number", "null"], "allOf": [{"type": ["integer", "null"]}]}, {"type": ["null", "integer"]}),
    ({"type": "string", "allOf": [{"type": "integer"}]}, {"type": []}),
    ({"minimum": 1, "maximum": 9, "allOf": [{"minimum": 2, "maximum": 8}]}, {"minimum": 2, "maximum": 8}),
    ({"minLength": 3, "allOf": [{"minLength": 2}]}, {"minLength": 3}),
    ({"required": ["a"], "allOf": [{"required": ["b", "a"]}]}, {"required": ["a", "b"]}),
    ({"pattern": "a", "allOf": [{"pattern": "a"}]}, {"pattern": "a"}),
    ({"pattern": "a", "allOf": [{"pattern": "b"}]}, None),
    ({"const": 1, "allOf": [{"const": True}]}, None),
    ({"properties": {"a": {}}, "allOf": [{"additionalProperties": False}]}, None),
    ({"properties": {"a": {}}, "allOf": [{"properties": {"b": {}}}]}, None),
    ({"properties": {"a": {}}, "allOf": [{"items": {}}]}, {"properties": {"a": {}}, "items": {}}),
    ({"items": {}, "allOf": [{"prefixItems": [{}]}]}, None),
    ({"contains": {}, "allOf": [{"minContains": 2}]}, None),
    (
        {"type": "object", "allOf": [{"properties": {"a": {}}, "additionalProperties": False}]},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
    ),
    ({"allOf": [{"properties": {}}, {"items": {}}, {"additionalProperties": False}]}, None),
]
LOOSELY: list[tuple[list[Json], Json]] = [
    ([True, {"properties": {"a": {"type": "null"}}}], {"properties": {"a": {"type": "null"}}, "required": []}),
    (
        [{"properties": {"a": {"type": "null"}}}, {"properties": {"a": {"type": "null"}}}],
        {"properties": {"a": {"type": "null"}}, "required": []},
    ),
    (
        [{"properties": {"a": True}}, {"properties": {"a": {"type": "null"}}}],
        {"properties": {"a": {"type": "null"}}, "required": []},
    ),
    (
        [{"properties": {"a": {"type": "null"}}}, {"properties": {"a": True}}],
        {"properties": {"a": {"type": "null"}}, "required": []},
    ),
    (
        [{"properties": {"a": {"type": "null"}}}, {"properties": {"a": {"const": 1}}}],
        {"properties": {"a": {"allOf": [{"type": "null"}, {"const": 1}]}}, "required": []},
    ),
    ([{"required": ["a"]}, {"required": ["b", "a"]}], {"properties": {}, "required": ["a", "b"]}),
    ([{"type": "object"}, {"type": ["object", "null"]}], {"properties": {}, "required": [], "type": ["object"]}),
    (
        [{"patternProperties": {"x": {}}}, {"additionalProperties": False, "patternProperties": {"y": {}}}],
        {"properties": {}, "required": [], "patternProperties": {"x": {}}, "additionalProperties": False},
    ),
    ([{"unevaluatedProperties": False}], {"properties": {}, "required": [], "additionalProperties": False}),
    ([{"unevaluatedProperties": True}], {"properties": {}, "required": []}),
    (
        [{"additionalProperties": {"type": "null"}}, {"unevaluatedProperties": False}],
        {"properties": {}, "required": [], "additionalProperties": False},
    ),
]


@pytest.mark.parametrize(("schema", "whole"), JOINED, ids=range(len(JOINED)))
def test_the_parts_are_one_schema_or_nothing_is_known(schema: dict[str, Any], whole: Json) -> None:
    assert repr(joined(schema)) == repr(whole)


@pytest.mark.parametrize(("parts", "whole"), LOOSELY, ids=range(len(LOOSELY)))
def test_the_parts_of_an_object_are_joined_for_a_guess(parts: list[Json], whole: Json) -> None:
    assert loosely(parts) == whole
