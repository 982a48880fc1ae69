"""Schemas that are `true` or `false`, at the root and within: each walk of a schema passes them by as they are."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema import keywords
from claude_comm.schema.containment.joined import loosely
from claude_comm.schema.containment.second_validator import SecondValidator
from claude_comm.schema.cost.unevaluated_paths import too_many_paths
from claude_comm.schema.evolution.diff import diff
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.types.direction import opaque
from claude_comm.schema.types.exact import accepts, beside
from claude_comm.schema.types.formats import assert_formats
from claude_comm.schema.validation.enforced import under
from claude_comm.schema.validation.phrases import subject
from claude_comm.schema.validation.validator import compile_validator

WHOLE = {"type": "integer"}


@pytest.mark.parametrize("schema", [True, False])
def test_a_root_that_is_no_object_stays_as_it_is(schema: bool) -> None:
    assert assert_formats(schema) is schema
    assert SecondValidator(schema, "draft2020-12").says(1, schema)
    assert not SecondValidator(schema, "draft2020-12").says(1, not schema)
    assert not too_many_paths(schema)


@pytest.mark.parametrize(("old", "new"), [(True, WHOLE), (WHOLE, True), (WHOLE, False)])
def test_a_change_from_or_to_such_a_root_is_one_change(old: Any, new: Any) -> None:
    (change,) = diff(old, new).changes
    assert (change.path, change.rule) == ("$", "type")


def test_definitions_that_are_true_stay_in_what_is_enforced() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/any"}, "b": {"$ref": "#/$defs/part"}},
        "$defs": {"any": True, "part": {"type": "object", "properties": {"c": WHOLE}}},
    }
    (enforced,) = under("closed-producer", schema)
    validator = compile_validator(enforced)
    assert validator.accepts({"a": [1], "b": {"c": 1}})
    assert not validator.accepts({"b": {"c": 1, "d": 1}})
    assert under("strict", schema) == [schema]


@pytest.mark.parametrize("declared", [True, False])
def test_a_form_of_a_union_may_declare_a_property_as_true_or_false(declared: bool) -> None:
    """Closed all the same: what such a property may be says nothing of which form it is."""
    tagged = {"type": "object", "properties": {"k": {"const": "a"}, "v": declared}, "required": ["k", "v"]}
    other = {"type": "object", "properties": {"k": {"type": "string"}, "v": WHOLE}, "required": ["k", "v"]}
    schema = {"oneOf": [tagged, other]}
    message = {"k": "b", "v": 1}
    assert compile_validator(close(normalise(schema, "draft2020-12")).schema).accepts(message)


def test_parts_that_are_true_add_nothing_to_a_joined_object() -> None:
    joined = loosely([True, {"properties": {"a": WHOLE}, "required": ["a"]}])
    assert joined == {"properties": {"a": WHOLE}, "required": ["a"]}


def test_a_type_beside_true_is_the_whole_of_what_is_accepted() -> None:
    assert beside(True, int) == accepts(int)
    assert beside(False, int) is False


def test_what_is_malformed_has_no_schemas_in_place() -> None:
    assert list(keywords.in_place({"allOf": 5, "anyOf": [True]})) == [True]


def test_code_beside_a_reference_or_other_code_keeps_both() -> None:
    reference = {"$ref": "#/$defs/x"}
    assert opaque(reference, "f")["allOf"] == [reference]
    assert opaque(opaque(WHOLE, "f"), "g")["allOf"] == [opaque(WHOLE, "f")]


def test_an_item_of_any_index_is_named_as_one() -> None:
    assert subject(("lines", "*")) == "an item of `lines`"
    assert subject(("*",)) == "an item of the message"
