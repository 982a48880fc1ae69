"""The policy `closed-producer`: a producer sends only what it declares.

Law: closing is done at each place where an object is described as a whole (the root, a property's value, an array's
item), as by `unevaluatedProperties: false` there, so that `allOf`, `$ref` and `anyOf` compose. An object that declares
nothing (neither `properties` nor `patternProperties`), or says anything about additional properties, is left as it is.
The closed schema accepts nothing that the schema refuses: closing only ever takes away.

Closing never makes a place impossible by itself. A name that is required (`required`, `dependentRequired`) is declared
by that, with any value; where `minProperties` asks for more names than are declared, the place stays open; and where
the forms of a `oneOf` overlap, so that a message of one form alone has to break the others, each may have the names of
all. Names are declared by marking them as evaluated, beside the keyword that asks for them; where the schema itself
says something about unevaluated properties no mark is set, for it would change what that means.

A definition may serve at a place and inside a composition, a `not` or an `if`; so closed copies are made beside the
originals, and what stands under `not`, `if` and `contains`, which test and do not describe, is never closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from claude_comm.schema import keywords
from claude_comm.schema.limits import Measure
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.normalform.forms import TESTS, Forms, describing, target
from claude_comm.schema.pointer import definition_name, reference_to
from claude_comm.schema.verdict import Json

# References that lead to references; a longer chain is left open.
MAX_CHAIN = 40

_COMPOSING = frozenset((*keywords.IN_PLACE_LISTS, "$ref", "if", "dependentSchemas"))
# What describes parts of a value as a whole; `contains` tests them.
_PLACES = frozenset(keywords.names(lambda row: row.applies in ("member", "members"))) - {"contains"}
# What asks for names: see `declared_by_asking`.
_ASKING = frozenset(("required", "dependentRequired", "oneOf"))
_LEFT_OUT = frozenset(("$defs",))
# A schema with none of these is its own closed form.
_DEEPER = _PLACES | keywords.IN_PLACE | keywords.REFERENCES | _ASKING | _LEFT_OUT


def close(document: Document) -> Document:
    """The document with every described object closed."""
    if not isinstance(document.schema, dict):
        return document
    closer = _Closer(document)
    whole = closer.at_place(document.schema)
    definitions = dict(document.definitions)
    origins = dict(document.origins)
    while closer.pending:
        name = closer.pending.pop()
        definitions[_copy(name)] = closer.inside(document.definitions[name])
        origins[_copy(name)] = document.origins.get(name, "")
    if definitions and isinstance(whole, dict):
        whole = {**whole, "$defs": definitions}
    closed = msgspec.structs.replace(document, schema=whole, origins=origins, size=_closed_size(document.size))
    # What is added has no others: the names of overlapping forms are marked by the forms' own patterns.
    closed.keep_patterns(document.patterns)
    return closed


def _closed_size(size: Measure | None) -> Measure | None:
    """A bound on the size of a closed form: none where schemas are copied."""
    if size is None or size.references or "oneOf" in size.names:
        return None
    # A schema is told that it is closed, and each name in a list is marked once, in a map that may be new.
    return msgspec.structs.replace(size, nodes=4 * size.nodes, depth=size.depth + 2, names=size.names | _ADDED)


_ADDED = keywords.FURTHER_PROPERTIES | {"properties"}


def marks_what_is_asked(document: Document) -> bool:
    """Whether nothing but closing looks at which properties were evaluated."""
    if document.size is not None and "unevaluatedProperties" not in document.size.names:
        return True
    return not any("unevaluatedProperties" in part for part in keywords.schemas(document.schema))


class _Closer:
    def __init__(self, document: Document) -> None:
        self.definitions = document.definitions
        self.pending: list[str] = []
        self.seen: set[str] = set()
        self._always: dict[str, bool] = {}
        self.declaring = _closure(document.definitions)
        self.forms = Forms(document)
        self.marks = marks_what_is_asked(document)

    def at_place(self, schema: Json) -> Json:
        """A schema that describes a whole value."""
        if not isinstance(schema, dict) or _DEEPER.isdisjoint(schema):
            return schema
        inside = self.inside(schema)
        plain = _COMPOSING.isdisjoint(schema)
        declares = _declares(schema) if plain else self.may_declare(schema)
        if not declares or not keywords.FURTHER_PROPERTIES.isdisjoint(schema) or self.forms.wants_more(schema):
            return inside
        if plain:
            return {**inside, "additionalProperties": False}
        if not self.declares(schema):
            inside = self.open_alternatives(inside, schema)
        return {"unevaluatedProperties": False, **inside}

    def inside(self, schema: Json, declared: frozenset[str] = frozenset()) -> Json:
        """The places below a schema closed, the schema itself not. `declared`: names of the schemas around it."""
        if not isinstance(schema, dict) or _DEEPER.isdisjoint(schema):
            return schema
        out: dict[str, Any] = {}
        beside: list[Json] = []
        declared = declared.union(schema.get("properties", ()))

        def part(inner: Json) -> Json:
            return self.inside(inner, declared)

        for keyword, value in schema.items():
            if keyword == "properties":
                # By far the most frequent one.
                out[keyword] = {name: self.at_place(inner) for name, inner in value.items()}
                continue
            if keyword not in _DEEPER:
                out[keyword] = value
                continue
            if keyword == "oneOf":
                # "Exactly one" is not kept when its forms get narrower: so it stays, and one of them closed besides.
                out[keyword] = value
                beside.append({"anyOf": [part(item) for item in value]})
            elif keyword == "$ref":
                out[keyword] = reference_to(_copy(self.want(value)))
            elif keyword in _PLACES:
                out[keyword] = keywords.mapped(keyword, value, self.at_place)
            elif keyword in keywords.IN_PLACE and keyword not in TESTS:
                out[keyword] = keywords.mapped(keyword, value, part)
            elif keyword not in _LEFT_OUT:
                out[keyword] = value
        if beside:
            out["allOf"] = [*out.get("allOf", ()), *beside]
        if self.marks and not _ASKING.isdisjoint(schema) and keywords.FURTHER_PROPERTIES.isdisjoint(schema):
            for keyword, marks in self.declared_by_asking(schema, declared).items():
                out[keyword] = {**marks, **out.get(keyword, {})}
        return out

    def declared_by_asking(self, schema: dict[str, Any], declared: frozenset[str]) -> dict[str, dict[str, Json]]:
        """The names that a schema requires, and those of the forms that overlap: with any value."""
        names = [name for name in _required(schema) if name not in declared]
        patterns: list[str] = []
        if "oneOf" in schema and not self.forms.apart(schema["oneOf"]):
            names += self.forms.names(schema["oneOf"])
            patterns += self.forms.patterns(schema["oneOf"])
        marks = {"properties": dict.fromkeys(names, True), "patternProperties": dict.fromkeys(patterns, True)}
        return {keyword: marked for keyword, marked in marks.items() if marked}

    def want(self, reference: str) -> str:
        name = definition_name(reference)
        if name not in self.seen:
            self.seen.add(name)
            self.pending.append(name)
        return name

    def declares(self, schema: Json, depth: int = 0) -> bool:
        """Whether every value that is described here meets a declaration of properties, for certain."""
        if not isinstance(schema, dict) or depth > MAX_CHAIN:
            return False
        if _declares(schema):
            return True
        name = target(schema)
        if name is not None and self.always(name, depth):
            return True
        if any(self.declares(item, depth + 1) for item in schema.get("allOf", ())):
            return True
        return any(
            schema.get(keyword) and all(self.declares(item, depth + 1) for item in schema[keyword])
            for keyword in keywords.UNIONS
        )

    def always(self, name: str, depth: int) -> bool:
        """The same of a definition; while it is being found out, the careful answer."""
        if name not in self._always:
            self._always[name] = False
            self._always[name] = self.declares(self.definitions[name], depth + 1)
        return self._always[name]

    def may_declare(self, schema: Json) -> bool:
        """Whether some composition here declares properties."""
        return _declares_somewhere(schema) or any(name in self.declaring for name in _references(schema))

    def open_alternatives(self, closed: Json, schema: Json) -> Json:
        """The same schema, in which an alternative that declares nothing evaluates everything: it stays open."""
        if not isinstance(schema, dict):
            return {"additionalProperties": True} if schema is True else schema
        if self.declares(schema) or keywords.FURTHER_PROPERTIES & schema.keys() or not _objects(schema):
            return closed
        inner = [keyword for keyword in keywords.UNIONS if any(self.may_declare(x) for x in schema.get(keyword, ()))]
        name = target(schema)
        through = name is not None and name in self.declaring
        nested = any(self.may_declare(x) for x in schema.get("allOf", ())) or {"if", "dependentSchemas"} & schema.keys()
        if not inner and not through and not nested:
            return {**closed, "additionalProperties": True}
        if through or nested or len(inner) != 1:
            # Rare, and closing less is always sound: the whole alternative stays open.
            return {**closed, "unevaluatedProperties": True}
        keyword = inner[0]
        pairs = zip(closed[keyword], schema[keyword], strict=True)
        return {**closed, keyword: [self.open_alternatives(a, b) for a, b in pairs]}


def _closure(definitions: Mapping[str, Json]) -> set[str]:
    """The definitions that declare properties somewhere in place, or refer to one that does."""
    users: dict[str, list[str]] = {}
    for name, schema in definitions.items():
        for used in _references(schema):
            users.setdefault(used, []).append(name)
    declaring = {name for name, schema in definitions.items() if _declares_somewhere(schema)}
    pending = list(declaring)
    while pending:
        new = [user for user in users.get(pending.pop(), ()) if user not in declaring]
        declaring.update(new)
        pending += new
    return declaring


def _declares_somewhere(schema: Json) -> bool:
    return any(map(_declares, describing(schema)))


def _declares(schema: dict[str, Any]) -> bool:
    return "properties" in schema or "patternProperties" in schema


def _required(schema: dict[str, Any]) -> Iterator[str]:
    """The names that a schema requires, always or beside another."""
    yield from schema.get("required", ())
    for others in schema.get("dependentRequired", {}).values():
        yield from others


def _references(schema: Json) -> Iterator[str]:
    return (name for part in describing(schema) if (name := target(part)) is not None)


def _objects(schema: dict[str, Any]) -> bool:
    """Whether the schema lets an object through, as far as its own `type`, `const` and `enum` tell."""
    kinds = schema.get("type", "object")
    if "object" not in (kinds if isinstance(kinds, list) else [kinds]):
        return False
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    return values is None or any(isinstance(value, dict) for value in values)


# No name of a normal form ends so: what follows its last point is a number.
_CLOSED = ".closed"


def _copy(name: str) -> str:
    return name + _CLOSED


def original_of(name: str) -> str:
    """The definition that a closed copy was made from; any other name as it is."""
    return name.removesuffix(_CLOSED)
