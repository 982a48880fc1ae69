"""What a consumer's schema asks for beyond what the producer's says in as many words.

Law: a value of `produced` is in `accepted` exactly when it is in the residue; so where nothing remains the pair is
compatible, and that is a proof. A keyword is dropped only when a keyword of the producer at the same place implies it;
whatever is not understood here remains.

A message schema and a later version of it differ in few places: this finds them in one walk over both.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from claude_comm.schema import keywords
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.values import exact, key, text
from claude_comm.schema.verdict import Json

# Alternatives are compared each with each, on every level: past so many looks the rest remains as it is.
MAX_LOOKS = 2_000


def residue(produced: Document, accepted: Document) -> Json:
    """The residue of two documents, as a schema with the definitions of `accepted`; True where nothing remains."""
    if any(document.opaque or document.lexical or document.dynamic for document in (produced, accepted)):
        return accepted.schema
    walk = Walk(produced.definitions, accepted.definitions)
    try:
        rest = walk.beyond(bare(produced.schema), bare(accepted.schema))
    except (TooManyLooks, RecursionError):
        # Definitions that lead to definitions may nest deeper than the interpreter's stack.
        return accepted.schema
    if accepted.definitions and isinstance(rest, dict):
        return {**rest, "$defs": dict(accepted.definitions)}
    return rest


def bare(schema: Json) -> Json:
    """A whole schema without its definitions."""
    if isinstance(schema, dict) and "$defs" in schema:
        return {name: value for name, value in schema.items() if name != "$defs"}
    return schema


def alike(left: Json, right: Json) -> bool:
    """Whether two schemas are written the same way; in Python 1 equals true, as text it does not."""
    return bool(left == right) and text(left) == text(right)


class TooManyLooks(Exception):
    """It never leaves the engine."""


class Walk:
    """`shared`: whether a reference means the same on both sides; `open`: those that are being compared."""

    def __init__(self, produced: Mapping[str, Json], accepted: Mapping[str, Json]) -> None:
        self.produced, self.accepted = produced, accepted
        self.shared, self.looks = alike(produced, accepted), MAX_LOOKS
        self.open: set[tuple[str, str]] = set()

    def same(self, left: Json, right: Json) -> bool:
        return alike(left, right) and (self.shared or b'"$ref"' not in text(right))

    def beyond(self, left: Json, right: Json) -> Json:
        """The residue of `right` for the values of `left`; raises `TooManyLooks`."""
        self.looks -= 1
        if self.looks < 0:
            raise TooManyLooks
        if right is True or right == {} or left is False:
            return True
        if not isinstance(right, dict) or not _LINKED.isdisjoint(right):
            return True if self.same(left, right) else right
        if not isinstance(left, dict):
            left = {}
        elif self.same(left, right):
            return True
        rest: dict[str, Any] = {}
        absent = _absent(left)
        # One rule may be that of several keywords.
        rules: dict[_Rule | str, None] = dict.fromkeys(
            [_RULES.get(keyword) or keyword for keyword in right if keyword not in absent]
        )
        for rule in rules:
            if isinstance(rule, str):
                if rule not in left or not self.same(left[rule], right[rule]):
                    rest[rule] = right[rule]
            else:
                rule(self, left, right, rest)
        return rest or True

    def implied(self, left: Json, right: Json) -> bool:
        return self.beyond(left, right) is True


_Schema = dict[str, Any]
_Rule = Callable[[Walk, _Schema, _Schema, _Schema], None]

# What these say depends on what stands beside them, or on which of it has looked at a value.
_LINKED = keywords.UNEVALUATED | {"$opaque", "$lexical", "$defs"}


def _type(walk: Walk, left: _Schema, right: _Schema, rest: _Schema) -> None:
    ours, theirs = _kinds(left), _names(right["type"])
    if ours is None or not all(kind in theirs or (kind == "integer" and "number" in theirs) for kind in ours):
        rest["type"] = right["type"]


def _names(kinds: Json) -> list[str]:
    return kinds if isinstance(kinds, list) else [kinds]


def _kinds(schema: _Schema) -> list[str] | None:
    """The kinds of value that a schema names, or lists; None for any."""
    if "type" in schema:
        return _names(schema["type"])
    listed = _listed(schema)
    kinds = [_KIND.get(type(value), "") for value in listed or ()]
    return None if listed is None or "" in kinds else kinds


def _listed(schema: _Schema) -> list[Json] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


_KIND = {
    **{bool: "boolean", str: "string", dict: "object", list: "array", int: "integer", float: "number"},
    type(None): "null",
}


def _values(keyword: str) -> _Rule:
    def rule(walk: Walk, left: _Schema, right: _Schema, rest: _Schema) -> None:
        ours, theirs = _listed(left), _listed({keyword: right[keyword]})
        if ours is None or theirs is None or not {key(value) for value in ours} <= {key(value) for value in theirs}:
            rest[keyword] = right[keyword]

    return rule


def _bound(row: keywords.Keyword) -> _Rule:
    """It holds where the producer's bound is as tight, or where its bound that leaves out the limit is."""
    keyword, sign = row.name, row.bound
    stronger = keyword if row.exclusive or row.counts else "exclusive" + keyword.capitalize()
    idle = row.counts and row.bound > 0

    def rule(walk: Walk, left: _Schema, right: _Schema, rest: _Schema) -> None:
        wanted = right[keyword]
        # Everything is of at least no length.
        if idle and not wanted:
            return
        if keyword in left and _reaches(left[keyword], wanted, sign):
            return
        if stronger in left and _reaches(left[stronger], wanted, sign):
            return
        rest[keyword] = wanted

    return rule


