"""The residual: the consumer's constraints that the producer's keywords do not already imply.

Law: a value of `produced` is in `accepted` exactly when it is in the residual; so where nothing remains the pair is
compatible, and that is a proof. A keyword is dropped only when a keyword of the producer at the same place implies it;
whatever is not understood here remains.

Theory of operation. Both schemas are walked together, place by place: the residual of `R` under `L` is the conjunction
of those keywords of `R` that are not valid consequences of `L`. One rule a keyword decides that, from the keywords of
`L` at the same place; where a keyword holds schemas, what remains of it is their residual under the schemas of `L` at
the same member. So

    L = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
    R = {"type": "object", "properties": {"n": {"type": "number", "maximum": 9}, "t": {"type": "string"}}}

leaves `{"properties": {"n": {"maximum": 9}, "t": {"type": "string"}}}`: `type` is implied twice (every integer is a
number), `maximum` is not, and `t` may be anything, as `L` does not limit it. What remains is what a witness must break,
and `guided_witness` goes to these places alone. A message schema and a later version of it differ in few places: one
walk over both finds them.

References are followed. A pair that is met again while it is being compared counts as implied there, by coinduction:
JSON values are finite, so a least value that broke it would have to hold a smaller one. What was concluded under such
an assumption is kept only when the pair that it leaned on is implied as well (as in `solver.prover`).

Reference: syntactic subsumption in description logics, structural subtyping of schemas (Habib, Shinnar, Hirzel and
Pradel, "Finding Data Compatibility Bugs with JSON Subschema Checks", ISSTA 2021), made one-sided: it may fail to imply,
and never implies wrongly.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from claude_comm.schema import keywords
from claude_comm.schema.containment import unions
from claude_comm.schema.containment.outlines import Outlines
from claude_comm.schema.normalform.closing import original_of
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.values import exact, identity, ordered, text
from claude_comm.schema.verdict import Json

# Alternatives may be compared each with each, on every level: past so many the rest remains as it is.
MAX_COMPARISONS = 20_000
COMPARISONS_A_LOOK = 64


def residual(produced: Document, accepted: Document, look: Callable[[], None] = lambda: None) -> Json:
    """The residual of two documents, as a schema with the definitions of `accepted`; True where nothing remains.

    `look` is called every few comparisons, and may raise.
    """
    if produced.dynamic or accepted.dynamic:
        return accepted.schema
    walk = Walk(produced.definitions, accepted.definitions, look)
    try:
        rest = walk.beyond(bare(produced.schema), bare(accepted.schema))
    except (TooManyComparisons, RecursionError):
        # Definitions that lead to definitions may nest deeper than the interpreter's stack.
        return accepted.schema
    if accepted.definitions and isinstance(rest, dict):
        return {**rest, "$defs": dict(accepted.definitions)}
    return rest


def implied(produced: Document, accepted: Document, look: Callable[[], None] = lambda: None) -> bool:
    """Whether nothing remains, found out in less time than what remains."""
    if produced.dynamic or accepted.dynamic:
        return False
    walk = Walk(produced.definitions, accepted.definitions, look)
    try:
        return walk.implied(bare(produced.schema), bare(accepted.schema))
    except (TooManyComparisons, RecursionError):
        return False


def bare(schema: Json) -> Json:
    """A whole schema without its definitions."""
    if isinstance(schema, dict) and "$defs" in schema:
        return {name: value for name, value in schema.items() if name != "$defs"}
    return schema


def alike(left: Json, right: Json) -> bool:
    """Whether two schemas say the same word for word, in any order of keys; in Python 1 equals true, as text not."""
    return bool(left == right) and ordered(left) == ordered(right)


def alike_definitions(produced: Mapping[str, Json], accepted: Mapping[str, Json]) -> frozenset[str]:
    """The names that stand for the same on both sides: written alike, and so is all that they refer to."""
    common = {
        name
        for name, schema in produced.items()
        if name in accepted and alike(schema, accepted[name]) and not unknown(schema)
    }
    users: dict[str, list[str]] = {}
    for name in common:
        for used in references(produced[name]):
            users.setdefault(used, []).append(name)
    different = [used for used in users if used not in common]
    while different:
        for user in users.get(different.pop(), ()):
            if user in common:
                common.remove(user)
                different.append(user)
    return frozenset(common)


def references(schema: Json) -> set[str]:
    """The definitions that a schema of a normal form refers to, at any place; of constants it may be more."""
    written = text(schema)
    return {name.decode() for name in _REFERENCE.findall(written)} if b'"$ref"' in written else set()


def unknown(schema: Json) -> bool:
    """Whether some part may be anything: two of them need not be the same, though they are for the same reason."""
    return b'"$opaque"' in text(schema)


_REFERENCE = re.compile(rb'"\$ref":"#/\$defs/([^"]*)"')


class TooManyComparisons(Exception):
    """It never leaves the engine."""


class Walk:
    """`shared`: the definitions that mean the same on both sides; `sent` and `taken`: the outlines of either side."""

    def __init__(
        self, produced: Mapping[str, Json], accepted: Mapping[str, Json], look: Callable[[], None] = lambda: None
    ) -> None:
        self.produced, self.accepted, self.looked = produced, accepted, look
        self.sent, self.taken = Outlines(produced), Outlines(accepted)
        self.comparisons = MAX_COMPARISONS
        # Whether it is only asked if anything remains: then the first thing that does is enough.
        self.hasty = False
        self._forms: dict[int, unions.AcceptedForms] = {}
        self._kept: list[_Schema] = []
        # Pairs of a schema of the producer and a definition of the consumer: what remains of those that are settled;
        # those that are open, with their depth; and those that are implied if one that is open is, with its depth.
        self._settled: dict[_Pair, Json] = {}
        self._open: dict[_Pair, int] = {}
        self._leaning: dict[_Pair, float] = {}
        # Those of which it is only known that something remains.
        self._refused: set[_Pair] = set()
        self._leans_on: float = math.inf

    @functools.cached_property
    def shared(self) -> frozenset[str]:
        return alike_definitions(self.produced, self.accepted)

    def same(self, left: Json, right: Json) -> bool:
        if not alike(left, right):
            return False
        written = text(right)
        if b'"$opaque"' in written:
            return False
        return b'"$ref"' not in written or references(right) <= self.shared

    def look(self, comparisons: int = 1) -> None:
        """Counts so many comparisons; raises `TooManyComparisons`."""
        before, self.comparisons = self.comparisons, self.comparisons - comparisons
        if self.comparisons < 0:
            raise TooManyComparisons
        if before // COMPARISONS_A_LOOK != self.comparisons // COMPARISONS_A_LOOK:
            self.looked()

    def beyond(self, left: Json, right: Json) -> Json:
        """The residual of `right` for the values of `left`; raises `TooManyComparisons`."""
        self.look()
        if right is True or right == {} or left is False:
            return True
        if not isinstance(right, dict):
            return True if self.same(left, right) else right
        if not isinstance(left, dict):
            left = _ANYTHING
        elif self.same(left, right):
            return True
        if _is_reference(right):
            return self._referred(left, definition_name(right["$ref"]))
        if _is_reference(left):
            return self.beyond(self.produced[definition_name(left["$ref"])], right)
        if not _LINKED.isdisjoint(right):
            return right
        if "allOf" not in left and "$ref" not in left:
            return self._by_rules(left, right)
        # Each part may imply what those before it leave: so that has to be all of it.
        before, self.hasty = self.hasty, False
        rest = self._beyond_all(self._parts(left), self._by_rules(left, right))
        self.hasty = before
        return rest

    def _by_rules(self, left: _Schema, right: _Schema) -> Json:
        rest: dict[str, Any] = {}
        absent = _absent(left)
        # One rule may be that of several keywords.
        rules: dict[_Rule | str, None] = dict.fromkeys(
            [_RULES.get(keyword) or keyword for keyword in right if keyword not in absent]
        )
        for rule in sorted(rules, key=_effort) if self.hasty else rules:
            if isinstance(rule, str):
                if rule not in left or not self.same(left[rule], right[rule]):
                    rest[rule] = right[rule]
            else:
                rest.update(rule(self, left, right))
            if rest and self.hasty:
                break
        return rest or True

    def _beyond_all(self, parts: Iterable[Json], rest: Json) -> Json:
        """What remains of `rest` beside schemas that the producer's values fulfil as well."""
        for part in parts:
            if rest is True:
                break
            rest = self.beyond(part, rest)
        return rest

    def _parts(self, left: _Schema) -> Iterator[Json]:
        """What stands beside the keywords of a schema, and holds for its values too."""
        yield from left.get("allOf", ())
        if "$ref" in left:
            yield self.produced[definition_name(left["$ref"])]

    def _referred(self, left: _Schema, name: str) -> Json:
        """The residual of a definition."""
        source = definition_name(left["$ref"]) if _is_reference(left) else None
        # Closing only takes away, so that a closed copy is within its original.
        if source is not None and original_of(source) == name in self.shared:
            return True
        pair = (id(left) if source is None else source, name)
        if pair in self._settled:
            return self._settled[pair]
        if self.hasty and pair in self._refused:
            return False
        depth = self._leaning.get(pair, self._open.get(pair))
        if depth is not None:
            self._leans_on = min(self._leans_on, depth)
            return True
        return self._compared(pair, left if source is None else self.produced[source], self.accepted[name])

    def _compared(self, pair: _Pair, left: Json, right: Json) -> Json:
        before, self._leans_on = self._leans_on, math.inf
        depth, mark = len(self._open), len(self._leaning)
        self._open[pair] = depth
        rest = self.beyond(left, right)
        del self._open[pair]
        leans_on, self._leans_on = self._leans_on, min(before, self._leans_on if self._leans_on < depth else math.inf)
        under = list(self._leaning)[mark:]
        if rest is True and leans_on < depth:
            self._leaning[pair] = leans_on
            return True
        for other in under:
            del self._leaning[other]
        # What was implied under the assumption that this pair is: implied, now that it is; else unknown again.
        self._settled.update(dict.fromkeys(under, True) if rest is True else {})
        if rest is not True and self.hasty:
            self._refused.add(pair)
        else:
            self._settled[pair] = rest
        return rest

    def implied(self, left: Json, right: Json) -> bool:
        """Whether nothing remains: the same as `beyond`, ended by the first thing that does."""
        before, self.hasty = self.hasty, True
        try:
            return self.beyond(left, right) is True
        finally:
            self.hasty = before

    def followed(self, schema: Json) -> Json:
        """What a reference of the producer stands for, however long the chain; anything else as it is."""
        while _is_reference(schema):
            schema = self.produced[definition_name(schema["$ref"])]
        return schema

    def forms(self, forms: list[Json]) -> unions.AcceptedForms:
        """The forms of a union of the consumer, made ready."""
        found = self._forms.get(id(forms))
        if found is None or found.forms is not forms:
            found = self._forms[id(forms)] = unions.AcceptedForms(self, forms)
        return found

    def kept(self, schema: _Schema) -> _Schema:
        """A schema that is made on the way: it is kept, so that its id stays its own."""
        self._kept.append(schema)
        return schema


