"""What is seen of two schemas from outside proves that they have no value in common, or shows nothing."""

from __future__ import annotations

import pytest

from claude_comm.schema.containment.outlines import MAX_LEVELS, MAX_LISTED, Outlines, apart
from claude_comm.schema.verdict import Json

DEFINITIONS: dict[str, Json] = {
    "T": {"type": "object", "required": ["t"], "properties": {"t": {"const": 1}}},
    "S": {"type": "string"},
}
APART: list[tuple[Json, Json]] = [
    ({"type": "string"}, {"type": "null"}),
    (False, True),
    ({"const": 1}, {"const": 2}),
    ({"const": 1}, {"const": True}),
    ({"const": 1}, {"type": "string"}),
    ({"type": ["string", "null"], "enum": ["a", "b"]}, {"enum": ["c"]}),
    (
        {"type": "object", "required": ["t"], "properties": {"t": {"const": 1}}},
        {"type": "object", "required": ["t"], "properties": {"t": {"const": 2}}},
    ),
    (
        {"type": "object", "required": ["t"], "properties": {"t": {"const": 1}}},
        {"type": "object", "properties": {"t": {"const": 2}}},
    ),
    ({"type": "object", "required": ["u"]}, {"type": "object", "properties": {"t": {}}, "additionalProperties": False}),
    ({"type": "object", "properties": {"t": {}}, "additionalProperties": False}, {"type": "object", "required": ["u"]}),
    (
        {"type": "array", "minItems": 1, "prefixItems": [{"const": 1}]},
        {"type": "array", "minItems": 1, "prefixItems": [{"const": 2}]},
    ),
    ({"type": "array", "minItems": 1, "prefixItems": [{"const": 1}]}, {"type": "array", "prefixItems": [{"const": 2}]}),
    (
        {"type": "array", "minItems": 0, "prefixItems": [{"const": 1}]},
        {"type": "array", "minItems": 1, "prefixItems": [{"const": 2}]},
    ),
    (
        {"type": "array", "minItems": 2, "prefixItems": [{"const": 1}]},
        {"type": "array", "minItems": 0, "prefixItems": [{"const": 2}]},
    ),
    (
        {"type": ["array", "null"], "minItems": 1, "prefixItems": [{"const": 1}]},
        {"type": "array", "minItems": 1, "prefixItems": [{"const": 2}]},
    ),
    ({"allOf": [{"type": ["string", "null"]}, {"type": ["null", "boolean"]}]}, {"type": ["string", "boolean"]}),
    (
        {"allOf": [{"type": "object", "required": ["t"], "properties": {"t": {"const": 1}}}, {"required": ["u"]}]},
        {"type": "object", "required": ["t"], "properties": {"t": {"const": 2}}},
    ),
    ({"allOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]}, {"enum": [1, 3]}),
    ({"allOf": [{"enum": [1, 2]}, {}]}, {"const": 3}),
    ({"allOf": [{}, {"enum": [1, 2]}]}, {"const": 3}),
    (
        {
            "allOf": [
                {"type": "object", "properties": {"t": {"enum": [1, 2]}}},
                {"properties": {"t": {"enum": [2, 3]}}, "required": ["t"]},
            ]
        },
        {"type": "object", "properties": {"t": {"enum": [1, 3]}}},
    ),
    (
        {
            "allOf": [
                {"type": "object", "additionalProperties": False, "properties": {"a": {}, "b": {}}},
                {"additionalProperties": False, "properties": {"b": {}}},
            ]
        },
        {"type": "object", "required": ["a"]},
    ),
    ({"$ref": "#/$defs/T"}, {"type": "object", "required": ["t"], "properties": {"t": {"const": 2}}}),
    ({"$ref": "#/$defs/S"}, {"type": "null"}),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "boolean"}),
    ({"oneOf": [{"type": "string"}, {"type": "null"}]}, {"type": "boolean"}),
    ({"type": ["boolean", "string"], "anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": ["boolean", "null"]}),
]
PERHAPS_TOGETHER: list[tuple[Json, Json]] = [
    ({"type": "string"}, {"type": ["null", "string"]}),
    ({"type": "integer"}, {"type": "number"}),
    (True, True),
    ({}, {"type": "null"}),
    ({"const": 1}, {"enum": [1, 2]}),
    ({"const": "a"}, {"type": "string"}),
    ({"enum": ["a"]}, {"type": "string", "minLength": 2}),
    ({"const": {"t": 2}}, {"type": "object", "required": ["t"], "properties": {"t": {"const": 1}}}),
    (
        {"type": "object", "required": ["t"], "properties": {"t": {"const": 1}}},
        {"type": "object", "required": ["t"], "properties": {"t": {"const": 1}}},
    ),
    ({"type": "object", "properties": {"t": {"const": 1}}}, {"type": "object", "properties": {"t": {"const": 2}}}),
    (
        {"type": "object", "required": ["t"], "properties": {"t": {"const": 1}}},
        {"type": "object", "properties": {"u": {"const": 2}}},
    ),
    (
        {"type": ["object", "null"], "required": ["t"], "properties": {"t": {"const": 1}}},
        {"type": ["object", "null"], "required": ["t"], "properties": {"t": {"const": 2}}},
    ),
    ({"required": ["t"], "properties": {"t": {"const": 1}}}, {"required": ["t"], "properties": {"t": {"const": 2}}}),
    ({"type": "object", "properties": {"t": {}}, "additionalProperties": False}, {"type": "object", "required": ["t"]}),
    (
        {"type": "object", "patternProperties": {"u": {}}, "additionalProperties": False},
        {"type": "object", "required": ["u"]},
    ),
    ({"type": "object", "additionalProperties": False}, {"type": "object", "minItems": 1}),
    ({"type": "array", "prefixItems": [{"const": 1}]}, {"type": "array", "prefixItems": [{"const": 2}]}),
    (
        {"type": "array", "minItems": 0, "prefixItems": [{"const": 1}]},
        {"type": "array", "minItems": 0, "prefixItems": [{"const": 2}]},
    ),
    (
        {"type": "array", "minItems": 1, "prefixItems": [{"const": 1}]},
        {"type": "array", "minItems": 1, "prefixItems": [{"const": 1}]},
    ),
    (
        {"type": "array", "prefixItems": [{}, {"const": 1}], "minItems": 2},
        {"type": "array", "prefixItems": [{}, {"const": 2}], "minItems": 2},
    ),
    ({"$ref": "#/$defs/T"}, {"type": "object", "required": ["t"], "properties": {"t": {"const": 1}}}),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "null"}),
]


