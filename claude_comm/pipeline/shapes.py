"""Schemas of what is on its way between steps, made from the schemas of the steps.

Law: what is made accepts every message that can be there, so that a proof about it is one about the messages. Schemas
of several dialects are not put into one: that is `Mixed`, and a verdict about it undecided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from claude_comm.errors import ClaudeCommError
from claude_comm.registry.contracts import Schema
from claude_comm.schema import keywords
from claude_comm.schema.dialect import dialect_of
from claude_comm.schema.evolution.shallow_schema import follow
from claude_comm.schema.verdict import Json

# Where embedded schemas stand: an address that nothing can be fetched from (RFC 2606).
_BASE = "https://pipeline.invalid/"
_MAX_CHAIN = 20


class Mixed(ClaudeCommError):
    """Schemas of two dialects, of which one document would have to be made."""


class Fields(msgspec.Struct, frozen=True):
    """The properties that an object's schema names, with their schemas, and those that are always there."""

    properties: Mapping[str, Json]
    required: frozenset[str]


def joined(parts: Mapping[str, Schema], optional: frozenset[str]) -> Schema:
    """An object with what each step returned under its name; `optional` may be missing."""
    _one_dialect(parts.values())
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _embedded(part, name) for name, part in parts.items()},
        "required": [name for name in parts if name not in optional],
        "additionalProperties": False,
    }
    return _of_dialect(schema, parts.values())


