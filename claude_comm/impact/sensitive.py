"""Which parts of a payload its contract marks as sensitive (`x-sensitive: true`), and payloads without them.

Law: what is marked, and all below it, is hidden. A mark holds wherever the schema may put it: behind references, in any
branch of a union, on the items of an array or on the values of a map. Where nothing is known of the marks, everything
is hidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeAlias

import msgspec

from claude_comm.schema.keywords import FURTHER_PROPERTIES, IN_PLACE_LISTS, REFERENCES, names
from claude_comm.schema.verdict import Json

MARK = "x-sensitive"
HIDDEN = "[sensitive]"
_ITEM, _ANY_NAME = "[]", "*"
# A schema of more is not walked through to its end.
_MAX_DEPTH, _MAX_PLACES = 32, 1_000
_Path: TypeAlias = tuple[str, ...]

_HERE_ALONE = names(lambda row: row.applies == "in place" and row.holds == "schema")
_ITEMS = names(lambda row: row.about == "array" and row.applies == "members")


class Marks(msgspec.Struct, frozen=True):
    """The places that are marked; `everything` where the marks are not known."""

    places: frozenset[_Path] = frozenset()
    everything: bool = False

    def hides(self, at: _Path) -> bool:
        """Whether what stands at this path may not be kept."""
        if self.everything or not self.places:
            return self.everything
        return any(len(place) <= len(at) and all(map(_covers, place, at)) for place in self.places)


NOTHING = Marks()
EVERYTHING = Marks(everything=True)


def marks(*schemas: Json) -> Marks:
    """What any of these schemas marks. One that is too large to be walked through marks everything."""
    places: set[_Path] = set()
    for schema in schemas:
        if MARK.encode() in msgspec.json.encode(schema):
            places.update(islice(_marked(schema, schema, (), frozenset()), _MAX_PLACES + 1))
    return EVERYTHING if len(places) > _MAX_PLACES else Marks(frozenset(places))


def redacted(value: Json, hidden: Marks, at: _Path = ()) -> Json:
    """The value with what is sensitive replaced. Its structure stays; the names of properties are no values."""
    if not hidden.everything and not hidden.places:
        return value
    if isinstance(value, dict):
        return {name: redacted(inner, hidden, (*at, name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [redacted(inner, hidden, (*at, _ITEM)) for inner in value]
    return HIDDEN if hidden.hides(at) else value


def _covers(place: str, name: str) -> bool:
    # A map's values have lost their names where they are observed: a mark on one of them hides them all.
    return place == name or (_ANY_NAME in (place, name) and _ITEM not in (place, name))


def _marked(root: Json, schema: Json, at: _Path, followed: frozenset[str]) -> Iterator[_Path]:
    if not isinstance(schema, dict):
        return
    if schema.get(MARK) is True or len(at) > _MAX_DEPTH:
        yield at
        return
    for keyword in REFERENCES:
        reference = schema.get(keyword)
        if not isinstance(reference, str):
            continue
        if reference in followed:
            # The same again, deeper and deeper, marks included.
            yield at
            return
        # The engine takes longer to import than a command that only reads takes to run.
        from claude_comm.schema.evolution.shallow_schema import follow

        yield from _marked(root, follow(root, reference), at, followed | {reference})
    for inner, path in _below(schema, at):
        yield from _marked(root, inner, path, followed)


def _below(schema: dict[str, Any], at: _Path) -> Iterator[tuple[Json, _Path]]:
    """The subschemas, each with the path that it is about."""
    for keyword in IN_PLACE_LISTS:
        yield from ((inner, at) for inner in _list(schema.get(keyword)))
    yield from ((schema[keyword], at) for keyword in _HERE_ALONE if keyword in schema)
    for keyword in _ITEMS:
        yield from ((inner, (*at, _ITEM)) for inner in _list(schema.get(keyword)))
    yield from ((inner, (*at, _ITEM)) for inner in _list(schema.get("prefixItems")))
    for name, inner in _mapping(schema.get("properties")).items():
        yield inner, (*at, name)
    yield from ((inner, at) for inner in _mapping(schema.get("dependentSchemas")).values())
    yield from ((inner, (*at, _ANY_NAME)) for inner in _mapping(schema.get("patternProperties")).values())
    yield from ((schema[keyword], (*at, _ANY_NAME)) for keyword in FURTHER_PROPERTIES if keyword in schema)


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _mapping(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
