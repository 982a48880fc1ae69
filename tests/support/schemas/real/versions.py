"""Plausible next versions of a schema: what a maintainer changes from one release to the next.

Law: each edit changes one place of a copy, chosen by chance from the places where it applies; what is returned is
again a schema of the same dialect.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.schemas.real.words import Schema, text, whole

_MAPS = ("properties", "patternProperties", "$defs", "definitions")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_ONES = ("items", "additionalProperties", "not", "if", "then", "else")


def next_version(schema: Schema, chance: random.Random, edits: int = 2) -> Schema:
    """A copy with so many edits, words apart."""
    # Through text, so that no part stands in two places.
    out: Schema = json.loads(json.dumps(schema))
    for _ in range(edits):
        chance.choice(EDITS)(out, chance)
    return out


def rewritten(schema: Schema, chance: random.Random) -> Schema:
    """The same schema written in another order of keys, with an identifier and other words around it."""
    return {"$id": "https://example.org/schemas/next", "description": "Written anew.", **_shuffled(schema, chance)}


def _shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, list):
        return [_shuffled(item, chance) for item in value]
    if not isinstance(value, dict):
        return value
    names = list(value)
    chance.shuffle(names)
    return {name: _shuffled(value[name], chance) for name in names}


def places(schema: Any) -> Iterator[Schema]:
    """Every subschema that is an object."""
    if not isinstance(schema, dict):
        return
    yield schema
    for keyword in _MAPS:
        for inner in schema.get(keyword, {}).values():
            yield from places(inner)
    for keyword in _LISTS:
        for inner in schema.get(keyword, ()):
            yield from places(inner)
    for keyword in _ONES:
        yield from places(schema.get(keyword))


def _one(schema: Schema, chance: random.Random, fits: Callable[[Schema], object]) -> Schema | None:
    found = [place for place in places(schema) if fits(place)]
    return chance.choice(found) if found else None


def add_property(schema: Schema, chance: random.Random) -> None:
    place = _one(schema, chance, lambda each: each.get("properties"))
    if place is not None:
        name = chance.choice(("labels", "timeout_ms", "owner", "note", "retries"))
        place["properties"].setdefault(name, chance.choice((text(), whole(minimum=0), {"type": "boolean"})))


def drop_property(schema: Schema, chance: random.Random) -> None:
    place = _one(schema, chance, lambda each: len(set(each.get("properties", ())) - set(each.get("required", ()))) > 1)
    if place is not None:
        optional = [name for name in place["properties"] if name not in place.get("required", ())]
        del place["properties"][chance.choice(optional)]


def require(schema: Schema, chance: random.Random) -> None:
    place = _one(schema, chance, lambda each: len(each.get("properties", ())) > len(each.get("required", ())))
    if place is not None:
        optional = [name for name in place["properties"] if name not in place.get("required", ())]
        place["required"] = [*place.get("required", ()), chance.choice(optional)]


def relax_required(schema: Schema, chance: random.Random) -> None:
    place = _one(schema, chance, lambda each: len(each.get("required", ())) > 1)
    if place is not None:
        place["required"].remove(chance.choice(place["required"]))


def grow_list(schema: Schema, chance: random.Random) -> None:
    place = _one(schema, chance, lambda each: len(each.get("enum", ())) > 1)
    if place is not None:
        place["enum"].append("unheard-of")


def shrink_list(schema: Schema, chance: random.Random) -> None:
    place = _one(schema, chance, lambda each: len(each.get("enum", ())) > 2)
    if place is not None:
        place["enum"].pop(chance.randrange(len(place["enum"])))


def add_form(schema: Schema, chance: random.Random) -> None:
    place = _one(schema, chance, lambda each: len(each.get("anyOf", each.get("oneOf", ()))) > 1)
    if place is not None:
        place["anyOf" if "anyOf" in place else "oneOf"].append(
            {
                "type": "object",
                "properties": {"extension": text()},
                "required": ["extension"],
                "additionalProperties": False,
            }
        )


def drop_form(schema: Schema, chance: random.Random) -> None:
    place = _one(schema, chance, lambda each: len(each.get("anyOf", each.get("oneOf", ()))) > 2)
    if place is not None:
        forms = place["anyOf" if "anyOf" in place else "oneOf"]
        forms.pop(chance.randrange(len(forms)))


def take_null(schema: Schema, chance: random.Random) -> None:
    place = _one(
        schema, chance, lambda each: each.get("type") in ("string", "integer", "number") and "enum" not in each
    )
    if place is not None:
        place["type"] = [place["type"], "null"]


def bound(schema: Schema, chance: random.Random) -> None:
    place = _one(schema, chance, lambda each: each.get("type") == "string" and "maxLength" not in each)
    if place is not None:
        place["maxLength"] = chance.choice((80, 255, 1_000))


def unbound(schema: Schema, chance: random.Random) -> None:
    place = _one(schema, chance, lambda each: {"maxLength", "maximum", "maxItems", "pattern"} & each.keys())
    if place is not None:
        for keyword in ("maxLength", "maximum", "maxItems", "pattern"):
            if keyword in place:
                del place[keyword]
                return


def shut(schema: Schema, chance: random.Random) -> None:
    place = _one(schema, chance, lambda each: each.get("properties") and "additionalProperties" not in each)
    if place is not None:
        place["additionalProperties"] = False


def reopen(schema: Schema, chance: random.Random) -> None:
    place = _one(schema, chance, lambda each: each.get("properties") and each.get("additionalProperties") is False)
    if place is not None:
        del place["additionalProperties"]


def describe(schema: Schema, chance: random.Random) -> None:
    place = _one(schema, chance, lambda each: "description" not in each)
    if place is not None:
        place["description"] = "Told in more words than before."


EDITS = [
    *(add_property, drop_property, require, relax_required, grow_list, shrink_list, add_form, drop_form),
    *(take_null, bound, unbound, shut, reopen, describe),
]
