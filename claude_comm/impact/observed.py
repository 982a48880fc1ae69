"""What was observed of payloads at each path: which types, how often, and within which bounds.

Law: pure, and an over-approximation. Every payload that was absorbed fits what the facts describe; facts may describe
payloads that never were. What is sensitive leaves its types behind, and nothing else.

Theory of operation. Payloads of one structure come as columns: absorbing a thousand objects of six properties is six
calls, each about a thousand values, and `min`, `max` and `set` go through them at the speed of the interpreter's own
loops. So a fact costs some tens of nanoseconds a value, where a walk through each payload would take microseconds.

    [{"n": 1}, {"n": 5}]    at ()     object, 2, one property each
                            at ("n",) integer, 2, from 1 to 5, of them 1 and 5
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

import msgspec

from claude_comm.impact.sensitive import NOTHING, Marks
from claude_comm.schema.verdict import Json

# A path names properties, `[]` for the items of an array, and `*` for the properties of a map, whatever their names.
Path: TypeAlias = tuple[str, ...]
ITEM, ANY_NAME = "[]", "*"
# For each object whose properties have arbitrary names: those that it always has, and that are kept by name.
Maps: TypeAlias = Mapping[Path, frozenset[str]]
NO_MAPS: Maps = {}

UNKNOWN = "unknown"
TYPES: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
# Different values that are remembered of one path, and how long a text may be to be one of them.
MAX_DISTINCT, MAX_TEXT = 32, 64


class TypeFacts(msgspec.Struct, array_like=True):
    """Values of one type at one path. `low` and `high` bound numbers, lengths of texts, and how many items or
    properties there were; None where that is not known. `distinct` are all the values that there were; None where these
    were too many, or are sensitive. `rest` are the properties of a map that are not kept by name."""

    count: int = 0
    low: int | float | None = None
    high: int | float | None = None
    distinct: list[Any] | None = []
    properties: dict[str, PathFacts] = {}
    rest: PathFacts | None = None
    items: PathFacts | None = None

    @property
    def is_map(self) -> bool:
        return self.rest is not None


class PathFacts(msgspec.Struct, array_like=True):
    """What was observed at one path, by the name of the type."""

    types: dict[str, TypeFacts] = {}

    @property
    def count(self) -> int:
        return sum(facts.count for facts in self.types.values())

    def of(self, name: str) -> TypeFacts:
        """The facts of a type, new where there are none."""
        if name not in self.types:
            self.types[name] = TypeFacts()
        return self.types[name]


def absorb(
    facts: PathFacts, column: Sequence[Json], marks: Marks = NOTHING, maps: Maps = NO_MAPS, at: Path = ()
) -> None:
    """Adds JSON values that were at one path."""
    kinds = set(map(type, column))
    if len(kinds) == 1:
        _absorb_type(facts, kinds.pop(), column, marks, maps, at)
        return
    for kind in kinds:
        _absorb_type(facts, kind, [value for value in column if type(value) is kind], marks, maps, at)


def unknown(facts: PathFacts, count: int) -> None:
    """Adds payloads of which nothing is known: they could not be read, or are not kept."""
    facts.of(UNKNOWN).count += count


def merged(several: Iterable[PathFacts]) -> PathFacts:
    """What describes all that any of these describes."""
    whole = PathFacts()
    for facts in several:
        merge(whole, facts)
    return whole


def merge(into: PathFacts, other: PathFacts) -> None:
    """Widens facts, so that they describe what the others describe as well."""
    for name, theirs in other.types.items():
        known = name in into.types
        ours = into.of(name)
        ours.count += theirs.count
        if not known:
            ours.low, ours.high, ours.distinct = theirs.low, theirs.high, theirs.distinct
        else:
            ours.low = None if ours.low is None or theirs.low is None else min(ours.low, theirs.low)
            ours.high = None if ours.high is None or theirs.high is None else max(ours.high, theirs.high)
            ours.distinct = _union(ours.distinct, theirs.distinct)
        alike = _same_map(ours, theirs) if known and (ours.is_map or theirs.is_map) else theirs
        for property, inner in alike.properties.items():
            merge(ours.properties.setdefault(property, PathFacts()), inner)
        ours.rest = _both(ours.rest, alike.rest)
        ours.items = _both(ours.items, alike.items)


def describes(facts: PathFacts, value: Json) -> bool:
    """Whether this value fits the facts: it may have been among those that they are of."""
    if UNKNOWN in facts.types:
        return True
    return any(_describes(facts.types[name], value) for name in _names_of(value) if name in facts.types)


def at(facts: PathFacts, path: Sequence[str | int]) -> Iterator[PathFacts]:
    """The facts of what stands at a place of a payload: none where nothing was."""
    if not path:
        yield facts
        return
    for of in facts.types.values():
        inner = of.items if isinstance(path[0], int) else of.properties.get(path[0], of.rest)
        if inner is not None:
            yield from at(inner, path[1:])


def folded(facts: PathFacts, path: Path, fixed: frozenset[str]) -> None:
    """Makes the objects at a path maps: properties that are not among the fixed ones lose their names."""
    if path:
        for inner in _inner(facts, path[0]):
            folded(inner, path[1:], fixed)
    elif "object" in facts.types:
        _loosen(facts.types["object"], fixed)


def paths(facts: PathFacts, at: Path = ()) -> Iterator[tuple[Path, str]]:
    """The set of paths and types that these facts are of."""
    for name, of in facts.types.items():
        yield at, name
        if of.items is not None:
            yield from paths(of.items, (*at, ITEM))
        if of.rest is not None:
            yield from paths(of.rest, (*at, ANY_NAME))
        for property, inner in of.properties.items():
            yield from paths(inner, (*at, property))


def _absorb_type(facts: PathFacts, kind: type, column: Sequence[Any], marks: Marks, maps: Maps, at: Path) -> None:
    name = TYPES.get(kind, UNKNOWN)
    if kind is float and not all(map(math.isfinite, column)):
        # No bound holds for NaN.
        name = UNKNOWN
    of = facts.of(name)
    of.count += len(column)
    hidden = marks.hides(at)
    if kind is dict:
        _absorb_objects(of, column, marks, maps, at)
    elif kind is list:
        _bound(of, [len(items) for items in column])
        if any(column):
            of.items = of.items or PathFacts()
            absorb(of.items, list(chain.from_iterable(column)), marks, maps, (*at, ITEM))
    elif hidden:
        of.low = of.high = of.distinct = None
    elif name in ("integer", "number"):
        _bound(of, column)
        _remember(of, column)
    elif name == "string":
        _bound(of, [len(text) for text in column])
        _remember(of, column)
    elif name == "boolean":
        _remember(of, column)


def _absorb_objects(of: TypeFacts, column: Sequence[dict[str, Any]], marks: Marks, maps: Maps, at: Path) -> None:
    _bound(of, [len(value) for value in column])
    kept: Collection[str] | None = None
    if at in maps and of.count == len(column):
        of.rest, kept = PathFacts(), maps[at]
    elif of.rest is not None:
        # Never a name that may be among the rest already.
        kept = of.properties.keys()
    for names, alike in _by_names(column):
        for name, values in zip(names, zip(*map(_VALUES, alike), strict=True), strict=True):
            if kept is not None and of.rest is not None and name not in kept:
                absorb(of.rest, values, marks, maps, (*at, ANY_NAME))
                continue
            inner = of.properties.get(name)
            if inner is None:
                inner = of.properties[name] = PathFacts()
            absorb(inner, values, marks, maps, (*at, name))


def _by_names(column: Sequence[dict[str, Any]]) -> Iterable[tuple[tuple[str, ...], Sequence[dict[str, Any]]]]:
    """The objects that have the same names in the same order, together."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for names, value in zip(map(tuple, column), column, strict=True):
        if names in groups:
            groups[names].append(value)
        else:
            groups[names] = [value]
    return groups.items()


