"""The sketch of a schema: what every message that it allows has for certain, read off its keywords in microseconds.

Law: necessary, never sufficient. A message that does not fit the sketch is refused by the schema; one that fits may
still be refused. Whatever is not understood (a reference out of the document, a schema with an address of its own, a
keyword that is not read here) leaves the sketch wider.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from claude_comm.errors import SchemaError
from claude_comm.schema import keywords
from claude_comm.schema.dialect import Dialect, dialect_of
from claude_comm.schema.pointer import steps
from claude_comm.schema.verdict import Json

# An integer is a number here: whether 1.0 is one depends on the dialect.
KINDS = frozenset(("null", "boolean", "number", "string", "array", "object"))
# In these a schema with `$ref` says nothing else.
_REF_ALONE: frozenset[Dialect] = frozenset(("draft4", "draft6", "draft7"))
# References that lead to references, and schemas that are read of one document: three references in each of eight
# levels are thousands.
_MAX_LEVELS, _MAX_READ = 16, 2_000


class Sketch(msgspec.Struct, frozen=True):
    """The kinds that messages may be of, and the names that each object among them has."""

    kinds: frozenset[str] = KINDS
    required: frozenset[str] = frozenset()

    def admits(self, kind: str, names: Iterable[str]) -> bool:
        """Whether a message of that kind, an object with these names, may be allowed."""
        return kind in self.kinds and (kind != "object" or self.required.issubset(names))

    def both(self, other: Sketch) -> Sketch:
        return Sketch(self.kinds & other.kinds, self.required | other.required)

    def either(self, other: Sketch) -> Sketch:
        # What allows no object says nothing of an object's names.
        required = [sketch.required for sketch in (self, other) if "object" in sketch.kinds]
        return Sketch(self.kinds | other.kinds, frozenset.intersection(*required) if required else frozenset())


ANYTHING = Sketch()
NOTHING = Sketch(frozenset())


def sketch(schema: Json) -> Sketch:
    """The sketch of a schema; of one that cannot be used, the widest."""
    try:
        dialect = dialect_of(schema)
    except SchemaError:
        return ANYTHING
    return _Reading(schema, dialect).read(schema, 0)


def property_kinds(schema: Json) -> dict[str, frozenset[str]]:
    """The kinds that the named properties of each object have, as far as they can be read off."""
    try:
        dialect = dialect_of(schema)
    except SchemaError:
        return {}
    return _Reading(schema, dialect).properties(schema, 0)


def kind_of(value: Json) -> str:
    """The kind of a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, Mapping) else "array"


class _Reading:
    """Reads the schemas of one document."""

    def __init__(self, document: Json, dialect: Dialect) -> None:
        self._document = document
        self._dialect: Dialect = dialect
        self._left = _MAX_READ

    def read(self, schema: Json, level: int) -> Sketch:
        if not isinstance(schema, dict):
            return NOTHING if schema is False else ANYTHING
        self._left -= 1
        if self._left < 0 or level > _MAX_LEVELS or (level and self._has_address(schema)):
            return ANYTHING
        referred = self._referred(schema["$ref"], level) if "$ref" in schema else ANYTHING
        if "$ref" in schema and self._dialect in _REF_ALONE:
            return referred
        return referred.both(_own(schema, self._dialect)).both(self._composed(schema, level))

    def properties(self, schema: Json, level: int) -> dict[str, frozenset[str]]:
        """The kinds of properties, of all that must hold at once: `properties`, `allOf` and a reference."""
        self._left -= 1
        if not isinstance(schema, dict) or self._left < 0 or level > _MAX_LEVELS:
            return {}
        if level and self._has_address(schema):
            return {}
        parts: list[Json] = [self._place(schema["$ref"])] if "$ref" in schema else []
        named: dict[str, frozenset[str]] = {}
        if not parts or self._dialect not in _REF_ALONE:
            parts += _listed(schema, "allOf")
            own = schema.get("properties")
            named = (
                {name: self.read(part, level + 1).kinds for name, part in own.items()} if isinstance(own, dict) else {}
            )
        for part in parts:
            for name, kinds in self.properties(part, level + 1).items():
                named[name] = named.get(name, KINDS) & kinds
        return named

    def _composed(self, schema: dict[str, Any], level: int) -> Sketch:
        whole = ANYTHING
        for part in _listed(schema, "allOf"):
            whole = whole.both(self.read(part, level + 1))
        for keyword in ("anyOf", "oneOf"):
            if forms := _listed(schema, keyword):
                union = NOTHING
                for form in forms:
                    union = union.either(self.read(form, level + 1))
                whole = whole.both(union)
        return whole

    def _referred(self, reference: Json, level: int) -> Sketch:
        """The sketch of what a reference within the document leads to."""
        return self.read(self._place(reference), level + 1)

    def _place(self, reference: Json) -> Json:
        """What a reference within the document leads to; True where that cannot be told."""
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            return True
        place: Json = self._document
        for step in steps(reference):
            if place is not self._document and self._has_address(place):
                return True
            if not isinstance(place, dict) or step not in place:
                return True
            place = place[step]
        return place

    def _has_address(self, schema: Json) -> bool:
        """Whether references in it are meant from another place."""
        return isinstance(schema, dict) and ("$id" in schema or isinstance(schema.get("id"), str))


def _own(schema: dict[str, Any], dialect: Dialect) -> Sketch:
    kinds, required = KINDS, frozenset[str]()
    if "type" in schema:
        named = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        kinds = _kinds(named) if isinstance(named, list) else KINDS
    if isinstance(names := schema.get("required"), list):
        required = frozenset(name for name in names if isinstance(name, str))
    if isinstance(values := schema.get("enum"), list):
        kinds &= frozenset(map(kind_of, values))
    if keywords.known("const", dialect) and "const" in schema:
        kinds &= {kind_of(schema["const"])}
    return Sketch(kinds, required)


def _kinds(named: list[Any]) -> frozenset[str]:
    kinds = frozenset("number" if name == "integer" else name for name in named if isinstance(name, str))
    return kinds if kinds <= KINDS else KINDS


def _listed(schema: dict[str, Any], keyword: str) -> list[Json]:
    forms = schema.get(keyword)
    return forms if isinstance(forms, list) else []
