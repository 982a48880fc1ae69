"""The contrary of a keyword: a schema narrowed to values that break it, one keyword of what remains after the other.

Law: what is narrowed has values of the schema alone, or is left as it is. That they break the keyword is meant and not
certain: who asks looks at it. What is said of a value and a keyword is certain, or nothing is said.

For `{"type": "integer", "minimum": 0}` and the keyword `"minimum": 5` it is
`{"type": ["integer"], "minimum": 0, "exclusiveMaximum": 5}`, of which the smallest instance is read off.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from claude_comm.schema import keywords
from claude_comm.schema.containment.minimal_instance import kind_of, kinds_in, values_of
from claude_comm.schema.containment.remainder import SINGLE
from claude_comm.schema.containment.whole_bounds import whole_bounds
from claude_comm.schema.values import identity
from claude_comm.schema.verdict import Json

# Keywords that are broken one by one, each by a value that is read off; more of them are left to a search.
MAX_WAYS = 5


def ways(rest: Json) -> list[Json]:
    """What remains as keywords that can be broken one by one, the kinds first; as a whole where they cannot."""
    if not isinstance(rest, dict) or not 1 < len(rest) <= MAX_WAYS or not rest.keys() <= SINGLE:
        return [rest]
    first = [keyword for keyword in _FIRST if keyword in rest]
    return [{keyword: rest[keyword]} for keyword in dict.fromkeys([*first, *rest])]


def is_single(rest: Json) -> bool:
    """Whether one value that breaks what remains shows all there is to show."""
    return rest is False or (len(rest) == 1 and rest.keys() <= SINGLE)


def refusing(produced: Json, rest: Json) -> Json:
    """`produced` narrowed to values that break one keyword of `rest`, where a keyword can say so; else as it is."""
    produced = {} if produced is True else produced
    if not isinstance(rest, dict) or not isinstance(produced, dict):
        return produced
    if "type" in rest:
        return _of_other_kinds(produced, kinds_in(rest["type"]))
    if "enum" in rest or "const" in rest:
        return _of_other_values(produced, set(map(identity, values_of(rest))))
    keyword, limit = next(iter(rest.items()))
    if keyword == "multipleOf":
        return _off_steps(produced, limit)
    kinds, opposite, step, tighter = _OPPOSITES.get(keyword, _NONE)
    left = [kind for kind in kinds_in(produced.get("type", [*keywords.KINDS])) if kind in kinds]
    if not left:
        return produced
    bound = limit + step
    return {**produced, "type": left, opposite: tighter(bound, produced.get(opposite, bound))}


def _of_other_kinds(produced: dict[str, Any], taken: list[str]) -> Json:
    """The kinds that the consumer does not take, or a fraction where it takes integers."""
    refused = {*taken, *(_NUMERIC if not _NUMERIC.isdisjoint(taken) else ())}
    if len(produced) == 1 and ("enum" in produced or "const" in produced):
        listed = [value for value in values_of(produced) if kind_of(value) not in refused]
        return {"enum": listed} if listed else produced
    kinds = kinds_in(produced.get("type", [*keywords.KINDS]))
    left = [kind for kind in kinds if kind not in refused]
    if left:
        return {**produced, "type": left}
    fraction = _fraction(produced) if "number" in kinds and "number" not in taken else None
    return produced if fraction is None else {"const": fraction}


def _fraction(produced: dict[str, Any]) -> float | None:
    """A number of the schema that is not whole."""
    within = whole_bounds(produced) if produced.keys() <= _BOUNDED else None
    if within is None or within[0] >= within[1]:
        return None
    low, high = within
    return low + 0.5 if low > 0 else high - 0.5 if high < 1 else 0.5


def _off_steps(produced: dict[str, Any], step: Any) -> Json:
    within = whole_bounds(produced) if produced.keys() <= _BOUNDED and "type" in produced else None
    if within is None or type(step) is not int or _NUMERIC.isdisjoint(kinds_in(produced["type"])):
        return produced
    low, high = within
    near = low if low > 0 else min(high, 0)
    off = next((number for number in (near, near + 1, near - 1) if low <= number <= high and number % step), None)
    return produced if off is None else {"const": off}


def _of_other_values(produced: dict[str, Any], taken: set[bytes]) -> Json:
    if "enum" not in produced and "const" not in produced:
        return produced
    left = [value for value in values_of(produced) if identity(value) not in taken]
    return {**{keyword: item for keyword, item in produced.items() if keyword != "const"}, "enum": left}


def is_broken(way: Json, value: Json) -> bool | None:
    """Whether a value breaks the only keyword of `way`; None where that is not seen at a glance."""
    if not isinstance(way, dict) or len(way) != 1:
        return None
    ((keyword, limit),) = way.items()
    if keyword == "type":
        kind, kinds = kind_of(value), kinds_in(limit)
        if kind == "number" and "number" not in kinds:
            # A float may be whole.
            return None if type(value) is not int else "integer" not in kinds
        return kind not in kinds
    if keyword not in _HOLDS:
        return None
    kind, holds = _HOLDS[keyword]
    if kind_of(value) != kind:
        return False
    # Floats are compared by the numbers that they print as, which the validators see to.
    return not holds(value, limit) if kind != "number" or type(value) is type(limit) is int else None


_FIRST = ("type", "enum", "const")
_NUMERIC = frozenset(("integer", "number"))
_TEXT, _ARRAY = frozenset(("string",)), frozenset(("array",))
_BOUNDED = frozenset(("type", "format", *keywords.NUMBER_BOUNDS))
_Choose = Callable[[float, float], float]
# The kinds that a keyword speaks of, the keyword that says the contrary, and how far that is from the limit.
_OPPOSITES: dict[str, tuple[frozenset[str], str, int, _Choose]] = {
    "maximum": (_NUMERIC, "exclusiveMinimum", 0, max),
    "minimum": (_NUMERIC, "exclusiveMaximum", 0, min),
    "exclusiveMaximum": (_NUMERIC, "minimum", 0, max),
    "exclusiveMinimum": (_NUMERIC, "maximum", 0, min),
    "maxLength": (_TEXT, "minLength", 1, max),
    "minLength": (_TEXT, "maxLength", -1, min),
    "maxItems": (_ARRAY, "minItems", 1, max),
    "minItems": (_ARRAY, "maxItems", -1, min),
    # From two on, items that are made alike are no longer unique.
    "uniqueItems": (_ARRAY, "minItems", 1, max),
}
_NONE: tuple[frozenset[str], str, int, _Choose] = (frozenset(), "", 0, max)
# Of which kind a keyword asks something, and what.
_HOLDS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "maximum": ("number", operator.le),
    "minimum": ("number", operator.ge),
    "exclusiveMaximum": ("number", operator.lt),
    "exclusiveMinimum": ("number", operator.gt),
    "maxLength": ("string", lambda value, limit: len(value) <= limit),
    "minLength": ("string", lambda value, limit: len(value) >= limit),
    "maxItems": ("array", lambda value, limit: len(value) <= limit),
    "minItems": ("array", lambda value, limit: len(value) >= limit),
}
