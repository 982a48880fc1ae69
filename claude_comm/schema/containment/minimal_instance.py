"""The smallest instance of a schema, where it can be constructed without search.

Law: an instance made here is meant to be valid, and no larger than one that a proof would find: it fills in what a
candidate for a witness needs around the place that differs, and both validators check the whole. A part that cannot be
constructed is left to `solve`; where that finds nothing either, `NoMinimalInstance` is raised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

from claude_comm.schema import keywords
from claude_comm.schema.containment.whole_bounds import whole_bounds
from claude_comm.schema.cost.validation_cost import size_of
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.values import Unwritable, exact, identity, written
from claude_comm.schema.verdict import Json

MAX_LEVELS = 12
# Arrays of arrays of so many items would multiply.
MAX_STEPS = 500
# Alternatives of which the least is taken; of a large union the first ones do as well.
MAX_BRANCHES = 24
# Values in an array that is put together.
MAX_ITEMS = 20_000
MAX_CHARACTERS = 1_000


class NoMinimalInstance(Exception):
    """There is no instance, or none was found. It never leaves the engine."""


class _NeedsSearch(Exception):
    """The instance cannot be constructed here."""


Solve: TypeAlias = Callable[[Json], Json]


def minimal_instance(schema: Json, definitions: Mapping[str, Json], solve: Solve) -> Json:
    """A smallest instance; a part that cannot be constructed is left to `solve`. Raises `NoMinimalInstance`."""
    if isinstance(schema, dict) and len(schema) == 1 and isinstance(kind := schema.get("type"), str):
        make = _LEAST.get(kind)
        return make() if make is not None else _BARE[kind]
    return _Construction(definitions, solve).build(schema, 0)


def read_off(schema: Json, definitions: Mapping[str, Json]) -> Json:
    """A smallest instance without any search. Raises `NoMinimalInstance`."""
    return minimal_instance(schema, definitions, _unread)


def _unread(schema: Json) -> Json:
    raise NoMinimalInstance


def values_of(schema: dict[str, Any]) -> list[Json]:
    return [schema["const"]] if "const" in schema else schema["enum"]


def kinds_in(kinds: Json) -> list[str]:
    return kinds if isinstance(kinds, list) else [kinds]


class _Construction:
    def __init__(self, definitions: Mapping[str, Json], solve: Solve) -> None:
        self.definitions, self.solve, self.steps = definitions, solve, MAX_STEPS

    def build(self, schema: Json, level: int) -> Json:
        self.steps -= 1
        if self.steps < 0:
            raise NoMinimalInstance
        if schema is True or schema == {}:
            return None
        if not isinstance(schema, dict) or level > MAX_LEVELS:
            raise NoMinimalInstance
        if "$ref" in schema and len(schema) == 1:
            return self.build(self.definitions[definition_name(schema["$ref"])], level + 1)
        for keyword in keywords.UNIONS:
            if keyword in schema and len(schema) == 1:
                return self.least(schema[keyword], level)
        try:
            instance = self.of(_merged(schema) if "allOf" in schema else schema, level)
            if "not" in schema and not _avoids(instance, schema["not"]):
                return self.solve(schema)
        except _NeedsSearch:
            return self.solve(schema)
        return instance

    def least(self, branches: list[Json], level: int) -> Json:
        instances = []
        for branch in branches[:MAX_BRANCHES]:
            try:
                instances.append(self.build(branch, level + 1))
            except NoMinimalInstance:
                continue
        if not instances:
            raise NoMinimalInstance
        return min(instances, key=_rank)

    def of(self, schema: dict[str, Any], level: int) -> Json:
        if "const" in schema or "enum" in schema:
            return _listed(schema)
        kind = _kind(schema)
        if not kind or not schema.keys() <= _CONSTRUCTIBLE[kind]:
            raise _NeedsSearch
        if kind == "array":
            return self.array(schema, level)
        if kind == "object":
            return self.object(schema, level)
        make = _MAKE.get(kind)
        return _BARE[kind] if make is None else make(schema)

    def array(self, schema: dict[str, Any], level: int) -> Json:
        count = _count(schema, "minItems", MAX_ITEMS)
        if count > 1 and schema.get("uniqueItems"):
            raise _NeedsSearch
        first = [self.build(item, level + 1) for item in schema.get("prefixItems", ())[:count]]
        if count == len(first):
            return first
        # One item many times over: it is built once.
        item = self.build(schema.get("items", True), level + 1)
        if size_of(item, MAX_ITEMS) * count > MAX_ITEMS:
            raise _NeedsSearch
        return [*first, *[item] * (count - len(first))]

    def object(self, schema: dict[str, Any], level: int) -> Json:
        properties, names = schema.get("properties", {}), schema.get("required", ())
        if len(names) < schema.get("minProperties", 0) or (names and not _OPEN.isdisjoint(schema)):
            raise _NeedsSearch
        further = schema.get("additionalProperties", True)
        return {name: self.build(properties.get(name, further), level + 1) for name in names}


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with the parts of its `allOf` in it, of two bounds the tighter one."""
    merged = {keyword: value for keyword, value in schema.items() if keyword != "allOf"}
    for part in schema["allOf"]:
        for keyword, value in part.items() if isinstance(part, dict) else ():
            tighter = _TIGHTER.get(keyword)
            if keyword not in merged:
                merged[keyword] = value
            elif tighter is not None:
                merged[keyword] = tighter(merged[keyword], value)
            elif merged[keyword] != value:
                raise _NeedsSearch
    return merged


