"""Schemas of objects, as far as a Struct can be made of them: which alternatives a constant tells apart, and what
several that hold together are as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from claude_comm.registry.contracts import Schema
from claude_comm.schema import keywords
from claude_comm.schema.pointer import follow

ANNOTATIONS = frozenset(keywords.names(lambda row: row.role in ("annotation", "identifier", "definitions")))
# References that lead on to references: one that leads to itself ends here.
_MAX_REFERENCES = 8


def object_of(root: Schema, schema: Any) -> dict[str, Any] | None:
    """The schema of an object with properties that this is, through references within `root`."""
    for _ in range(_MAX_REFERENCES):
        if not isinstance(schema, dict):
            return None
        if "$ref" not in schema:
            break
        reference = schema["$ref"]
        if schema.keys() - {"$ref"} - ANNOTATIONS or not str(reference).startswith("#/"):
            return None
        try:
            schema = follow(root, reference)
        except LookupError:
            return None
    whole = isinstance(schema, dict) and schema.get("type") == "object" and isinstance(schema.get("properties"), dict)
    return schema if whole else None


def tag_of(root: Schema, branches: Sequence[Any]) -> str | None:
    """The property whose constant tells the alternatives apart, where all of them are objects that have it."""
    objects = [object_of(root, branch) for branch in branches]
    if len(objects) < 2 or any(schema is None for schema in objects):
        return None
    for name in (objects[0] or {}).get("required", []):
        values = tag_values(root, branches, name)
        if all(isinstance(value, str) for value in values) and len(set(values)) == len(values):
            return str(name)
    return None


def tag_values(root: Schema, branches: Sequence[Any], name: str) -> list[Any]:
    """For each alternative the only value of that property, or None where it has no such."""
    values = []
    for branch in branches:
        schema = object_of(root, branch) or {}
        held = schema.get("properties", {}).get(name) if name in schema.get("required", []) else None
        listed = held.get("enum", [held.get("const")]) if isinstance(held, dict) else [None]
        values.append(listed[0] if len(listed) == 1 else None)
    return values


def merged(root: Schema, parts: Sequence[Any]) -> dict[str, Any] | None:
    """One object of several that share no property; None where one of them is no object, or says more."""
    whole: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    for part in parts:
        schema = object_of(root, part)
        if schema is None or schema.keys() - {"type", "properties", "required"} - ANNOTATIONS:
            return None
        if schema["properties"].keys() & whole["properties"].keys():
            return None
        whole["properties"] |= schema["properties"]
        whole["required"] += schema.get("required", [])
    return whole
