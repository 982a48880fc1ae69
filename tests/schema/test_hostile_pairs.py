"""Schemas made to explode are answered by adapt and diff as well: soon, and by nothing but a `SchemaError`."""

from __future__ import annotations

import time
from typing import Any

import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema.evolution.adapt import adapt
from claude_comm.schema.evolution.diff import diff
from tests.support.clocks import processor

BUDGET_MS = 1_000


def bush(width: int) -> dict[str, Any]:
    """Every node has `width` children, each described by the node itself."""
    node = {"type": "object", "properties": {f"c{i}": {"$ref": "#/$defs/n"} for i in range(width)}}
    return {"$ref": "#/$defs/n", "$defs": {"n": node}}


def doubling(depth: int, leaf: Any) -> dict[str, Any]:
    """Each definition names the next one twice: written out it would be 2**depth leaves."""
    steps = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}, {"$ref": f"#/$defs/d{i + 1}"}]} for i in range(depth)}
    return {"$ref": "#/$defs/d0", "$defs": {**steps, f"d{depth}": leaf}}


def circle() -> dict[str, Any]:
    return {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}}}


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


def wide(count: int, kind: str) -> dict[str, Any]:
    return {"type": "object", "properties": {f"p{i}": {"type": kind} for i in range(count)}}


PAIRS = {
    "bushes": (bush(12), bush(13)),
    "doubling": (doubling(40, {"type": "integer"}), doubling(40, {"type": "string"})),
    "doubling objects": (
        doubling(30, {"properties": {"a": True}}),
        {"properties": {"b": {"type": "string"}}, "required": ["b"]},
    ),
    "circles": (circle(), bush(3)),
    "deep": (deep(40), deep(41)),
    "too deep": (deep(5_000), deep(3)),
    "wide": (wide(400, "integer"), wide(400, "string")),
    "evil pattern": ({"pattern": "^((a|b)*a(a|b){30})+$"}, {"pattern": "^((a|b)*b(a|b){30})+$"}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_adapt_and_diff_end_within_their_budget(name: str) -> None:
    """No exception but `SchemaError`, and not beyond the time that was allowed."""
    policy = "strict" if "doubling" in name else "closed-producer"
    for question in (adapt, diff):
        with processor(BUDGET_MS, name):
            try:
                question(*PAIRS[name], budget_ms=BUDGET_MS, clock=time.monotonic, policy=policy)  # type: ignore[operator]
            except SchemaError:
                assert name == "too deep"