def _kind(schema: dict[str, Any]) -> str:
    kinds = schema.get("type")
    if isinstance(kinds, str):
        return kinds
    kinds = kinds_in(kinds)
    return next((kind for kind in keywords.TYPES if kind in kinds), "")


def _listed(schema: dict[str, Any]) -> Json:
    if not schema.keys() <= _LISTS:
        raise _NeedsSearch
    values = values_of(schema)
    if "type" in schema and not (schema["type"] == "string" and all(isinstance(value, str) for value in values)):
        raise _NeedsSearch
    if not values:
        raise NoMinimalInstance
    return min(values, key=_rank)


def _rank(value: Json) -> tuple[int, int, str]:
    """By kind, as a proof goes through them; then the short before the long."""
    text = value if isinstance(value, str) else repr(value)
    return _RANKS.get(type(value), 2), len(text), text


def _avoids(value: Json, refused: Json) -> bool:
    """Whether a value is certainly not in a schema; only constants and bare types are understood."""
    if not isinstance(refused, dict) or len(refused) != 1:
        return False
    if "type" in refused:
        kinds = kinds_in(refused["type"])
        return kind_of(value) not in kinds and not (_is_number(value) and "integer" in kinds)
    if refused.keys() <= _LISTS:
        return identity(value) not in map(identity, refused.get("enum", [refused.get("const")]))
    return False


def kind_of(value: Json) -> str:
    """By the type in Python: every number is one."""
    return keywords.TYPES[_RANKS.get(type(value), 2)]


def _is_number(value: Json) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def _number(schema: dict[str, Any]) -> Json:
    """Zero, or the step next to it that is within the bounds."""
    bounds = whole_bounds(schema)
    if bounds is not None:
        return _next_to_zero(*bounds)
    low, high = _most(schema, "minimum", "exclusiveMinimum", max), _most(schema, "maximum", "exclusiveMaximum", min)
    least = exact(schema.get("multipleOf", 1))
    if "integer" in kinds_in(schema["type"]) and least.denominator != 1:
        raise _NeedsSearch
    nearest = Fraction(0)
    if low is not None and low > 0:
        nearest = math.ceil(low / least) * least
    elif high is not None and high < 0:
        nearest = math.floor(high / least) * least
    for keyword, step in (("exclusiveMinimum", least), ("exclusiveMaximum", -least)):
        if keyword in schema and nearest == exact(schema[keyword]):
            nearest += step
    if (low is not None and nearest < low) or (high is not None and nearest > high):
        raise _NeedsSearch
    try:
        return written(nearest)
    except Unwritable:
        raise _NeedsSearch from None


def _next_to_zero(low: float, high: float) -> float:
    """The whole number that is next to zero, of those between two."""
    if low > high:
        raise _NeedsSearch
    return low if low > 0 else min(high, 0)


def _most(
    schema: dict[str, Any], closed: str, beyond: str, choose: Callable[[list[Fraction]], Fraction]
) -> Fraction | None:
    bounds = [exact(schema[keyword]) for keyword in (closed, beyond) if keyword in schema]
    return choose(bounds) if bounds else None


def _string(schema: dict[str, Any]) -> Json:
    return "a" * _count(schema, "minLength", MAX_CHARACTERS)


def _count(schema: dict[str, Any], keyword: str, most: int) -> int:
    if schema.get(keyword, 0) > most:
        raise _NeedsSearch
    return int(schema.get(keyword, 0))


# By position in `keywords.TYPES`.
_RANKS: dict[type, int] = {type(None): 0, bool: 1, int: 2, float: 2, str: 4, list: 5, dict: 6}
_NUMBERS = (int, float)
_BARE: dict[str, Json] = {"null": None, "boolean": True}
_LEAST: dict[str, Callable[[], Json]] = {"number": int, "integer": int, "string": str, "array": list, "object": dict}
_LISTS = frozenset(("const", "enum", "type", "not"))
# What may ask more of the properties that there are, and asks nothing of an object without any.
_OPEN = frozenset(("patternProperties", "propertyNames", "dependentRequired"))
# What is read here, or says nothing of the kind that is made. The rest has to be searched.
_EVERY = frozenset(("type", "format", "not", *keywords.about(*keywords.KINDS))) - {
    *keywords.TOGETHER[1],
    *keywords.UNEVALUATED,
    *("dependentSchemas", "dependencies", "additionalItems"),
}
_CONSTRUCTIBLE = {**dict.fromkeys(keywords.TYPES, _EVERY), "string": _EVERY - {"pattern"}}
_MAKE: dict[str, Callable[[dict[str, Any]], Json]] = {"number": _number, "integer": _number, "string": _string}
_Choose = Callable[[float, float], float]
_TIGHTER: dict[str, _Choose] = {
    **dict.fromkeys(keywords.LOWER_BOUNDS, max),
    **dict.fromkeys(keywords.UPPER_BOUNDS, min),
}
