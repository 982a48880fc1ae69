"""A sketch holds of every message that its schema allows: what the index leaves out is refused for certain."""

from __future__ import annotations

import random
from itertools import islice
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_comm.discovery.renaming import may_lack
from claude_comm.discovery.sketch import ANYTHING, KINDS, NOTHING, Sketch, kind_of, property_kinds, sketch
from claude_comm.errors import SchemaError
from claude_comm.schema.bounded import check
from claude_comm.schema.types.samples import samples
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.verdict import Compatible, Policy
from tests.support.schemas.schemas_at_random import SCHEMAS, VALUES

OBJECT = frozenset({"object"})
POLICIES: tuple[Policy, ...] = get_args(Policy)


def admits(of: Sketch, message: Any) -> bool:
    return of.admits(kind_of(message), message if isinstance(message, dict) else ())


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object", "required": ["a", "b"]}, Sketch(OBJECT, frozenset("ab"))),
        ({"type": ["integer", "null"]}, Sketch(frozenset({"number", "null"}))),
        ({"enum": ["x", 1]}, Sketch(frozenset({"string", "number"}))),
        ({"const": None}, Sketch(frozenset({"null"}))),
        (True, ANYTHING),
        (False, NOTHING),
        ({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}, Sketch(KINDS, frozenset("ab"))),
        ({"anyOf": [{"required": ["a", "b"]}, {"required": ["b", "c"]}]}, Sketch(KINDS, frozenset("b"))),
        ({"oneOf": [{"type": "object", "required": ["a"]}, {"type": "string"}]},
         Sketch(frozenset({"object", "string"}), frozenset("a"))),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "object", "required": ["a"]}}}, Sketch(OBJECT, frozenset("a"))),
        ({"$ref": "#"}, ANYTHING),
        ({"$ref": "https://elsewhere.example/x"}, ANYTHING),
        # In draft 7 nothing counts beside a reference; in draft 4 there is no `const`.
        ({"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/x", "required": ["b"],
          "definitions": {"x": {"required": ["a"]}}}, Sketch(KINDS, frozenset("a"))),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "const": 1}, ANYTHING),
        # References in a schema with an address of its own are meant from there.
        ({"$ref": "#/$defs/x", "$defs": {"x": {"$id": "https://y.example/", "$ref": "#/$defs/z"}}}, ANYTHING),
        ({"not": {"required": ["a"]}}, ANYTHING),
    ],
)  # fmt: skip
def test_what_is_read_off_a_schema(schema: Any, expected: Sketch) -> None:
    assert sketch(schema) == expected


@given(SCHEMAS, st.lists(VALUES, max_size=8), st.integers(0, 2**32))
@settings(max_examples=120)
def test_every_message_that_a_schema_allows_fits_its_sketch(schema: Any, values: list[Any], seed: int) -> None:
    try:
        validator = compile_validator(schema)
    except SchemaError:
        return
    read = sketch(schema)
    for message in [*values, *islice(samples(schema, random.Random(seed).randrange), 12)]:
        assert admits(read, message) or not validator.accepts(message), message


@given(SCHEMAS, SCHEMAS)
@settings(max_examples=80)
def test_nothing_is_proved_of_what_may_lack_a_name(sent: Any, taken: Any) -> None:
    for policy in POLICIES:
        if may_lack(sent, sketch(sent), sketch(taken).required):
            try:
                verdict = check(sent, taken, policy=policy, budget_ms=200)
            except SchemaError:
                return
            assert not isinstance(verdict, Compatible) or verdict.vacuous


def test_a_name_that_a_rule_about_names_may_ask_for_is_not_lacking() -> None:
    forced = {"type": "object", "minProperties": 1, "propertyNames": {"pattern": "^abc$"}}
    assert not may_lack(forced, sketch(forced), ["abc"])
    plain = {"type": "object", "properties": {"x": {}}}
    assert may_lack(plain, sketch(plain), ["abc"])
    assert not may_lack(plain, sketch(plain), ["x"])


def test_what_a_reference_through_another_address_leads_to_is_not_read() -> None:
    inner = {"$id": "urn:inner", "$defs": {"n": {"type": "integer"}}}
    assert sketch({"$ref": "#/$defs/inner/$defs/n", "$defs": {"inner": inner}}) == ANYTHING


@given(SCHEMAS, VALUES)
@settings(max_examples=150)
def test_every_property_of_an_allowed_object_is_of_a_kind_that_was_read(schema: Any, message: Any) -> None:
    kinds = property_kinds(schema)
    try:
        allowed = compile_validator(schema).accepts(message)
    except SchemaError:
        return
    if allowed and isinstance(message, dict):
        assert all(kind_of(value) in kinds.get(name, KINDS) for name, value in message.items())


def test_properties_are_read_through_references_and_all_of_them() -> None:
    part = {"properties": {"a": {"type": ["integer", "string"]}, "b": {"enum": ["x"]}}}
    schema = {"$ref": "#/$defs/part", "$defs": {"part": part}, "allOf": [{"properties": {"a": {"type": "number"}}}]}
    assert property_kinds(schema) == {"a": frozenset({"number"}), "b": frozenset({"string"})}
    alone = {**schema, "$schema": "http://json-schema.org/draft-07/schema#"}
    assert property_kinds(alone)["a"] == frozenset({"number", "string"})


def test_a_contract_that_is_a_bomb_is_read_in_part() -> None:
    """Ten references in each of eight levels are a hundred million schemas."""
    part = {"allOf": [{"$ref": "#/$defs/part"}] * 10}
    bomb = {"type": "object", "required": ["a"], "allOf": [{"$ref": "#/$defs/part"}], "$defs": {"part": part}}
    assert sketch(bomb) == Sketch(OBJECT, frozenset("a"))
    assert property_kinds(bomb) == {}


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"$id": "https://x.example/", "properties": {"a": {"type": "integer"}}}]},
        {"$ref": "#/$defs/none"},
        {"$ref": "#/$defs/list/0", "$defs": {"list": [{"properties": {"a": {"type": "integer"}}}]}},
    ],
)
def test_of_what_cannot_be_followed_no_kinds_of_properties_are_known(schema: Any) -> None:
    assert property_kinds(schema) == {}


def test_of_a_schema_in_a_language_that_nobody_knows_everything_may_fit() -> None:
    foreign = {"$schema": "https://example.com/none", "type": "object", "properties": {"a": {"type": "string"}}}
    assert sketch(foreign) == ANYTHING
    assert property_kinds(foreign) == {}
