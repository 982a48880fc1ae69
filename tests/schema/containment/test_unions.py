"""Unions and recursion between two versions of a schema: settled by what differs, and never when it matters."""

from __future__ import annotations

import random
from typing import Any

import pytest

from claude_comm.schema import Compatible, Incompatible, check
from claude_comm.schema.containment.outlines import Outlines, apart
from claude_comm.schema.containment.residual import residual
from claude_comm.schema.dialect import URI
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.validation.validator import compile_validator
from tests.support.schemas.attack import breaking
from tests.support.schemas.pairs import Maker, message


def rest_of(produced: Any, accepted: Any) -> Any:
    return residual(normalise(produced, "draft2020-12"), normalise(accepted, "draft2020-12"))


def form(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"kind": {"const": name}, **fields}, "required": ["kind"]}


def forms(count: int, **fields: Any) -> list[Any]:
    return [form(f"kind-{at}", value={"$ref": "#/$defs/value"}, **fields) for at in range(count)]


def union(keyword: str, branches: list[Any], value: Any) -> dict[str, Any]:
    return {"type": "array", "items": {keyword: branches}, "$defs": {"value": value}}


@pytest.mark.parametrize("keyword", ["anyOf", pytest.param("oneOf", marks=pytest.mark.long)])
def test_a_large_union_is_within_a_larger_one_whose_definitions_differ(keyword: str) -> None:
    old = union(keyword, forms(400), {"type": "integer"})
    new = union(keyword, [*reversed(forms(400)), form("new")], {"type": ["integer", "null"]})
    assert rest_of(old, new) is True
    assert rest_of(new, old) is not True
    assert isinstance(check(new, old, policy="strict"), Incompatible)


def test_forms_that_another_form_takes_as_well_are_not_exactly_one() -> None:
    overlapping = [form("a"), {"type": "object", "properties": {"kind": {"enum": ["a", "b"]}}, "required": ["kind"]}]
    assert rest_of(form("a"), {"anyOf": overlapping}) is True
    assert rest_of(form("a"), {"oneOf": overlapping}) is not True
    # What is in one form alone of the producer's union is not in the other.
    assert rest_of({"oneOf": overlapping}, {"oneOf": [form("z"), *overlapping]}) is True
    assert rest_of({"anyOf": overlapping}, {"oneOf": overlapping}) is not True


def test_a_tag_tells_forms_apart_only_where_it_must_be_there() -> None:
    loose = {"type": "object", "properties": {"kind": {"const": "b"}}}
    assert rest_of(form("a"), {"oneOf": [form("a"), loose]}) is True
    assert rest_of(loose, {"oneOf": [{"properties": {"kind": {"const": "a"}}}, loose]}) is not True
    assert rest_of({"type": "string"}, {"oneOf": [{"type": ["string", "null"]}, form("a")]}) is True


