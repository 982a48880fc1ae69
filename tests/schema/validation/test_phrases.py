"""What is needed, in words."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.validation.phrases import contained_need


@pytest.mark.parametrize(
    ("rule", "schema", "amount"),
    [
        ("minContains", {"minContains": 2}, "at least 2 items"),
        ("maxContains", {"maxContains": 2}, "1 to 2 items"),
        ("maxContains", {"maxContains": 1}, "exactly 1 item"),
        ("maxContains", {"maxContains": 2, "minContains": 0}, "at most 2 items"),
    ],
)
def test_how_many_items_are_needed(rule: str, schema: Any, amount: str) -> None:
    assert contained_need(rule, schema) == f"{amount} of the kind that `contains` describes"


@pytest.mark.parametrize("schema", [True, {"contains": True}])
def test_a_schema_that_counts_nothing_needs_no_number(schema: Any) -> None:
    assert contained_need("minContains", schema) == ""
