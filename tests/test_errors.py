"""The words of errors."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.errors import shown


class Nameless:
    def __repr__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "'a'"), ("x" * 90, f"'{'x' * 76}..."), (10**5_000, "a int"), (Nameless(), "a Nameless")],
    ids=["short", "long", "of too many digits", "without words of its own"],
)
def test_every_value_has_a_short_text(value: Any, text: str) -> None:
    assert shown(value) == text
