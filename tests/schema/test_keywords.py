"""The table of keywords: what the specification has, and what is a schema, a map of names, or data."""

from __future__ import annotations

from typing import Any, get_args

import jsonschema
import pytest
from referencing import Registry

from claude_comm.schema import Compatible, Incompatible, check, keywords
from claude_comm.schema.dialect import URI, Dialect

SPECIFIED: Registry[Any] = jsonschema.validators.SPECIFICATIONS
# Draft 4 does not describe references, nor formats, and some copies of draft 7 forget `writeOnly`.
UNDESCRIBED = {"$ref", "format", "writeOnly"}
# What the meta-schemas still describe as a courtesy to older documents; in draft 4 the two are flags.
COURTESY: dict[Dialect, set[str]] = {
    "draft4": {"exclusiveMinimum", "exclusiveMaximum"},
    "draft6": set(),
    "draft7": set(),
    "draft2019-09": {"dependencies"},
    "draft2020-12": {"dependencies", "$recursiveAnchor", "$recursiveRef"},
}
NAMES = ("$schema", "$ref", "$id", "$anchor", "$dynamicRef", "enum", "const", "items", "contains", "pattern", "$defs")


def described(uri: str) -> set[str]:
    """The keywords that a meta-schema and its vocabularies describe."""
    contents = SPECIFIED.contents(uri.rstrip("#"))
    own = set(contents["properties"])
    return own.union(*(described(uri.rsplit("/", 1)[0] + "/" + part["$ref"]) for part in contents.get("allOf", ())))


@pytest.mark.parametrize("dialect", get_args(Dialect))
def test_each_dialect_has_the_keywords_of_its_meta_schema(dialect: Dialect) -> None:
    known = {name for name in keywords.TABLE if keywords.known(name, dialect)}
    assert known - UNDESCRIBED == described(URI[dialect]) - COURTESY[dialect] - UNDESCRIBED


@pytest.mark.parametrize("name", NAMES)
def test_a_property_named_like_a_keyword_is_a_property(name: str) -> None:
    narrow = {"type": "object", "properties": {name: {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}
    wide = {"type": "object", "properties": {name: {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "number"}}}
    assert isinstance(check(narrow, wide), Compatible)
    refused = check(wide, narrow)
    assert isinstance(refused, Incompatible)
    assert list(refused.witness) == [name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("holder", ["const", "enum", "default", "examples"])
def test_data_is_never_taken_for_a_schema(holder: str, name: str) -> None:
    value = {name: {"$schema": "https://example.com/own", "$id": "https://example.com/a", "pattern": "("}}
    held = [value] if holder in ("enum", "examples") else value
    part = {holder: held, "type": "object"}
    produced = {"$ref": "#/$defs/a", "$defs": {"a": part}}
    accepted = {"$ref": "#/$defs/b", "$defs": {"b": {"type": ["object", "null"]}}}
    assert isinstance(check(produced, accepted, policy="strict"), Compatible)
    assert [schema for schema in keywords.schemas(part) if schema is not part] == []


def test_a_reference_into_data_finds_a_schema_there() -> None:
    schema = {"$ref": "#/examples/0", "examples": [{"minimum": 3, "default": {"$ref": "#"}}]}
    assert {"minimum": 3, "default": {"$ref": "#"}} in keywords.schemas(schema)
    assert isinstance(check({"const": 4}, schema, policy="strict"), Compatible)


def test_below_an_unknown_keyword_there_may_be_schemas() -> None:
    inner = {"type": "string"}
    assert inner in keywords.schemas({"components": {"schemas": {"Name": inner}}})


def test_a_place_is_that_of_a_keyword_and_not_of_a_property() -> None:
    schema = {"properties": {"pattern": {"type": "string"}, "a": {"pattern": "x"}}}
    assert keywords.place_of("pattern", schema) == "/properties/a/pattern"


@pytest.mark.parametrize(
    ("keyword", "value", "mapped"),
    [
        ("not", {"type": "null"}, "new"),
        ("not", True, True),
        ("anyOf", [{"type": "null"}, False], ["new", False]),
        ("properties", {"a": {}, "b": True}, {"a": "new", "b": True}),
        # A name of a map is no keyword, whatever it is called.
        ("properties", {"anyOf": {"type": "null"}}, {"anyOf": "new"}),
        ("dependencies", {"a": ["b"], "c": {}}, {"a": ["b"], "c": "new"}),
        ("items", [{}, True], ["new", True]),
        ("items", {}, "new"),
        ("const", {"a": {}}, {"a": {}}),
        ("enum", [{}, 1], [{}, 1]),
        ("minLength", 3, 3),
    ],
)
def test_each_object_that_a_keyword_holds_as_a_schema_is_changed(keyword: str, value: Any, mapped: Any) -> None:
    assert keywords.mapped(keyword, value, lambda schema: "new") == mapped


@pytest.mark.parametrize(
    ("keyword", "value", "held"),
    [
        ("not", {"a": 1}, [{"a": 1}]),
        ("properties", {"a": {}, "b": True}, [{}, True]),
        ("anyOf", [{}, False], [{}, False]),
    ],
)
def test_a_keyword_of_a_normal_form_holds_its_schemas(keyword: str, value: Any, held: list[Any]) -> None:
    assert list(keywords.held(keyword, value)) == held
