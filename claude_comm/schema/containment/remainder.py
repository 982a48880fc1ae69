"""What remains of the consumer's schema, looked at as things that a message may break one by one.

Law: to break what remains is to break one of its parts. What is said here of a form only chooses what is tried first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from claude_comm.schema import keywords
from claude_comm.schema.verdict import Json

_UNION = frozenset(keywords.UNIONS)
# What these say depends on what stands beside them.
_WHOLE = keywords.UNEVALUATED
_COMPOSED = _UNION | {"allOf"}
# Of these there is one way to break each, so that one value shows all there is to show.
SINGLE = frozenset(
    (
        *("type", "const", "enum", "uniqueItems", "anyOf", "oneOf", "not"),
        *keywords.about("number", "string"),
        *("minItems", "maxItems"),
    )
)


def apart(rest: dict[str, Any]) -> list[Json]:
    """What can be broken on its own of what remains; nothing where that is one thing."""
    if _COMPOSED.isdisjoint(rest) or not _WHOLE.isdisjoint(rest):
        return []
    lone = [keyword for keyword in rest if keyword in _UNION]
    beside = {keyword: value for keyword, value in rest.items() if keyword not in (*lone, "allOf", "$defs")}
    parts: list[Json] = [*([beside] if beside else []), *({keyword: rest[keyword]} for keyword in lone)]
    return [*parts, *rest.get("allOf", ())] if len(parts) > 1 or "allOf" in rest else []


def most_alike(form: Json, others: Mapping[int, Json]) -> list[int]:
    """Of the forms of a union those that declare most properties in the same words as this one."""
    declared = form.get("properties", {}) if isinstance(form, dict) else {}

    def common(other: Json) -> int:
        theirs = other.get("properties", {}) if isinstance(other, dict) else {}
        return sum(name in theirs and theirs[name] == schema for name, schema in declared.items())

    counts = {at: common(other) for at, other in others.items()}
    most = max(counts.values(), default=0)
    return [at for at, count in counts.items() if count == most]


def leaves(rest: Json) -> int:
    """How many things a residual asks for; of what is not taken apart here it is only said that they may be more."""
    if not isinstance(rest, dict):
        return int(rest is not True)
    return sum(_asked(keyword, value) for keyword, value in rest.items())


def _asked(keyword: str, value: Json) -> int:
    if keyword in ("properties", "prefixItems"):
        return sum(map(leaves, value.values() if isinstance(value, dict) else value))
    if keyword in ("items", "additionalProperties"):
        return leaves(value)
    if keyword == "required":
        return len(value)
    return 1 if keyword in SINGLE else 2


def taken_under(produced: dict[str, Any], name: str) -> Json:
    """What the producer may send under a name; patterns are left out, so that it may be less."""
    if name in produced["properties"] or "patternProperties" in produced:
        return produced["properties"].get(name, True)
    return produced.get("additionalProperties", True)
