"""What is an object, what tells alternatives apart, and when parts are one object."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.interchange.scaffold.objects import merged, object_of, tag_of

A = {"type": "object", "properties": {"kind": {"const": "a"}, "n": {}}, "required": ["n", "kind"]}
B = {"type": "object", "properties": {"kind": {"enum": ["b"]}}, "required": ["kind"]}
ROOT: dict[str, Any] = {
    "$defs": {
        "a": A,
        "to-a": {"$ref": "#/$defs/a", "description": "the same"},
        "round": {"$ref": "#/$defs/round"},
        "text": {"type": "string"},
    }
}


def test_an_object_is_found_through_references() -> None:
    assert object_of(ROOT, {"$ref": "#/$defs/to-a"}) is A


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {"$ref": "#/$defs/round"},
        {"$ref": "#/$defs/none"},
        {"$ref": "other.json"},
        {"$ref": "#/$defs/a", "minProperties": 1},
        {"$ref": "#/$defs/text"},
        {"type": "object"},
    ],
)
def test_what_is_no_object_with_properties_is_none(schema: Any) -> None:
    assert object_of(ROOT, schema) is None


def test_a_tag_is_a_constant_that_all_have_and_none_shares() -> None:
    assert tag_of(ROOT, [{"$ref": "#/$defs/a"}, B]) == "kind"
    assert tag_of(ROOT, [A]) is None
    assert tag_of(ROOT, [A, A]) is None
    assert tag_of(ROOT, [A, True]) is None


def test_parts_that_share_no_property_are_one_object() -> None:
    other = {"type": "object", "properties": {"m": {}}}
    whole = merged(ROOT, [{"$ref": "#/$defs/a"}, other])
    assert whole == {"type": "object", "properties": {**A["properties"], "m": {}}, "required": ["n", "kind"]}
    assert merged(ROOT, [A, B]) is None
    assert merged(ROOT, [A, {"type": "object", "properties": {"m": {}}, "minProperties": 1}]) is None
    assert merged(ROOT, [A, True]) is None
