"""Data in a schema that looks like a reference.

Law: tools that resolve a whole document take every object with a text `$ref` for a reference, in `const` and `enum`,
too. There such a value is written as a schema that accepts it and nothing else; where data says nothing of what is
accepted (`default`, `examples`), it becomes JSON text under a name with `x-`. A property of
that name is described by a pattern, which no such tool reads as a reference.
"""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm.schema import keywords
from claude_comm.schema.dialect import Dialect
from claude_comm.schema.verdict import Json


def without_references(schema: dict[str, Json], dialect: Dialect) -> dict[str, Json]:
    """The schema itself, without what stands below, with its data written so that none of it looks like a reference."""
    changed: dict[str, Any] = {}
    exact: list[Json] = []
    for keyword, value in schema.items():
        row = keywords.TABLE.get(keyword)
        if row is None or row.holds != "data" or not _looks_like_reference(value):
            changed[keyword] = value
        elif keyword == "const":
            exact.append(_exactly(value, dialect))
        elif keyword == "enum" and isinstance(value, list):
            exact.append({"anyOf": [_exactly(item, dialect) for item in value]})
        else:
            changed[f"x-{keyword}"] = msgspec.json.encode(value).decode()
    if exact:
        changed["allOf"] = [*changed.get("allOf", []), *exact]
    return _by_pattern(changed)


def _by_pattern(schema: dict[str, Any]) -> dict[str, Any]:
    """The same with a property `$ref` among `patternProperties`, which means the same to every other keyword."""
    properties = schema.get("properties")
    if not isinstance(properties, dict) or "$ref" not in properties:
        return schema
    others = {name: item for name, item in properties.items() if name != "$ref"}
    patterns = {**schema.get("patternProperties", {}), r"^\$ref$": properties["$ref"]}
    return {**schema, "properties": others, "patternProperties": patterns}


def _looks_like_reference(value: Json) -> bool:
    if isinstance(value, dict):
        return isinstance(value.get("$ref"), str) or any(map(_looks_like_reference, value.values()))
    return isinstance(value, list) and any(map(_looks_like_reference, value))


def _exactly(value: Json, dialect: Dialect) -> Json:
    """A schema of this value alone."""
    if not _looks_like_reference(value):
        return {"enum": [value]}
    if isinstance(value, dict):
        return {
            "type": "object",
            "required": list(value),
            "properties": {name: _exactly(item, dialect) for name, item in value.items()},
            "additionalProperties": False,
        }
    word = "prefixItems" if dialect == "draft2020-12" else "items"
    return {
        "type": "array",
        word: [_exactly(item, dialect) for item in value],
        "minItems": len(value),
        "maxItems": len(value),
    }
