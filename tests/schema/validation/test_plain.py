"""A schema that is called plain is one that measuring, compiling and normalising have nothing to say about."""

from __future__ import annotations

import copy
import itertools
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claude_comm.schema import check
from claude_comm.schema.containment import sides
from claude_comm.schema.dialect import DEFAULT, URI
from claude_comm.schema.limits import measure
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.document import Document, Unfolded
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.normalform.validator_dialect import MANY_LISTED
from claude_comm.schema.validation.plain import DATA_LEVELS, MAX_DATA, MAX_LAYERS, plain
from claude_comm.schema.validation.precheck import compiles
from claude_comm.schema.validation.validator import compiled
from claude_comm.schema.values import text
from tests.support.schemas.pairs import Maker

SCHEMAS, ODD, PAIRS = 80, 600, 15
CASES = [
    case["sub"]
    for case in map(msgspec.json.decode, (Path(__file__).parents[1] / "cases" / "hand.jsonl").read_bytes().splitlines())
]
# What may stand at any place of a schema, and seldom should.
ODDITIES: list[Any] = [
    *(None, True, False, 0, -1, 1.0, 1.5, 1e-12, 2**31, 2**53 + 1, 2**70, math.nan, math.inf),
    *("", "x", "string", "(", "$id", "\ud800", [], {}, [1, 1], ["a", "a"], ["string", "string"], (1,), {1: 2}),
    *({"$ref": "#/$defs/none"}, {"$ref": "#"}, {"$id": "a"}, {"type": "strange"}, {"if": {}}, {"pattern": "("}),
    *([{}], {"properties": {"$ref": "x"}}, {"const": {"$ref": 5}}, {"unknown": 1}, list(range(40)), b"x", object()),
]