_VALUES = dict.values


def _bound(of: TypeFacts, numbers: Sequence[Any]) -> None:
    """Widens the bounds. What had values before, and no bounds, had some that are not known."""
    low, high = min(numbers), max(numbers)
    if of.count == len(numbers):
        of.low, of.high = low, high
    elif of.low is not None and of.high is not None:
        of.low, of.high = min(of.low, low), max(of.high, high)


def _remember(of: TypeFacts, column: Sequence[Any]) -> None:
    # Most columns that have many values show it at their start.
    if of.distinct is None or len(set(column[: 2 * MAX_DISTINCT])) > MAX_DISTINCT:
        of.distinct = None
        return
    values = set(column).union(of.distinct)
    few = len(values) <= MAX_DISTINCT and all(not isinstance(value, str) or len(value) <= MAX_TEXT for value in values)
    of.distinct = sorted(values) if few else None


def _inner(facts: PathFacts, name: str) -> Iterator[PathFacts]:
    for of in facts.types.values():
        if name == ITEM and of.items is not None:
            yield of.items
        elif name == ANY_NAME and of.rest is not None:
            yield of.rest
        elif name in of.properties:
            yield of.properties[name]


def _names_of(value: Json) -> Sequence[str]:
    """The types that a value is of: a whole number is a number as well, however it is written."""
    if type(value) is int:
        return ("integer", "number")
    if type(value) is float:
        return ("number", "integer") if value.is_integer() else ("number",)
    return (TYPES.get(type(value), UNKNOWN),)


def _describes(of: TypeFacts, value: Json) -> bool:
    if isinstance(value, dict):
        return _describes_object(of, value)
    if isinstance(value, list):
        return _within(of, len(value)) and all(of.items is not None and describes(of.items, item) for item in value)
    if of.distinct:
        return value in of.distinct
    return value is None or isinstance(value, bool) or _within(of, len(value) if isinstance(value, str) else value)


def _describes_object(of: TypeFacts, value: dict[str, Json]) -> bool:
    for name, inner in value.items():
        facts = of.properties.get(name, of.rest)
        if facts is None or not describes(facts, inner):
            return False
    return all(name in value for name, facts in of.properties.items() if facts.count == of.count)


def _within(of: TypeFacts, number: float) -> bool:
    return of.low is None or of.high is None or of.low <= number <= of.high


def _same_map(ours: TypeFacts, theirs: TypeFacts) -> TypeFacts:
    """Makes maps of both that keep the same names; the second as a copy."""
    kept = frozenset(ours.properties.keys() & theirs.properties.keys())
    copy = msgspec.structs.replace(theirs, properties=dict(theirs.properties))
    for of in (ours, copy):
        _loosen(of, kept)
    return copy


def _loosen(of: TypeFacts, fixed: frozenset[str]) -> None:
    loose = [name for name in of.properties if name not in fixed]
    of.rest = merged([*([of.rest] if of.rest else []), *(of.properties.pop(name) for name in loose)])


def _both(ours: PathFacts | None, theirs: PathFacts | None) -> PathFacts | None:
    return merged(facts for facts in (ours, theirs) if facts is not None) if ours or theirs else None


def _union(ours: list[Any] | None, theirs: list[Any] | None) -> list[Any] | None:
    if ours is None or theirs is None:
        return None
    values = {*ours, *theirs}
    return sorted(values) if len(values) <= MAX_DISTINCT else None
