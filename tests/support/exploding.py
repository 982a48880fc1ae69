"""Schemas whose places are looked at again and again, and messages for them."""

from __future__ import annotations

from typing import Any


def doubling(depth: int, keyword: str) -> dict[str, Any]:
    steps = {f"a{i}": {keyword: [{"$ref": f"#/$defs/a{i + 1}"}, {"$ref": f"#/$defs/a{i + 1}"}]} for i in range(depth)}
    return {"$ref": "#/$defs/a0", "$defs": {**steps, f"a{depth}": {"type": "integer"}}}


def through_properties(depth: int) -> dict[str, Any]:
    """Two ways to each property: a place that is so many levels deep is looked at 2**depth times."""
    steps = {
        f"a{i}": {keyword: [{"properties": {"a": {"$ref": f"#/$defs/a{i + 1}"}}} for _ in range(2)]}
        for i, keyword in enumerate(["allOf", "oneOf"] * (depth // 2))
    }
    return {"$ref": "#/$defs/a0", "$defs": {**steps, f"a{depth}": {"type": "integer"}}}


def returning(ways: int) -> dict[str, Any]:
    """A recursive schema that comes back to itself in so many ways at each level."""
    branches = [{"properties": {"a": {"$ref": "#"}}, "required": [f"b{i}"]} for i in range(ways)]
    return {"anyOf": [*branches, {"type": "integer"}]}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value
