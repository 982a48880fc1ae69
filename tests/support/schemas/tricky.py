"""Schemas and values of the corners of JSON Schema, in every dialect: what a reader of the standard would try.

References beside other keywords, relative names, anchors, dynamic references; patterns over classes of Unicode; numbers
at the edges of floats; what is counted, what is left over, what depends on something else.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

from claude_comm.schema.dialect import DEFAULT, URI, Dialect

DIALECTS: tuple[Dialect, ...] = ("draft2020-12", "draft2019-09", "draft7", "draft6", "draft4")
NAMES = ("a", "b", "aa", "é", "$ref", "x-1", "")
TEXTS = ("", "a", "b", "ab", "aa", "é", "É", "7", "٣", "x-1", "a\n", "\u2028", "ſ", "K", "_", "𝒳", "A")
PATTERNS = (
    *("^a", "b$", "^[a-z]+$", r"^\w+$", r"\d", r"^\S*$", "^.$", "^[^a]*$", r"^\p{L}+$", r"^\P{Lu}*$", "^(a|b)*$"),
    *(r"\s", r"^[\d_]*$", "^a{1,2}$", "^$", r"^\p{Nd}$", "^(?!a)", r"\ba", "^[é-ü]$", r"^\u0061"),
)
NUMBERS = (
    *(0, -0.0, 1, 1.0, -1, 2, 3, 0.5, 0.1, 0.3, 1.5, 2.5, 1e-310, 5e-324, 1e300, 10**300, 2**53, 2**53 + 1),
    *(float(2**60), 2**60, 2**60 + 4, 1e16, 10**16, 1e23, 10**23, 2**63, 2**64, 1.7976931348623157e308, 10**309),
)
STEPS = (1, 2, 3, 0.5, 0.1, 0.01, 1.5, 1e-310, 1e23, 10**300, 7e22, 2**53, 0.3)
KINDS = ("null", "boolean", "integer", "number", "string", "array", "object")


class Maker:
    """Random schemas of one dialect, with definitions that refer to each other."""

    def __init__(self, chance: random.Random, dialect: Dialect) -> None:
        self.chance, self.dialect = chance, dialect
        self.modern = dialect in ("draft2020-12", "draft2019-09")
        self.holder = "$defs" if self.modern else "definitions"
        self.name = "id" if dialect == "draft4" else "$id"
        self.dynamic = dialect == "draft2020-12" and chance.random() < 0.3

    def document(self) -> Any:
        root = self.schema(3)
        if not isinstance(root, dict):
            return root
        root["$schema"] = URI[self.dialect]
        root[self.holder] = {name: self.definition(name) for name in ("d", "e f", "g")}
        if self.chance.random() < 0.15 and self.modern:
            root["$id"] = "http://example.com/root/x.json"
        return root

    def definition(self, name: str) -> Any:
        made = self.schema(2)
        if name == "g":
            made = made if isinstance(made, dict) else {}
            if not self.modern:
                made.pop("$ref", None)  # beside which a name says nothing
            made[self.name] = "g.json"
        elif self.modern and name == "d":
            made = made if isinstance(made, dict) else {}
            made["$anchor"] = "d"
            if self.dynamic:
                made["$dynamicAnchor"] = "dyn"
        return made

    def reference(self) -> Any:
        pointers = [f"#/{self.holder}/d", f"#/{self.holder}/e%20f", f"#/{self.holder}/e f", *["g.json"] * 2]
        pointers += ["#"] if self.chance.random() < 0.2 else []
        pointers += ["#d"] if self.modern else []
        address = self.chance.choice(pointers)
        if self.dialect == "draft2020-12" and self.chance.random() < 0.15:
            return {"$dynamicRef": "#dyn" if self.dynamic else address}
        if self.dialect == "draft2019-09" and self.chance.random() < 0.15:
            return {"$recursiveRef": "#"}
        return {"$ref": address}

    def schema(self, depth: int) -> Any:
        if self.chance.random() < 0.08 and self.dialect != "draft4":
            return self.chance.choice([True, False, {}, {}])
        out: dict[str, Any] = {}
        if self.chance.random() < 0.5:
            out["type"] = self.kinds()
        makers = [*_LEAVES, *(_BRANCHES if depth else ())]
        makers += [*(_LATER if self.dialect != "draft4" else ()), *(_MODERN if self.modern else ())]
        for make in self.chance.choices(makers, k=self.chance.choice([1, 1, 2, 2, 3])):
            out.update(make(self, depth))
        if self.chance.random() < 0.12:
            out.update(self.reference())
        return out

    def below(self, depth: int) -> Any:
        if depth <= 0:
            return self.chance.choice([{"type": self.kinds()}, self.reference(), {"enum": self.constants()}])
        return self.schema(depth - 1)

    def kinds(self) -> Any:
        one = self.chance.choice(KINDS)
        return one if self.chance.random() < 0.7 else sorted({one, self.chance.choice(KINDS)})

    def constants(self) -> list[Any]:
        return [constant(self.chance, 1) for _ in range(self.chance.randint(1, 3))]

    def named(self, depth: int) -> dict[str, Any]:
        return {name: self.below(depth) for name in self.chance.sample(NAMES, self.chance.randint(1, 2))}


def constant(chance: random.Random, depth: int) -> Any:
    kind = chance.randrange(8 if depth else 6)
    if kind == 6:
        return [constant(chance, 0) for _ in range(chance.randint(0, 2))]
    if kind == 7:
        return {name: constant(chance, 0) for name in chance.sample(NAMES, chance.randint(0, 2))}
    return chance.choice([None, True, False, chance.choice(TEXTS), chance.choice(NUMBERS), chance.choice(NUMBERS)])


Make = Callable[[Maker, int], dict[str, Any]]


def _bounds(m: Maker, depth: int) -> dict[str, Any]:
    keyword = m.chance.choice(["minimum", "maximum"])
    out = {keyword: m.chance.choice(NUMBERS)}
    if m.chance.random() < 0.4:
        open_ = "exclusive" + keyword.capitalize()
        return {**out, open_: True} if m.dialect == "draft4" else {open_: out[keyword]}
    return out


def _lengths(m: Maker, depth: int) -> dict[str, Any]:
    return {m.chance.choice(["minLength", "maxLength"]): m.chance.randint(0, 2)}


def _counts(m: Maker, depth: int) -> dict[str, Any]:
    keyword = m.chance.choice(["minItems", "maxItems", "minProperties", "maxProperties"])
    return {keyword: m.chance.randint(0, 2)}


def _items(m: Maker, depth: int) -> dict[str, Any]:
    if m.chance.random() < 0.5:
        return {"items": m.below(depth)}
    listed = [m.below(depth) for _ in range(m.chance.randint(1, 2))]
    if m.dialect == "draft2020-12":
        return {"prefixItems": listed, **({"items": m.below(depth)} if m.chance.random() < 0.5 else {})}
    return {"items": listed, **({"additionalItems": m.below(depth)} if m.chance.random() < 0.5 else {})}


def _additional(m: Maker, depth: int) -> dict[str, Any]:
    return {"additionalProperties": m.chance.choice([False, m.below(depth)])}


def _dependencies(m: Maker, depth: int) -> dict[str, Any]:
    listed = m.chance.sample(NAMES, m.chance.randint(1, 2))
    return {"dependencies": {m.chance.choice(NAMES): m.chance.choice([listed, m.below(depth)])}}


def _contains(m: Maker, depth: int) -> dict[str, Any]:
    out = {"contains": m.below(depth)}
    for keyword in ("minContains", "maxContains"):
        if m.chance.random() < 0.4:
            out[keyword] = m.chance.randint(0, 2)
    return out


def _condition(m: Maker, depth: int) -> dict[str, Any]:
    branches = {branch: m.below(depth) for branch in ("then", "else") if m.chance.random() < 0.7}
    return {"if": m.below(depth), **branches}


def _names(m: Maker) -> list[Any]:
    listed = m.chance.sample(NAMES, 2)
    return [{"enum": listed}, {"const": listed[0]}, {"pattern": m.chance.choice(PATTERNS)}, {"maxLength": 1}, False]


def _unevaluated(m: Maker, depth: int) -> dict[str, Any]:
    return {m.chance.choice(["unevaluatedProperties", "unevaluatedItems"]): m.chance.choice([False, m.below(depth)])}


_LEAVES: tuple[Make, ...] = (
    _bounds,
    _lengths,
    _counts,
    lambda m, depth: {"multipleOf": m.chance.choice(STEPS)},
    lambda m, depth: {"pattern": m.chance.choice(PATTERNS)},
    lambda m, depth: {"enum": m.constants()},
    lambda m, depth: {"required": m.chance.sample(NAMES, m.chance.randint(1, 2))},
    lambda m, depth: {"uniqueItems": True},
    lambda m, depth: {"format": "ipv4", "contentEncoding": "base64", "contentMediaType": "application/json"},
)
_BRANCHES: tuple[Make, ...] = (
    lambda m, depth: {"properties": m.named(depth)},
    lambda m, depth: {"properties": m.named(depth)},
    lambda m, depth: {"patternProperties": {m.chance.choice(PATTERNS): m.below(depth)}},
    _additional,
    _items,
    _dependencies,
    lambda m, depth: {"not": m.below(depth)},
    lambda m, depth: {m.chance.choice(["allOf", "anyOf", "oneOf"]): [m.below(depth), m.below(depth)]},
)
_LATER: tuple[Make, ...] = (
    lambda m, depth: {"const": constant(m.chance, 1)},
    lambda m, depth: {"propertyNames": m.chance.choice(_names(m))},
    _contains,
    _condition,
)
_MODERN: tuple[Make, ...] = (
    _unevaluated,
    _unevaluated,
    lambda m, depth: {"dependentSchemas": m.named(depth)},
    lambda m, depth: {"dependentRequired": {m.chance.choice(NAMES): [m.chance.choice(NAMES)]}},
)


def schema(chance: random.Random) -> tuple[Any, Dialect]:
    """A schema, and the dialect that it is in."""
    dialect = chance.choice(DIALECTS)
    return Maker(chance, dialect).document(), dialect


def values(chance: random.Random, count: int) -> Iterator[Any]:
    """Values over the names, texts and numbers that the schemas speak of."""
    for _ in range(count):
        yield value(chance, 3)


def value(chance: random.Random, depth: int) -> Any:
    """One of them, nested up to `depth` deep."""
    kind = chance.randrange(9 if depth else 5)
    if kind >= 7:
        return [value(chance, depth - 1) for _ in range(chance.randint(0, 3))]
    if kind >= 5:
        return {name: value(chance, depth - 1) for name in chance.sample(NAMES, chance.randint(0, 3))}
    return constant(chance, 0)


def dialect(made: Any) -> Dialect:
    """The dialect that a schema of this maker says it is in."""
    return next((name for name in DIALECTS if isinstance(made, dict) and made.get("$schema") == URI[name]), DEFAULT)


_STAYS = frozenset(("$schema", "$defs", "definitions", "$id", "id", "$anchor", "$dynamicAnchor"))


def edited(chance: random.Random, made: Any, dialect: Dialect) -> Any:
    """The same schema with up to two changes: a keyword less, more, or with a number beside its own."""
    made = copy.deepcopy(made)
    places = [value for value in _nested(made) if isinstance(value, dict)]
    for place in chance.choices(places, k=chance.choice([0, 1, 1, 2])) if places else ():
        keywords = [keyword for keyword in place if keyword not in _STAYS]
        roll = chance.random()
        if roll < 0.45 and keywords:
            del place[chance.choice(keywords)]
        elif roll < 0.8:
            more = Maker(chance, dialect).schema(1)
            place.update(more if isinstance(more, dict) else {})
        elif keywords:
            keyword = chance.choice(keywords)
            if isinstance(place[keyword], int) and not isinstance(place[keyword], bool):
                place[keyword] += chance.choice([1, -1])
    return made


def _nested(value: Any) -> Iterator[Any]:
    yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nested(item)
