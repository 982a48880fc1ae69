"""A schema without references: each is replaced by what it leads to, and recursion is unrolled a few levels.

Law: what comes out is a schema of its own, of a bounded size. Where recursion or a long chain is cut the place allows
nothing (or, for schemas of results, anything), so that what is left out makes the schema narrower (or wider), never
wrong in silence: whoever uses it proves it against the schema that it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from claude_comm.schema import keywords
from claude_comm.schema.dialect import Dialect, dialect_of
from claude_comm.schema.keywords import Holds
from claude_comm.schema.pointer import follow
from claude_comm.schema.verdict import Json

# How often a definition may stand within itself: models write trees of two or three levels by hand.
UNROLLED = 3
# How many references may lead into one another: what is deeper is left out, as recursion is.
MAX_CHAIN = 24
# A tool list is read by a model: more than that is no description of an argument.
MAX_NODES = 4_000

_DROPPED = frozenset(("$defs", "definitions", "$schema", "$id", "id", "$anchor", "$comment"))
# A cut below these would widen what it is meant to narrow.
_OPAQUE = frozenset(("not", "if", "propertyNames", "contains"))
_REFERENCED_OTHERWISE = ("$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$recursiveAnchor")
# Before 2019-09 a reference stands alone: what is beside it is not read.
_REFERENCE_ALONE: tuple[Dialect, ...] = ("draft4", "draft6", "draft7")


class NotInlined(Exception):
    """The schema cannot be written without references; `args[0]` says why."""


class Inlined(msgspec.Struct, frozen=True):
    """A schema without references; `cut` are the references at which recursion ends."""

    schema: Json
    cut: list[str]


def inlined(schema: Json, *, at_cut: bool = False, unrolled: int = UNROLLED) -> Inlined:
    """Raises NotInlined. `at_cut` is the schema at a place where recursion ends."""
    inliner = _Inliner(schema, at_cut, unrolled)
    return Inlined(inliner.standing(schema, "schema", (), sure=True), sorted(inliner.cut))


class _Inliner:
    def __init__(self, root: Json, at_cut: bool, unrolled: int) -> None:
        self._root, self._at_cut, self._unrolled = root, at_cut, unrolled
        self._alone = dialect_of(root) in _REFERENCE_ALONE
        self._anchors = dict(_anchors(root))
        self._nodes = 0
        self.cut: set[str] = set()

    def standing(self, value: Json, holds: Holds, within: tuple[str, ...], *, sure: bool) -> Json:
        """What stands in the result for a value of the schema; `within` are the references that were followed to it,
        and `sure` is False below a keyword where a cut would mean the opposite."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise NotInlined(f"written without references it has more than {MAX_NODES:,} parts")
        if holds == "schema" and isinstance(value, dict):
            return self._schema(value, within, sure=sure)
        if holds in ("data", "unknown") or not isinstance(value, dict | list):
            return value
        members = [
            (step, self.standing(item, inner, within, sure=sure)) for step, item, inner in keywords.inside(value, holds)
        ]
        return dict(members) if isinstance(value, dict) else [item for _, item in members]

    def _schema(self, schema: dict[str, Any], within: tuple[str, ...], *, sure: bool) -> Json:
        if odd := next((word for word in _REFERENCED_OTHERWISE if word in schema), None):
            raise NotInlined(f"`{odd}` depends on who refers to it")
        if within and "$id" in schema:
            raise NotInlined("a part of it is a document of its own (`$id`)")
        reference = schema.get("$ref")
        own = {} if self._alone and reference is not None else self._members(schema, within, sure=sure)
        if reference is None:
            return own
        referred = self._followed(str(reference), within, sure=sure)
        if not own:
            return referred
        if isinstance(referred, bool):
            return own if referred else False
        return {"allOf": [referred, own]}

    def _members(self, schema: dict[str, Any], within: tuple[str, ...], *, sure: bool) -> dict[str, Any]:
        return {
            word: self.standing(item, inner, within, sure=sure and word not in _OPAQUE)
            for word, item, inner in keywords.inside(schema, "schema")
            if word not in _DROPPED and word != "$ref"
        }

    def _followed(self, reference: str, within: tuple[str, ...], *, sure: bool) -> Json:
        if within.count(reference) >= self._unrolled or len(within) >= MAX_CHAIN:
            if not sure:
                raise NotInlined(f"its references go on ({reference}) below a negation or a condition")
            self.cut.add(reference)
            return self._at_cut
        return self.standing(self._target(reference), "schema", (*within, reference), sure=sure)

    def _target(self, reference: str) -> Json:
        if reference in self._anchors:
            return self._anchors[reference]
        if reference != "#" and not reference.startswith("#/"):
            raise NotInlined(f"it refers to {reference!r}, which is another document")
        try:
            return follow(self._root, reference)
        except LookupError:
            raise NotInlined(f"its reference {reference!r} leads nowhere") from None


def _anchors(root: Json) -> Iterator[tuple[str, Json]]:
    for schema in keywords.schemas(root):
        if isinstance(schema.get("$anchor"), str):
            yield f"#{schema['$anchor']}", schema
