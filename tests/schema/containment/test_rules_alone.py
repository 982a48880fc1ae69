"""The rules of `jsonschema` without its validators say what its validators say."""

from __future__ import annotations

import random

import jsonschema
import pytest

from claude_comm.schema.containment.rules_alone import RulesAlone, bare
from claude_comm.schema.values import text
from tests.support.schemas.pairs import Maker, message, mutated

DIALECT = "draft2020-12"
PLAIN = jsonschema.Draft202012Validator


def said(schema: object, value: object) -> bool:
    return RulesAlone(schema, PLAIN.VALIDATORS, PLAIN.TYPE_CHECKER.is_type).is_valid(value)


def test_they_say_of_random_messages_what_a_whole_validator_says() -> None:
    answers = {True: 0, False: 0}
    for seed in range(100):
        chance = random.Random(seed)
        schema, _ = Maker(chance).pair()
        if not bare(schema, text(schema), DIALECT):
            continue
        whole = PLAIN(schema)
        for value in [mutated(chance, message(chance)) for _ in range(4)]:
            try:
                expected = whole.is_valid(value)
            except RecursionError:
                # A reference that comes back to itself.
                continue
            answers[expected] += 1
            assert said(schema, value) is expected, (schema, value)
    assert min(answers.values()) > 50


TREE = {
    "$defs": {"tree": {"properties": {"next": {"$ref": "#/$defs/tree"}}, "required": ["n"]}},
    "$ref": "#/$defs/tree",
}
CASES = [
    (TREE, {"n": 1, "next": {"n": 2}}, True),
    (TREE, {"n": 1, "next": {"m": 2}}, False),
    ({"contains": {"const": 1}, "minContains": 2}, [1, 2, 1], True),
    ({"contains": {"const": 1}, "minContains": 2}, [1, 2], False),
    ({"if": {"type": "string"}, "then": {"minLength": 2}, "else": False}, "ab", True),
    ({"if": {"type": "string"}, "then": {"minLength": 2}, "else": False}, 1, False),
    ({"oneOf": [{"type": "integer"}, {"minimum": 2}], "not": {"const": 4}}, 1, True),
    ({"oneOf": [{"type": "integer"}, {"minimum": 2}], "not": {"const": 4}}, 3, False),
    ({"dependentSchemas": {"a": {"required": ["b"]}}, "propertyNames": {"maxLength": 1}}, {"a": 1, "b": 2}, True),
    ({"dependentSchemas": {"a": {"required": ["b"]}}, "propertyNames": {"maxLength": 1}}, {"a": 1}, False),
]


@pytest.mark.parametrize(("schema", "value", "fits"), CASES)
def test_they_follow_references_and_schemas_within_schemas(schema: object, value: object, fits: bool) -> None:
    assert bare(schema, text(schema), DIALECT)
    assert said(schema, value) is fits is PLAIN(schema).is_valid(value)
    alone = RulesAlone(schema, PLAIN.VALIDATORS, PLAIN.TYPE_CHECKER.is_type)
    assert len(list(alone.iter_errors(value))) == len(list(PLAIN(schema).iter_errors(value)))


@pytest.mark.parametrize(
    "schema",
    [
        {"$id": "https://example.org/a", "type": "string"},
        {"$defs": {"a": {"$anchor": "here"}}, "$ref": "#here"},
        {"$defs": {}, "$ref": "#/$defs/missing"},
        {"$defs": {"a": {}}, "allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/missing"}]},
        {"properties": {"a": {"$ref": "#/properties/b"}, "b": True}},
        {"$dynamicRef": "#node", "$dynamicAnchor": "node"},
        {"properties": {"a": True}, "unevaluatedProperties": False},
        {"$schema": "https://json-schema.org/draft/2020-12/schema"},
    ],
)
def test_whatever_has_a_name_or_leads_elsewhere_is_left_to_a_whole_validator(schema: object) -> None:
    assert bare(schema, text(schema), DIALECT) is False


def test_older_dialects_are_left_to_a_whole_validator_too() -> None:
    assert bare({"type": "string"}, b"", "draft7") is False
