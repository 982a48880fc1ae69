"""Messages are held against schemas made to explode as soon as against others, and in bounded memory."""

from __future__ import annotations

import random
from typing import Any

import pytest

from claude_comm.schema import check
from claude_comm.schema.cost.path_growth import path_growth
from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.validation.memoized import accepts, is_json
from claude_comm.schema.validation.validator import compile_validator, compiled
from tests.support.clocks import processor
from tests.support.exploding import doubling, nested, returning, through_properties
from tests.support.schemas.pairs import Maker, message

BUDGET_MS = 500
# The slowest of the messages below takes about this.
LONGEST_MS = 1_500


HOSTILE: dict[str, tuple[Any, Any, bool]] = {
    "all of two": (doubling(40, "allOf"), 1, True),
    "any of two": (doubling(40, "anyOf"), "x", False),
    "one of two": (doubling(40, "oneOf"), 1, False),
    "through properties": (through_properties(40), nested(40), False),
    "returning": (returning(3), nested(24), False),
    "a long list of wrong words": ({"items": {"enum": [str(i) for i in range(5_000)]}}, ["x"] * 20_000, False),
    "a long list of wrong objects": ({"items": {"enum": [{"a": i} for i in range(2_000)]}}, [{"a": -1}] * 5_000, False),
    "many forms of a long text": (
        {"anyOf": [{"minimum": i, "type": "integer"} for i in range(5_000)]},
        "x" * 10**6,
        False,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_validating_ends_soon_and_in_little_memory(name: str) -> None:
    resource = pytest.importorskip("resource")
    schema, instance, fits = HOSTILE[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with processor(LONGEST_MS):
        validator = compile_validator(schema)
        assert validator.accepts(instance) is fits
        assert bool(validator.validate(instance)) is not fits
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 * 1024


@pytest.mark.usefixtures("timed")
@pytest.mark.parametrize("name", HOSTILE)
def test_reasons_are_had_soon_as_well(name: str) -> None:
    schema, instance, _ = HOSTILE[name]
    below = {key: value for key, value in schema.items() if key != "$defs"}
    whole = {"properties": {"p": below}, "$defs": schema.get("$defs", {})}
    with processor(2 * BUDGET_MS):
        check({"const": instance}, schema, policy="strict", budget_ms=BUDGET_MS)
        check({"properties": {"p": {"enum": [instance, 1.5]}}}, whole, budget_ms=BUDGET_MS)


@pytest.mark.parametrize(
    ("schema", "ways"),
    [
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}, 1),
        ({"type": "array", "items": {"$ref": "#"}}, 1),
        ({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}, 1),
        (returning(3), 3),
        ({"items": {"$ref": "#"}, "contains": {"$ref": "#"}}, 2),
        ({"properties": {"a": {"$ref": "#"}}, "additionalProperties": {"$ref": "#"}}, 2),
    ],
)
def test_only_a_recursion_that_comes_back_twice_to_one_place_branches(schema: Any, ways: int) -> None:
    found = path_growth(normalise(schema, DEFAULT))
    assert found.ways == ways
    assert found.visits < 50


def test_a_place_behind_so_many_paths_is_looked_at_so_often() -> None:
    assert path_growth(normalise(doubling(8, "anyOf"), DEFAULT)).visits >= 2**8
    assert path_growth(normalise(through_properties(8), DEFAULT)).visits >= 2**8


def test_what_remembers_says_the_same_as_what_does_not() -> None:
    said = 0
    for index in range(300):
        chance = random.Random(index)
        schema, _ = Maker(chance).pair()
        document, plain = normalise(schema, DEFAULT), compiled(schema, DEFAULT)
        for _ in range(10):
            value = message(chance)
            found = accepts(document, value)
            assert found is None or found == plain.is_valid(value), (schema, value)
            said += found is not None
    assert said > 2_900


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1: 2}, {"\udfff": 1}, [object()], {1}])
def test_what_is_not_json_is_not_allowed_by_a_schema_that_explodes(value: Any) -> None:
    assert not is_json(value)
    assert not compile_validator(doubling(40, "anyOf")).accepts(value)
    assert compile_validator(doubling(40, "anyOf")).validate(value)
    assert is_json([None, True, 1, 0.5, "é", {"a": ({},)}])
