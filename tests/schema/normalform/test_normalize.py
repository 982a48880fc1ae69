"""The normal form of references that few schemas have: those that lead nowhere, and those that depend on the path."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema.dialect import URI, dialect_of
from claude_comm.schema.normalform.bundle import bundle
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.opaque import OPAQUE

NINE = {"$schema": URI["draft2019-09"]}


def normal(schema: Any) -> Document:
    return normalise(schema, dialect_of(schema))


def test_a_reference_that_cannot_be_followed_is_opaque() -> None:
    document = normal({"$id": "https://a.example/x", "$ref": "https://b.example/y"})
    assert document.opaque
    assert "cannot be followed" in document.schema["$opaque"]


def test_a_pointer_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(SchemaError, match="leads nowhere"):
        normal({"$ref": "#/$defs/none"})


TREE = {"type": "object", "properties": {"next": {"$recursiveRef": "#"}}, "additionalProperties": False}
ANCHORED = {"$dynamicAnchor": "node", "type": "object", "properties": {"next": {"$dynamicRef": "#node"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {**NINE, **TREE},
        {**NINE, "$id": "https://a.example/", "$recursiveAnchor": True, **TREE},
        {**NINE, "$id": "https://a.example/", **TREE, "$defs": {"b": {"$id": "b"}}},
        ANCHORED,
        {"properties": {"next": {"$dynamicRef": "#plain"}}, "$defs": {"p": {"$anchor": "plain", "type": "object"}}},
    ],
)
def test_a_dynamic_reference_with_one_target_is_followed(schema: Any) -> None:
    document = normal(schema)
    assert not document.opaque
    for message in ({"next": {}}, {"next": 1}, {"next": {"next": 1}}):
        assert jsonschema_rs.is_valid(document.schema, message) == jsonschema_rs.is_valid(schema, message)


@pytest.mark.parametrize(
    "schema",
    [
        {**NINE, "$id": "https://a.example/", "$recursiveAnchor": True, **TREE,
         "$defs": {"b": {"$id": "b", "$recursiveAnchor": True}}},
        {"$id": "https://a.example/", **ANCHORED, "$defs": {"b": {"$id": "b", "$dynamicAnchor": "node"}}},
    ],
)  # fmt: skip
def test_a_dynamic_reference_whose_target_depends_on_the_path_is_opaque(schema: Any) -> None:
    document = normal(schema)
    assert document.opaque
    assert document.dynamic


def test_a_reference_that_is_no_text_names_no_document() -> None:
    schema = {"$ref": "other", "properties": {"$ref": {"type": "string"}}}
    assert bundle(schema, {"json-schema:///other": {"type": "object"}}) is not None
    assert OPAQUE not in schema


def test_only_what_is_about_texts_alone_is_spared_beside_a_pattern() -> None:
    schema = {"pattern": "^a", "allOf": [{"pattern": "b"}, {"pattern": "c", "minimum": 3}]}
    spare = normalise(schema, dialect_of(schema)).spare
    assert spare is not None
    assert spare.schema == {"pattern": "^a", "allOf": [{"pattern": "c", "minimum": 3}]}
