"""The keywords of JSON Schema, one row a keyword: what every other file here knows about them.

Law: whoever walks a schema walks it by this table. So it is known at each place whether an object is a schema, a map of
names, or data: a property that is called `$ref`, and an object in `const`, `enum`, `default` or `examples`, are never
taken for keywords. Below a keyword that no dialect knows, a reference may lead to a schema: what stands there may be
one (`schemas` visits it), and is never assumed to be one.

The columns follow the vocabularies of the specification (JSON Schema 2020-12: core, sections 8 to 11; validation,
sections 6 to 9), and the keywords of older dialects stand beside them: which kind of value a keyword constrains, what
its own value holds, to what the schemas in it are applied, whether it is a lower or an upper bound, and in which
dialects it exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias

import msgspec

from claude_comm.schema.dialect import Dialect
from claude_comm.schema.pointer import escape, steps
from claude_comm.schema.verdict import Json

# `type` also knows `integer`, which is a number.
KINDS = ("null", "boolean", "number", "string", "array", "object")
TYPES = ("null", "boolean", "number", "integer", "string", "array", "object")

Kind: TypeAlias = Literal["any", "null", "boolean", "number", "string", "array", "object"]
# What the value of a keyword holds. `unknown`: of a keyword that no dialect knows, where a schema may stand anywhere.
Holds: TypeAlias = Literal["data", "schema", "list", "map", "unknown"]
# To what the schemas of a keyword are applied: to the value itself, to the member of the same name or position, to any
# of its members, to the names of its members; or to nothing, until a reference leads there.
Applies: TypeAlias = Literal["nowhere", "in place", "member", "members", "names"]
# Only assertions, applicators and references decide whether a value is accepted.
Role: TypeAlias = Literal["assertion", "applicator", "reference", "identifier", "definitions", "annotation"]

_DIALECTS: tuple[Dialect, ...] = ("draft4", "draft6", "draft7", "draft2019-09", "draft2020-12")


class Keyword(msgspec.Struct, frozen=True):
    """One row. `bound` is 1 for a lower bound and -1 for an upper one; `exclusive`: the limit itself is refused."""

    name: str
    role: Role
    about: Kind = "any"
    holds: Holds = "data"
    applies: Applies = "nowhere"
    bound: Literal[-1, 0, 1] = 0
    exclusive: bool = False
    since: Dialect = "draft4"
    until: Dialect = "draft2020-12"

    def known_in(self, dialect: Dialect) -> bool:
        """Whether a dialect has this keyword."""
        at = _DIALECTS.index(dialect)
        return _DIALECTS.index(self.since) <= at <= _DIALECTS.index(self.until)

    @property
    def counts(self) -> bool:
        """Whether it bounds a number of characters, items or properties."""
        return bool(self.bound) and self.about != "number"


_ROWS = (
    Keyword("$schema", "identifier"),
    Keyword("$id", "identifier", since="draft6"),
    Keyword("id", "identifier", until="draft4"),
    Keyword("$anchor", "identifier", since="draft2019-09"),
    Keyword("$dynamicAnchor", "identifier", since="draft2020-12"),
    Keyword("$recursiveAnchor", "identifier", since="draft2019-09", until="draft2019-09"),
    Keyword("$vocabulary", "identifier", since="draft2019-09"),
    Keyword("$ref", "reference"),
    Keyword("$dynamicRef", "reference", since="draft2020-12"),
    Keyword("$recursiveRef", "reference", since="draft2019-09", until="draft2019-09"),
    Keyword("$defs", "definitions", holds="map", since="draft2019-09"),
    # Replaced in 2019-09, and read there by every validator all the same.
    Keyword("definitions", "definitions", holds="map"),
    Keyword("allOf", "applicator", holds="list", applies="in place"),
    Keyword("anyOf", "applicator", holds="list", applies="in place"),
    Keyword("oneOf", "applicator", holds="list", applies="in place"),
    Keyword("not", "applicator", holds="schema", applies="in place"),
    Keyword("if", "applicator", holds="schema", applies="in place", since="draft7"),
    Keyword("then", "applicator", holds="schema", applies="in place", since="draft7"),
    Keyword("else", "applicator", holds="schema", applies="in place", since="draft7"),
    Keyword("dependentSchemas", "applicator", "object", "map", "in place", since="draft2019-09"),
    # A list of names, too, may stand where a schema does.
    Keyword("dependencies", "applicator", "object", "map", "in place", until="draft7"),
    Keyword("properties", "applicator", "object", "map", "member"),
    Keyword("patternProperties", "applicator", "object", "map", "members"),
    Keyword("additionalProperties", "applicator", "object", "schema", "members"),
    Keyword("unevaluatedProperties", "applicator", "object", "schema", "members", since="draft2019-09"),
    Keyword("propertyNames", "applicator", "object", "schema", "names", since="draft6"),
    # A list of schemas, one a position, until `prefixItems` came.
    Keyword("items", "applicator", "array", "schema", "members"),
    Keyword("prefixItems", "applicator", "array", "list", "member", since="draft2020-12"),
    Keyword("additionalItems", "applicator", "array", "schema", "members", until="draft2019-09"),
    Keyword("contains", "applicator", "array", "schema", "members", since="draft6"),
    Keyword("unevaluatedItems", "applicator", "array", "schema", "members", since="draft2019-09"),
    Keyword("type", "assertion"),
    Keyword("const", "assertion", since="draft6"),
    Keyword("enum", "assertion"),
    Keyword("minimum", "assertion", "number", bound=1),
    Keyword("maximum", "assertion", "number", bound=-1),
    # Draft 4 has them as flags of the bounds beside them.
    Keyword("exclusiveMinimum", "assertion", "number", bound=1, exclusive=True, since="draft6"),
    Keyword("exclusiveMaximum", "assertion", "number", bound=-1, exclusive=True, since="draft6"),
    Keyword("multipleOf", "assertion", "number"),
    Keyword("minLength", "assertion", "string", bound=1),
    Keyword("maxLength", "assertion", "string", bound=-1),
    Keyword("pattern", "assertion", "string"),
    Keyword("minItems", "assertion", "array", bound=1),
    Keyword("maxItems", "assertion", "array", bound=-1),
    Keyword("uniqueItems", "assertion", "array"),
    Keyword("minContains", "assertion", "array", bound=1, since="draft2019-09"),
    Keyword("maxContains", "assertion", "array", bound=-1, since="draft2019-09"),
    Keyword("minProperties", "assertion", "object", bound=1),
    Keyword("maxProperties", "assertion", "object", bound=-1),
    Keyword("required", "assertion", "object"),
    Keyword("dependentRequired", "assertion", "object", since="draft2019-09"),
    Keyword("format", "annotation"),
    Keyword("contentEncoding", "annotation", "string", since="draft7"),
    Keyword("contentMediaType", "annotation", "string", since="draft7"),
    Keyword("contentSchema", "annotation", "string", holds="schema", since="draft2019-09"),
    Keyword("title", "annotation"),
    Keyword("description", "annotation"),
    Keyword("$comment", "annotation", since="draft7"),
    Keyword("default", "annotation"),
    Keyword("examples", "annotation", since="draft6"),
    Keyword("deprecated", "annotation", since="draft2019-09"),
    Keyword("readOnly", "annotation", since="draft7"),
    Keyword("writeOnly", "annotation", since="draft7"),
)

TABLE = {row.name: row for row in _ROWS}
_HOLDS: dict[str, Holds] = {row.name: row.holds for row in _ROWS}


def known(keyword: str, dialect: Dialect) -> bool:
    """Whether a dialect has a keyword of this name."""
    row = TABLE.get(keyword)
    return row is not None and row.known_in(dialect)


def names(chosen: Callable[[Keyword], bool]) -> tuple[str, ...]:
    """The keywords of some rows, in the order of the table."""
    return tuple(row.name for row in _ROWS if chosen(row))


# Columns that more than one file asks for.
REFERENCES = frozenset(names(lambda row: row.role == "reference"))
IDENTIFIERS = frozenset(names(lambda row: row.role == "identifier" and row.name not in ("$schema", "$vocabulary")))
ANNOTATIONS = frozenset(names(lambda row: row.role == "annotation"))
DEFINITIONS = names(lambda row: row.role == "definitions")
# Lists of alternatives; and of schemas of which one at least, or exactly one, is to hold.
IN_PLACE_LISTS = names(lambda row: row.applies == "in place" and row.holds == "list")
IN_PLACE = frozenset(names(lambda row: row.applies == "in place"))
_IN_PLACE = tuple((row.name, row.holds) for row in _ROWS if row.applies == "in place")
UNIONS = ("anyOf", "oneOf")
UNEVALUATED = frozenset(("unevaluatedProperties", "unevaluatedItems"))
# What limits the properties that are not declared by name.
FURTHER_PROPERTIES = frozenset(("additionalProperties", "unevaluatedProperties"))
NUMBER_BOUNDS = names(lambda row: row.about == "number" and bool(row.bound))
COUNTS = names(lambda row: row.counts)
LOWER_BOUNDS = names(lambda row: row.bound > 0)
UPPER_BOUNDS = names(lambda row: row.bound < 0)
# Keywords with regular expressions: as the value, or as the names of a map.
PATTERNS = frozenset(("pattern", "patternProperties"))
# What gives a schema a name, or refers to one by it.
NAMED = IDENTIFIERS | REFERENCES
# What makes a schema depend on where it stands, since 2019-09; a reference to a place in the same document does not.
STATEFUL = (NAMED | UNEVALUATED | {"$schema"}) - {"id", "$ref"}
# What the characters of a text encode; no validator here asserts it.
CONTENT = frozenset(names(lambda row: row.name.startswith("content") and row.holds == "data"))
# What only tells people, and refuses nothing for any reader.
NOTES = ANNOTATIONS - CONTENT - {"format", "contentSchema"}
# Of each type that is bounded, the bounds that belong to the range; and the four of a number as Python's libraries call
# them, without the one for steps.
RANGES = {
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}
PYTHON_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
# Each says nothing, or something else, without the others: they are compared, changed and kept as one.
TOGETHER = (("if", "then", "else"), ("contains", "minContains", "maxContains"))


def about(*kinds: str) -> tuple[str, ...]:
    """The keywords that constrain values of one of these kinds, and say nothing of any other."""
    return names(lambda row: row.about in kinds and row.role != "annotation")


_LISTS = (list, tuple)
Inside: TypeAlias = tuple[str, Json, Holds]


def inside(value: Json, holds: Holds) -> Iterator[Inside]:
    """The members of what a keyword holds, each with its step in a JSON Pointer and with what it holds in turn."""
    if isinstance(value, _LISTS):
        for index, item in enumerate(value):
            yield str(index), item, member(holds, "")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name, item, member(holds, name)


def member(holds: Holds, step: str) -> Holds:
    """What a member holds, of something that holds `holds`; an item of a list has no name."""
    if holds == "data":
        return "data"
    if holds in ("map", "list"):
        return "schema"
    return _HOLDS.get(step, "unknown") if step else holds


def schemas(root: Json) -> list[dict[str, Any]]:
    """Every object in a schema (the root, too) that is a schema, or may be one because a reference may lead there."""
    visited = _schemas(root, "data")
    return _schemas(root, "unknown") if any(map(_enters_data, visited)) else visited


def _schemas(root: Json, data: Holds) -> list[dict[str, Any]]:
    """By hand and not by `inside`: a large schema is walked several times before anything is proved of it."""
    subschemas: list[dict[str, Any]] = []
    stack: list[tuple[Json, Holds]] = [(root, "schema")]
    while stack:
        value, holds = stack.pop()
        inner: Holds
        if not isinstance(value, dict):
            inner = "schema" if holds in ("map", "list") else holds
            if isinstance(value, _LISTS):
                stack.extend((item, inner) for item in value if isinstance(item, _NESTED))
        elif holds in _SCHEMA:
            subschemas.append(value)
            for name, item in value.items():
                if isinstance(item, _NESTED):
                    inner = _HOLDS.get(name, "unknown") if name else holds
                    if inner != "data" or data != "data":
                        stack.append((item, data if inner == "data" else inner))
        else:
            inner = "data" if holds == "data" else "schema"
            stack.extend((item, inner) for item in value.values() if isinstance(item, _NESTED))
    return subschemas


_LISTS = (list, tuple)
_SCHEMA = frozenset(("schema", "unknown"))
_NESTED = (dict, list, tuple)


def data_in(root: Json) -> Holds:
    """What data of a schema is to be taken for: `unknown` where a reference leads into some, to find a schema there."""
    return "unknown" if any(map(_enters_data, _schemas(root, "data"))) else "data"


def _enters_data(schema: dict[str, Any]) -> bool:
    return not REFERENCES.isdisjoint(schema) and any(
        _is_data(schema[keyword]) for keyword in REFERENCES if keyword in schema
    )


def _is_data(reference: Json) -> bool:
    """Whether a pointer leads into the value of a keyword that holds no schemas."""
    if not isinstance(reference, str) or not _MAY_ENTER_DATA.search(reference):
        return False
    holds: Holds = "schema"
    for step in steps(reference.partition("#")[2]):
        holds = member(holds, step)
    return holds == "data"


# A step that is called like a keyword of data, or is written in percent codes.
_MAY_ENTER_DATA = re.compile("/({})(/|$)|%".format("|".join(map(re.escape, names(lambda row: row.holds == "data")))))


def in_place(schema: dict[str, Any]) -> Iterator[Json]:
    """The subschemas that are applied to the same value, references apart; what is malformed has none."""
    for keyword, holds in _IN_PLACE:
        if keyword not in schema:
            continue
        value = schema[keyword]
        if holds == "schema":
            yield value
        elif isinstance(value, dict) and holds == "map":
            yield from (item for item in value.values() if not isinstance(item, list))
        elif isinstance(value, list) and holds == "list":
            yield from value


def held(keyword: str, value: Json) -> Iterator[Json]:
    """The schemas that a keyword of a normal form holds."""
    holds = _HOLDS[keyword]
    yield from (value,) if holds == "schema" else value.values() if holds == "map" else value


def mapped(keyword: str, value: Json, change: Callable[[dict[str, Any]], Json], data: Holds = "data") -> Json:
    """The value of a keyword, with `change` made to each object that it holds as a schema; `data`: see `data_in`."""
    holds = _HOLDS.get(keyword, "unknown")
    return _mapped(value, data if holds == "data" else holds, change)


def _mapped(value: Json, holds: Holds, change: Callable[[dict[str, Any]], Json]) -> Json:
    if holds == "data":
        return value
    if isinstance(value, _LISTS):
        return [_mapped(item, member(holds, ""), change) for item in value]
    if holds == "map" and isinstance(value, dict):
        return {name: _mapped(item, "schema", change) for name, item in value.items()}
    return change(value) if isinstance(value, dict) else value


def place_of(keyword: str, *roots: Json) -> str:
    """The pointer to the first such keyword, or one that is hard for the same reason; empty when there is none."""
    wanted = _KIN.get(keyword, (keyword,))
    for root in roots:
        layer: list[tuple[str, Json, Holds]] = [("", root, "schema")]
        while layer:
            below: list[tuple[str, Json, Holds]] = []
            for at, value, holds in layer:
                if isinstance(value, dict) and holds in ("schema", "unknown"):
                    for name in wanted:
                        if name in value:
                            return f"{at}/{escape(name)}"
                for step, item, inner in inside(value, holds):
                    below.append((f"{at}/{escape(step)}", item, inner))
            layer = below
    return ""


# By what an engine finds hard: where else the same difficulty may stand.
_KIN = {
    "pattern": ("pattern", "patternProperties"),
    "patternProperties": ("patternProperties", "propertyNames"),
    "additionalProperties": ("additionalProperties", "unevaluatedProperties", "patternProperties"),
    "contains": ("contains",),
    "anyOf": ("anyOf", "oneOf", "allOf", "if"),
}
