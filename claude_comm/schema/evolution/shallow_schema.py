"""A shallow reading of a schema: the properties, items and kinds that a person sees in it at a glance.

Law: a shallow reading proves nothing. It follows local references and reads through compositions as far as they are
simple, so that proposals can be thought of and changes be listed by place; whatever is claimed about them is proved
elsewhere.
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
MAX_VISITS = 5_000

Lazy: TypeAlias = "Callable[[], ShallowSchema]"


class ShallowSchema(msgspec.Struct, frozen=True, kw_only=True):
    """`kinds` that may pass, `properties` and `items` on demand (schemas may be recursive), `default` if declared."""

    kinds: frozenset[str] = KINDS
    properties: Mapping[str, Lazy] = {}
    required: frozenset[str] = frozenset()
    closed: bool = False
    items: Lazy | None = None
    default: Json = msgspec.UNSET


def shallow(schema: Json) -> ShallowSchema:
    return _Reader(schema).shallow(schema, 0)


class _Reader:
    """Reads one schema, and stops seeing anything in it once it has looked at `MAX_VISITS` places."""

    def __init__(self, root: Json) -> None:
        self.root, self.visits = root, 0

    def shallow(self, schema: Json, chain: int) -> ShallowSchema:
        self.visits += 1
        if not isinstance(schema, dict) or chain > MAX_CHAIN or self.visits > MAX_VISITS:
            return ShallowSchema(kinds=frozenset() if schema is False else KINDS)
        reading = self.own(schema)
        if isinstance(schema.get("$ref"), str):
            reading = _meet(reading, self.shallow(follow(self.root, schema["$ref"]), chain + 1))
        for part in _list(schema, "allOf"):
            reading = _meet(reading, self.shallow(part, chain + 1))
        for keyword in keywords.UNIONS:
            branches = [self.shallow(part, chain + 1) for part in _list(schema, keyword)]
            if branches:
                reading = _meet(reading, _join(branches))
        return reading

    def own(self, schema: dict[str, Json]) -> ShallowSchema:
        properties, items = schema.get("properties"), schema.get("items")
        if not isinstance(properties, dict):
            properties = {}
        return ShallowSchema(
            kinds=_kinds(schema),
            properties={name: self.later(child) for name, child in properties.items()},
            required=frozenset(name for name in _list(schema, "required") if isinstance(name, str)),
            closed=any(schema.get(keyword) is False for keyword in keywords.FURTHER_PROPERTIES),
            items=self.later(items) if isinstance(items, dict) else None,
            default=schema.get("default", msgspec.UNSET),
        )

    def later(self, schema: Json) -> Lazy:
        return lambda: self.shallow(schema, 0)


def _list(schema: dict[str, Json], keyword: str) -> list[Json]:
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def _kinds(schema: dict[str, Json]) -> frozenset[str]:
    kinds = schema.get("type", list(KINDS))
    names = frozenset([kinds] if isinstance(kinds, str) else kinds)
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list):
        names &= frozenset(kind for value in values for kind in _kinds_of(value))
    return names


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


def _meet(left: ShallowSchema, right: ShallowSchema) -> ShallowSchema:
    return ShallowSchema(
        kinds=left.kinds & right.kinds,
        properties={**right.properties, **left.properties},
        required=left.required | right.required,
        closed=left.closed or right.closed,
        items=left.items or right.items,
        default=right.default if left.default is msgspec.UNSET else left.default,
    )


def _join(branches: list[ShallowSchema]) -> ShallowSchema:
    """A union: when only one branch describes objects or arrays, its description is that of the whole."""
    kinds = frozenset[str]().union(*(branch.kinds for branch in branches))
    objects = [branch for branch in branches if "object" in branch.kinds]
    arrays = [branch for branch in branches if "array" in branch.kinds]
    only = objects[0] if len(objects) == 1 else ShallowSchema()
    return ShallowSchema(
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
