"""What remains of a schema, as things that are broken one by one, and the forms that are looked at first."""

from __future__ import annotations

import pytest

from claude_comm.schema.containment.remainder import apart, leaves, most_alike, taken_under
from claude_comm.schema.verdict import Json

NULL, TEXT = {"type": "null"}, {"type": "string"}


@pytest.mark.parametrize(
    ("rest", "parts"),
    [
        ({"type": "null", "minimum": 1}, []),
        ({"anyOf": [NULL]}, []),
        ({"anyOf": [NULL], "$defs": {}}, []),
        ({"anyOf": [NULL], "oneOf": [TEXT]}, [{"anyOf": [NULL]}, {"oneOf": [TEXT]}]),
        ({"minimum": 1, "anyOf": [NULL], "$defs": {}}, [{"minimum": 1}, {"anyOf": [NULL]}]),
        ({"allOf": [NULL]}, [NULL]),
        ({"minimum": 1, "allOf": [NULL, TEXT]}, [{"minimum": 1}, NULL, TEXT]),
        ({"allOf": [NULL], "unevaluatedProperties": False}, []),
        ({"minimum": 1, "anyOf": [NULL], "unevaluatedItems": False}, []),
    ],
)
def test_what_is_broken_on_its_own(rest: dict[str, Json], parts: list[Json]) -> None:
    assert apart(rest) == parts


@pytest.mark.parametrize(
    ("rest", "count"),
    [
        (True, 0),
        (False, 1),
        ({}, 0),
        (NULL, 1),
        ({"type": "null", "minLength": 1}, 2),
        ({"pattern": "a", "minItems": 1, "enum": [1]}, 3),
        ({"contains": NULL}, 2),
        ({"required": ["a", "b", "c"]}, 3),
        ({"properties": {"a": NULL, "b": {"type": "null", "minimum": 1}, "c": True}}, 3),
        ({"prefixItems": [NULL, True, False]}, 2),
        ({"items": {"type": "null", "minimum": 1, "maximum": 2}}, 3),
        ({"additionalProperties": False}, 1),
        ({"patternProperties": {"a": True}}, 2),
    ],
)
def test_how_many_things_a_residual_asks_for(rest: Json, count: int) -> None:
    assert leaves(rest) == count


def test_the_forms_that_declare_most_in_the_same_words_are_the_nearest() -> None:
    forms: dict[int, Json] = {
        3: {"properties": {"a": NULL, "b": TEXT}},
        5: {"properties": {"a": NULL, "b": NULL, "c": TEXT}},
        7: {"properties": {"a": NULL, "b": NULL}},
        8: True,
    }
    assert most_alike({"properties": {"a": NULL, "b": NULL}}, forms) == [5, 7]
    assert most_alike({"properties": {"a": NULL, "b": TEXT}}, forms) == [3]
    assert most_alike({"properties": {"z": NULL}}, forms) == [3, 5, 7, 8]
    assert most_alike(False, forms) == [3, 5, 7, 8]
    assert most_alike(True, {}) == []


def test_what_may_be_sent_under_a_name() -> None:
    closed: dict[str, Json] = {"properties": {"a": NULL}, "additionalProperties": TEXT}
    assert [taken_under(closed, name) for name in "ab"] == [NULL, TEXT]
    assert taken_under({"properties": {"a": NULL}}, "b") is True
    matched = {**closed, "patternProperties": {"b": NULL}}
    assert [taken_under(matched, name) for name in "ab"] == [NULL, True]
