"""What a publisher holds its payloads to says the same as the closed schema that was checked, and is quicker."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema.dialect import URI
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.opaque import OPAQUE
from claude_comm.schema.validation.enforced import may_take_null, under
from claude_comm.schema.validation.validator import compile_validator, compiled

ADDRESS = {"type": "object", "properties": {"street": {"type": "string"}}, "required": ["street"]}
PERSON = {
    "type": "object",
    "properties": {"home": {"$ref": "#/$defs/address"}, "past": {"items": {"$ref": "#/$defs/address"}}},
}
ROOT = {"$ref": "#/$defs/person", "$defs": {"address": ADDRESS, "person": PERSON}}
TREE = {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}}}
WIDE = {"$ref": "#/$defs/w", "$defs": {"w": {"allOf": [ADDRESS, {"properties": {"zip": True}}]}}}
OPEN = {"items": {"$ref": "#/$defs/o"}, "$defs": {"o": {**ADDRESS, "additionalProperties": {"type": "null"}}}}
ASKED = {"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {**ADDRESS, "required": ["zip"], "minProperties": 1}}}
NAMED = {"items": {"$ref": "#/$defs/n"}, "$defs": {"n": {**ADDRESS, "patternProperties": {"^x-": {"type": "null"}}}}}
MORE: list[dict[str, Any]] = [{}, {"zip": 1}, {"x": None}, {"x-1": None}, {"x-1": 1}, {"zip": 1, "x": 1}]
MESSAGES: list[tuple[Any, Any]] = [
    (ROOT, {"home": {"street": "s"}}),
    (ROOT, {"home": {"street": "s", "x": 1}}),
    (ROOT, {"past": [{"street": "s"}, {"street": "t", "x": 1}]}),
    (ROOT, {"x": 1}),
    (TREE, {"next": {"next": {}}}),
    (TREE, {"next": {"next": {"x": 1}}}),
    (WIDE, {"street": "s", "zip": 1}),
    (WIDE, {"street": "s", "x": 1}),
    *((schema, [{"street": "s", **more}]) for schema in (OPEN, ASKED, NAMED) for more in MORE),
]


@pytest.mark.parametrize(("schema", "message"), MESSAGES)
def test_it_allows_what_the_closed_schema_allows(schema: Any, message: Any) -> None:
    validators = [compile_validator(held) for held in under("closed-producer", schema)]
    closed = compiled(close(normalise(schema, "draft2020-12")).schema, "draft2020-12")
    assert all(validator.accepts(message) for validator in validators) == closed.is_valid(message)


def test_a_place_that_only_refers_to_an_object_keeps_no_record_of_what_it_met() -> None:
    (held,) = under("closed-producer", ROOT)
    assert "unevaluatedProperties" not in str(held)


FOUR = {"$schema": URI["draft4"], "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("schema", "held"),
    [
        ({"type": "string"}, [{"type": "string"}]),
        (True, [True]),
        ({"properties": {"a": True}}, [{"properties": {"a": True}, "additionalProperties": False}]),
        (
            {"properties": {"a": {"$ref": "#/$defs/t"}, "b": True}, "$defs": {"t": False}},
            [{"properties": {"a": {"$ref": "#/$defs/t.closed"}, "b": True}, "additionalProperties": False}],
        ),
        # What has no exact form is held to the schema as it was written as well.
        (FOUR, [FOUR, {"properties": {"n": {"type": "integer", "$lexical": True}}, "additionalProperties": False}]),
        ({"type": "object", OPAQUE: "code"}, [{"type": "object", OPAQUE: "code"}, None]),
    ],
)
def test_what_messages_are_held_to(schema: Any, held: list[Any]) -> None:
    assert under("strict", schema) == [schema]
    found = under("closed-producer", schema)
    assert len(found) == len(held)
    for part, expected in zip(found, held, strict=True):
        alone = {keyword: value for keyword, value in part.items() if keyword != "$defs"} if expected != part else part
        assert expected is None or alone == expected
        compile_validator(part)


@pytest.mark.parametrize("policy", ["strict", "closed-producer"])
def test_what_is_no_schema_holds_nobody(policy: Any) -> None:
    with pytest.raises(SchemaError):
        under(policy, {"type": "strnig"})


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": ["a", 1]},
        {"const": 1},
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}},
    ],
)
def test_where_no_part_allows_null_nan_is_not_looked_for(schema: Any) -> None:
    assert not may_take_null(schema)


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"enum": ["a", None]},
        {"const": None},
        {"enum": [["a", None]]},
        {"type": ["string", "null"]},
        {"type": "object", "properties": {"a": True}},
        {"type": "array", "uniqueItems": True, "items": True},
        {"type": "object", "properties": {"a": {"minimum": 1}}},
    ],
)
def test_where_a_part_may_allow_null_it_is(schema: Any) -> None:
    assert may_take_null(schema)
