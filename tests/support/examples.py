"""How many examples a property is tried with.

Law: `make test` tries a part of them, so that it ends within minutes; `make test-long` sets TEST_EXAMPLES=all and tries
every property (the mark `by_chance`, which a Hypothesis test has by itself) with all of them.
"""

from __future__ import annotations

import os

import pytest

ALL = os.environ.get("TEST_EXAMPLES") == "all"
_DEFAULT = 100
_SHARE, _FEWEST = 4, 20


def examples(number: int = _DEFAULT) -> int:
    """How many of so many examples this run tries."""
    return number if ALL else min(number, max(number // _SHARE, _FEWEST))


def mark_by_chance(items: list[pytest.Item]) -> None:
    """Marks each test of Hypothesis."""
    for item in items:
        if getattr(getattr(item, "function", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.by_chance)
