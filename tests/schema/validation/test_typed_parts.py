"""Which schemas have a type, part by part, and what that type takes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from claude_comm.schema.validation.typed_decoder import MAX_TYPES, typed_decoder

INT, TEXT, NULL = {"type": "integer"}, {"type": "string"}, {"type": "null"}
MAP = {"type": "object", "additionalProperties": INT}
UNIQUE = {"type": "array", "items": INT, "uniqueItems": True}


def record(required: tuple[str, ...] = (), *, further: Any = False, **properties: Any) -> Any:
    closed = {} if further is None else {"additionalProperties": further}
    return {"type": "object", "properties": properties, "required": [*required], **closed}


def unique(items: Any) -> Any:
    return record(l={"type": "array", "items": items, "uniqueItems": True})


def takes(schema: Any, message: Any, *, closed: bool = True) -> bool:
    decoder = typed_decoder(schema, closed=closed)
    assert decoder is not None
    try:
        decoder.decode(msgspec.msgpack.encode(message))
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("schema", "taken", "left"),
    [
        (record(a=INT, x=False), [{}, {"a": 1}], [{"x": 1}, {"y": 1}, {"a": None}]),
        (record(("b",), a=INT, b=TEXT), [{"b": ""}, {"a": 1, "b": ""}], [{}, {"a": 1}]),
        (MAP, [{}, {"a": 1}], [{"a": "x"}, []]),
        ({**MAP, "minProperties": 1, "maxProperties": 2}, [{"a": 1}], [{}, {"a": 1, "b": 1, "c": 1}]),
        ({**TEXT, "minLength": 1, "maxLength": 2}, ["a", "ab"], ["", "abc"]),
        ({**INT, "multipleOf": 2}, [4, 0], [3]),
        ({"enum": [None, "a", 1]}, [None, "a", 1], ["b", 2]),
        ({**TEXT, "enum": ["a", 1]}, ["a"], [1]),
        ({"anyOf": [False, TEXT]}, ["a"], [1]),
        ({"anyOf": [TEXT, NULL]}, ["a", None], [1]),
        # No value twice: in each field that says so, also beside null, and of what can be compared.
        (record(a=UNIQUE, b=UNIQUE, c=UNIQUE), [{"a": [1], "b": [1, 2], "c": []}, {}], []),
        *((record(a=UNIQUE, b=UNIQUE, c=UNIQUE), [], [{name: [1, 1]}]) for name in "abc"),
        (record(a={"anyOf": [UNIQUE, NULL]}), [{"a": None}, {"a": [1, 2]}], [{"a": [1, 1]}]),
        (unique(record(a=INT)), [{"l": [{"a": 1}, {"a": 2}]}], [{"l": [{"a": 1}, {"a": 1}]}]),
        # A definition in two places.
        (
            {**record(a={"$ref": "#/$defs/d"}, b={"$ref": "#/$defs/d"}), "$defs": {"d": INT}},
            [{"a": 1, "b": 2}],
            [{"a": "x"}],
        ),
    ],
)
def test_what_a_type_takes(schema: Any, taken: list[Any], left: list[Any]) -> None:
    assert all(takes(schema, message) for message in taken)
    assert not any(takes(schema, message) for message in left)


@pytest.mark.parametrize(
    "schema",
    [
        {**INT, "minimum": -(2**63)},
        {**INT, "exclusiveMinimum": -(2**63) - 1},
        {**INT, "maximum": 2**64 - 1},
        {**INT, "exclusiveMaximum": 2**64},
        {**INT, "minimum": -(2**53), "maximum": 2**53},
    ],
)
def test_a_bound_that_every_integer_keeps_needs_no_type(schema: Any) -> None:
    assert takes(schema, 0)


@pytest.mark.parametrize(
    "schema",
    [
        {**INT, "exclusiveMinimum": -(2**63)},
        {**INT, "exclusiveMaximum": 2**64 - 1},
        {**INT, "multipleOf": 2.0},
        {"enum": [1, 2], "const": 1},
        {"type": "boolean", "unknown": 1},
        record(("x",), a=INT, x=False),
        record(a=INT, further=INT),
        record(a=INT, further=None),
        {**MAP, "propertyNames": {"maxLength": 1}},
        {"type": "object"},
        unique({"anyOf": [TEXT, MAP]}),
        unique(record(a=TEXT, b=MAP)),
        {"anyOf": [UNIQUE, NULL]},
        {"type": "array", "items": UNIQUE},
    ],
)
def test_what_no_type_says_has_none(schema: Any) -> None:
    assert typed_decoder(schema) is None


def test_an_open_object_is_taken_as_it_is_declared_where_producers_are_closed() -> None:
    for schema in (record(a=INT, further=None), record(a=INT, further=True)):
        assert takes(schema, {"a": 1}, closed=False)
        assert not takes(schema, {"x": 1}, closed=False)
    assert takes(MAP, {"x": 1}, closed=False)
    for schema in ({"type": "object"}, {"type": "object", "additionalProperties": True}, record(a=INT, further=INT)):
        assert typed_decoder(schema, closed=False) is None


@pytest.mark.parametrize(("schema", "floats"), [(INT, False), ({"type": "number"}, True), (record(a=TEXT), False)])
def test_a_decoder_knows_whether_it_takes_floats(schema: Any, floats: bool) -> None:
    decoder = typed_decoder(schema)
    assert decoder is not None
    assert decoder.floats is floats


@pytest.mark.parametrize(("parts", "has_type"), [(MAX_TYPES, True), (MAX_TYPES + 1, False)])
def test_a_schema_of_very_many_parts_has_no_type(parts: int, has_type: bool) -> None:
    schema = record(**{f"f{at}": INT for at in range(parts - 1)})
    assert (typed_decoder(schema) is not None) is has_type
