"""Equality of JSON values, told in two ways: keys that can be read back, and bytes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from claude_comm.schema.values import identity, key

LEAVES: list[Any] = [
    *(None, True, False, 0, 0.0, -0.0, 1, 1.0, -1, -1.0, 203, 203.0, 0.5, -0.5, 1e23, 10**23, 1e300),
    *(2**53, 2.0**53, 2**53 + 1, 2**63, 2.0**63, 2**64, 2.0**64, -(2**63), -(2**63) - 1, -(2.0**63)),
    *("", "0", "1", "1.0", "null", "\xcb", "˙", "\ud800", "\\ud800", "\udfff"),
]
AROUND: list[Callable[[Any], Any]] = [
    lambda leaf: leaf,
    lambda leaf: [leaf, "˙"],
    lambda leaf: {"a": leaf, "b": 1.0},
    lambda leaf: {"b": 1, "a": leaf},
    lambda leaf: {"\ud800": [leaf]},
]


@pytest.mark.parametrize("around", AROUND)
def test_two_values_have_the_same_identity_exactly_when_they_have_the_same_key(around: Callable[[Any], Any]) -> None:
    """Numbers by what their text denotes, beside whatever needs another encoding; objects in any order."""
    values = [around(leaf) for leaf in LEAVES] + [other(leaf) for other in AROUND for leaf in LEAVES]
    for left, right in itertools.product(values[: len(LEAVES)], values):
        assert (identity(left) == identity(right)) is (key(left) == key(right)), (left, right)