def schemas() -> Iterator[Any]:
    for seed in range(SCHEMAS):
        yield from Maker(random.Random(seed)).pair()
    yield from CASES


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with a key or position in it."""
    for at, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, at
        if isinstance(item, dict | list):
            yield from places(item)


def odd(chance: random.Random, schema: Any) -> Any:
    """A copy with something odd in one place."""
    schema = copy.deepcopy(schema)
    holder, at = chance.choice([*places(schema)])
    if isinstance(holder, dict) and chance.random() < 0.3:
        holder[chance.choice(["$id", "title", "default", "minimum", "properties", "required", 5])] = holder.pop(at)
    else:
        holder[at] = chance.choice(ODDITIES)
    return schema


def is_held(schema: Any) -> bool:
    """Whether a schema is plain, of which everything is true that is said of plain schemas."""
    seen = plain(schema)
    if seen is None:
        return False
    size, known = measure(schema), seen.measured()
    assert seen.text == text(schema)
    # `$schema` at the root says what is so without it; `compiles` leaves every document that has one to the compiler.
    rest = {keyword: value for keyword, value in schema.items() if keyword != "$schema"}
    assert compiles(rest, DEFAULT, measure(rest), text(rest))
    compiled(schema, DEFAULT)
    assert known.nodes >= size.nodes
    assert known.depth >= size.depth
    document, expected = seen.document(msgspec.json.decode(seen.text)), normalise(schema, DEFAULT, size)
    assert text(document.schema) == text(expected.schema)
    assert document.origins == expected.origins
    assert (document.opaque, document.lexical, document.dynamic) == (False, False, False)
    assert set(document.patterns) == set(expected.patterns)
    assert bounds(document.unfolded, expected.unfolded)
    if not expected.dynamic:
        closed_is_held(document, expected)
    return True


def closed_is_held(document: Document, expected: Document) -> None:
    """What is known of the closed form without a look at it is true of it."""
    closed, read = close(document), close(msgspec.structs.replace(expected, size=None))
    assert closed.schema == read.schema
    assert set(closed.patterns) == set(msgspec.structs.replace(closed, size=None).patterns)
    assert bounds(closed.unfolded, read.unfolded)


def bounds(known: Unfolded | None, counted: Unfolded | None) -> bool:
    """Whether what is known of a size without counting is no less than what is counted."""
    if known is None or counted is None:
        return known is counted
    return known.nodes >= counted.nodes and known.depth >= counted.depth


def test_a_plain_schema_is_within_the_caps_compiles_and_is_its_own_normal_form() -> None:
    held = [is_held(schema) for schema in schemas()]
    assert sum(held) > len(held) / 2


def test_a_schema_with_something_odd_in_it_is_plain_only_where_that_is_allowed() -> None:
    chance = random.Random(1)
    every = [schema for schema in schemas() if isinstance(schema, dict) and schema]
    held = [is_held(odd(chance, chance.choice(every))) for _ in range(ODD)]
    assert 0 < sum(held) < len(held) / 2


@pytest.mark.parametrize(
    "schema",
    [
        {"$id": "a", "type": "string"},
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"properties": {"$schema": {"type": "string"}}},
        {"unevaluatedProperties": False},
        {"$ref": "#/$defs/gone", "$defs": {}},
        {"minimum": 2**31},
        {"enum": list(range(40))},
        {"const": math.nan},
        {"pattern": "(?=a)"},
        {"title": "\ud800"},
        {1: 2},
        True,
    ],
)
def test_what_is_more_than_its_own_text_is_not_plain(schema: Any) -> None:
    assert plain(schema) is None


def test_notes_and_references_are_plain() -> None:
    schema = {
        "$schema": URI[DEFAULT],
        "title": "a",
        "properties": {"a": {"$ref": "#/$defs/b", "default": 1}},
        "$defs": {"b": {"type": "integer"}},
    }
    assert is_held(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/b", "$defs": {"a": {}, "b": {"items": {"$ref": "#/$defs/b"}}}},
        {"$ref": "#/$defs/b", "$defs": {"a": {"pattern": "x"}, "b": {"allOf": [{"$ref": "#/$defs/c"}]}, "c": {}}},
        {"items": {"$ref": "#/$defs/b.1"}, "$defs": {"b.1": {"pattern": "y"}}},
        {"items": {"$ref": "#/$defs/b", "$defs": {"c": {}}}, "$defs": {"b": {}}},
        {"const": '"$ref":"#/$defs/b"', "$defs": {"b": {}}},
        {"properties": {"b": {"$ref": "#/$defs/c"}, "a": {"$ref": "#/$defs/b"}}, "$defs": {"a": {}, "b": {}, "c": {}}},
    ],
)
def test_definitions_are_kept_as_normalising_keeps_them(schema: Any) -> None:
    assert is_held(schema)


def test_listed_texts_count_as_data() -> None:
    texts = [f"text {at}" for at in range(MANY_LISTED)]
    few, many = MAX_DATA // (MANY_LISTED + 1), MAX_DATA // (MANY_LISTED + 1) + 1
    assert plain({"allOf": [{"enum": texts}] * few}) is not None
    assert plain({"allOf": [{"enum": texts}] * many}) is None
    assert plain({"enum": ["x", 1, None]}) is not None


def test_what_is_shared_a_million_times_is_left_without_being_written() -> None:
    data: Any = [0] * 30
    for _ in range(5):
        data = [data] * 30
    schema: Any = {}
    for _ in range(40):
        schema = {"allOf": [schema, schema]}
    names = [f"name {at}" for at in range(3_000)]
    assert plain({"const": data}) is None
    assert plain(schema) is None
    assert plain({"anyOf": [{"required": names}] * 1_000}) is None
    assert plain({"anyOf": [{"title": "x" * 30_000}] * 2_000}) is None


def test_verdicts_are_the_same_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [Maker(random.Random(seed)).pair() for seed in range(PAIRS)]

    def verdicts() -> list[Any]:
        sides._kept.cache_clear()
        sides._kept_small.cache_clear()
        return [check(*pair) for pair in pairs]

    with_it = verdicts()
    monkeypatch.setattr(sides, "plain", lambda schema: None)
    assert verdicts() == with_it


def nested(levels: int, wrap: Any, inner: Any) -> Any:
    for _ in range(levels):
        inner = wrap(inner)
    return inner


def in_property(schema: Any) -> Any:
    return {"properties": {"a": schema}}


MANY = [*range(MANY_LISTED)]
NAMES = ["".join(letters) for letters in itertools.product("abcdefghijklmnop", repeat=3)][:4_001]


@pytest.mark.parametrize(
    "schema",
    [
        *({"minimum": bound} for bound in (0, 0.0, 1e-8, -1.5, -1, 2**31 - 1)),
        *({"multipleOf": step} for step in (2, 0.5)),
        *({"minLength": count} for count in (0, 5, 2**31 - 1)),
        *({"enum": values} for values in ([None], [True, "x", 1, 1.5, [1], {"a": 1}], MANY)),
        *({"const": value} for value in (None, MANY, [MANY] * MANY_LISTED)),
        {"const": nested(DATA_LEVELS - 1, lambda value: [value], 1)},
        {"type": ["string", "null"]},
        {"patternProperties": {"^a": {}, "b": {"type": "string"}}},
        {"dependentRequired": {"a": ["b"], "c": []}},
        {"uniqueItems": True, "deprecated": False, "title": ""},
        {"anyOf": [True, False]},
        {"allOf": [{"not": True}] * 900},
        {"required": NAMES[:3_000]},
        nested(MAX_LAYERS - 1, in_property, {"type": "string"}),
        nested(MAX_LAYERS - 1, in_property, {"const": nested(DATA_LEVELS - 1, lambda value: {"a": value}, 1)}),
    ],
)
def test_what_says_no_more_than_its_keywords_is_plain(schema: Any) -> None:
    assert is_held(schema)


@pytest.mark.parametrize(
    "schema",
    [
        *({"minimum": bound} for bound in (1e-10, 2.0**31, -(2**31), "1", True, None)),
        *({"multipleOf": step} for step in (0, 0.0, -1, "2")),
        *({"minLength": count} for count in (-1, 1.0, True, 2**31)),
        *({"enum": values} for values in ([], 5, [*MANY, "x"], [2**31])),
        *({"const": value} for value in ([*MANY, 1], [[[0, 0]] * MANY_LISTED] * MANY_LISTED, {"$x": 1}, (1,))),
        {"const": nested(DATA_LEVELS, lambda value: [value], 1)},
        *({"type": kind} for kind in ([], ["string", "string"], ("string",), "strange", ["string", "strange"], 5)),
        *({"patternProperties": names} for names in ([], {"(": {}}, {"^a": {}, "(?=b)": {}}, {5: {}}, {"^a": 5})),
        *({"required": names} for names in ("a", ["a", "a"], ("a",), ["$a"])),
        *({"dependentRequired": names} for names in ([], {"a": "b"}, {"a": ["b"], "c": ["d", "d"]}, {"$a": []})),
        {"allOf": [{"not": True}] * 1_100},
        {"required": NAMES},
        {"uniqueItems": 1},
        {"deprecated": "no"},
        {"title": 5},
        {"title": "x" * 32_769},
        {"allOf": []},
        {"allOf": {}},
        {"allOf": [5]},
        {"properties": []},
        {"unknown": 1},
        nested(MAX_LAYERS, in_property, {"type": "string"}),
    ],
)
def test_what_asks_for_a_second_look_is_not_plain(schema: Any) -> None:
    assert plain(schema) is None


@pytest.mark.parametrize(
    ("schema", "sure"),
    [
        ({}, True),
        ({"type": "string"}, True),
        ({"type": "strnig"}, False),
        ({"pattern": "^a"}, True),
        ({"pattern": "("}, False),
        ({"pattern": "(?=a)"}, False),
        ({"pattern": "a" * 200}, True),
        ({"pattern": "a" * 201}, False),
        ({"allOf": [{"pattern": "a"}, {"pattern": "("}]}, False),
        ({"patternProperties": {"^a": {}}}, True),
        ({"patternProperties": {"^a": {}, "(": {}}}, False),
        ({"$ref": "#/$defs/a", "$defs": {"a": {}}}, True),
        ({"$ref": "#/$defs/b", "$defs": {"a": {}}}, False),
        ({"$ref": "#"}, False),
        ({"$id": "x"}, False),
        ({"unevaluatedProperties": False}, False),
        ({"minimum": 2**60}, False),
        ({"enum": [*range(40), "x"]}, False),
        ({"enum": [*range(40)]}, True),
    ],
)
def test_whether_a_schema_is_certain_to_compile(schema: Any, sure: bool) -> None:
    assert compiles(schema, DEFAULT, measure(schema), text(schema)) is sure
    assert compiles(schema, "draft7", measure(schema), text(schema)) is False
