"""What a rule leaves of each keyword of the consumer: nothing, all of it, or a part."""

from __future__ import annotations

import pytest

from claude_comm.schema.containment.residual import residual
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.verdict import Json


def remains(produced: Json, accepted: Json) -> Json:
    """Compared as text, for 1 and true are equal."""
    sides = (
        Document(schema=schema, origins={}, opaque=False, lexical=False, dynamic=False)
        for schema in (produced, accepted)
    )
    return repr(residual(*sides))


# From here on not every integer is a float.
WIDE = 2**53
NOTHING: list[tuple[Json, Json]] = [
    ({"minimum": 1e23}, {"minimum": 10**23}),
    ({"maximum": 10**23}, {"maximum": 1e23}),
    ({"contains": {"type": "null"}, "type": "array"}, {"contains": {"type": "null"}}),
    ({"if": {"type": "null"}, "then": False, "type": "string"}, {"if": {"type": "null"}, "then": False}),
    (
        {"type": "array", "contains": {"type": "null"}, "minContains": 2},
        {"contains": {"type": "null"}, "minContains": 2},
    ),
    ({"type": "null"}, {"$ref": "#/$defs/A", "type": "null", "$defs": {"A": {"type": "null"}}}),
    ({"type": "integer"}, {"type": "number"}),
    ({"type": ["integer", "null"]}, {"type": ["null", "number"]}),
    ({"const": 1}, {"type": "integer"}),
    ({"enum": ["a", None, True, 1.5]}, {"type": ["string", "null", "boolean", "number"]}),
    ({"const": {"a": 1}}, {"type": "object"}),
    ({"type": "integer", "$lexical": True}, {"type": "integer", "$lexical": True}),
    ({"type": "string"}, {"type": "string", "$lexical": True}),
    ({"type": "integer"}, {"type": "number", "$lexical": True}),
    ({"const": 1}, {"enum": [1, 2]}),
    ({"enum": [1, 2]}, {"enum": [2, 1]}),
    ({"minimum": 3}, {"minimum": 3}),
    ({"minimum": 3}, {"minimum": 2}),
    ({"maximum": 3}, {"maximum": 3}),
    ({"maximum": 3}, {"maximum": 4}),
    ({"exclusiveMinimum": 3}, {"minimum": 3}),
    ({"exclusiveMaximum": 3}, {"maximum": 3}),
    ({"exclusiveMinimum": 3}, {"exclusiveMinimum": 3}),
    ({"minimum": 3.5}, {"minimum": 3}),
    ({"maximum": 3}, {"maximum": 3.5}),
    ({"maximum": 3.0}, {"maximum": 3}),
    ({"minimum": WIDE}, {"minimum": float(WIDE)}),
    ({"minimum": WIDE + 1}, {"minimum": float(WIDE)}),
    ({"minimum": 0.3}, {"minimum": 0.1}),
    ({"maximum": 0.1}, {"maximum": 0.3}),
    ({"minLength": 2}, {"minLength": 1}),
    ({}, {"minLength": 0}),
    ({"maxItems": 2}, {"maxItems": 3}),
    ({}, {"minProperties": 0}),
    ({"multipleOf": 6}, {"multipleOf": 3}),
    ({"type": "integer"}, {"multipleOf": 1}),
    ({"type": "integer"}, {"multipleOf": 0.5}),
    ({"multipleOf": 1.5}, {"multipleOf": 0.5}),
    ({}, {"format": "date"}),
    ({"uniqueItems": True}, {"uniqueItems": True}),
    ({}, {"uniqueItems": False}),
    ({"required": ["a", "b"]}, {"required": ["a"]}),
    ({"properties": {"a": {"type": "integer"}}}, {"properties": {"a": {"type": "number"}}}),
    (
        {"properties": {"a": {"type": "integer"}}, "additionalProperties": {"type": "null"}},
        {"properties": {"b": {"type": "null"}}},
    ),
    (
        {"properties": {"a": {"type": "integer"}}, "additionalProperties": False},
        {"properties": {"a": {"type": "number"}}, "additionalProperties": False},
    ),
    (
        {"properties": {"b": {"type": "null"}}, "additionalProperties": False},
        {"additionalProperties": {"type": "null"}},
    ),
    (
        {"patternProperties": {"^a": {"type": "null"}}, "additionalProperties": False},
        {"patternProperties": {"^a": {"type": "null"}}, "additionalProperties": False},
    ),
    ({"patternProperties": {"^a": {"type": "null"}}}, {"patternProperties": {"^a": {"type": "null"}}}),
    ({"items": {"type": "integer"}}, {"items": {"type": "number"}}),
    ({"items": {"type": "null"}}, {"prefixItems": [{"type": "null"}]}),
    (
        {"prefixItems": [{"type": "integer"}], "items": {"type": "null"}},
        {"prefixItems": [{"type": "number"}], "items": {"type": "null"}},
    ),
    ({"prefixItems": [{"type": "null"}], "items": {"type": "null"}}, {"items": {"type": "null"}}),
    ({"contains": {"type": "null"}}, {"contains": {"type": "null"}}),
    ({"if": {"type": "null"}, "then": False}, {"if": {"type": "null"}, "then": False}),
    ({"propertyNames": {"minLength": 2}}, {"propertyNames": {"minLength": 1}}),
    ({"type": "null"}, {"anyOf": [{"type": "null"}, {"type": "string"}]}),
    ({"type": "null"}, {"oneOf": [{"type": "null"}, {"type": "string"}]}),
    ({"type": "null"}, {"allOf": [{"type": "null"}, {"type": ["null", "string"]}]}),
    ({"allOf": [{"minimum": 0}]}, {"allOf": [{"minimum": 0}]}),
    ({"type": "null"}, {"minimum": 3, "minLength": 2, "required": ["a"]}),
    ({"pattern": "a"}, {"pattern": "a"}),
    ({"not": {"type": "null"}}, {"not": {"type": "null"}}),
    (False, {"type": "string"}),
    ({"type": "string"}, True),
]
ALL: list[tuple[Json, Json]] = [
    ({"type": "array", "contains": {"type": "null"}, "minContains": 2}, {"contains": {"type": "null"}}),
    ({"type": "array", "contains": {"type": "null"}}, {"contains": {"type": "null"}, "minContains": 2}),
    (
        {"type": "array", "contains": {"type": "null"}, "minContains": 2},
        {"contains": {"type": "null"}, "minContains": 3},
    ),
    ({"enum": [1, "a"]}, {"type": "integer"}),
    ({"$lexical": True, "const": 1}, {"type": "integer", "$lexical": True}),
    ({"type": "number"}, {"type": "integer"}),
    ({}, {"type": "integer"}),
    ({"enum": [[1]]}, {"type": "object"}),
    ({"const": 1}, {"type": "integer", "$lexical": True}),
    ({"type": "integer"}, {"type": "integer", "$lexical": True}),
    ({"enum": [1, 3]}, {"enum": [1, 2]}),
    ({"const": True}, {"const": 1}),
    ({"type": "boolean"}, {"enum": [True]}),
    ({"minimum": 3}, {"minimum": 4}),
    ({"maximum": 3}, {"maximum": 2}),
    ({"minimum": 3}, {"exclusiveMinimum": 3}),
    ({"minimum": 3}, {"minimum": 3.5}),
    ({"minimum": float(WIDE)}, {"minimum": WIDE + 1}),
    ({"minimum": 0.1}, {"minimum": 0.3}),
    ({"maximum": 0.3}, {"maximum": 0.1}),
    ({"minLength": 1}, {"minLength": 2}),
    ({}, {"maxLength": 0}),
    ({}, {"minimum": 0}),
    ({"multipleOf": 3}, {"multipleOf": 6}),
    ({"type": "integer"}, {"multipleOf": 2}),
    ({"type": "number"}, {"multipleOf": 1}),
    ({}, {"multipleOf": 1}),
    ({}, {"uniqueItems": True}),
    ({"uniqueItems": False}, {"uniqueItems": True}),
    ({"properties": {"a": {"type": "integer"}}}, {"properties": {"a": {"type": "string"}, "b": {"type": "null"}}}),
    (
        {"patternProperties": {"^a": {"type": "null"}}, "additionalProperties": {"type": "string"}},
        {"properties": {"b": {"type": "string"}}},
    ),
    ({"patternProperties": {"^a": {"type": "null"}}, "additionalProperties": False}, {"additionalProperties": False}),
    ({}, {"patternProperties": {"^a": {"type": "null"}}}),
    ({"patternProperties": {"^a": {"type": "null"}}}, {"patternProperties": {"^a": {"type": "string"}}}),
    (
        {"patternProperties": {"^a": {"type": "null"}}},
        {"patternProperties": {"^a": {"type": "null"}}, "additionalProperties": False},
    ),
    ({"items": {"type": "number"}}, {"items": {"type": "integer"}}),
    ({"prefixItems": [{"type": "integer"}], "items": {"type": "null"}}, {"items": {"type": "null"}}),
    ({"prefixItems": [{"type": "string"}]}, {"prefixItems": [{"type": "number"}, {"type": "string"}]}),
    ({"contains": {"type": "null"}, "minContains": 2}, {"contains": {"type": "null"}}),
    ({}, {"contains": {"type": "null"}}),
    ({"contains": {"type": "null"}}, {"contains": {"type": "null"}, "maxContains": 2}),
    ({"if": {"type": "null"}}, {"if": {"type": "null"}, "then": False}),
    ({}, {"propertyNames": {"minLength": 1}}),
    ({"type": "integer"}, {"anyOf": [{"type": "null"}, {"type": "string"}]}),
    ({"type": "integer"}, {"oneOf": [{"type": "number"}, {"type": "integer"}]}),
    ({"pattern": "a"}, {"pattern": "b"}),
    ({"type": "string"}, False),
]
A_PART: list[tuple[Json, Json, Json]] = [
    (
        {"type": "string"},
        {"$ref": "#/$defs/A", "type": "string", "$defs": {"A": {"type": "null"}}},
        {"$ref": "#/$defs/A", "$defs": {"A": {"type": "null"}}},
    ),
    ({"required": ["a"]}, {"required": ["a", "b"]}, {"required": ["b"]}),
    (
        {"properties": {"a": {"type": "integer"}}},
        {"properties": {"a": {"type": "number"}}, "additionalProperties": False},
        {"properties": {"a": True}, "additionalProperties": False},
    ),
    (
        {"properties": {"a": {"type": "integer"}, "b": {}}, "additionalProperties": False},
        {"properties": {"a": {"type": "number"}}, "additionalProperties": False},
        {"properties": {"a": True}, "additionalProperties": False},
    ),
    (
        {"additionalProperties": False},
        {"patternProperties": {"^a": {"type": "null"}}, "additionalProperties": False},
        {"patternProperties": {"^a": {"type": "null"}}},
    ),
    (
        {"prefixItems": [{"type": "integer"}]},
        {"prefixItems": [{"type": "number"}], "items": {"type": "null"}},
        {"prefixItems": [True], "items": {"type": "null"}},
    ),
    (
        {"prefixItems": [{"type": "integer"}, {"type": "string"}]},
        {"prefixItems": [{"type": "number"}], "items": {"type": "string"}},
        {"prefixItems": [True], "items": {"type": "string"}},
    ),
    ({"type": "integer"}, {"allOf": [{"type": "number"}, {"minimum": 0}]}, {"allOf": [{"minimum": 0}]}),
    (
        {"type": ["integer", "string"]},
        {"minimum": 3, "minLength": 2, "required": ["a"]},
        {"minimum": 3, "minLength": 2},
    ),
]


@pytest.mark.parametrize(("produced", "accepted"), NOTHING, ids=range(len(NOTHING)))
def test_nothing_remains_of_what_is_implied(produced: Json, accepted: Json) -> None:
    assert remains(produced, accepted) == "True"


@pytest.mark.parametrize(("produced", "accepted"), ALL, ids=range(len(ALL)))
def test_what_is_not_implied_remains(produced: Json, accepted: Json) -> None:
    assert remains(produced, accepted) == repr(accepted)


@pytest.mark.parametrize(("produced", "accepted", "rest"), A_PART, ids=range(len(A_PART)))
def test_a_part_may_remain(produced: Json, accepted: Json, rest: Json) -> None:
    assert remains(produced, accepted) == repr(rest)
