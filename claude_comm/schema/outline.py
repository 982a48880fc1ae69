"""The plain outline of a schema: what a person sees in it at a glance.

Law: an outline proves nothing. It follows local references and reads through compositions as far as they are simple,
so that proposals can be thought of and changes be listed by place; whatever is claimed about them is proved elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import unquote

import msgspec

from claude_comm.schema.verdict import Json

KINDS = frozenset(("null", "boolean", "integer", "number", "string", "array", "object"))
# References that lead to references; a longer chain is not simple.
MAX_CHAIN = 20

Later: TypeAlias = "Callable[[], Outline]"


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """`kinds` that may pass, `properties` and `items` on demand (schemas may be recursive), `default` if declared."""

    kinds: frozenset[str] = KINDS
    properties: Mapping[str, Later] = {}
    required: frozenset[str] = frozenset()
    closed: bool = False
    items: Later | None = None
    default: Json = msgspec.UNSET


def outline(schema: Json, root: Json = None) -> Outline:
    return _outline(schema, schema if root is None else root, 0)


def _outline(schema: Json, root: Json, chain: int) -> Outline:
    if not isinstance(schema, dict) or chain > MAX_CHAIN:
        return Outline(kinds=frozenset() if schema is False else KINDS)
    found = _own(schema, root)
    if isinstance(schema.get("$ref"), str):
        found = _meet(found, _outline(follow(root, schema["$ref"]), root, chain + 1))
    for part in _list(schema, "allOf"):
        found = _meet(found, _outline(part, root, chain + 1))
    for keyword in ("anyOf", "oneOf"):
        branches = [_outline(part, root, chain + 1) for part in _list(schema, keyword)]
        if branches:
            found = _meet(found, _join(branches))
    return found


def _list(schema: dict[str, Json], keyword: str) -> list[Json]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def _own(schema: dict[str, Json], root: Json) -> Outline:
    properties, items = schema.get("properties"), schema.get("items")
    required = schema.get("required")
    return Outline(
        kinds=_kinds(schema),
        properties={
            name: _later(child, root) for name, child in (properties if isinstance(properties, dict) else {}).items()
        },
        required=frozenset(name for name in required if isinstance(name, str))
        if isinstance(required, list)
        else frozenset(),
        closed=schema.get("additionalProperties") is False or schema.get("unevaluatedProperties") is False,
        items=_later(items, root) if isinstance(items, dict) else None,
        default=schema.get("default", msgspec.UNSET),
    )


def _later(schema: Json, root: Json) -> Later:
    return lambda: _outline(schema, root, 0)


def _kinds(schema: dict[str, Json]) -> frozenset[str]:
    kinds = schema.get("type", list(KINDS))
    found = frozenset([kinds] if isinstance(kinds, str) else kinds)
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list):
        found &= frozenset(kind for value in values for kind in _kinds_of(value))
    return found


def _kinds_of(value: Json) -> tuple[str, ...]:
    match value:
        case None:
            return ("null",)
        case bool():
            return ("boolean",)
        case int():
            return "integer", "number"
        case float():
            return ("number", "integer") if value.is_integer() else ("number",)
        case str():
            return ("string",)
        case list():
            return ("array",)
        case _:
            return ("object",)


def _meet(left: Outline, right: Outline) -> Outline:
    return Outline(
        kinds=left.kinds & right.kinds,
        properties={**right.properties, **left.properties},
        required=left.required | right.required,
        closed=left.closed or right.closed,
        items=left.items or right.items,
        default=right.default if left.default is msgspec.UNSET else left.default,
    )


def _join(branches: list[Outline]) -> Outline:
    """A union: when only one branch describes objects or arrays, its description is that of the whole."""
    kinds = frozenset[str]().union(*(branch.kinds for branch in branches))
    objects = [branch for branch in branches if "object" in branch.kinds]
    arrays = [branch for branch in branches if "array" in branch.kinds]
    only = objects[0] if len(objects) == 1 else Outline()
    return Outline(
        kinds=kinds,
        properties=only.properties,
        required=only.required,
        closed=only.closed,
        items=arrays[0].items if len(arrays) == 1 else None,
    )


def follow(root: Json, reference: str) -> Json:
    """What a local reference points at; `{}` for one that is not local or leads nowhere."""
    value = root
    if not reference.startswith("#"):
        return {}
    for part in unquote(reference[1:]).split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return {}
    return value
