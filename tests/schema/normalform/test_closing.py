"""The policy `closed-producer`, place by place."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from claude_comm.schema import Incompatible, check, keywords
from claude_comm.schema.dialect import DEFAULT, URI
from claude_comm.schema.limits import measure
from claude_comm.schema.normalform.closing import MAX_CHAIN, close, original_of
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.validation.validator import compile_validator, compiled

A = {"type": "object", "properties": {"a": {"type": "integer"}}}
B = {"type": "object", "properties": {"b": {"type": "integer"}}}
OBJECT, NULL = {"type": "object"}, {"type": "null"}
SOMETIMES = {"anyOf": [B, OBJECT]}
PATTERNS = {**OBJECT, "patternProperties": {"^x-": {"type": "integer"}}}


def referring(schema: Any, **definitions: Any) -> Any:
    return {**schema, "$defs": definitions}


def reference(name: str) -> Any:
    return {"$ref": f"#/$defs/{name}"}


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
    # A name that is required is declared by that, with any value, wherever it is required.
    ({**A, "required": ["a", "b"]}, {"a": 1, "b": None}),
    ({**A, "dependentRequired": {"a": ["b"]}}, {"a": 1, "b": "x"}),
    ({"allOf": [A, {"required": ["b"]}]}, {"b": 1}),
    ({**A, "anyOf": [{"required": ["url"]}, {"required": ["path"]}]}, {"a": 1, "path": None}),
    ({**A, "if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"a": 1, "b": 2}),
    ({"properties": {"o": {**A, "required": ["b"]}}}, {"o": {"b": 1}}),
    ({"items": {**A, "required": ["b"]}}, [{"b": 1}]),
    ({"$ref": "#/$defs/a", "$defs": {"a": {**A, "required": ["b"]}}}, {"b": 1}),
    ({**A, "minProperties": 2}, {"a": 1, "x": 1}),
    # Forms that overlap: a message of one alone has to break the other.
    ({"oneOf": [A, B]}, {"a": "no integer"}),
    ({"oneOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}], "$defs": {"a": A, "b": B}}, {"b": "no integer"}),
    ({"oneOf": [A, PATTERNS]}, {"a": 1, "x-1": "no integer"}),
    (referring({"oneOf": [A, True], **reference("t")}, t=True), {"a": "no integer"}),
    # An alternative that declares nothing stays open.
    ({"anyOf": [A, True]}, {"x": 1}),
    ({"anyOf": [A, {"enum": [{"x": 1}, "s"]}]}, {"x": 1}),
    (referring({"anyOf": [A, reference("o")]}, o={**OBJECT, "minProperties": 1}), {"x": 1}),
    # One that declares at times, beside another composition, as a whole.
    (referring({"anyOf": [A, {**reference("s"), "anyOf": [B, NULL]}]}, s=SOMETIMES), {"x": 1}),
    ({"anyOf": [A, {"allOf": [SOMETIMES], "anyOf": [B, NULL]}]}, {"x": 1}),
    ({"anyOf": [A, {**SOMETIMES, "oneOf": [{**B, "required": ["b"]}, {**OBJECT, "maxProperties": 1}]}]}, {"x": 1}),
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
    # Declared is what has fields, even if it has none of them, and what has patterns of names.
    ({"type": "object", "properties": {}}, {"x": 1}),
    ({"type": "object", "patternProperties": {"^[a-z]$": True}}, {"long": 1}),
    ({**A, "required": ["a", "b"]}, {"a": 1, "b": None, "x": 1}),
    ({**A, "anyOf": [{"required": ["url"]}, {"required": ["path"]}]}, {"a": 1, "path": None, "x": 1}),
    ({**A, "minProperties": 1}, {"a": 1, "x": 1}),
    ({"oneOf": [A, B]}, {"a": "no integer", "x": 1}),
    # What tells forms apart keeps each to its own names.
    ({"oneOf": [{**A, "required": ["a"]}, {**B, "required": ["b"]}]}, {"a": "no integer", "b": 1}),
    # The places in a form of `oneOf` are closed as well.
    ({"oneOf": [{"properties": {"o": A}, "required": ["o"]}, {"type": "string"}]}, {"o": {"x": 1}}),
    # Each alternative declares, or allows no object.
    ({"anyOf": [A, False]}, {"x": 1}),
    ({"allOf": [{"anyOf": [A, B]}]}, {"c": 1}),
    (referring({"allOf": [reference("a"), reference("o")]}, a=A, o=OBJECT), {"x": 1}),
    (referring({"anyOf": [A, {**reference("n"), "anyOf": [B, NULL]}]}, n={"type": ["object", "null"]}), {"x": 1}),
    (referring(reference("1"), **{"1": reference("2"), "2": reference("3"), "3": reference("4"), "4": A}), {"x": 1}),
]


@pytest.mark.parametrize(("schema", "message"), KEPT)
def test_what_is_declared_or_left_open_may_be_sent(schema: Any, message: Any) -> None:
    assert sends(schema, message)


@pytest.mark.parametrize(("schema", "message"), TAKEN)
def test_what_is_not_declared_is_not_sent(schema: Any, message: Any) -> None:
    assert compiled(schema, "draft2020-12").is_valid(message)
    assert not sends(schema, message)


@pytest.mark.parametrize("schema", [schema for schema, _ in (*KEPT, *TAKEN)])
def test_what_was_measured_before_closes_alike(schema: Any) -> None:
    """The size that is known of the closed form without a look at it bounds what it has."""
    size = measure(schema)
    closed = close(normalise(schema, DEFAULT, size))
    assert closed.schema == close(normalise(schema, DEFAULT)).schema
    if closed.size is not None:
        found = measure(closed.schema)
        assert closed.size.nodes >= found.nodes
        assert found.depth <= closed.size.depth <= found.depth + 2
        assert closed.size.names >= {keyword for part in keywords.schemas(closed.schema) for keyword in part}
    assert (closed.size is None) == (size.references > 0 or "oneOf" in size.names)


@pytest.mark.parametrize("schema", [True, False])
def test_what_is_no_object_is_its_own_closed_form(schema: bool) -> None:
    document = normalise(schema, DEFAULT)
    assert close(document) is document


def test_an_object_that_composes_nothing_is_told_so_in_a_word() -> None:
    assert close(normalise(A, DEFAULT)).schema == {**A, "additionalProperties": False}


def test_what_tests_a_value_is_not_closed() -> None:
    """What is refused under `not` would be narrower once closed, and the whole wider."""
    schema = {"not": {"properties": {"o": A}, "required": ["o"]}, **OBJECT}
    assert not compiled(schema, DEFAULT).is_valid({"o": {"x": 1}})
    assert not sends(schema, {"o": {"x": 1}})


@pytest.mark.parametrize("composed", ["$ref", "allOf", "anyOf"])
@pytest.mark.parametrize(("links", "is_closed"), [(MAX_CHAIN, True), (MAX_CHAIN + 1, False)])
def test_a_longer_chain_than_is_followed_stays_open(composed: str, links: int, is_closed: bool) -> None:
    if composed == "$ref":
        names = [str(link) for link in range(links)]
        definitions = dict(zip(names, [*map(reference, names[1:]), A], strict=True))
        schema = referring(reference("0"), **definitions)
    else:
        schema = A
        for _ in range(links - 1):
            schema = {composed: [schema]}
        schema = {"allOf": [schema]}
    assert sends(schema, {"a": 1})
    assert sends(schema, {"x": 1}) is not is_closed


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


def test_what_a_schema_says_of_unevaluated_properties_is_left_as_it_is() -> None:
    """Declaring a name in a part would mark it as evaluated, and let in what the whole refuses."""
    schema = {"allOf": [{"required": ["b"]}], "properties": {"o": A}, "unevaluatedProperties": {"type": "integer"}}
    assert sends(schema, {"b": 1})
    assert not sends(schema, {"b": "no integer"})
    closed = close(normalise(schema, DEFAULT, measure(schema))).schema
    assert not compiled(closed, DEFAULT).is_valid({"b": "no integer"})


def test_a_closed_copy_is_called_after_its_original() -> None:
    closed = close(normalise(referring(reference("a"), a=A), DEFAULT))
    assert sorted(map(original_of, closed.definitions)) == ["a", "a"]


def test_a_witness_is_also_a_message_of_the_schema_as_it_was_written() -> None:
    """What `contains` evaluates before 2020-12 is not carried over into the closed form, which allows more."""
    holder = {"$defs": {"g": {"contains": True}}}
    produced = {"$schema": URI["draft2019-09"], "maxItems": 1, "unevaluatedItems": False, **holder}
    sent = compile_validator(produced)
    for accepted in ({"type": "object"}, {"maxItems": 0}, {"type": "array"}, False, {"not": {"const": ["a"]}}):
        verdict = check(produced, accepted)
        assert not isinstance(verdict, Incompatible) or sent.accepts(verdict.witness), verdict


def test_forms_of_a_large_union_are_closed_as_if_they_were_apart() -> None:
    forms = [{"type": "object", "properties": {"k": {"const": at}}, "required": ["k"]} for at in range(41)]
    closed = jsonschema_rs.validator_for(close(normalise({"oneOf": forms}, "draft2020-12")).schema)
    assert closed.is_valid({"k": 40})
    assert not closed.is_valid({"k": 40, "more": 1})


def test_a_form_with_listed_values_is_told_from_one_of_a_kind() -> None:
    def form(tag: Any) -> Any:
        return {"type": "object", "properties": {"k": tag}, "required": ["k"]}

    schema = {"oneOf": [form({"const": "a"}), form({"type": "integer"})]}
    closed = jsonschema_rs.validator_for(close(normalise(schema, "draft2020-12")).schema)
    assert closed.is_valid({"k": "a"})
    assert not closed.is_valid({"k": 1, "more": 1})
