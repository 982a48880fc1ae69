"""Schemas that move: what they refer to goes with them, and data that looks like a reference stays data."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from claude_comm.errors import SchemaError
from claude_comm.interchange.literals import without_references
from claude_comm.interchange.references import embedded, renamed


@pytest.mark.parametrize("reference", ["urn:elsewhere", "urn:own#no-such-anchor", "urn:own#/$defs/none"])
def test_a_reference_that_leads_out_of_the_schema_or_nowhere_stays_as_it_is(reference: str) -> None:
    schema = {"$id": "urn:own", "items": {"$ref": reference}}
    assert embedded(schema, "#/at")["items"]["$ref"] == reference


def test_a_reference_to_what_moves_too_leads_to_its_new_place() -> None:
    inner = {"$id": "urn:inner", "$defs": {"n": {"type": "integer"}}}
    schema = {"$id": "urn:own", "$defs": {"inner": inner}, "items": {"$ref": "urn:inner#/$defs/n"}}
    assert embedded(schema, "#/at")["items"]["$ref"] == "#/at/$defs/inner/$defs/n"


def test_a_reference_that_is_no_address_is_named() -> None:
    with pytest.raises(SchemaError, match=r"'http://\[' is no address"):
        embedded({"$id": "urn:own", "items": {"$ref": "http://["}}, "#/at")


def test_a_schema_gets_another_address() -> None:
    assert renamed(True, "urn:a", "urn:b") is True
    assert renamed({"$id": "urn:a", "$ref": "urn:a#/x"}, "urn:a", "urn:b") == {"$id": "urn:b", "$ref": "urn:b#/x"}


@pytest.mark.parametrize("word", ["const", "enum"])
def test_a_constant_that_looks_like_a_reference_is_accepted_and_nothing_else(word: str) -> None:
    constant: Any = {"$ref": "#/a"}
    written = without_references({word: constant if word == "const" else [constant]}, "draft2020-12")
    assert "#/a" not in str(written.get(word))
    validator = jsonschema_rs.validator_for(written)
    values: list[Any] = [constant, {"$ref": "#/b"}, {}, {**constant, "more": 1}]
    assert [validator.is_valid(value) for value in values] == [True, False, False, False]
