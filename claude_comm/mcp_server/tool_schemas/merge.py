"""Two schemas that hold together, as one without `allOf`, where their keywords can be put side by side.

Law: this is a proposal. Keywords that speak of each other across a border (`additionalProperties` of the one and
`properties` of the other) may come out meaning something else; whoever uses the result proves it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from claude_comm.schema.keywords import LOWER_BOUNDS, NOTES, TOGETHER, UPPER_BOUNDS
from claude_comm.schema.verdict import Json

# A count of what `contains` tests says nothing by itself.
_UPPER = frozenset(UPPER_BOUNDS) - {*TOGETHER[1]}
_LOWER = frozenset(LOWER_BOUNDS) - {*TOGETHER[1]}


class NotMerged(Exception):
    """The two say the same keyword in ways that one schema cannot."""


def merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Raises NotMerged."""
    whole = dict(first)
    for word, value in second.items():
        whole[word] = _both(word, whole[word], value) if word in whole else value
    return whole


def flattened(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with the members of its `allOf` written into it. Raises NotMerged."""
    whole = {word: value for word, value in schema.items() if word != "allOf"}
    for part in schema.get("allOf", ()):
        if isinstance(part, dict):
            whole = merged(whole, flattened(part))
    if not {"anyOf", "oneOf", "if", "dependentSchemas"} & whole.keys() and "unevaluatedProperties" in whole:
        # With nothing beside it that could evaluate a member, it is the plain keyword.
        whole.setdefault("additionalProperties", whole.pop("unevaluatedProperties"))
    return whole


def _both(word: str, first: Json, second: Json) -> Json:
    if first == second or word in NOTES:
        return first
    if word in _RULES:
        return _RULES[word](first, second)
    if word in _UPPER:
        return min(first, second)
    if word in _LOWER:
        return max(first, second)
    raise NotMerged(word)


def _maps(first: Json, second: Json) -> Json:
    whole = dict(first)
    for name, part in second.items():
        whole[name] = _parts(whole[name], part) if name in whole else part
    return whole


def _parts(first: Json, second: Json) -> Json:
    if second in (first, {}):
        return first
    if first == {}:
        return second
    try:
        return merged(first, second) if isinstance(first, dict) and isinstance(second, dict) else _held(first, second)
    except NotMerged:
        return _held(first, second)


def _held(first: Json, second: Json) -> Json:
    return {"allOf": [first, second]}


def _types(first: Json, second: Json) -> Json:
    left, right = ([kind] if isinstance(kind, str) else list(kind) for kind in (first, second))
    both = [kind for kind in left if kind in right] + ["integer"] * ({"integer", "number"} == {*left, *right})
    if not both:
        raise NotMerged("type")
    return both[0] if len(both) == 1 else both


def _closed(first: Json, second: Json) -> Json:
    if False in (first, second):
        return False
    return _parts({} if first is True else first, {} if second is True else second)


_RULES: dict[str, Callable[[Json, Json], Json]] = {
    "properties": _maps,
    "patternProperties": _maps,
    "required": lambda first, second: list(dict.fromkeys((*first, *second))),
    "type": _types,
    "enum": lambda first, second: [value for value in first if value in second],
    "additionalProperties": _closed,
    "allOf": lambda first, second: [*first, *second],
}
