"""Instances that are read off a schema."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.containment.minimal_instance import MAX_STEPS, NoMinimalInstance, read_off


def record(count: int) -> dict[str, Any]:
    names = [f"p{number}" for number in range(count)]
    return {"type": "object", "properties": {name: {"type": "null"} for name in names}, "required": names}


def test_one_of_few_parts_is_read_off() -> None:
    assert read_off(record(3), {}) == {"p0": None, "p1": None, "p2": None}


def test_one_of_more_parts_than_steps_is_left_to_the_search() -> None:
    with pytest.raises(NoMinimalInstance):
        read_off(record(MAX_STEPS), {})