def test_a_union_is_taken_apart_by_its_kinds_its_values_and_its_references() -> None:
    assert rest_of({"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}) is True
    assert rest_of({"enum": [1, "a"]}, {"oneOf": [{"type": "number"}, {"enum": ["a", "b"]}]}) is True
    left = {"anyOf": [{"$ref": "#/$defs/x"}, {"type": "null"}], "$defs": {"x": {"anyOf": [form("a"), form("b")]}}}
    assert rest_of(left, {"oneOf": [form("b"), {"type": "null"}, form("a")]}) is True
    assert rest_of(left, {"oneOf": [form("b"), form("a")]}) is not True


NODE = {"type": "object", "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}}}
LIST = {"$ref": "#/$defs/node", "$defs": {"node": NODE}}


def nodes(**fields: Any) -> dict[str, Any]:
    return {**LIST, "$defs": {"node": {**NODE, "properties": {**NODE["properties"], **fields}}}}


def test_a_recursive_definition_is_within_a_wider_one() -> None:
    assert rest_of(LIST, nodes(v={"type": "number"}, w={})) is True
    assert rest_of(nodes(v={"type": "number"}), LIST) is not True


def test_two_definitions_that_lead_to_each_other_fall_together() -> None:
    def pair(leaf: Any) -> dict[str, Any]:
        odd = {"type": "object", "properties": {"even": {"$ref": "#/$defs/even"}, "leaf": leaf}}
        even = {"type": "object", "properties": {"odd": {"$ref": "#/$defs/odd"}, "also": {"$ref": "#/$defs/odd"}}}
        return {"anyOf": [{"$ref": "#/$defs/even"}, {"$ref": "#/$defs/odd"}], "$defs": {"odd": odd, "even": even}}

    assert rest_of(pair({"type": "integer"}), pair({"type": "number"})) is True
    assert rest_of(pair({"type": "number"}), pair({"type": "integer"})) is not True


def test_what_leaned_on_a_recursion_is_unknown_again_when_that_is_not_implied() -> None:
    """`b` is implied only if `a` is, which it is not: the second look at `b` must not take the first for settled."""

    def pair(leaf: Any) -> dict[str, Any]:
        a = {"type": "object", "properties": {"b": {"$ref": "#/$defs/b"}, "leaf": leaf}}
        b = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}}
        return {"properties": {"x": {"$ref": "#/$defs/a"}, "y": {"$ref": "#/$defs/b"}}, "$defs": {"a": a, "b": b}}

    rest = rest_of(pair({"type": "number"}), pair({"type": "integer"}))
    assert set(rest["properties"]) == {"x", "y"}


def test_integers_of_draft_4_are_compared_keyword_by_keyword() -> None:
    def four(schema: Any) -> dict[str, Any]:
        return {"$schema": URI["draft4"], "properties": {"n": schema}, "not": {"required": ["z"], "minProperties": 9}}

    whole = {"type": "integer", "minimum": 1}
    assert check(four(whole), four({"type": "integer"}), policy="strict") == Compatible(proof="keyword by keyword")
    assert check(four({"enum": [1]}), four({"type": "integer"}), policy="strict").answer == "incompatible"


def test_a_part_that_no_normal_form_says_is_the_same_only_as_itself() -> None:
    dynamic = {"properties": {"a": {"$schema": URI["draft4"], "type": "integer"}, "b": {"$ref": "#/properties/a"}}}
    assert check(dynamic, dynamic).answer == "compatible"
    assert check({**dynamic, "minProperties": 1}, {**dynamic, "maxProperties": 9}).answer != "compatible"


def test_schemas_that_are_apart_have_no_message_in_common() -> None:
    found = 0
    for seed in range(1_500):
        chance = random.Random(seed)
        left, right = ({**Maker(chance).union(2), "$defs": {"n": form("a"), "m": {"type": "null"}}} for _ in "ab")
        outlines = [Outlines(schema["$defs"]).of(normalise(schema, "draft2020-12").schema) for schema in (left, right)]
        if apart(*outlines):
            found += 1
            takes = [compile_validator(schema) for schema in (left, right)]
            assert not any(all(each.accepts(value) for each in takes) for value in [message(chance) for _ in range(60)])
    assert found > 50


def tagged(chance: random.Random) -> Any:
    """A union of forms with a tag that is not always one."""
    branches = []
    for value in chance.sample(["a", "b", 1, 2, None], chance.randint(2, 4)):
        branch = form(value, c=Maker(chance, references=False).schema(1))
        branch.pop(chance.choice(["type", "required", "x", "x", "x", "x"]), None)
        branches.append({**branch, "additionalProperties": False} if chance.random() < 0.3 else branch)
    return {chance.choice(["oneOf", "anyOf"]): branches}


def test_no_union_is_implied_that_a_message_breaks() -> None:
    implied = 0
    for seed in range(1_200):
        chance = random.Random(seed)
        left = tagged(chance)
        right = Maker(chance, references=False).changed(left)
        if rest_of(left, right) is True:
            implied += 1
            assert breaking(left, right, chance, 40)[0] == []
    assert implied > 100
