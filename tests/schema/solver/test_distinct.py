"""A value for each place, no two of them equal: found exactly where there is such a choice."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from claude_comm.schema.solver.distinct import representatives
from claude_comm.schema.values import key

LISTS: list[list[Any]] = [[], [1], [1, 2], [2, 1.0], [2, 3], [1, 2, 3], [True, 1], [[1], 2]]


@pytest.mark.parametrize("places", range(4))
def test_there_is_a_choice_exactly_where_one_is_found(places: int) -> None:
    for choices in itertools.product(LISTS, repeat=places):
        possible = any(len(set(map(key, chosen))) == places for chosen in itertools.product(*choices))
        found = representatives(choices)
        if not possible:
            assert found is None, choices
        else:
            assert found is not None, choices
            assert len(set(map(key, found))) == places, choices
            assert all(value in listed for value, listed in zip(found, choices, strict=True)), choices