def _reaches(ours: float, wanted: float, sign: int) -> bool:
    # Two floats are in the order of the decimals that they print as; an integer and a float need not be.
    if type(ours) is not type(wanted):
        return (exact(ours) - exact(wanted)) * sign >= 0
    return ours >= wanted if sign > 0 else ours <= wanted


def _multiple_of(walk: Walk, left: _Schema, right: _Schema, rest: _Schema) -> None:
    wanted = exact(right["multipleOf"])
    ours = left.get("multipleOf", 1 if _kinds(left) == ["integer"] else None)
    if ours is None or (exact(ours) / wanted).denominator != 1:
        rest["multipleOf"] = right["multipleOf"]


def _nothing(walk: Walk, left: _Schema, right: _Schema, rest: _Schema) -> None:
    """A keyword that says nothing of its own."""


def _ref(walk: Walk, left: _Schema, right: _Schema, rest: _Schema) -> None:
    """A reference beside nothing else is read for what it stands for, unless that leads back to itself."""
    pair = str(left.get("$ref")), str(right["$ref"])
    if walk.shared and pair[0] == pair[1]:
        return
    if len(left) > 1 or len(right) > 1 or "$ref" not in left or pair in walk.open:
        rest["$ref"] = right["$ref"]
        return
    walk.open.add(pair)
    target = walk.beyond(walk.produced[definition_name(pair[0])], walk.accepted[definition_name(pair[1])])
    walk.open.remove(pair)
    if target is not True:
        rest.update(target if isinstance(target, dict) else right)


def _unique_items(walk: Walk, left: _Schema, right: _Schema, rest: _Schema) -> None:
    if right["uniqueItems"] and not left.get("uniqueItems"):
        rest["uniqueItems"] = True


def _required(walk: Walk, left: _Schema, right: _Schema, rest: _Schema) -> None:
    ours = set(left.get("required", ()))
    missing = [name for name in right["required"] if name not in ours]
    if missing:
        rest["required"] = missing


def _properties(walk: Walk, left: _Schema, right: _Schema, rest: _Schema) -> None:
    """Further properties are all but those named here: while the one remains, so do the names of the other."""
    further = _further(walk, left, right)
    declared, undeclared = left.get("properties", {}), _undeclared(left)
    found = {}
    for name, schema in right.get("properties", {}).items():
        beyond = walk.beyond(declared.get(name, undeclared), schema)
        if beyond is not True or not further:
            found[name] = beyond
    if found:
        rest["properties"] = found
    patterns = right.get("patternProperties")
    if patterns and not (further and walk.same(left.get("patternProperties"), patterns)):
        rest["patternProperties"] = patterns
    if not further:
        rest["additionalProperties"] = right["additionalProperties"]


