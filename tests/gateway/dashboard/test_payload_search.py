"""Searching payloads by a place in them."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.errors import ConfigurationError
from claude_comm.gateway.dashboard.payload_search import search

ORDER: dict[str, Any] = {
    "total": 120.5,
    "name": "Ann",
    "paid": True,
    "note": None,
    "items": [{"sku": "A-1", "n": 1}, {"sku": "B-2", "n": 30}],
    "odd key": {"a.b": 1},
    "code": "007",
}


@pytest.mark.parametrize(
    "expression",
    [
        "$.total > 100", "$.total <= 120.5", "$.name = Ann", '$.name = "Ann"', "$.name != Bob", "$.items[1].n = 30",
        "$.items[*].sku ~ b-", "$.note", "$.note = null", "$.paid = true", '$["odd key"]["a.b"] = 1', "$.code = 007",
        "$.name > Am", "$", "$.items[*].n >= 30",
    ],
)  # fmt: skip
def test_it_matches(expression: str) -> None:
    assert search(expression)(ORDER)


@pytest.mark.parametrize(
    "expression",
    [
        "$.total > 121", "$.name = ann", "$.items[2]", "$.missing", "$.paid = 1", "$.name > 5", "$.total.x",
        "$.items[*].n > 30",
        "$.missing != 1", "$[0]",
    ],
)  # fmt: skip
def test_it_does_not_match(expression: str) -> None:
    assert not search(expression)(ORDER)


@pytest.mark.parametrize("payload", [None, 3, "text", b"\x00", [], {}, [[1]], {"total": "many"}])
def test_it_is_total(payload: Any) -> None:
    assert not search("$.total > 5")(payload)


@pytest.mark.parametrize("expression", ["", "total", "$.", "$..a", "$[x]", "$.a = ", "$.items[", "> 3"])
def test_what_is_no_search_is_refused_with_the_form(expression: str) -> None:
    with pytest.raises(ConfigurationError, match="write a place"):
        search(expression)
