"""What the consumer's keywords leave under the producer's: one rule a keyword, or a group that is read together.

Law: a rule returns what remains of its keywords for the values of `left`, and leaves out a keyword only where those of
`left` imply it. A keyword without a rule remains unless the producer has it word for word.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

from claude_comm.schema import keywords
from claude_comm.schema.containment import unions
from claude_comm.schema.containment.alike import alike
from claude_comm.schema.values import exact, identity
from claude_comm.schema.verdict import Json


class RuleComparison(unions.UnionComparison, Protocol):
    """What a rule asks of the comparison that it is part of: see `residual.Walk`."""

    # Whether it is only asked if anything remains: then the first thing that does is enough.
    hasty: bool

    def beyond(self, left: Json, right: Json) -> Json: ...
    def forms(self, forms: list[Json]) -> unions.AcceptedForms: ...


Schema = dict[str, Any]
# What remains of the keywords of one rule.
Rule = Callable[[RuleComparison, Schema, Schema], Schema]
NOTHING: Schema = {}


def _type(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
    if left.get("type") == right["type"] and "$lexical" not in right:
        return NOTHING
    ours, theirs = _kinds(left), _names(right["type"])
    # To draft 4 an integer is one that is written without a point, which a listed value may be or not.
    lexical = "$lexical" in right and "number" not in theirs and not ("$lexical" in left and "type" in left)
    if (
        ours is None
        or any(kind not in theirs and (kind != "integer" or "number" not in theirs) for kind in ours)
        or (lexical and "integer" in ours)
    ):
        return {keyword: right[keyword] for keyword in ("type", "$lexical") if keyword in right}
    return NOTHING


def _names(kinds: Json) -> list[str]:
    return kinds if isinstance(kinds, list) else [kinds]


def _kinds(schema: Schema) -> list[str] | None:
    """The kinds of value that a schema names, or lists; None for any."""
    if "type" in schema:
        return _names(schema["type"])
    listed = _listed(schema)
    kinds = [_KIND.get(type(value), "") for value in listed or ()]
    return None if listed is None or "" in kinds else kinds


def _listed(schema: Schema) -> list[Json] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


_KIND = {
    **{bool: "boolean", str: "string", dict: "object", list: "array", int: "integer", float: "number"},
    type(None): "null",
}


def _values(keyword: str) -> Rule:
    def rule(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
        ours, theirs = _listed(left), _listed({keyword: right[keyword]})
        if ours is None or theirs is None or not set(map(identity, ours)) <= set(map(identity, theirs)):
            return {keyword: right[keyword]}
        return NOTHING

    return rule


def _bound(row: keywords.Keyword) -> Rule:
    """It holds where the producer's bound is as tight, or where its bound that leaves out the limit is."""
    keyword, sign = row.name, row.bound
    stronger = keyword if row.exclusive or row.counts else "exclusive" + keyword.capitalize()
    idle = row.counts and row.bound > 0

    def rule(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
        wanted = right[keyword]
        # Everything is of at least no length.
        if idle and not wanted:
            return NOTHING
        if keyword in left and _reaches(left[keyword], wanted, sign):
            return NOTHING
        if stronger in left and _reaches(left[stronger], wanted, sign):
            return NOTHING
        return {keyword: wanted}

    return rule


def _reaches(ours: float, wanted: float, sign: int) -> bool:
    # Two floats are in the order of the decimals that they print as; an integer and a float need not be.
    if type(ours) is not type(wanted):
        return (exact(ours) - exact(wanted)) * sign >= 0
    return ours >= wanted if sign > 0 else ours <= wanted


def _multiple_of(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
    wanted = exact(right["multipleOf"])
    ours = left.get("multipleOf", 1 if _kinds(left) == ["integer"] else None)
    if ours is None or (exact(ours) / wanted).denominator != 1:
        return {"multipleOf": right["multipleOf"]}
    return NOTHING


def _annotation(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
    """A keyword that asserts nothing."""
    return NOTHING


def _ref(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
    """A reference beside other keywords."""
    return NOTHING if walk.implied(left, walk.kept({"$ref": right["$ref"]})) else {"$ref": right["$ref"]}


def _unique_items(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
    return {"uniqueItems": True} if right["uniqueItems"] and not left.get("uniqueItems") else NOTHING


def _required(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
    ours = set(left.get("required", ()))
    missing = [name for name in right["required"] if name not in ours]
    return {"required": missing} if missing else NOTHING


def _properties(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
    """Further properties are all but those named here: while the one remains, so do the names of the other."""
    further = _further(walk, left, right)
    declared, undeclared = left.get("properties", {}), _undeclared(left)
    rest: Schema = {}
    for name, schema in right.get("properties", {}).items():
        beyond = walk.beyond(declared.get(name, undeclared), schema)
        if beyond is not True or not further:
            rest.setdefault("properties", {})[name] = beyond
            if walk.hasty and beyond is not True:
                return rest
    patterns = right.get("patternProperties")
    if patterns and not (further and walk.same(left.get("patternProperties"), patterns)):
        rest["patternProperties"] = patterns
    if not further:
        rest["additionalProperties"] = right["additionalProperties"]
    return rest


def _undeclared(schema: Schema) -> Json:
    """What is said of a property that is not declared by name."""
    return True if "patternProperties" in schema else schema.get("additionalProperties", True)


def _further(walk: RuleComparison, left: Schema, right: Schema) -> bool:
    """Whether nothing remains of what the consumer says of further properties."""
    if right.get("additionalProperties", True) is True:
        return True
    wanted, patterns = right["additionalProperties"], left.get("patternProperties")
    # Names that the producer's patterns take out must be taken out by the consumer's too.
    if patterns is not None and not alike(patterns, right.get("patternProperties")):
        return False
    named = right.get("properties", {})
    others = (item for name, item in left.get("properties", {}).items() if name not in named)
    return walk.implied(left.get("additionalProperties", True), wanted) and all(
        walk.implied(item, wanted) for item in others
    )


def _items(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
    """Position by position; `items` begins where the positions end: while it remains, so do they."""
    ours, wanted = left.get("prefixItems", ()), right.get("prefixItems", ())
    after, further = left.get("items", True), right.get("items", True)
    done = walk.implied(after, further) and all(walk.implied(item, further) for item in ours[len(wanted) :])
    beyond = [walk.beyond(ours[at] if at < len(ours) else after, item) for at, item in enumerate(wanted)]
    rest: Schema = {}
    if any(item is not True for item in beyond) or (beyond and not done):
        rest["prefixItems"] = beyond
    if not done:
        whole = bool(ours or wanted)
        rest["items"] = further if whole else walk.beyond(after, further)
    return rest


def _together(*group: str) -> Rule:
    """Keywords of which each changes what the others say: implied only by the same ones."""

    def rule(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
        if _both_same(walk, left, right, group):
            return NOTHING
        return {keyword: right[keyword] for keyword in group if keyword in right}

    return rule


def _both_same(walk: RuleComparison, left: Schema, right: Schema, group: tuple[str, ...]) -> bool:
    return all(
        (keyword in left) == (keyword in right) and (keyword not in left or walk.same(left[keyword], right[keyword]))
        for keyword in group
    )


def _property_names(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
    beyond = walk.beyond(left.get("propertyNames", True), right["propertyNames"])
    return NOTHING if beyond is True else {"propertyNames": beyond}


def _any_of(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
    return NOTHING if unions.any_of(walk, left, walk.forms(right["anyOf"])) else {"anyOf": right["anyOf"]}


def _one_of(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
    return NOTHING if unions.one_of(walk, left, walk.forms(right["oneOf"])) else {"oneOf": right["oneOf"]}


def _all_of(walk: RuleComparison, left: Schema, right: Schema) -> Schema:
    parts = [walk.beyond(left, part) for part in right["allOf"]]
    beyond = [part for part in parts if part is not True]
    return {"allOf": beyond} if beyond and not walk.same(left.get("allOf"), right["allOf"]) else NOTHING


def absent(left: Schema) -> frozenset[str]:
    """The keywords that say nothing of the values of `left`, for there are none of their kind."""
    kind = left.get("type")
    if isinstance(kind, str):
        return _beside(kind)
    kinds = _kinds(left)
    return frozenset() if kinds is None else _beside(*kinds)


@functools.lru_cache(maxsize=256)
def _beside(*kinds: str) -> frozenset[str]:
    own = {"number" if kind == "integer" else kind for kind in kinds}
    return frozenset(keywords.about(*(kind for kind in keywords.KINDS if kind not in own))) - keywords.UNEVALUATED


RULES: dict[str, Rule] = {
    **dict.fromkeys(("type", "$lexical"), _type),
    **{keyword: _values(keyword) for keyword in ("const", "enum")},
    **{row.name: _bound(row) for row in keywords.TABLE.values() if row.bound},
    "multipleOf": _multiple_of,
    "format": _annotation,
    "$ref": _ref,
    "uniqueItems": _unique_items,
    "required": _required,
    **dict.fromkeys(("properties", "patternProperties", "additionalProperties"), _properties),
    **dict.fromkeys(("items", "prefixItems"), _items),
    **{keyword: _together(*group) for group in keywords.TOGETHER for keyword in group},
    "propertyNames": _property_names,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "allOf": _all_of,
}

_DESCENDING = frozenset((_properties, _items, _any_of, _one_of, _all_of, _ref, _property_names))


def effort(rule: Rule | str) -> int:
    """Rules that compare schemas come after those that compare words."""
    return isinstance(rule, str) or rule in _DESCENDING