def _undeclared(schema: _Schema) -> Json:
    """What is said of a property that is not declared by name."""
    return True if "patternProperties" in schema else schema.get("additionalProperties", True)


def _further(walk: Walk, left: _Schema, right: _Schema) -> bool:
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


def _items(walk: Walk, left: _Schema, right: _Schema, rest: _Schema) -> None:
    """Position by position; `items` begins where the positions end: while it remains, so do they."""
    ours, wanted = left.get("prefixItems", ()), right.get("prefixItems", ())
    after, further = left.get("items", True), right.get("items", True)
    done = walk.implied(after, further) and all(walk.implied(item, further) for item in ours[len(wanted) :])
    beyond = [walk.beyond(ours[at] if at < len(ours) else after, item) for at, item in enumerate(wanted)]
    if any(item is not True for item in beyond) or (beyond and not done):
        rest["prefixItems"] = beyond
    if not done:
        whole = bool(ours or wanted)
        rest["items"] = further if whole else walk.beyond(after, further)


def _together(*keywords: str) -> _Rule:
    """Keywords of which each changes what the others say: implied only by the same ones."""

    def rule(walk: Walk, left: _Schema, right: _Schema, rest: _Schema) -> None:
        if not _both_same(walk, left, right, keywords):
            rest.update({keyword: right[keyword] for keyword in keywords if keyword in right})

    return rule


def _both_same(walk: Walk, left: _Schema, right: _Schema, keywords: tuple[str, ...]) -> bool:
    return all(
        (keyword in left) == (keyword in right) and (keyword not in left or walk.same(left[keyword], right[keyword]))
        for keyword in keywords
    )


def _property_names(walk: Walk, left: _Schema, right: _Schema, rest: _Schema) -> None:
    beyond = walk.beyond(left.get("propertyNames", True), right["propertyNames"])
    if beyond is not True:
        rest["propertyNames"] = beyond


def _any_of(walk: Walk, left: _Schema, right: _Schema, rest: _Schema) -> None:
    def taken(branch: Json) -> bool:
        return any(walk.implied(branch, wanted) for wanted in right["anyOf"])

    if not taken(left) and not any(all(map(taken, branches)) for branches in _alternatives(left)):
        rest["anyOf"] = right["anyOf"]


def _alternatives(schema: _Schema) -> Iterator[list[Json]]:
    return (schema[keyword] for keyword in keywords.UNIONS if keyword in schema)


def _all_of(walk: Walk, left: _Schema, right: _Schema, rest: _Schema) -> None:
    beyond = [each for item in right["allOf"] if (each := walk.beyond(left, item)) is not True]
    if beyond and not walk.same(left.get("allOf"), right["allOf"]):
        rest["allOf"] = beyond


def _absent(left: _Schema) -> frozenset[str]:
    """The keywords that say nothing of the values of `left`, for there are none of their kind."""
    kinds = _kinds(left)
    return frozenset() if kinds is None else _beside(*kinds)


@functools.lru_cache(maxsize=256)
def _beside(*kinds: str) -> frozenset[str]:
    told = {"number" if kind == "integer" else kind for kind in kinds}
    return frozenset(keywords.about(*(kind for kind in keywords.KINDS if kind not in told))) - keywords.UNEVALUATED


_RULES: dict[str, _Rule] = {
    "type": _type,
    **{keyword: _values(keyword) for keyword in ("const", "enum")},
    **{row.name: _bound(row) for row in keywords.TABLE.values() if row.bound},
    "multipleOf": _multiple_of,
    "format": _nothing,
    "$ref": _ref,
    "uniqueItems": _unique_items,
    "required": _required,
    **dict.fromkeys(("properties", "patternProperties", "additionalProperties"), _properties),
    **dict.fromkeys(("items", "prefixItems"), _items),
    **{keyword: _together(*group) for group in keywords.TOGETHER for keyword in group},
    "propertyNames": _property_names,
    "anyOf": _any_of,
    "allOf": _all_of,
}
