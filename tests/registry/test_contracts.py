"""Contracts: what a module declares, in the ways that people write it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from claude_comm.client.contract_documents import from_document
from claude_comm.errors import ConfigurationError, InvalidName, SchemaError
from claude_comm.registry.contracts import Produced, UnreadableContract, by_type, contract, decode, encode
from claude_comm.schema.validation.validator import compile_validator

OBJECT = {"type": "object", "properties": {"x": {}}}


def test_a_bare_schema_is_that_of_the_default_type() -> None:
    assert by_type(OBJECT) == {"message": OBJECT}
    assert by_type(True) == {"message": True}
    assert by_type(None) == {}


def test_a_mapping_without_keywords_maps_types_to_schemas() -> None:
    assert by_type({"order": OBJECT, "refund": True}) == {"order": OBJECT, "refund": True}


def test_a_map_of_no_types_accepts_nothing_and_the_schema_true_anything() -> None:
    assert contract("a", accepts={}).accepts == {}
    assert contract("a", accepts=True).accepts == {"message": True}
    shown = msgspec.to_builtins(contract("a"))
    assert from_document(shown, "it").accepts == {}, "what `module show --json` prints registers another contract"


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(SchemaError, match="'order' is a int"):
        by_type({"order": 3})
    with pytest.raises(InvalidName):
        by_type({"no order": OBJECT})
    with pytest.raises(SchemaError):
        by_type("object")


def test_a_declaration_for_one_target_wins_over_the_one_for_all() -> None:
    made = contract("m", produces=[Produced("t", True), Produced("t", False, "special")])
    assert made.sends("special", "t") is False
    assert made.sends("other", "t") is True
    assert made.sends("other", "u") is None


def test_a_contract_is_read_back_as_it_was_registered() -> None:
    made = contract("m", version="2", accepts={"t": OBJECT}, produces=[Produced("u", OBJECT, "n")], registered_us=5)
    assert decode("m", encode(made)) == made


def test_a_contract_of_a_newer_release_is_told_as_that_and_fields_it_adds_are_passed_over() -> None:
    made = contract("m", accepts={"t": OBJECT})
    text = encode(made)
    assert decode("m", text[:-1] + b',"added":[1]}') == made
    with pytest.raises(UnreadableContract, match="newer release"):
        decode("m", text[:-1] + b',"v":2,"accepts":"of another form"}')


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff", b"{" * 5000])
def test_what_is_no_contract_names_the_module(text: bytes) -> None:
    with pytest.raises(UnreadableContract, match="'m'"):
        decode("m", text)


DATED = {"type": "object", "properties": {"at": {"type": "string", "format": "date"}}, "required": ["at"]}


def test_formats_stay_annotations_unless_the_contract_says_assert() -> None:
    plain = contract("a", accepts={"page": DATED})
    assert plain.accepts["page"] == DATED
    asserted = contract(
        "a", accepts={"page": DATED}, produces=[Produced("found", DATED)], replies={"page": DATED}, formats="assert"
    )
    schemas = [asserted.accepts["page"], asserted.produces[0].schema, asserted.replies["page"]]
    for schema in schemas:
        validator = compile_validator(schema)
        assert validator.accepts({"at": "2024-02-29"})
        assert not validator.accepts({"at": "2023-02-29"})
    assert asserted.digest != contract("a", accepts={"page": DATED}).digest
    assert decode("a", encode(asserted)) == asserted


def test_a_contract_asserts_all_of_its_formats_or_is_refused() -> None:
    schema = {"properties": {"colour": {"format": "colour"}}}
    with pytest.raises(SchemaError, match=r"'page' messages the format 'colour' cannot be asserted"):
        contract("a", accepts={"page": schema}, formats="assert")
    with pytest.raises(ConfigurationError, match="annotate or assert"):
        contract("a", formats="maybe")  # type: ignore[arg-type]


ORDER = {"type": "object", "properties": {"n": {"type": "integer"}}}


def test_a_default_is_written_into_the_schema_that_describes_it() -> None:
    made = contract("m", accepts={"order": ORDER, "other": {}}, defaults={"order": {"n": 3}})
    assert made.accepts["order"]["properties"]["n"] == {"type": "integer", "default": 3}
    assert ORDER["properties"] == {"n": {"type": "integer"}}
    assert made.accepts["other"] == {}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"max_lag": -1}, "max_lag is -1"),
        ({"defaults": {"order": {"m": 1}}}, "a default is given for 'm'"),
        ({"defaults": {"refund": {"n": 1}}}, "'refund' messages, which 'm' does not accept"),
        ({"accepts": {"order": True}, "defaults": {"order": {"n": 1}}}, "a default is given for 'n'"),
    ],
)
def test_what_a_contract_cannot_mean_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        contract("m", **{"accepts": {"order": ORDER}, **given})
