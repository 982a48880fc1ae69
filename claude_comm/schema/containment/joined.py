"""The parts of an `allOf` as one schema, where that can be done keyword by keyword.

Law: the values of the joined schema are those of all parts. Where two parts say what one keyword cannot say, there
is no joined schema, and nothing is known. What is joined loosely is only good for guesses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from claude_comm.schema import keywords
from claude_comm.schema.values import identity
from claude_comm.schema.verdict import Json

_Schema = dict[str, Any]


def joined(schema: _Schema) -> _Schema | None:
    """A schema with the parts of its `allOf` in it; None where that is not done keyword by keyword."""
    whole = {keyword: value for keyword, value in schema.items() if keyword != "allOf"}
    for part in schema["allOf"]:
        if part is True:
            continue
        if not isinstance(part, dict):
            return None
        # Keywords that mean something else without their neighbours: all of them in one part, or none.
        if any(not group.isdisjoint(whole) and not group.isdisjoint(part) for group in _NEIGHBOURS):
            return None
        for keyword, value in part.items():
            if keyword not in whole:
                whole[keyword] = value
            elif keyword in _CHOOSE:
                whole[keyword] = _CHOOSE[keyword](whole[keyword], value)
            elif keyword == "required":
                whole[keyword] = [*dict.fromkeys([*whole[keyword], *value])]
            elif keyword == "type":
                whole[keyword] = _both_kinds(whole[keyword], value)
            elif identity(whole[keyword]) != identity(value):
                return None
    return whole


def loosely(parts: Iterable[Json]) -> _Schema:
    """Parts of one object as one schema, property by property; unions and conditions among them are left out."""
    whole: _Schema = {"properties": {}, "required": []}
    for part in parts:
        if not isinstance(part, dict):
            continue
        for name, schema in part.get("properties", {}).items():
            known = whole["properties"].get(name, True)
            both = schema if known is True or known == schema else {"allOf": [known, schema]}
            whole["properties"][name] = known if schema is True else both
        whole["required"] = [*dict.fromkeys([*whole["required"], *part.get("required", ())])]
        if "type" in part:
            whole["type"] = _both_kinds(whole["type"], part["type"]) if "type" in whole else part["type"]
        for keyword in ("patternProperties", "additionalProperties"):
            if keyword in part:
                whole.setdefault(keyword, part[keyword])
        if part.get("unevaluatedProperties") is False:
            whole["additionalProperties"] = False
    return whole


def _both_kinds(left: Json, right: Json) -> list[str]:
    """The kinds that two values of `type` have in common."""
    ours, theirs = (kinds if isinstance(kinds, list) else [kinds] for kinds in (left, right))
    common = [kind for kind in ours if kind in theirs or (kind == "integer" and "number" in theirs)]
    return [*common, *(["integer"] if "integer" in theirs and "number" in ours and "integer" not in common else [])]


_CHOOSE = {**dict.fromkeys(keywords.LOWER_BOUNDS, max), **dict.fromkeys(keywords.UPPER_BOUNDS, min)}
_NEIGHBOURS = (
    frozenset(("properties", "patternProperties", "additionalProperties")),
    frozenset(("items", "prefixItems")),
    *map(frozenset, keywords.TOGETHER),
    keywords.UNEVALUATED,
)
