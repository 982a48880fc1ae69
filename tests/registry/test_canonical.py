"""The canonical form: what is the same contract, written differently, has one digest."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.errors import SchemaError
from claude_comm.registry.canonical import canonical, schema_digest
from claude_comm.registry.contracts import Produced, UnreadableContract, addressed, contract, encode

NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}

SAME: dict[str, tuple[Any, Any]] = {
    "order of members": ({"type": "object", "minProperties": 1}, {"minProperties": 1, "type": "object"}),
    "order of types": ({"type": ["null", "string"]}, {"type": ["string", "null"]}),
    "one type": ({"type": ["string"]}, {"type": "string"}),
    "required": ({"required": ["b", "a"]}, {"required": ["a", "b"]}),
    "nothing required": ({"required": [], "type": "object"}, {"type": "object"}),
    "order of an enum": ({"enum": [3, "a"]}, {"enum": ["a", 3]}),
    "one value": ({"enum": [3]}, {"const": 3}),
    "anything": ({}, True),
    "anything within": ({"properties": {"a": {}}}, {"properties": {"a": True}}),
    "whole floats": ({"minimum": 1.0}, {"minimum": 1}),
    "words": ({"type": "string", "title": "A", "description": "b", "$comment": "c"}, {"type": "string"}),
    "dialect": ({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "null"}, {"type": "null"}),
    "branches": ({"anyOf": [{"type": "null"}, {"minimum": 2}]}, {"anyOf": [{"minimum": 2}, {"type": "null"}]}),
    "names of definitions": (
        {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
        {
            "$ref": "#/definitions/knot",
            "definitions": {
                "knot": {"type": "object", "properties": {"next": {"$ref": "#/definitions/knot"}}},
                "unused": {"type": "null"},
            },
        },
    ),
}
OTHER: dict[str, tuple[Any, Any]] = {
    "a default": ({"type": "integer", "default": 1}, {"type": "integer"}),
    "a mark": ({"type": "integer", "x-sensitive": True}, {"type": "integer"}),
    "a property called title": ({"properties": {"title": {"type": "null"}}}, {"properties": {}}),
    "true is not 1": ({"const": True}, {"const": 1}),
    "an empty object is closed": ({"type": "object", "properties": {}}, {"type": "object"}),
    "words in data": ({"const": {"title": 1}}, {"const": {}}),
    "another definition": (
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "null"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}},
    ),
    "items in order": ({"prefixItems": [True, False]}, {"prefixItems": [False, True]}),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_written_differently_has_one_digest(name: str) -> None:
    first, second = SAME[name]
    assert canonical(first) == canonical(second)
    assert schema_digest(first) == schema_digest(second)


@pytest.mark.parametrize("name", OTHER)
def test_what_means_something_else_has_another(name: str) -> None:
    first, second = OTHER[name]
    assert schema_digest(first) != schema_digest(second)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/properties/a", "properties": {"a": {"anyOf": [{"type": "null"}, {"type": "string"}]}}},
        {"$ref": "#named", "$defs": {"a": {"$anchor": "named"}}},
        {"x-odd": {"$ref": "#/$defs/a"}, "$defs": {"a": {}}},
    ],
)
def test_where_places_have_other_names_nothing_is_moved(schema: Any) -> None:
    assert canonical(schema).get("$ref") == schema.get("$ref")
    assert ("$defs" in canonical(schema)) == ("$defs" in schema)


def test_a_schema_that_nests_without_end_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(20_000):
        schema = {"not": schema}
    with pytest.raises(SchemaError, match="too deep"):
        schema_digest(schema)


def test_a_contract_has_the_digest_of_what_it_promises() -> None:
    made = contract("m", accepts={"t": {"type": ["string"], "title": "x"}}, registered_us=1, max_lag=3)
    again = contract("m", accepts={"t": {"type": "string"}}, registered_us=2, description="words")
    assert made.digest == again.digest
    for other in (
        contract("n", accepts={"t": {"type": "string"}}),
        contract("m", accepts={"t": {"type": "string"}}, version="1.0.1"),
        contract("m", accepts={"t": {"type": "string"}}, produces=[Produced("u", True)]),
        contract("m", accepts={"t": {"type": "string"}}, aliases={"t": {"a": ["b"]}}),
        contract("m", accepts={"t": {"type": "string"}}, topics=["x"]),
    ):
        assert other.digest != made.digest


def test_what_stands_under_a_digest_is_the_contract_of_that_digest() -> None:
    made = contract("m", accepts={"t": True})
    assert addressed("m", made.digest, encode(made)) == made
    with pytest.raises(UnreadableContract, match="not the contract of the digest"):
        addressed("m", made.digest, encode(contract("m", accepts={"t": False})))


def test_what_a_property_asks_for_is_a_set() -> None:
    one, other = ({"dependentRequired": {"a": names}} for names in (["b", "c"], ["c", "b"]))
    assert schema_digest(one) == schema_digest(other) != schema_digest({"dependentRequired": {"a": ["b"]}})
