"""The forms of a tool's input: objects at the root without `oneOf`, `anyOf` or `allOf` there, as clients take them.

Law: pure proposals; `proved` holds each to the contract. A union whose forms are told apart by the value of one
property becomes one form a branch; any other union, and any `allOf` that cannot be written as one schema, stands below
a condition that always holds, which every client takes and which says exactly the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from claude_comm.mcp_server.tool_schemas.merge import NotMerged, flattened, merged
from claude_comm.schema import keywords
from claude_comm.schema.verdict import Json

# More branches than these are one tool with a condition: a model reads every tool of a list.
MAX_BRANCHES = 8


class ToolForm(msgspec.Struct, frozen=True):
    """One tool's input: `branch` is the value that tells it from the other forms, empty where there is one form.

    `wrapped` says that the message is the member `value` of the arguments, since it is no object by itself.
    """

    schema: dict[str, Any]
    branch: str = ""
    wrapped: bool = False


def forms(schema: Json) -> list[list[ToolForm]]:
    """Ways to write a schema without references, the best first; each is a list of forms that together are one way."""
    if schema is False:
        return []
    if not isinstance(schema, dict) or not schema:
        return [[ToolForm({"type": "object"})]] if schema is True or schema == {} else []
    if not _may_be_object(schema):
        return [[_wrapped(schema)]]
    ways = [_branches(schema), _flat(schema), [_conditional(schema)]]
    return [way for way in ways if way]


def _wrapped(schema: Json) -> ToolForm:
    whole = {"type": "object", "properties": {"value": schema}, "required": ["value"], "additionalProperties": False}
    return ToolForm(whole, wrapped=True)


def _may_be_object(schema: dict[str, Any]) -> bool:
    kinds = schema.get("type", "object")
    if "object" not in ([kinds] if isinstance(kinds, str) else kinds):
        return False
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list) and not any(isinstance(value, dict) for value in values):
        return False
    for union in keywords.UNIONS:
        if union in schema and not any(_may_be_object(part) for part in schema[union] if isinstance(part, dict)):
            return False
    return all(_may_be_object(part) for part in schema.get("allOf", ()) if isinstance(part, dict))


def _flat(schema: dict[str, Any]) -> list[ToolForm]:
    try:
        whole = _object(flattened(schema))
    except NotMerged:
        return []
    return [] if any(word in whole for word in keywords.IN_PLACE_LISTS) else [ToolForm(whole)]


def _branches(schema: dict[str, Any]) -> list[ToolForm]:
    """One form a branch of a tagged union."""
    try:
        whole = flattened(schema)
        parts = list(_parts(whole))
        tag = _tag(parts)
    except NotMerged:
        return []
    if tag is None or not 1 < len(parts) <= MAX_BRANCHES:
        return []
    return [ToolForm(_object(part), branch=str(_tag_value(part, tag))) for part in parts]


def _parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The alternatives of a union with what stands beside it written into each; unions within them are taken apart."""
    unions = [word for word in keywords.UNIONS if word in schema]
    if not unions:
        yield schema
        return
    if len(unions) > 1:
        raise NotMerged("two unions")
    beside = {word: value for word, value in schema.items() if word != unions[0]}
    for part in schema[unions[0]]:
        if isinstance(part, dict) and _may_be_object(part):
            yield from _parts(merged(flattened(part), beside))


def _tag(parts: Sequence[dict[str, Any]]) -> str | None:
    """The property whose value tells the parts apart."""
    for name in parts[0].get("properties", {}) if parts else ():
        values = [_tag_value(part, name) for part in parts]
        if None not in values and len(set(map(repr, values))) == len(values):
            return str(name)
    return None


def _tag_value(part: dict[str, Any], name: str) -> Any:
    held = part.get("properties", {}).get(name)
    if not isinstance(held, dict) or name not in part.get("required", ()):
        return None
    values = [held["const"]] if "const" in held else held.get("enum", [])
    return values[0] if len(values) == 1 and isinstance(values[0], str | int) else None


def _conditional(schema: dict[str, Any]) -> ToolForm:
    """The schema below a condition that every object meets; its properties are named above it, for the reader."""
    whole: dict[str, Any] = {word: schema[word] for word in ("title", "description") if word in schema}
    named = dict.fromkeys(itertools.chain.from_iterable(_property_names(schema)))
    hints = {name: _hint(schema, name) for name in named}
    return ToolForm({**whole, "type": "object", "properties": hints, "if": {"type": "object"}, "then": schema})


def _property_names(schema: Json) -> Iterator[list[str]]:
    if isinstance(schema, dict):
        yield list(schema.get("properties", {}))
        for word in keywords.IN_PLACE_LISTS:
            for part in schema.get(word, ()):
                yield from _property_names(part)


def _hint(schema: Json, name: str) -> dict[str, Any]:
    """The schema of a property where all parts that name it say the same; else one that says nothing."""
    held = [part for part in _held(schema, name) if isinstance(part, dict)]
    first = held[0] if held else {}
    return first if all(part == first for part in held) and _names_everywhere(schema, name) else {}


def _held(schema: Json, name: str) -> Iterator[Json]:
    if isinstance(schema, dict):
        if name in schema.get("properties", {}):
            yield schema["properties"][name]
        for word in keywords.IN_PLACE_LISTS:
            for part in schema.get(word, ()):
                yield from _held(part, name)


def _names_everywhere(schema: Json, name: str) -> bool:
    """Whether no alternative leaves the property free."""
    if not isinstance(schema, dict):
        return False
    if name in schema.get("properties", {}) or any(_names_everywhere(part, name) for part in schema.get("allOf", ())):
        return True
    unions = [schema[word] for word in keywords.UNIONS if word in schema]
    return bool(unions) and all(_names_everywhere(part, name) for part in unions[0])


def _object(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema for objects alone, its `type` first."""
    rest = {word: value for word, value in schema.items() if word != "type"}
    return {"type": "object", **rest}
