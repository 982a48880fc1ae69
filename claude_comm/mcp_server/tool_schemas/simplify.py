"""Parts that allow nothing, taken out of a schema without references, as clients expect it: without boolean schemas.

Law: the result allows no more than what came in. A property that may not be there is no longer named, and its object is
closed; an alternative that allows nothing goes; what requires such a thing allows nothing itself.
"""

from __future__ import annotations

from typing import Any

from claude_comm.schema import keywords
from claude_comm.schema.verdict import Json

# Written so where nothing is allowed: some clients read no boolean as a schema.
NOTHING: dict[str, Any] = {"not": {}}
_FLAGS = frozenset(("additionalProperties", "unevaluatedProperties", "additionalItems", "unevaluatedItems"))


def simplified(schema: Json) -> Json:
    """False where it allows nothing."""
    if isinstance(schema, bool):
        return {} if schema else False
    if not isinstance(schema, dict):
        return schema
    whole = {word: _member(word, item) for word, item in schema.items()}
    if any(part is False for part in whole.get("allOf", ())):
        return False
    for word in keywords.UNIONS:
        if word in whole:
            whole[word] = [part for part in whole[word] if part is not False]
            if not whole[word]:
                return False
    return _without_false_members(whole)


def _without_false_members(schema: dict[str, Any]) -> Json:
    properties = schema.get("properties")
    if isinstance(properties, dict) and (gone := [name for name, part in properties.items() if part is False]):
        if set(gone) & set(schema.get("required", ())):
            return False
        schema = {**schema, "properties": {name: part for name, part in properties.items() if part is not False}}
        # Only where nothing else may be named: with other members allowed, this one would be one of them.
        schema["additionalProperties"] = False
    if schema.get("items") is False:
        rest, most = (
            {word: part for word, part in schema.items() if word != "items"},
            len(schema.get("prefixItems", ())),
        )
        schema = {**rest, "maxItems": min(schema.get("maxItems", most), most)}
    return {word: _shown(word, part) for word, part in schema.items()}


def _member(word: str, value: Json) -> Json:
    row = keywords.TABLE.get(word)
    if row is None or row.holds in ("data", "unknown"):
        return value
    if row.holds == "schema":
        if word in _FLAGS and isinstance(value, bool):
            return value
        return [simplified(part) for part in value] if isinstance(value, list) else simplified(value)
    if row.holds == "map" and isinstance(value, dict):
        return {name: simplified(part) for name, part in value.items()}
    return [simplified(part) for part in value] if isinstance(value, list) else value


def _shown(word: str, value: Json) -> Json:
    """A part that allows nothing, in words that every client reads."""
    if word in _FLAGS:
        return value
    row = keywords.TABLE.get(word)
    if row is None or row.holds == "data":
        return value
    if value is False:
        return NOTHING
    if isinstance(value, dict) and row.holds == "map":
        return {name: NOTHING if part is False else part for name, part in value.items()}
    return [NOTHING if part is False else part for part in value] if isinstance(value, list) else value