def items(schema: Schema) -> Schema:
    """What the items of a list may be; everything where that cannot be read off its schema."""
    root = _inlined(schema) if isinstance(schema, dict) else {}
    if any(keyword in root for keyword in ("$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "enum", "const")):
        return True
    first, rest = root.get("prefixItems", []), root.get("items", True)
    if isinstance(rest, list):
        # As it was written before 2020-12.
        first, rest = rest, root.get("additionalItems", True)
    named = [_item(schema, inner, at) for at, inner in enumerate([*first, rest])]
    return either(named)


def _item(schema: Schema, inner: Json, at: int) -> Schema:
    part = _part(schema, inner, f"item-{at}")
    if isinstance(part, dict):
        return _of_dialect(part, (schema,))
    return part if isinstance(part, bool) else True


def listed(item: Schema, source: Schema | None = None) -> Schema:
    """A list of such items, as long as those of `source` are."""
    bounds = source if isinstance(source, dict) else {}
    schema: dict[str, Any] = {"type": "array", "items": _embedded(item, "item")}
    schema |= {keyword: bounds[keyword] for keyword in ("minItems", "maxItems") if keyword in bounds}
    return _of_dialect(schema, (item,))


def narrowed(schema: Schema, condition: Schema, *, holds: bool = True) -> Schema:
    """What of `schema` fits the condition, or does not."""
    if isinstance(condition, bool):
        return schema if condition is holds else False
    _one_dialect((schema, condition))
    inner = _embedded(condition, "condition")
    whole = {"allOf": [_embedded(schema, "value"), inner if holds else {"not": inner}]}
    return _of_dialect(whole, (schema, condition))


def either(schemas: Iterable[Schema]) -> Schema:
    """What fits one of them."""
    some = [schema for schema in schemas if schema is not False]
    if len(some) <= 1:
        return some[0] if some else False
    _one_dialect(some)
    return _of_dialect({"anyOf": [_embedded(schema, str(at)) for at, schema in enumerate(some)]}, some)


def passed(schema: Schema, source: Schema, names: Iterable[str]) -> tuple[str, ...]:
    """The names of what is handed on: for `*` all that `source` names and an object of `schema` does not."""
    named = dict.fromkeys(names)
    if "*" in named:
        own = fields(schema).properties
        del named["*"]
        named |= dict.fromkeys(name for name in fields(source).properties if name not in own)
    return tuple(named)


def with_fields(schema: Schema, source: Schema, names: Iterable[str]) -> Schema:
    """An object of `schema` that has, beside its own, these properties of `source`."""
    own, theirs = fields(schema), fields(source)
    wanted = list(names)
    added = {name: theirs.properties[name] for name in wanted if name in theirs.properties}
    added = {name: inner for name, inner in added.items() if name not in own.properties}
    if not added or not isinstance(schema, dict):
        return schema
    _one_dialect((schema, source))
    root = _inlined(schema)
    properties = {name: _part(source, inner, name) for name, inner in added.items()}
    required = [*root.get("required", ()), *(name for name in added if name in theirs.required)]
    if "allOf" in root or "anyOf" in root or "oneOf" in root or "$ref" in root:
        beside = {"type": "object", "properties": properties, "required": required}
        return _of_dialect({"allOf": [_embedded(schema, "value"), beside]}, (schema, source))
    return {**root, "properties": {**root.get("properties", {}), **properties}, "required": required}


def fields(schema: Schema) -> Fields:
    """What is seen at a glance, through references and `allOf`; of a union, what all its forms have."""
    return _fields(schema, schema, 0)


def _fields(root: Schema, schema: Json, chain: int) -> Fields:
    if not isinstance(schema, dict) or chain > _MAX_CHAIN:
        return Fields({}, frozenset())
    properties = {name: inner for name, inner in _mapping(schema, "properties").items() if inner is not False}
    required = set(_names(schema))
    if isinstance(schema.get("$ref"), str):
        parts = [_fields(root, follow(root, schema["$ref"]), chain + 1)]
    else:
        parts = []
    parts += [_fields(_root_of(root, part), part, chain + 1) for part in _list(schema, "allOf")]
    for part in parts:
        properties = {**part.properties, **properties}
        required |= part.required
    for keyword in ("anyOf", "oneOf"):
        forms = [_fields(_root_of(root, part), part, chain + 1) for part in _list(schema, keyword)]
        if forms:
            shared = set.intersection(*(set(form.properties) for form in forms))
            alike = {name: {"anyOf": [form.properties[name] for form in forms]} for name in sorted(shared)}
            properties = {**alike, **properties}
            required |= frozenset.intersection(*(form.required for form in forms))
    return Fields(properties, frozenset(required))


def _root_of(root: Json, part: Json) -> Json:
    """What references in a part are relative to: an embedded schema is a document of its own."""
    return part if isinstance(part, dict) and "$id" in part else root


def _part(source: Schema, inner: Json, name: str) -> Json:
    """A part of a schema, with the definitions that it refers to."""
    if not isinstance(inner, dict) or not isinstance(source, dict) or not _refers(inner):
        return inner
    held = {keyword: source[keyword] for keyword in ("$defs", "definitions") if keyword in source}
    return {"$id": f"{_BASE}field/{name}", **held, **inner}


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with what its root refers to in the place of that reference, where it is nothing but one."""
    rest = {name: value for name, value in schema.items() if name != "$ref"}
    if "$ref" not in schema or rest.keys() - {"$defs", "definitions", "$schema", "title", "description"}:
        return schema
    target = follow(schema, schema["$ref"])
    return {**rest, **target} if isinstance(target, dict) and target else schema


def _embedded(schema: Schema, name: str) -> Json:
    """The schema as a document within another, so that its references mean the same."""
    if not isinstance(schema, dict):
        return schema
    inner = {keyword: value for keyword, value in schema.items() if keyword != "$schema"}
    return inner if "$id" in inner or not _refers(inner) else {"$id": f"{_BASE}{name}", **inner}


def _refers(schema: Json) -> bool:
    return any(keywords.REFERENCES & part.keys() for part in keywords.schemas(schema))


def _one_dialect(schemas: Iterable[Schema]) -> None:
    if len(found := {dialect_of(schema) for schema in schemas if isinstance(schema, dict)}) > 1:
        raise Mixed(f"schemas of {' and '.join(sorted(found))} meet here, which one schema cannot hold.")


def _of_dialect(schema: dict[str, Any], parts: Iterable[Schema]) -> Schema:
    named = next((part["$schema"] for part in parts if isinstance(part, dict) and "$schema" in part), None)
    return {"$schema": named, **schema} if named else schema


def _mapping(schema: dict[str, Json], keyword: str) -> dict[str, Json]:
    value = schema.get(keyword)
    return value if isinstance(value, dict) else {}


def _list(schema: dict[str, Json], keyword: str) -> list[Json]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def _names(schema: dict[str, Json]) -> list[str]:
    return [name for name in _list(schema, "required") if isinstance(name, str)]


def part_of(schema: Schema, name: str) -> Schema:
    """The schema of a property, as one by itself; everything where none is named."""
    inner = fields(schema).properties.get(name, True)
    part = _part(schema, inner, name)
    return part if isinstance(part, dict | bool) else True
