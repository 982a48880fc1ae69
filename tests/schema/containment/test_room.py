"""Whether a schema plainly leaves a value: certainly, or else not seen."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.containment.room import Room

A_ONCE = {"type": "string", "pattern": "^a$"}


@pytest.mark.parametrize(
    ("schema", "leaves"),
    [
        (True, True),
        (False, False),
        (A_ONCE, True),
        ({**A_ONCE, "minLength": 1}, True),
        ({**A_ONCE, "minLength": 2}, False),
        ({**A_ONCE, "maxLength": 0}, False),
        ({"type": "string", "pattern": "^a(?!.*)a$"}, False),
        ({"type": "string", "pattern": "("}, False),
        ({"type": "string", "minLength": 2, "maxLength": 2}, True),
        ({"type": "string", "minLength": 3, "maxLength": 2}, False),
    ],
    ids=str,
)
def test_a_text_is_seen_where_one_of_that_length_matches(schema: Any, leaves: bool) -> None:
    assert Room({}).leaves(schema) is leaves
