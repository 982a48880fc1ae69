"""The smallest message near one that shows a failure."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.testing.smallest import size, smallest


def lines(message: Any) -> list[Any]:
    """Those of a message that has any."""
    return message.get("lines", []) if isinstance(message, dict) else []


@pytest.mark.parametrize(
    ("message", "shows", "least"),
    [
        ({"a": 61, "b": 40}, lambda m: m.get("a", 0) + m.get("b", 0) > 100, {"a": 92, "b": 9}),
        ([60, 41], lambda m: len(m) == 2 and m[0] + m[1] > 100, [92, 9]),
        ([60, 41], lambda m: len(m) == 2 and m[0] * m[1] > 100, [12, 9]),
        ({"t": "abc", "n": 7}, lambda m: len(m["t"]) > 1, {"t": "aa"}),
    ],
)
def test_nothing_smaller_shows_it(message: Any, shows: Any, least: Any) -> None:
    def safely(tried: Any) -> bool:
        try:
            return bool(shows(tried))
        except (TypeError, KeyError, AttributeError):
            return False

    assert smallest(message, safely) == least


def test_two_numbers_of_a_product_are_traded_until_neither_can_be_less() -> None:
    def shows(message: Any) -> bool:
        return any(line["quantity"] <= 10_000 and line["quantity"] * line["cents"] > 10**9 for line in lines(message))

    def safely(message: Any) -> bool:
        try:
            return shows(message)
        except (TypeError, KeyError):
            return False

    start = {"lines": [{"quantity": 4943, "cents": 202307}]}
    (line,) = smallest(start, safely)["lines"]
    assert line["quantity"] * line["cents"] > 10**9
    assert size({"lines": [line]}) < size(start)
    assert line["quantity"] + line["cents"] < 112_000