def seen_apart(left: Json, right: Json) -> bool:
    outlines = Outlines(DEFINITIONS)
    answers = {apart(outlines.of(left), outlines.of(right)), apart(outlines.of(right), outlines.of(left))}
    assert len(answers) == 1
    return answers.pop()


@pytest.mark.parametrize(("left", "right"), APART, ids=range(len(APART)))
def test_they_are_apart(left: Json, right: Json) -> None:
    assert seen_apart(left, right)


@pytest.mark.parametrize(("left", "right"), PERHAPS_TOGETHER, ids=range(len(PERHAPS_TOGETHER)))
def test_nothing_shows_that_they_are(left: Json, right: Json) -> None:
    assert not seen_apart(left, right)


@pytest.mark.parametrize("keyword", ["allOf", "anyOf"])
def test_what_is_deep_shows_nothing(keyword: str) -> None:
    schema: Json = {"type": "null"}
    for level in range(MAX_LEVELS + 2):
        assert seen_apart(schema, {"type": "string"}) is (level <= MAX_LEVELS)
        schema = {keyword: [schema]}


def test_a_long_list_shows_nothing() -> None:
    assert seen_apart({"enum": [*range(MAX_LISTED)]}, {"const": -1})
    assert not seen_apart({"enum": [*range(MAX_LISTED + 1)]}, {"const": -1})
