"""A schema that accepts every payload of a shape.

Law: an over-approximation, as the facts are. So a proof that the schema fits is one that all these payloads do; that it
does not says nothing about any of them.
"""

from __future__ import annotations

from typing import Any

from claude_comm.impact.observed import UNKNOWN, PathFacts, TypeFacts
from claude_comm.registry.contracts import Schema
from claude_comm.schema.keywords import RANGES

_SCALARS = ("boolean", "integer", "number", "string")


def schema_of(facts: PathFacts) -> Schema:
    """The schema of what was observed at one path; everything, where something unknown was there."""
    if UNKNOWN in facts.types:
        return True
    branches = [_of_type(name, of) for name, of in sorted(facts.types.items())]
    return branches[0] if len(branches) == 1 else {"anyOf": branches} if branches else False


def _of_type(name: str, of: TypeFacts) -> dict[str, Any]:
    if name in _SCALARS and of.distinct:
        return {"enum": of.distinct}
    schema: dict[str, Any] = {"type": name}
    if name in RANGES and of.low is not None and of.high is not None:
        schema |= dict(zip(RANGES[name], (of.low, of.high), strict=True))
    if name == "array":
        return schema | {"items": schema_of(of.items) if of.items is not None else False}
    if name == "object":
        # How many there are says nothing that the names do not, but in a map.
        counts = schema if of.is_map else {"type": name}
        return counts | _properties(of)
    return schema


def _properties(of: TypeFacts) -> dict[str, Any]:
    required = [name for name, inner in of.properties.items() if inner.count == of.count]
    schema: dict[str, Any] = {
        "properties": {name: schema_of(inner) for name, inner in of.properties.items()},
        "additionalProperties": schema_of(of.rest) if of.rest is not None else False,
    }
    return schema | {"required": sorted(required)} if required else schema
