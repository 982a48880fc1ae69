"""A schema without null, however null was in it."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.evolution.image import without_null
from claude_comm.schema.evolution.shallow_schema import follow, shallow
from claude_comm.schema.validation.validator import compile_validator

SCHEMAS: list[Any] = [
    {"type": "null"},
    {"type": ["null", "string"]},
    {"const": None},
    {"enum": [None, 1]},
    {"enum": [1, 2]},
    {"anyOf": [{"type": "null"}, {"type": "integer"}]},
    {"anyOf": [{"type": "null"}, {"const": None}]},
    {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
    {"minimum": 3},
    True,
    False,
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_all_but_null_stays(schema: Any) -> None:
    before, after = compile_validator(schema), compile_validator(without_null(schema))
    for instance in (None, 0, 1, 5, "a", [], {}, True):
        assert (not after.validate(instance)) is (instance is not None and not before.validate(instance))


@pytest.mark.parametrize("schema", [{"type": "string"}, {"type": ["string", "integer"]}, {"enum": [1]}])
def test_what_plainly_never_held_null_is_the_very_same(schema: Any) -> None:
    assert without_null(schema) is schema


def test_the_kinds_of_an_enumeration_are_those_of_its_values() -> None:
    values = {"null": None, "boolean": True, "string": "a", "array": [], "object": {}}
    for kind, held in values.items():
        assert shallow({"enum": [held]}).kinds == {kind}
    assert shallow({"enum": [1]}).kinds == shallow({"const": 2.0}).kinds == {"integer", "number"}
    assert shallow({"const": 1.5}).kinds == {"number"}


def test_a_reference_that_leads_nowhere_says_nothing() -> None:
    root = {"$defs": {"a": {"type": "string"}}}
    assert [follow(root, reference) for reference in ("#/$defs/a", "#/$defs/b", "other.json")] == [
        {"type": "string"},
        {},
        {},
    ]
