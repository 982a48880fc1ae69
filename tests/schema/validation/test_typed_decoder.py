"""Whatever a typed decoder decodes is allowed by its schema, and is the message's JSON form."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import math
import uuid
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_comm.json_form import json_form, typed_form
from claude_comm.schema.validation.enforced import under
from claude_comm.schema.validation.typed_decoder import typed_decoder
from claude_comm.schema.validation.validator import compile_validator
from tests.support.examples import ALL, examples

_NAMES = st.sampled_from(["a", "b", "c d"])
_BOUNDS = st.sampled_from([-2, -0.5, 0, 1, 1.0, 2.5, 3, 2**53, 2**63, 2**64])
_LEAVES = st.one_of(
    st.sampled_from([None, True, False, "", "x", "é", "7", 0, 1, -1, 3, 2**53 + 1, 2**63, 2**64 - 1, -(2**63)]),
    st.sampled_from([0.0, 1.0, -1.0, 0.5, 2.5, 3.0, 9007199254740992.0, 1e300]),
)
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3), max_leaves=8
)
_SCALARS = st.one_of(
    st.sampled_from(["null", "boolean", "integer", "number", "string"]).map(lambda kind: {"type": kind}),
    st.just({"type": ["string", "null"]}),
    st.just({"type": "string", "minLength": 1, "maxLength": 1}),
    st.just({"$ref": "#/$defs/d"}),
    st.lists(_LEAVES, min_size=1, max_size=4).map(lambda values: {"enum": values}),
    _LEAVES.map(lambda value: {"const": value}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={
            **dict.fromkeys(("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"), _BOUNDS),
            "multipleOf": st.sampled_from([2, 3, 0.5]),
        },
    ),
)


_FURTHER = st.sampled_from([False, False, True])


def _composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.dictionaries(_NAMES, inner, max_size=3).flatmap(
        lambda properties: st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "properties": st.just(properties),
                "additionalProperties": _FURTHER,
                "required": st.lists(st.sampled_from(sorted(properties) or ["a"]), unique=True, max_size=2),
            }
        )
    )
    maps = st.fixed_dictionaries(
        {"type": st.just("object"), "additionalProperties": inner},
        optional={"minProperties": st.integers(0, 1), "maxProperties": st.integers(1, 2)},
    )
    arrays = st.fixed_dictionaries(
        {"type": st.just("array"), "items": inner},
        optional={
            "uniqueItems": st.booleans(),
            "minItems": st.integers(0, 1),
            "maxItems": st.integers(1, 2),
            "contains": inner,
        },
    )
    unions = st.tuples(st.sampled_from(["anyOf", "oneOf"]), st.lists(inner, min_size=1, max_size=3)).map(
        lambda union: {union[0]: union[1]}
    )
    return objects | maps | arrays | unions


_SCHEMAS = st.recursive(_SCALARS, _composed, max_leaves=6)
_RUNS = {"typed": 0, "decoded": 0}


@settings(max_examples=examples(700))
@given(_SCHEMAS, _SCALARS, st.lists(_VALUES, min_size=1, max_size=12), st.booleans())
def test_what_is_decoded_is_allowed(schema: Any, definition: Any, messages: list[Any], closed: bool) -> None:
    whole = {**schema, "$defs": {"d": definition}}
    decoder = typed_decoder(whole, closed=closed)
    if decoder is None:
        return
    validator = compile_validator(whole)
    _RUNS["typed"] += 1
    for message in messages:
        data = typed_form(message, decoder.decode, floats=decoder.floats)
        if data is not None:
            _RUNS["decoded"] += 1
            assert validator.accepts(message)
            assert msgspec.msgpack.decode(data) == message


def test_the_schemas_above_were_decoded_in_earnest() -> None:
    assert _RUNS["typed"] > (50 if ALL else 3)
    assert _RUNS["decoded"] > (50 if ALL else 3)


LINE = {"type": "object", "properties": {"article": {"type": "string"}}, "required": ["article"]}
ORDER = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["new", "old"]},
        "version": {"const": 1},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "price": {"type": "number", "minimum": 0},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}, "uniqueItems": True},
    },
    "required": ["kind", "version"],
    "$defs": {"Line": LINE},
}
LINES = [{"article": "a"}, {"article": "b"}]
(CLOSED,) = under("closed-producer", ORDER)
SURE = {"kind": "new", "version": 1}


@pytest.mark.parametrize(
    "message", [SURE, {**SURE, "note": None}, {**SURE, "note": "n", "price": 1}, {**SURE, "lines": LINES, "price": 0.5}]
)
def test_what_types_give_is_decoded(message: Any) -> None:
    assert _form(message) == msgspec.msgpack.encode(message)


@pytest.mark.parametrize(
    "message",
    [
        *({**SURE, **wrong} for wrong in ({"kind": "x"}, {"version": 2}, {"version": True}, {"note": 1}, {"more": 1})),
        *({**SURE, "price": price} for price in (-1, -0.5, "1", math.nan, math.inf)),
        *({**SURE, "lines": lines} for lines in ([*LINES, LINES[0]], [{}], [{"article": "a", "more": 1}], {})),
        {"kind": "new"},
        [],
        None,
    ],
)
def test_what_is_not_allowed_is_not_decoded(message: Any) -> None:
    assert _form(message) is None
    assert not compile_validator(CLOSED).accepts(message)


class Name(enum.Enum):
    A = "a"


class Line(msgspec.Struct):
    article: Any


MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "article",
    [
        *(Name.A, uuid.UUID(int=7), decimal.Decimal("1.50"), b"bytes", bytearray(b"b"), memoryview(b"m")),
        *(MOMENT, MOMENT.replace(tzinfo=None), MOMENT.date(), MOMENT.time(), dt.timedelta(seconds=1.5)),
        *(msgspec.Raw(b"\xa1x"), msgspec.Raw(b"\xc4\x01x"), msgspec.Raw(b"\x01"), msgspec.msgpack.Ext(1, b"x")),
    ],
)
def test_what_is_decoded_is_the_json_form_of_the_message(article: Any) -> None:
    """Whatever MessagePack writes natively and JSON does not have is not decoded, and left to those who give it a
    form."""
    lines = [{**SURE, "lines": [line]} for line in ({"article": article}, Line(article))]
    for message in lines:
        data = _form(message)
        assert data is None or msgspec.msgpack.decode(data) == json_form(message)


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"type": "object"},
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"type": "array"},
        {"type": "string", "pattern": "a"},
        {"type": "string", "not": {"const": "a"}},
        {"type": "string", "unknown": 1},
        {"oneOf": [{"type": "integer"}, {"type": "number"}]},
        {"oneOf": [{"type": "string"}, {"enum": ["a"]}]},
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        {"$ref": "#/$defs/a", "minLength": 1, "$defs": {"a": {"type": "string"}}},
        {"$ref": "a", "$defs": {"a": {"type": "string"}}},
        {"$ref": "#/$defs/a~1b", "$defs": {"a~1b": {"type": "string"}, "a/b": {"type": "null"}}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "string"},
        {"$ref": "#/$defs/n", "$defs": {"n": {"type": "array", "items": {"$ref": "#/$defs/n"}}}},
    ],
)
def test_a_schema_that_no_type_is_sure_to_stay_within_has_none(schema: Any) -> None:
    assert typed_decoder(schema) is None


BOUNDS = (-(2**63), -(2**53), -1, -0.5, 0, 0.5, 1, 1.5, 2**53, 2**53 + 1, 2**63, 2**64 - 1, 2**64)
KEYWORDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")


@pytest.mark.parametrize("keyword", KEYWORDS)
@pytest.mark.parametrize("kind", ["integer", "number"])
def test_bounds_are_those_of_the_schema(kind: str, keyword: str) -> None:
    typed = 0
    for bound in BOUNDS:
        schema = {"type": kind, keyword: bound}
        decoder, validator = typed_decoder(schema), compile_validator(schema)
        if decoder is None:
            continue
        typed += 1
        for value in (*(int(near) + step for near in BOUNDS for step in (-1, 0, 1)), *map(float, BOUNDS), 0.25, -0.25):
            if -(2**63) <= value < 2**64:
                decoded = typed_form(value, decoder.decode, floats=decoder.floats) is not None
                assert not decoded or validator.accepts(value), (schema, value)
                assert decoded == validator.accepts(value) or type(value) is float, (schema, value)
    assert typed >= 7


def _form(message: Any) -> bytes | None:
    decoder = typed_decoder(CLOSED)
    assert decoder is not None
    return typed_form(message, decoder.decode, floats=decoder.floats)


INT = {"type": "integer"}
PARTS: list[Any] = [
    {"anyOf": [{"$ref": "#/$defs/d"}, {"type": "null"}], "$defs": {"d": INT}},
    {"type": "array", "uniqueItems": True, "items": {"type": "array", "items": INT}},
    {"type": "object", "properties": {"a": INT}, "additionalProperties": False, "propertyNames": {"maxLength": 1}},
    {"enum": [1, 2], "minimum": 2},
    {"type": "integer", "multipleOf": 2},
    {"type": "number", "multipleOf": 0.5},
]


@pytest.mark.parametrize("schema", PARTS, ids=str)
def test_a_type_that_is_written_for_a_part_takes_nothing_that_the_schema_refuses(schema: Any) -> None:
    decoder, validator = typed_decoder(schema), compile_validator(schema)
    for value in (None, 1, 2, 3, 0.5, 0.25, [], [[1], [1]], [[1], [2]], {"a": 1}, {"a": "x"}, {"bb": 1}, {}):
        taken = decoder is not None and typed_form(value, decoder.decode, floats=decoder.floats) is not None
        assert not taken or validator.accepts(value), (schema, value)


TAGGED = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "has_type"),
    [
        ({"oneOf": [{"$ref": "#/$defs/o"}, {"type": "string"}], "$defs": {"o": TAGGED}}, True),
        ({"oneOf": [{"$ref": "#/$defs/o"}, {"$ref": "#/$defs/o"}], "$defs": {"o": TAGGED}}, False),
        (
            {
                "type": "array",
                "items": {"type": "object", "additionalProperties": {"type": "integer"}},
                "uniqueItems": True,
            },
            False,
        ),
        ({"type": "number", "multipleOf": 0.5}, False),
    ],
)
def test_what_a_type_says_and_what_none_does(schema: Any, has_type: bool) -> None:
    assert (typed_decoder(schema) is not None) is has_type


def test_a_number_of_whole_steps_is_not_left_to_the_decoder() -> None:
    number = {"type": "number", "multipleOf": 2}
    assert typed_decoder({"type": "object", "properties": {"a": number}, "additionalProperties": False}) is None
