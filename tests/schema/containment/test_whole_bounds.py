"""Whole numbers between whole bounds, read off: the same as by fractions."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from claude_comm.schema.containment.minimal_instance import NoMinimalInstance, read_off
from claude_comm.schema.containment.room import Room
from claude_comm.schema.containment.whole_bounds import whole_bounds
from claude_comm.schema.keywords import NUMBER_BOUNDS

LIMITS = (None, -2, 0, 1)
SCHEMAS = [
    {"type": "integer", **{name: limit for name, limit in zip(NUMBER_BOUNDS, limits, strict=True) if limit is not None}}
    for limits in itertools.product(LIMITS, repeat=4)
]
HOLDS = {
    "minimum": lambda number, limit: number >= limit,
    "exclusiveMinimum": lambda number, limit: number > limit,
    "maximum": lambda number, limit: number <= limit,
    "exclusiveMaximum": lambda number, limit: number < limit,
}


def numbers(schema: dict[str, Any]) -> list[int]:
    """Those of a few whole numbers that every bound takes."""
    return [
        number for number in range(-9, 10) if all(HOLDS[name](number, schema[name]) for name in HOLDS & schema.keys())
    ]


def test_the_bounds_and_the_number_next_to_zero_are_those_that_trying_finds() -> None:
    for schema in SCHEMAS:
        bounds, within = whole_bounds(schema), numbers(schema)
        assert bounds is not None
        assert [number for number in range(-9, 10) if bounds[0] <= number <= bounds[1]] == within, schema
        assert Room({}).leaves(schema) is bool(within)
        if within:
            assert read_off(schema, {}) == min(within, key=abs), schema
        else:
            with pytest.raises(NoMinimalInstance):
                read_off(schema, {})


@pytest.mark.parametrize("schema", [{"minimum": 0.5}, {"maximum": 1.0}, {"minimum": 1, "multipleOf": 2}])
def test_other_bounds_are_left_to_fractions(schema: dict[str, Any]) -> None:
    assert whole_bounds(schema) is None


def test_without_a_bound_there_is_no_end() -> None:
    assert whole_bounds({"minimum": 3}) == (3, math.inf)
