"""Files written from contracts: they run, a formatter leaves them as they are, their contracts are the given ones."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from claude_comm.cli.scaffolding import written
from claude_comm.registry.contracts import Produced, contract
from tests.support.published import DRAFT_7, TREE, awkward

OBJECT = {
    "type": "object",
    "description": 'Says "it" in \\words.',
    "required": ["id", "class", "missing"],
    "properties": {
        "id": {"type": "integer", "minimum": 0, "maximum": 99},
        "class": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 12},
        "a b": {"type": ["string", "null"], "default": None},
        "a_b": {"enum": ["it's", 'said "so"', 3, None]},
        "list": {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0.5}, "minItems": 1},
        "Upper": {"type": "boolean", "default": True},
        "msgspec": {"type": "object", "additionalProperties": {"type": "integer"}},
        "pair": {
            "type": "array",
            "prefixItems": [{"type": "integer"}, {"type": "string"}],
            "minItems": 2,
            "items": False,
        },
        "\u00fcnknown": True,
        "__dunder": {"type": "string"},
    },
    "additionalProperties": False,
}
TAGGED = {
    "oneOf": [
        {
            "type": "object",
            "required": ["kind", "r"],
            "properties": {"kind": {"const": "circle"}, "r": {"type": "number"}},
        },
        {"$ref": "#/$defs/square"},
    ],
    "$defs": {"square": {"type": "object", "required": ["kind"], "properties": {"kind": {"enum": ["square"]}}}},
}
LINKED = {"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}, "required": ["n"]}
MERGED = {"allOf": [LINKED, {"type": "object", "properties": {"m": {"type": "string"}}}]}
TYPED = {
    "an object": OBJECT,
    "tagged alternatives": TAGGED,
    "one that holds itself": LINKED,
    "objects together": MERGED,
    "a map": {
        "type": "object",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
        "maxProperties": 3,
    },
    "many constants": {"enum": [f"constant number {at}" for at in range(12)]},
    "a union": {"type": ["integer", "string", "null", "array"], "maxLength": 3, "items": {"type": "boolean"}},
    "null": {"type": "null"},
    "draft 7": DRAFT_7,
}
# What no type says in full: the schema stands beside it.
BESIDE = {
    "anything": True,
    "nothing": False,
    "no type": {"properties": {"a": {"type": "integer"}}},
    "not": {"type": "object", "properties": {"a": {"type": "string"}}, "not": {"required": ["b"]}},
    "unique": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "contains": {"const": 1}},
    "objects that nothing tells apart": {"anyOf": [LINKED, {"type": "object", "required": ["q"]}]},
    "what requires itself": {"type": "object", "required": ["x"], "properties": {"x": {"$ref": "#"}}},
    "what is left": {"type": "array", "prefixItems": [{"type": "string"}], "unevaluatedItems": False},
    "recursion without an object": {"type": "array", "items": {"$ref": "#"}},
    "names and data of references": TREE,
    "integers beyond 64 bits": {"enum": [2**70, -1]},
}


def formatted(text: str, width: int) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", str(width), "-"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout


@pytest.mark.parametrize(("name", "schema"), [*TYPED.items(), *BESIDE.items()], ids=[*TYPED, *BESIDE])
def test_the_contract_of_the_file_is_proved_to_be_the_given_one(name: str, schema: Any) -> None:
    declared = contract(
        "odd.module-1",
        version="2.0.0-rc.1",
        accepts={"thing.done": schema},
        produces=[Produced("thing", schema, "topic:things"), Produced("thing", schema)],
        topics=["a"],
        enforcement="warn",
    )
    made = written(declared)
    assert {proof.relation for proof in made.proved} == {"equal"}
    # In Python `$` takes a line end, so that the schema with a pattern stands beside its type.
    assert "accepts=" not in made.scaffold.text or name in BESIDE or name == "an object"
    assert "payload: Any" not in made.scaffold.text or name in BESIDE
    for width in (88, 120):
        assert formatted(made.scaffold.text, width) == made.scaffold.text


def test_all_of_them_fit_in_one_file() -> None:
    accepts = {f"type{at}": schema for at, schema in enumerate([*TYPED.values(), *BESIDE.values()])}
    declared = contract(
        "many", accepts=accepts, aliases={"type0": {"id": ["ident", "number"]}}, passes={"type0": ["*"]}
    )
    made = written(declared)
    assert {proof.relation for proof in made.proved} == {"equal"}
    assert formatted(made.scaffold.text, 88) == made.scaffold.text
    assert "passes=[" in made.scaffold.text
    assert written(awkward()).proved[0].relation == "equal"


def test_an_answer_is_said_by_its_type_and_how_it_stands_is_said() -> None:
    replies = {"a": {"type": "null"}, "b": {"type": "array", "items": {"type": "integer"}}, "c": {"not": {"const": 1}}}
    declared = contract("m", accepts=dict.fromkeys(replies, True), replies=replies)
    relations = {proof.type: proof for proof in written(declared).proved if proof.part == "replies"}
    assert {type: proof.relation for type, proof in relations.items()} == {"a": "equal", "b": "narrower", "c": "wider"}
    # What is written has integers of 64 bits.
    assert relations["b"].kept
    assert not relations["c"].kept


def test_what_no_type_says_is_named_with_its_place() -> None:
    made = written(contract("m", accepts={"t": BESIDE["unique"]}))
    assert [note.path for note in made.scaffold.notes] == ["#/accepts/t/uniqueItems", "#/accepts/t/contains"]
    assert "accepts=T_SCHEMA" in made.scaffold.text
    assert "payload: list[int]" in made.scaffold.text
