"""Contracts become tools: each proved inside its contract, and what is left out said with a witness."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from claude_comm.mcp_server.tool_schemas.inline import MAX_CHAIN
from claude_comm.mcp_server.tool_schemas.proved import Partial, Whole, prove, result_schema, said
from claude_comm.schema import Compatible, Incompatible, check
from claude_comm.schema.validation.validator import compile_validator
from tests.mcp_server.tool_schemas.contracts import CONTRACTS, PARTIAL, TAGGED


def keywords_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from keywords_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from keywords_of(part)


def test_there_are_twenty_contracts() -> None:
    assert len(CONTRACTS) >= 20


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_becomes_tools_that_strict_clients_take(name: str) -> None:
    proved = prove(CONTRACTS[name])
    assert proved.forms, proved.why_none
    for form in proved.forms:
        assert form.schema["type"] == "object"
        assert not {"anyOf", "oneOf", "allOf"} & form.schema.keys()
        assert not {"$ref", "$defs", "definitions", "$dynamicRef"} & set(keywords_of(form.schema))
        assert isinstance(check(said(form), CONTRACTS[name], policy="strict"), Compatible)


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_coverage_of_the_tools_is_stated_and_true(name: str) -> None:
    schema, proved = CONTRACTS[name], prove(CONTRACTS[name])
    if name in PARTIAL:
        assert isinstance(proved.coverage, Partial)
        witness = proved.coverage.witness
        assert compile_validator(schema).accepts(witness)
        assert not any(compile_validator(said(form)).accepts(witness) for form in proved.forms)
    else:
        assert isinstance(proved.coverage, Whole)


@pytest.mark.parametrize("name", TAGGED)
def test_a_tagged_union_is_one_tool_a_branch_and_its_flattening_is_refuted(name: str) -> None:
    schema = CONTRACTS[name]
    assert len(prove(schema).forms) == TAGGED[name]
    refuted = check(flattened(schema), schema, policy="strict")
    assert isinstance(refuted, Incompatible)
    assert not compile_validator(schema).accepts(refuted.witness)


def flattened(schema: dict[str, Any]) -> dict[str, Any]:
    """What clients and gateways do by themselves: all properties of all branches, required where all require them."""
    branches = schema["oneOf"] if "oneOf" in schema else schema["anyOf"]
    branches = [schema["$defs"][branch["$ref"].split("/")[-1]] if "$ref" in branch else branch for branch in branches]
    properties = {name: {} for branch in branches for name in branch["properties"]}
    required = [name for name in properties if all(name in branch.get("required", ()) for branch in branches)]
    return {"type": "object", "properties": properties, "required": required, "$defs": schema.get("$defs", {})}


def test_a_chain_of_sixty_types_is_written_out_as_far_as_a_model_reads() -> None:
    part: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
    chain = {
        f"T{at}": {**part, "properties": {**part["properties"], "next": {"$ref": f"#/$defs/T{at + 1}"}}}
        for at in range(59)
    }
    proved = prove({"$ref": "#/$defs/T0", "$defs": {**chain, "T59": part}})
    (form,) = proved.forms
    assert json.dumps(form.schema).count('"id": {"type"') == MAX_CHAIN
    assert not isinstance(proved.coverage, Whole)


def test_a_condition_counts_only_where_the_dialect_has_conditions() -> None:
    """`if` says nothing in draft 6: a form that rests on it is refused there."""
    branches = [
        {"type": "object", "properties": {f"a{at}": {"type": "integer"}}, "required": [f"a{at}"]} for at in range(3)
    ]
    assert prove({"anyOf": branches}).forms
    assert not prove({"$schema": "http://json-schema.org/draft-06/schema#", "anyOf": branches}).forms


def test_a_message_that_is_no_object_is_a_member_of_the_arguments() -> None:
    (form,) = prove({"type": "array", "items": {"type": "integer"}}).forms
    assert form.wrapped
    assert form.schema["required"] == ["value"]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (False, "accepts no message"),
        ({"$ref": "https://elsewhere.example/schema"}, "another document"),
        ({"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}, "accepts no message"),
        ({"$dynamicRef": "#node", "$defs": {"node": {"$dynamicAnchor": "node"}}}, "depends on who refers"),
        ({"not": {"properties": {"a": {"$ref": "#"}}}, "type": "object"}, "below a negation"),
    ],
)
def test_what_cannot_be_a_tool_says_why(schema: Any, why: str) -> None:
    proved = prove(schema)
    assert not proved.forms
    assert why in proved.why_none


def test_a_schema_bomb_is_refused_and_not_unrolled() -> None:
    bomb = {
        f"d{depth}": {"properties": {f"p{number}": {"$ref": f"#/$defs/d{depth + 1}"} for number in range(10)}}
        for depth in range(12)
    }
    proved = prove({"$ref": "#/$defs/d0", "$defs": {**bomb, "d12": {"type": "string"}}})
    assert not proved.forms
    assert "parts" in proved.why_none


def test_a_result_schema_accepts_every_reply_and_has_no_references() -> None:
    tree = CONTRACTS["tree of folders"]
    shape = result_schema(tree)
    assert shape is not None
    assert "$ref" not in json.dumps(shape.schema)
    assert isinstance(check(tree, shape.schema, policy="strict"), Compatible)


def test_a_reply_that_is_no_object_is_a_member_of_the_result() -> None:
    shape = result_schema({"type": "string"})
    assert shape is not None
    assert shape.wrapped
    assert shape.schema["properties"] == {"value": {"type": "string"}}
