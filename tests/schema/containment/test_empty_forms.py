"""Forms of unions that can never be: named beside the verdict, and no form that a message has."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from claude_comm.schema import Compatible, Incompatible, check, explain
from claude_comm.schema.budget import Budget
from claude_comm.schema.containment.empty_forms import (
    NO_MESSAGE,
    NOT_ALONE,
    NOT_DECLARED,
    _has_unions,
    empty_forms,
)
from claude_comm.schema.containment.sides import side_of
from claude_comm.schema.verdict import Policy

CAT = {"type": "object", "properties": {"name": {"type": "string"}, "meows": {"type": "boolean"}}, "required": ["name"]}
NAMED = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def forms(produced: Any, accepted: Any, policy: Policy = "closed-producer") -> list[tuple[str, str, str]]:
    verdict = check(produced, accepted, policy=policy, name_empty_forms=True)
    assert isinstance(verdict, Compatible | Incompatible)
    return [(form.side, form.schema_path, form.why) for form in verdict.empty_forms]


@pytest.mark.parametrize(
    ("schema", "place", "why"),
    [
        ({"anyOf": [{"type": "string"}, False]}, "/anyOf/1", NO_MESSAGE),
        ({"anyOf": [{"type": "string", "minLength": 3, "maxLength": 2}, {"type": "null"}]}, "/anyOf/0", NO_MESSAGE),
        ({"type": "string", "anyOf": [{"minLength": 1}, {"type": "integer"}]}, "/anyOf/1", NO_MESSAGE),
        ({"oneOf": [{"type": "string"}, {"type": "string", "minLength": 2}]}, "/oneOf/1", NOT_ALONE),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "/oneOf/0", NOT_ALONE),
        (
            {"properties": {"a/b": {"items": {"anyOf": [{"enum": []}, {"type": "null"}]}}}},
            "/properties/a~1b/items/anyOf/0",
            NO_MESSAGE,
        ),
        (
            {"$ref": "#/$defs/x", "$defs": {"x": {"anyOf": [{"type": "null"}, {"type": "null", "const": 1}]}}},
            "/$defs/x/anyOf/1",
            NO_MESSAGE,
        ),
        (
            {"anyOf": [{"type": "string"}, {"anyOf": [{"type": "null"}, False], "title": "in a union"}]},
            "/anyOf/1/anyOf/1",
            NO_MESSAGE,
        ),
        (
            {"properties": {"a": {"anyOf": [{"type": "null"}, False]}, "b": True}},
            "/properties/a/anyOf/1",
            NO_MESSAGE,
        ),
    ],
)
def test_a_form_that_can_never_be_is_named_on_either_side(schema: Any, place: str, why: str) -> None:
    assert forms(schema, True) == [("produced", place, why)]
    assert forms(schema, True, "strict") == [("produced", place, why)]
    assert ("accepted", place, why) in forms({"type": ["null", "object"], "properties": {}}, schema)


def test_what_closing_takes_is_named_as_that() -> None:
    """A form that asks for a name which matches a pattern, and declares none that does."""
    wants = {"type": "object", "properties": {"a": True}, "minProperties": 2, "propertyNames": {"enum": ["a", "b"]}}
    closed = {"anyOf": [{"type": "null"}, {"allOf": [wants, {"unevaluatedProperties": False}]}]}
    assert forms(closed, True) == [("produced", "/anyOf/1", NO_MESSAGE)]
    inner = {"type": "object", "properties": {"a": {"type": "null"}}, "not": {"maxProperties": 1}}
    assert forms({"anyOf": [{"type": "null"}, inner]}, True) == [("produced", "/anyOf/1", NOT_DECLARED)]
    assert forms({"anyOf": [{"type": "null"}, inner]}, True, "strict") == []
    # Alone it would fit beside the other form: what keeps it is closing alone.
    assert forms({"oneOf": [{"type": "null"}, inner]}, True) == [("produced", "/oneOf/1", NOT_DECLARED)]


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"oneOf": [CAT, {"type": "null"}]},
        {"anyOf": [CAT, NAMED]},
        {"oneOf": [{"type": "string", "maxLength": 3}, {"type": "string", "minLength": 2}]},
        {"anyOf": [{"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "b$"}]},
        {"not": {"anyOf": [False, {"type": "string"}]}},
        {"const": {"anyOf": [False]}},
        {"if": {"anyOf": [False, True]}, "then": {"type": "null"}},
        {"anyOf": [{"$ref": "#"}, {"type": "null"}], "$comment": "it leads back to itself"},
    ],
)
@pytest.mark.parametrize("policy", ["strict", "closed-producer"])
def test_a_form_that_may_be_is_not(schema: Any, policy: Policy) -> None:
    verdict = check(schema, True, policy=policy, name_empty_forms=True)
    assert not getattr(verdict, "empty_forms", ())


def test_the_explanation_says_it() -> None:
    schema = {"anyOf": [{"type": "string"}, False]}
    assert explain(check(schema, True, name_empty_forms=True)).splitlines()[-1] == (
        "note: the producer sends no message of the form /anyOf/1: no message fits it."
    )
    refused = explain(check({"type": "null"}, schema, name_empty_forms=True))
    assert "note: the consumer takes no message of the form /anyOf/1: no message fits it." in refused


def test_a_schema_of_many_forms_is_looked_at_within_bounds() -> None:
    """Each `oneOf` of these has to be searched; only the first hundred forms are looked at, in a thousand steps."""
    texts = [
        {"type": "string", "pattern": f"^{first}{second}"} for first, second in itertools.product("abcdefghij", "ab")
    ]
    schema = {"properties": {f"p{at}": {"oneOf": texts} for at in range(20)}}
    assert forms(schema, True) == []


def test_of_very_many_forms_so_many_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def named(least: int) -> int:
        schema = {"anyOf": [{"type": "integer"}, {"type": "string", "minLength": least, "maxLength": 2}]}
        side = side_of(schema, "draft2020-12", lambda: None)
        return len(empty_forms(side, Budget(60_000), accepted=True))

    assert named(3) == 1
    monkeypatch.setattr("claude_comm.schema.containment.empty_forms.MAX_FORMS", 1)
    assert named(4) == 0


@pytest.mark.parametrize("head", [{}, {"$schema": "http://json-schema.org/draft-07/schema#"}], ids=["measured", "not"])
@pytest.mark.parametrize(
    ("schema", "has"),
    [
        ({"type": "string"}, False),
        ({"properties": {"anyOf": {"type": "string"}}}, False),
        ({"anyOf": [{"type": "string"}]}, True),
        ({"items": {"oneOf": [{"type": "string"}, {"type": "null"}]}}, True),
    ],
)
def test_forms_are_looked_for_where_a_schema_has_a_union(head: Any, schema: Any, has: bool) -> None:
    """Of a schema that is its own normal form the keywords are known already; of any other they are looked for."""
    document = side_of({**head, **schema}, "draft2020-12", lambda: None).document
    assert (document.size is None) is bool(head)
    assert _has_unions(document) is has
