"""The contrary of a keyword has values of the schema alone, and breaks what it is the contrary of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from claude_comm.schema import Incompatible, check
from claude_comm.schema.containment.contrary import is_broken, is_single, refusing, ways
from claude_comm.schema.containment.minimal_instance import read_off
from claude_comm.schema.solver.difference import SchemaPair
from claude_comm.schema.validation.validator import compiled
from claude_comm.schema.verdict import Json

VALUES = [None, True, -1, 0, 1, 3, 2.0, 0.5, "", "a", "aaaa", [], [1], [1, 1], [1, 2, 3], {}, {"a": 1}]
KEYWORDS = [
    *({"type": kinds} for kinds in ("string", "integer", "number", ["integer", "null"], ["object", "array"])),
    *(
        {name: limit}
        for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        for limit in (0, 1, 0.5)
    ),
    *({name: limit} for name in ("minLength", "maxLength", "minItems", "maxItems") for limit in (1, 2)),
]
# What the producer may send, and a keyword: each has a value of the one that breaks the other.
BROKEN: list[tuple[Any, Any]] = [
    (True, {"type": "string"}),
    (True, {"minLength": 2}),
    (True, {"maximum": 3}),
    ({"type": "number"}, {"type": "integer"}),
    ({"type": "number", "minimum": 3}, {"type": "integer"}),
    ({"type": "number", "exclusiveMaximum": 0}, {"type": ["integer", "null"]}),
    ({"type": "integer", "minimum": 2}, {"multipleOf": 2}),
    ({"type": "number"}, {"multipleOf": 3}),
    ({"type": "array", "items": {"type": "boolean"}}, {"uniqueItems": True}),
    ({"type": "string", "minLength": 1}, {"minLength": 3}),
    ({"type": "array"}, {"minItems": 1}),
]
NARROWED: list[tuple[Json, Json, Json]] = [
    (True, {"type": "string"}, {"type": ["null", "boolean", "number", "array", "object"]}),
    ({"type": ["string", "null"]}, {"type": "string"}, {"type": ["null"]}),
    ({"type": ["string", "null"]}, {"type": ["string", "null"]}, {"type": ["string", "null"]}),
    ({"type": ["number", "string"]}, {"type": "integer"}, {"type": ["string"]}),
    ({"type": ["integer", "string"]}, {"type": ["number", "null"]}, {"type": ["string"]}),
    ({"enum": ["a", 1]}, {"type": "string"}, {"enum": [1]}),
    ({"enum": ["a", 1]}, {"type": "integer"}, {"enum": ["a"]}),
    ({"enum": ["a"]}, {"type": "string"}, {"enum": ["a"]}),
    ({"const": 1}, {"type": "string"}, {"enum": [1]}),
    ({"const": 1, "type": "integer"}, {"type": "string"}, {"const": 1, "type": ["integer"]}),
    ({"enum": ["a", 1], "type": ["string", "integer"]}, {"type": "string"}, {"enum": ["a", 1], "type": ["integer"]}),
    ({"enum": [1, 2, 3]}, {"enum": [2]}, {"enum": [1, 3]}),
    ({"enum": [1, 2]}, {"const": 2}, {"enum": [1]}),
    ({"const": 1}, {"const": 2}, {"enum": [1]}),
    ({"const": 1}, {"const": 1}, {"enum": []}),
    ({"type": "integer"}, {"const": 1}, {"type": "integer"}),
    ({"enum": [1, True]}, {"const": 1}, {"enum": [True]}),
    ({"const": 1, "type": "integer"}, {"enum": [2]}, {"type": "integer", "enum": [1]}),
    ({"type": "integer"}, {"minimum": 3}, {"type": ["integer"], "exclusiveMaximum": 3}),
    ({"type": "integer"}, {"maximum": 3}, {"type": ["integer"], "exclusiveMinimum": 3}),
    ({"type": "number"}, {"exclusiveMinimum": 3}, {"type": ["number"], "maximum": 3}),
    ({"type": "number"}, {"exclusiveMaximum": 3}, {"type": ["number"], "minimum": 3}),
    ({"type": "string"}, {"minLength": 3}, {"type": ["string"], "maxLength": 2}),
    ({"type": "string"}, {"maxLength": 3}, {"type": ["string"], "minLength": 4}),
    ({"type": "string", "minLength": 5}, {"maxLength": 3}, {"type": ["string"], "minLength": 5}),
    ({"type": "string", "minLength": 2}, {"maxLength": 3}, {"type": ["string"], "minLength": 4}),
    ({"type": "integer", "maximum": 1}, {"minimum": 3}, {"type": ["integer"], "maximum": 1, "exclusiveMaximum": 3}),
    ({"type": "integer", "maximum": 7}, {"minimum": 3}, {"type": ["integer"], "maximum": 7, "exclusiveMaximum": 3}),
    ({"type": ["array", "null"]}, {"minItems": 1}, {"type": ["array"], "maxItems": 0}),
    ({}, {"maxItems": 1}, {"type": ["array"], "minItems": 2}),
    ({"type": "null"}, {"maxItems": 1}, {"type": "null"}),
    ({"type": "object"}, {"minProperties": 1}, {"type": "object"}),
    ({"type": "object"}, {"maxProperties": 1}, {"type": "object"}),
    ({"type": "string"}, {"pattern": "a"}, {"type": "string"}),
    ({"type": "array"}, {"uniqueItems": True}, {"type": ["array"], "minItems": 2}),
    ({"type": "number"}, {"type": "integer"}, {"const": 0.5}),
    ({"type": "number", "minimum": 1}, {"type": "integer"}, {"const": 1.5}),
    ({"type": "number", "maximum": 0}, {"type": "integer"}, {"const": -0.5}),
    ({"type": "number", "maximum": 1}, {"type": "integer"}, {"const": 0.5}),
    ({"type": "integer"}, {"multipleOf": 3}, {"const": 1}),
    ({"type": "integer", "minimum": 2}, {"multipleOf": 2}, {"const": 3}),
    ({"type": "integer", "maximum": 0}, {"multipleOf": 3}, {"const": -1}),
    ({"type": "integer", "maximum": -5}, {"multipleOf": 5}, {"const": -6}),
    ({"type": "integer", "enum": [2, 4]}, {"multipleOf": 2}, {"type": "integer", "enum": [2, 4]}),
    ({"type": "string"}, {"multipleOf": 2}, {"type": "string"}),
    (False, {"type": "null"}, False),
    ({"type": "null"}, False, {"type": "null"}),
]


@pytest.mark.parametrize(("produced", "rest", "narrowed"), NARROWED, ids=range(len(NARROWED)))
def test_a_schema_is_narrowed_to_what_breaks_one_keyword(produced: Json, rest: Json, narrowed: Json) -> None:
    assert repr(refusing(produced, rest)) == repr(narrowed)


@pytest.mark.parametrize(("produced", "way"), BROKEN)
def test_the_smallest_value_of_the_contrary_is_the_producers_and_breaks_the_keyword(produced: Any, way: Any) -> None:
    value = read_off(refusing(produced, way), {})
    assert compiled(produced, "draft2020-12").is_valid(value)
    assert not compiled(way, "draft2020-12").is_valid(value)


@pytest.mark.parametrize(
    ("produced", "way"),
    [
        ({"type": "number", "multipleOf": 1}, {"type": "integer"}),
        ({"type": "number", "minimum": 3, "maximum": 3}, {"type": "integer"}),
        ({"type": "integer", "minimum": 4, "maximum": 4}, {"multipleOf": 2}),
        ({"type": "string"}, {"minimum": 3}),
    ],
)
def test_where_no_value_is_read_off_the_schema_stays_as_it_is(produced: Any, way: Any) -> None:
    assert refusing(produced, way) is produced


def test_what_is_said_of_a_value_is_what_a_validator_says() -> None:
    said = 0
    for way, value in itertools.product(KEYWORDS, VALUES):
        broken = is_broken(way, value)
        said += broken is not None
        assert broken in (None, not compiled(way, "draft2020-12").is_valid(value)), (way, value)
    assert said > len(KEYWORDS) * len(VALUES) * 0.8


@pytest.mark.parametrize(
    ("way", "value", "broken"),
    [
        ({"maxLength": 1}, "ab", True),
        ({"maxLength": 1}, "a", False),
        ({"maxLength": 1}, 7, False),
        ({"maximum": 1}, 2, True),
        ({"type": "string"}, 1, True),
        ({"type": "integer"}, 1, False),
        # Floats are compared, and found whole, by the validators.
        ({"maximum": 1}, 1.5, None),
        ({"type": "integer"}, 1.0, None),
        ({"minimum": 1, "maximum": 2}, 3, None),
        ({"pattern": "a"}, "b", None),
        (False, 1, None),
    ],
)
def test_what_is_seen_at_a_glance(way: Json, value: Json, broken: bool | None) -> None:
    assert is_broken(way, value) is broken


@pytest.mark.parametrize(
    ("rest", "single"),
    [
        (False, True),
        ({"minimum": 1}, True),
        ({"minimum": 1, "maximum": 2}, False),
        ({"properties": {"a": False}}, False),
        ({"properties": {"a": False}, "minProperties": 2}, False),
    ],
)
def test_one_value_shows_what_one_keyword_refuses(rest: Json, single: bool) -> None:
    assert is_single(rest) is single


def test_keywords_are_broken_one_by_one_the_kind_first() -> None:
    assert ways({"minLength": 2, "type": "string"}) == [{"type": "string"}, {"minLength": 2}]
    assert ways({"items": False, "minItems": 2}) == [{"items": False, "minItems": 2}]


def test_each_keyword_has_its_reason_and_nothing_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    def searched(*_: object) -> Iterator[Any]:
        raise AssertionError("a value that can be read off is searched for")

    monkeypatch.setattr(SchemaPair, "breaking", searched)
    accepted = {"properties": {"a": {"type": "string", "minLength": 2, "maxLength": 9}}}
    verdict = check({"type": "object", "properties": {"a": True}}, accepted)
    assert isinstance(verdict, Incompatible)
    assert {reason.rule for reason in verdict.reasons} == {"type", "minLength", "maxLength"}