def _effort(rule: _Rule | str) -> int:
    """Rules that compare schemas come after those that compare words."""
    return isinstance(rule, str) or rule in _DESCENDING


def _is_reference(schema: Json) -> bool:
    return isinstance(schema, dict) and schema.keys() == {"$ref"}


_Schema = dict[str, Any]
# A definition of the producer by its name, or any other schema by its id; and a definition of the consumer.
_Pair = tuple[str | int, str]
# What remains of the keywords of one rule.
_Rule = Callable[[Walk, _Schema, _Schema], _Schema]
_NOTHING: _Schema = {}
_ANYTHING: _Schema = {}

# What these say depends on what stands beside them, or on which of it has looked at a value.
_LINKED = keywords.UNEVALUATED | {"$opaque", "$defs"}


def _type(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
    ours, theirs = _kinds(left), _names(right["type"])
    # To draft 4 an integer is one that is written without a point, which a listed value may be or not.
    lexical = "$lexical" in right and "number" not in theirs and not ("$lexical" in left and "type" in left)
    if (
        ours is None
        or not all(kind in theirs or (kind == "integer" and "number" in theirs) for kind in ours)
        or (lexical and "integer" in ours)
    ):
        return {keyword: right[keyword] for keyword in ("type", "$lexical") if keyword in right}
    return _NOTHING


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
    def rule(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
        ours, theirs = _listed(left), _listed({keyword: right[keyword]})
        if ours is None or theirs is None or not set(map(identity, ours)) <= set(map(identity, theirs)):
            return {keyword: right[keyword]}
        return _NOTHING

    return rule


def _bound(row: keywords.Keyword) -> _Rule:
    """It holds where the producer's bound is as tight, or where its bound that leaves out the limit is."""
    keyword, sign = row.name, row.bound
    stronger = keyword if row.exclusive or row.counts else "exclusive" + keyword.capitalize()
    idle = row.counts and row.bound > 0

    def rule(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
        wanted = right[keyword]
        # Everything is of at least no length.
        if idle and not wanted:
            return _NOTHING
        if keyword in left and _reaches(left[keyword], wanted, sign):
            return _NOTHING
        if stronger in left and _reaches(left[stronger], wanted, sign):
            return _NOTHING
        return {keyword: wanted}

    return rule


def _reaches(ours: float, wanted: float, sign: int) -> bool:
    # Two floats are in the order of the decimals that they print as; an integer and a float need not be.
    if type(ours) is not type(wanted):
        return (exact(ours) - exact(wanted)) * sign >= 0
    return ours >= wanted if sign > 0 else ours <= wanted


def _multiple_of(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
    wanted = exact(right["multipleOf"])
    ours = left.get("multipleOf", 1 if _kinds(left) == ["integer"] else None)
    if ours is None or (exact(ours) / wanted).denominator != 1:
        return {"multipleOf": right["multipleOf"]}
    return _NOTHING


def _annotation(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
    """A keyword that asserts nothing."""
    return _NOTHING


def _ref(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
    """A reference beside other keywords."""
    return _NOTHING if walk.implied(left, walk.kept({"$ref": right["$ref"]})) else {"$ref": right["$ref"]}


def _unique_items(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
    return {"uniqueItems": True} if right["uniqueItems"] and not left.get("uniqueItems") else _NOTHING


def _required(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
    ours = set(left.get("required", ()))
    missing = [name for name in right["required"] if name not in ours]
    return {"required": missing} if missing else _NOTHING


def _properties(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
    """Further properties are all but those named here: while the one remains, so do the names of the other."""
    further = _further(walk, left, right)
    declared, undeclared = left.get("properties", {}), _undeclared(left)
    rest: _Schema = {}
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


def _items(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
    """Position by position; `items` begins where the positions end: while it remains, so do they."""
    ours, wanted = left.get("prefixItems", ()), right.get("prefixItems", ())
    after, further = left.get("items", True), right.get("items", True)
    done = walk.implied(after, further) and all(walk.implied(item, further) for item in ours[len(wanted) :])
    beyond = [walk.beyond(ours[at] if at < len(ours) else after, item) for at, item in enumerate(wanted)]
    rest: _Schema = {}
    if any(item is not True for item in beyond) or (beyond and not done):
        rest["prefixItems"] = beyond
    if not done:
        whole = bool(ours or wanted)
        rest["items"] = further if whole else walk.beyond(after, further)
    return rest


def _together(*group: str) -> _Rule:
    """Keywords of which each changes what the others say: implied only by the same ones."""

    def rule(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
        if _both_same(walk, left, right, group):
            return _NOTHING
        return {keyword: right[keyword] for keyword in group if keyword in right}

    return rule


def _both_same(walk: Walk, left: _Schema, right: _Schema, group: tuple[str, ...]) -> bool:
    return all(
        (keyword in left) == (keyword in right) and (keyword not in left or walk.same(left[keyword], right[keyword]))
        for keyword in group
    )


def _property_names(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
    beyond = walk.beyond(left.get("propertyNames", True), right["propertyNames"])
    return _NOTHING if beyond is True else {"propertyNames": beyond}


def _any_of(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
    return _NOTHING if unions.any_of(walk, left, walk.forms(right["anyOf"])) else {"anyOf": right["anyOf"]}


def _one_of(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
    return _NOTHING if unions.one_of(walk, left, walk.forms(right["oneOf"])) else {"oneOf": right["oneOf"]}


def _all_of(walk: Walk, left: _Schema, right: _Schema) -> _Schema:
    parts = [walk.beyond(left, part) for part in right["allOf"]]
    beyond = [part for part in parts if part is not True]
    return {"allOf": beyond} if beyond and not walk.same(left.get("allOf"), right["allOf"]) else _NOTHING


def _absent(left: _Schema) -> frozenset[str]:
    """The keywords that say nothing of the values of `left`, for there are none of their kind."""
    kinds = _kinds(left)
    return frozenset() if kinds is None else _beside(*kinds)


@functools.lru_cache(maxsize=256)
def _beside(*kinds: str) -> frozenset[str]:
    own = {"number" if kind == "integer" else kind for kind in kinds}
    return frozenset(keywords.about(*(kind for kind in keywords.KINDS if kind not in own))) - keywords.UNEVALUATED


_RULES: dict[str, _Rule] = {
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
