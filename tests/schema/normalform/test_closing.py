"""The policy `closed-producer`, place by place."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema import Incompatible, check
from claude_comm.schema.dialect import URI
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.validation.validator import compile_validator, compiled

A = {"type": "object", "properties": {"a": {"type": "integer"}}}
B = {"type": "object", "properties": {"b": {"type": "integer"}}}


def sends(schema: Any, message: Any, dialect: str = "draft2020-12") -> bool:
    """Whether the closed schema allows a message."""
    closed = close(normalise(schema, dialect)).schema  # type: ignore[arg-type]
    return compiled(closed, "draft2020-12").is_valid(message)


KEPT: list[tuple[Any, Any]] = [
    (A, {"a": 1}),
    ({"type": "object"}, {"x": 1}),
    ({**A, "additionalProperties": True}, {"x": 1}),
    ({**A, "additionalProperties": {"type": "string"}}, {"x": "y"}),
    ({"allOf": [A, B]}, {"a": 1, "b": 2}),
    ({"anyOf": [A, B]}, {"a": 1, "b": 2}),
    ({"anyOf": [A, {"type": "object"}]}, {"x": 1}),
    ({"oneOf": [{**A, "required": ["a"]}, {**B, "required": ["b"]}]}, {"b": 1}),
    ({"properties": {"o": {"type": "object"}}}, {"o": {"x": 1}}),
    ({"$ref": "#/$defs/a", "properties": {"b": True}, "$defs": {"a": A}}, {"a": 1, "b": 2}),
    ({"not": A, "type": "object"}, {"a": "no integer", "x": 1}),
    ({**A, "patternProperties": {"^x-": True}}, {"x-1": 1}),
]
TAKEN: list[tuple[Any, Any]] = [
    (A, {"x": 1}),
    ({"allOf": [A, B]}, {"c": 1}),
    ({"anyOf": [A, B]}, {"c": 1}),
    ({"properties": {"o": A}}, {"o": {"x": 1}}),
    ({"type": "array", "items": A}, [{"x": 1}]),
    ({"type": "array", "prefixItems": [A]}, [{"x": 1}]),
    ({"$ref": "#/$defs/a", "$defs": {"a": A}}, {"x": 1}),
    ({"anyOf": [{"type": "string"}, A]}, {"x": 1}),
    ({"oneOf": [{**A, "required": ["a"]}, {**B, "required": ["b"]}]}, {"b": 1, "x": 1}),
    ({"properties": {"n": {"$ref": "#"}, "a": True}}, {"n": {"n": {"x": 1}}}),
]


@pytest.mark.parametrize(("schema", "message"), KEPT)
def test_what_is_declared_or_left_open_may_be_sent(schema: Any, message: Any) -> None:
    assert sends(schema, message)


@pytest.mark.parametrize(("schema", "message"), TAKEN)
def test_what_is_not_declared_is_not_sent(schema: Any, message: Any) -> None:
    assert compiled(schema, "draft2020-12").is_valid(message)
    assert not sends(schema, message)


@pytest.mark.parametrize("dialect", ["draft4", "draft6", "draft7", "draft2019-09"])
def test_older_dialects_close_alike(dialect: str) -> None:
    composed = {"allOf": [{"$ref": "#/definitions/a"}, B], "definitions": {"a": A}}
    assert sends(composed, {"a": 1, "b": 2}, dialect)
    assert not sends(composed, {"a": 1, "c": 2}, dialect)


def test_closing_a_form_of_one_of_lets_nothing_new_in() -> None:
    inner = {"properties": {"o": A}}
    schema = {"oneOf": [inner, {"properties": {"o": {"type": "object"}, "q": True}}]}
    both = {"o": {"x": 1}}
    assert not compiled(schema, "draft2020-12").is_valid(both)
    assert not sends(schema, both)


def test_a_witness_is_also_a_message_of_the_schema_as_it_was_written() -> None:
    """What `contains` evaluates before 2020-12 is not carried over into the closed form, which allows more."""
    holder = {"$defs": {"g": {"contains": True}}}
    produced = {"$schema": URI["draft2019-09"], "maxItems": 1, "unevaluatedItems": False, **holder}
    sent = compile_validator(produced)
    for accepted in ({"type": "object"}, {"maxItems": 0}, {"type": "array"}, False, {"not": {"const": ["a"]}}):
        verdict = check(produced, accepted)
        assert not isinstance(verdict, Incompatible) or sent.accepts(verdict.witness), verdict
