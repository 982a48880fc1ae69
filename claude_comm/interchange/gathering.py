"""Schemas taken out of a document: each with everything that it refers to there, so that it stands by itself.

Law: a reference is followed within the document alone. What leads elsewhere, or nowhere, is noted with its place, and
the schema that needs it is not read at all: a schema with a hole would accept what its author refuses.

A part that is referred to becomes a definition under the last step of its place; a reference to a part of the schema
itself becomes one to that part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from claude_comm.errors import SchemaError
from claude_comm.interchange.imported import Note, Steps, name_of
from claude_comm.interchange.references import fragment
from claude_comm.registry.contracts import Schema
from claude_comm.schema import keywords
from claude_comm.schema.dialect import DEFAULT, URI, Dialect
from claude_comm.schema.pointer import escape, follow, pointer, steps
from claude_comm.schema.validation.validator import well_formed
from claude_comm.schema.verdict import Json

# From one schema object as a format has it, and its place, to one of JSON Schema; what is below it comes later.
Translation: TypeAlias = Callable[[dict[str, Any], Steps], dict[str, Any]]

_MAX_REFERENCES = 32


class _Unreadable(Exception):
    """A part of the schema cannot be read, so the schema cannot be used."""


class SchemaSource:
    """A document that schemas are taken out of, and the notes about it. With `alone`, each schema is a document of its
    own, from whose root its references are meant."""

    def __init__(self, document: Json, *, alone: bool = False) -> None:
        self.document, self.alone = document, alone
        self.notes: list[Note] = []

    def note(self, at: Steps, sentence: str) -> None:
        note = Note("#" + pointer(at), sentence)
        if note not in self.notes:
            self.notes.append(note)

    def at(self, place: Steps) -> Json:
        """What stands there; None where nothing does."""
        try:
            return follow(self.document, "".join(f"/{escape(str(step)).replace('%', '%25')}" for step in place))
        except LookupError:
            return None

    def mapping(self, *place: str) -> dict[str, Any]:
        """The object that stands there; an empty one where none does."""
        value = self.at(place)
        return value if isinstance(value, dict) else {}

    def resolved(self, place: Steps) -> tuple[Any, Steps] | None:
        """What stands there, through references, and its own place; None, with a note, where nothing does."""
        value, here = self.at(place), place
        for _ in range(_MAX_REFERENCES):
            if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
                return value, here
            target = self.target(value["$ref"], here)
            if target is None:
                return None
            here, value = target, self.at(target)
        self.note(place, "its references lead round in a circle.")
        return None

    def target(self, reference: str, at: Steps) -> Steps | None:
        """The place that a reference leads to; None, with a note, where it leads out of the document or nowhere."""
        if not reference.startswith("#"):
            self.note(at, f"it refers to {reference!r}, another document, which is not read.")
            return None
        place = tuple(steps(reference))
        if reference != "#" and (not place or self.at(place) is None):
            self.note(at, f"it refers to {reference!r}, which leads nowhere.")
            return None
        return place

    def schema(self, place: Steps, translate: Translation, dialect: Dialect = DEFAULT) -> Schema | None:
        """The schema at this place, by itself; None, with a note, for one that cannot be used."""
        target = self.resolved(place)
        if target is None:
            return None
        gathering = _Gathering(self, translate, dialect, root=target[1])
        return self._usable(target[1], gathering, lambda: gathering.part(target[1]))

    def composed(
        self, at: Steps, translate: Translation, whole: Callable[[Callable[[Steps], Json]], Json]
    ) -> Schema | None:
        """The schema that `whole` builds from parts, which it is given a function to take out for; as `schema`."""
        gathering = _Gathering(self, translate, DEFAULT, root=None)
        return self._usable(at, gathering, lambda: whole(gathering.part))

    def _usable(self, at: Steps, gathering: _Gathering, make: Callable[[], Json]) -> Schema | None:
        try:
            schema: Schema = gathering.whole(make())
            well_formed(schema)
        except _Unreadable:
            self.note(at, "it is left out, since it cannot be read whole.")
            return None
        except SchemaError as error:
            self.note(at, f"it is left out: {error.sentence}")
            return None
        return schema


class _Gathering:
    """One schema with its definitions. `root` is the place of its root, which references may lead back to."""

    def __init__(self, source: SchemaSource, translate: Translation, dialect: Dialect, root: Steps | None) -> None:
        self.source, self.translate, self.root = source, translate, root
        self.dialect: Dialect = dialect
        self.word = "$defs" if keywords.known("$defs", dialect) else "definitions"
        self.names: dict[tuple[str, ...], str] = {}
        self.definitions: dict[str, Json] = {}

    def part(self, place: Steps) -> Json:
        return self._standing(self.source.at(place), "schema", place)

    def whole(self, schema: Json) -> Json:
        """The schema with its definitions and, where it is not the usual one, its dialect."""
        if not isinstance(schema, dict):
            if isinstance(schema, bool):
                return schema
            raise SchemaError("it is no schema: a JSON Schema is an object or a boolean")
        own = schema.get(self.word, {})
        if self.definitions:
            schema = {**schema, self.word: {**own, **self.definitions}}
        return schema if self.dialect == DEFAULT or "$schema" in schema else {"$schema": URI[self.dialect], **schema}

    def _standing(self, part: Json, holds: keywords.Holds, at: Steps) -> Json:
        if isinstance(part, dict) and holds == "schema":
            if isinstance(part.get("$id"), str):
                # A resource of its own: its references are meant from there.
                return part
            part = self.translate(part, at)
            if isinstance(part.get("$ref"), str):
                part = {**part, "$ref": self._reference(part["$ref"], at)}
        if holds in ("data", "unknown") or not isinstance(part, dict | list):
            return part
        members = {step: self._standing(item, inner, (*at, step)) for step, item, inner in keywords.inside(part, holds)}
        return members if isinstance(part, dict) else list(members.values())

    def _reference(self, reference: str, at: Steps) -> str:
        if self._is_own(reference):
            return reference
        target = self.source.target(reference, at)
        if target is None:
            raise _Unreadable
        place = tuple(map(str, target))
        root = None if self.root is None else tuple(map(str, self.root))
        if root is not None and place[: len(root)] == root:
            return fragment("#", *place[len(root) :])
        if place not in self.names:
            self.names[place] = name = self._free(place)
            self.definitions[name] = True
            self.definitions[name] = self.part(place)
        return fragment("#", self.word, self.names[place])

    def _is_own(self, reference: str) -> bool:
        """Whether it is meant from the root of the schema: as JSON Schema has it, and some write it in documents of
        other formats, whose own root is no schema."""
        if self.root is None or not reference.startswith("#"):
            return False
        if reference == "#" or self.source.alone:
            return True
        place = tuple(steps(reference))
        return bool(place) and self.source.at(place) is None and self.source.at((*self.root, *place)) is not None

    def _free(self, place: Sequence[str]) -> str:
        own = self.source.at(self.root) if self.root is not None else None
        taken = {*self.definitions, *(own.get(self.word, {}) if isinstance(own, dict) else ())}
        wanted = name_of(place[-1] if place else "", "root")
        name, count = wanted, 1
        while name in taken:
            count += 1
            name = f"{wanted}.{count}"
        return name
