"""A normal form, and what is known of it before any message is seen: found when first asked for, and kept.

Law: a `Document` is a whole 2020-12 schema whose references are all `#/$defs/NAME`; every fact here is an upper bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from claude_comm.schema import keywords
from claude_comm.schema.kept import kept
from claude_comm.schema.limits import Measure
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.verdict import Json

# Well within what the stack of every validator takes; deeper documents are counted for each message.
MAX_UNFOLDED_DEPTH = 40
_NESTED = (dict, list)


class Unfolded(msgspec.Struct, frozen=True):
    """A document with each reference replaced by what it stands for: its nodes, and how deep they are nested."""

    nodes: int
    depth: int


class Document(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A normal form: `schema` is a whole 2020-12 document, `origins` tells where each definition was written."""

    schema: Json
    origins: Mapping[str, str]
    opaque: bool
    lexical: bool
    # Some reference depends on the path that led to it: then a definition does not mean one thing.
    dynamic: bool
    # What the schema measured that this says nothing more than; none where something was added.
    size: Measure | None = None

    @property
    def definitions(self) -> Mapping[str, Json]:
        return self.schema.get("$defs", {}) if isinstance(self.schema, dict) else {}

    def definition(self, reference: str) -> Json:
        """What a reference stands for."""
        return self.definitions[definition_name(reference)]

    @property
    def may_have_patterns(self) -> bool:
        """Whether it has regular expressions, or members that are called like their keywords."""
        if self.size is not None:
            return not keywords.PATTERNS.isdisjoint(self.size.names)
        return bool(self.patterns)

    @kept
    def patterns(self) -> tuple[str, ...]:
        """The regular expressions in it."""
        if self.size is not None and not self.may_have_patterns:
            return ()
        return tuple(_patterns(self.schema))

    def keep_patterns(self, patterns: tuple[str, ...]) -> None:
        """Keeps the regular expressions that somebody came upon before."""
        vars(self)["patterns"] = patterns

    @kept
    def unfolded(self) -> Unfolded | None:
        """Its size once unfolded; None where it is recursive, or deep."""
        if self.size is not None and not self.size.references and self.size.depth < MAX_UNFOLDED_DEPTH:
            return Unfolded(self.size.nodes, self.size.depth + 1)
        try:
            return _Unfolding(self.definitions).of(_without_definitions(self.schema), 0)
        except _Unbounded:
            return None

    @kept
    def spare(self) -> Document | None:
        """The same without what only repeats in wider words which texts there are; None where nothing does.

        It may hold more values: a `pattern` beside which `allOf` has patterns is taken for the narrower one.
        """
        if not self.patterns or (self.size is not None and "allOf" not in self.size.names):
            return None
        schema = _without_wider(self.schema)
        return None if schema == self.schema else msgspec.structs.replace(self, schema=schema, size=None)


_ABOUT_TEXT = frozenset(("type", "pattern", "not", "maxLength"))


def _without_wider(schema: dict[str, Json]) -> Json:
    narrowed = {keyword: keywords.mapped(keyword, value, _without_wider) for keyword, value in schema.items()}
    if "pattern" in narrowed and "allOf" in narrowed:
        narrowed["allOf"] = [
            item for item in narrowed["allOf"] if not isinstance(item, dict) or not item.keys() <= _ABOUT_TEXT
        ]
        if not narrowed["allOf"]:
            del narrowed["allOf"]
    return narrowed


class _Unbounded(Exception):
    """A definition that holds itself, or is nested too deep."""


class _Unfolding:
    def __init__(self, definitions: Mapping[str, Json]) -> None:
        self.definitions = definitions
        self.known: dict[str, Unfolded | None] = {}

    def of(self, value: Json, level: int, holds: keywords.Holds = "schema") -> Unfolded:
        """Counts every value, be it a schema or not: more than there are subschemas, never less."""
        if level > MAX_UNFOLDED_DEPTH:
            raise _Unbounded
        # What is no object or list may be a schema too, one level below.
        nodes, depth = 1, 1
        for _, item, inner in keywords.inside(value, holds):
            if isinstance(item, _NESTED):
                below = self.of(item, level + 1, inner)
                nodes, depth = nodes + below.nodes, max(depth, below.depth)
            else:
                nodes += 1
        if holds == "schema" and isinstance(value, dict) and "$ref" in value:
            below = self.definition(definition_name(value["$ref"]), level + 1)
            nodes, depth = nodes + below.nodes, max(depth, below.depth)
        if level + depth > MAX_UNFOLDED_DEPTH:
            raise _Unbounded
        return Unfolded(nodes, depth + 1)

    def definition(self, name: str, level: int) -> Unfolded:
        unfolded = self.known.get(name)
        if unfolded is not None:
            return unfolded
        target = self.definitions.get(name, True)
        if name in self.known:
            raise _Unbounded
        if not isinstance(target, dict):
            return Unfolded(1, 1)
        self.known[name] = None
        unfolded = self.known[name] = self.of(target, level)
        return unfolded


def _without_definitions(schema: Json) -> Json:
    return {key: item for key, item in schema.items() if key != "$defs"} if isinstance(schema, dict) else {}


def _patterns(schema: Json) -> Iterator[str]:
    """The regular expressions of a normal form."""
    for inner in keywords.schemas(schema):
        if "pattern" in inner:
            yield inner["pattern"]
        yield from inner.get("patternProperties", ())
