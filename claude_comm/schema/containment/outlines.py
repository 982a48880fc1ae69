"""What can be seen of a schema from outside: kinds, listed values, tags; and whether two can have a value in common.

Law: an outline is true of every value of its schema, so that `apart` is a proof: no value is in both schemas. What is
not understood adds nothing to an outline. What stands under `allOf` or behind a reference counts as the schema's own.

Example: `{"type": "object", "properties": {"op": {"const": "+"}}, "required": ["op"]}` has the kind object, needs the
member `op` and lists its values. It is apart from every outline that lists other values for `op`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from claude_comm.schema import keywords
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.values import Key, key
from claude_comm.schema.verdict import Json

# Parts of parts; what stands deeper is left out.
MAX_LEVELS = 12
# Longer lists are no tags.
MAX_LISTED = 1_000

# A member of an object by its name, or the first item of an array.
Member: TypeAlias = str | int


class Outline(msgspec.Struct, frozen=True):
    """Kinds of value; the values, where they are listed; members that must be there, and values listed for members.

    `names`: no object has other members than these; None: it may.
    """

    kinds: frozenset[str] = frozenset(keywords.KINDS)
    values: frozenset[Key] | None = None
    needed: frozenset[Member] = frozenset()
    tags: Mapping[Member, frozenset[Key]] = {}
    names: frozenset[str] | None = None


def apart(left: Outline, right: Outline) -> bool:
    """Whether no value is in both."""
    common = left.kinds & right.kinds
    if not common:
        return True
    if left.values is not None and right.values is not None:
        return left.values.isdisjoint(right.values)
    if len(common) > 1:
        return False
    if common == {"object"}:
        return _tagged_apart(left, right, str) or _lacks(left, right) or _lacks(right, left)
    return common == {"array"} and _tagged_apart(left, right, int)


def _tagged_apart(left: Outline, right: Outline, member: type[Member]) -> bool:
    """Whether a member that must be there has its values listed on both sides, and none in common."""
    return any(
        tag in right.tags and values.isdisjoint(right.tags[tag])
        for tag, values in left.tags.items()
        if isinstance(tag, member) and (tag in left.needed or tag in right.needed)
    )


def _lacks(left: Outline, right: Outline) -> bool:
    """Whether the right side needs a member that no object of the left one has."""
    return left.names is not None and not {name for name in right.needed if isinstance(name, str)} <= left.names


class Outlines:
    """The outlines of the schemas of one document, each made when first asked for."""

    def __init__(self, definitions: Mapping[str, Json]) -> None:
        self.definitions = definitions
        self._made: dict[int, tuple[Json, Outline]] = {}

    def of(self, schema: Json, level: int = 0) -> Outline:
        """The outline of a schema."""
        if not isinstance(schema, dict) or level > MAX_LEVELS:
            return Outline() if schema is not False else Outline(kinds=frozenset())
        # The schema is kept beside it, so that its id stays its own.
        kept = self._made.get(id(schema))
        if kept is None:
            outline = _own(schema)
            for part in self._parts(schema):
                outline = _joined(outline, self.of(part, level + 1))
            kept = self._made[id(schema)] = (schema, self._of_forms(schema, outline, level))
        return kept[1]

    def _parts(self, schema: dict[str, Any]) -> Iterator[Json]:
        """What every value of the schema is a value of as well."""
        yield from schema.get("allOf", ())
        if "$ref" in schema:
            yield self.definitions[definition_name(schema["$ref"])]

    def _of_forms(self, schema: dict[str, Any], outline: Outline, level: int) -> Outline:
        """The kinds that some form of a union has."""
        for keyword in keywords.UNIONS:
            if keyword in schema:
                kinds = frozenset[str]().union(*(self.of(form, level + 1).kinds for form in schema[keyword]))
                outline = msgspec.structs.replace(outline, kinds=outline.kinds & kinds)
        return outline


def _own(schema: dict[str, Any]) -> Outline:
    """The outline of a schema by its own keywords."""
    values = listed(schema)
    kinds = frozenset(keywords.KINDS) if "type" not in schema else _kinds(schema["type"])
    properties = schema.get("properties", {})
    tags: dict[Member, frozenset[Key]] = {}
    for name, member in _members(schema):
        inner = listed(member)
        if inner is not None:
            tags[name] = inner
    closed = schema.get("additionalProperties") is False and not schema.get("patternProperties")
    return Outline(
        kinds=kinds if values is None else kinds & {_KINDS[value[0]] for value in values},
        values=values,
        needed=frozenset([*schema.get("required", ()), *([0] if schema.get("minItems", 0) > 0 else ())]),
        tags=tags,
        names=frozenset(properties) if closed else None,
    )


def _members(schema: dict[str, Any]) -> Iterator[tuple[Member, Json]]:
    yield from schema.get("properties", {}).items()
    if schema.get("prefixItems"):
        yield 0, schema["prefixItems"][0]


def _joined(left: Outline, right: Outline) -> Outline:
    """The outline of what is in both."""
    tags = {**left.tags}
    for name, values in right.tags.items():
        tags[name] = tags.get(name, values) & values
    return Outline(
        kinds=left.kinds & right.kinds,
        values=_both(left.values, right.values),
        needed=left.needed | right.needed,
        tags=tags,
        names=_both(left.names, right.names),
    )


def _both(left: frozenset[Any] | None, right: frozenset[Any] | None) -> frozenset[Any] | None:
    if left is None or right is None:
        return left if right is None else right
    return left & right


def listed(schema: Json) -> frozenset[Key] | None:
    """The values of a `const` or an `enum`; None where there is none, or a long one."""
    if not isinstance(schema, dict):
        return None
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return frozenset(map(key, values)) if values is not None and len(values) <= MAX_LISTED else None


def _kinds(kinds: Json) -> frozenset[str]:
    return frozenset("number" if kind == "integer" else kind for kind in ([kinds] if isinstance(kinds, str) else kinds))


# By the first part of a key.
_KINDS = {"z": "null", "b": "boolean", "s": "string", "o": "object", "a": "array", "n": "number"}
