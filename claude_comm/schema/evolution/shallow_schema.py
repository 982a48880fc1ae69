"""The plain outline of a schema: what a person sees in it at a glance.

Law: an outline proves nothing. It follows local references and reads through compositions as far as they are simple,
so that proposals can be thought of and changes be listed by place; whatever is claimed about them is proved elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from claude_comm.schema import keywords, pointer
from claude_comm.schema.verdict import Json

KINDS = frozenset(keywords.TYPES)
# References that lead to references; a longer chain is not simple.
MAX_CHAIN = 20
# Far more than an adapter has steps; recursion over many branches would multiply without end.
MAX_LOOKS = 5_000

Later: TypeAlias = "Callable[[], Outline]"


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """`kinds` that may pass, `properties` and `items` on demand (schemas may be recursive), `default` if declared."""

    kinds: frozenset[str] = KINDS
    properties: Mapping[str, Later] = {}
    required: frozenset[str] = frozenset()
    closed: bool = False
    items: Later | None = None
    default: Json = msgspec.UNSET


def outline(schema: Json) -> Outline:
    return _Reader(schema).outline(schema, 0)


class _Reader:
    """Reads one schema, and stops seeing anything in it once it has looked at `MAX_LOOKS` places."""

    def __init__(self, root: Json) -> None:
        self.root, self.looks = root, 0

    def outline(self, schema: Json, chain: int) -> Outline:
        self.looks += 1
        if not isinstance(schema, dict) or chain > MAX_CHAIN or self.looks > MAX_LOOKS:
            return Outline(kinds=frozenset() if schema is False else KINDS)
        found = self.own(schema)
        if isinstance(schema.get("$ref"), str):
            found = _meet(found, self.outline(follow(self.root, schema["$ref"]), chain + 1))
        for part in _list(schema, "allOf"):
            found = _meet(found, self.outline(part, chain + 1))
        for keyword in keywords.UNIONS:
            branches = [self.outline(part, chain + 1) for part in _list(schema, keyword)]
            if branches:
                found = _meet(found, _join(branches))
        return found

    def own(self, schema: dict[str, Json]) -> Outline:
        properties, items = schema.get("properties"), schema.get("items")
        if not isinstance(properties, dict):
            properties = {}
        return Outline(
            kinds=_kinds(schema),
            properties={name: self.later(child) for name, child in properties.items()},
            required=frozenset(name for name in _list(schema, "required") if isinstance(name, str)),
            closed=any(schema.get(keyword) is False for keyword in keywords.FURTHER_PROPERTIES),
            items=self.later(items) if isinstance(items, dict) else None,
            default=schema.get("default", msgspec.UNSET),
        )

    def later(self, schema: Json) -> Later:
        return lambda: self.outline(schema, 0)


def _list(schema: dict[str, Json], keyword: str) -> list[Json]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


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
    try:
        return pointer.follow(root, reference) if reference.startswith("#") else {}
    except LookupError:
        return {}
