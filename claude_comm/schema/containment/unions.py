"""Unions in the residual: which form of the consumer takes a form of the producer.

Law: a union is dropped only where each form of the producer is implied by a form of the consumer; for `oneOf`, where no
other form of the consumer can take it as well. What is written alike is found by its text, and a form with a tag is
compared with the forms of that tag alone: so two versions of a large union cost about as much as what differs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from claude_comm.schema.containment.outlines import Member, Outline, Outlines, apart
from claude_comm.schema.values import Key, ordered
from claude_comm.schema.verdict import Json

# Looks at two outlines that cost as much as a comparison of two schemas.
LOOKS_A_COMPARISON = 8
# Values of a list that are compared one by one, where no form takes all of them.
MAX_VALUES = 32


class UnionComparison(Protocol):
    """What a union asks of the comparison that it is part of: see `residual.Walk`."""

    @property
    def sent(self) -> Outlines: ...
    @property
    def taken(self) -> Outlines: ...
    def look(self, comparisons: int = 1) -> None: ...
    def same(self, left: Json, right: Json) -> bool: ...
    def implied(self, left: Json, right: Json) -> bool: ...
    def followed(self, schema: Json) -> Json: ...
    def kept(self, schema: dict[str, Any]) -> dict[str, Any]: ...


class AcceptedForms:
    """The forms of one union of the consumer, with what tells them apart."""

    def __init__(self, walk: UnionComparison, forms: list[Json]) -> None:
        self.walk, self.forms = walk, forms
        self.outlines = [walk.taken.of(form) for form in forms]
        self.by_text = {ordered(form): at for at, form in enumerate(forms)}
        self.tag = _tag(self.outlines)
        self.by_value: defaultdict[Key, list[int]] = defaultdict(list)
        # Forms without the tag are near to every other.
        self.others: list[int] = []
        for at, outline in enumerate(self.outlines):
            values = _values(outline, self.tag)
            for value in values or ():
                self.by_value[value].append(at)
            if values is None:
                self.others.append(at)

    def near(self, outline: Outline) -> list[int]:
        """The forms that may have a value in common with a schema of this outline."""
        values = _values(outline, self.tag)
        candidates = range(len(self.forms)) if values is None else sorted({*self.others, *self._of_values(values)})
        self.walk.look(len(candidates) // LOOKS_A_COMPARISON)
        return [at for at in candidates if not apart(outline, self.outlines[at])]

    def taking(self, schema: Json) -> int | None:
        """The first form that takes all of a schema: most forms of a later version are those of the one before."""
        same = self.by_text.get(ordered(schema))
        if same is not None and self.walk.same(schema, self.forms[same]):
            return same
        near = self.near(self.walk.sent.of(schema))
        return next((at for at in near if self.walk.implied(schema, self.forms[at])), None)

    def _of_values(self, values: frozenset[Key]) -> Iterator[int]:
        for value in values:
            yield from self.by_value.get(value, ())


# The value itself, where forms list whole values.
_ITSELF: Member = -1


def _tag(outlines: Sequence[Outline]) -> Member | None:
    """The member that most outlines need and list the values of."""
    counts: defaultdict[Member, int] = defaultdict(int)
    for outline in outlines:
        for member in (_ITSELF, *outline.tags):
            counts[member] += _values(outline, member) is not None
    tag = max(counts, key=lambda member: counts[member], default=None)
    return tag if tag is not None and counts[tag] else None


def _values(outline: Outline, tag: Member | None) -> frozenset[Key] | None:
    """The values of the tag, where a schema is of objects (or arrays) that have it."""
    if tag == _ITSELF:
        return outline.values
    if tag is None or tag not in outline.needed or len(outline.kinds) != 1:
        return None
    kind = "array" if isinstance(tag, int) else "object"
    return outline.tags.get(tag) if kind in outline.kinds else None


def any_of(walk: UnionComparison, left: dict[str, Any], forms: AcceptedForms) -> bool:
    """Whether each value of `left` is in one form at least."""
    return _all_taken(walk, left, forms, exactly=False)


def one_of(walk: UnionComparison, left: dict[str, Any], forms: AcceptedForms) -> bool:
    """Whether each value of `left` is in exactly one form."""
    if "oneOf" in left and walk.same(left["oneOf"], forms.forms):
        return True
    return _all_taken(walk, left, forms, exactly=True)


def _all_taken(
    walk: UnionComparison, schema: Json, wanted: AcceptedForms, *, exactly: bool, siblings: Sequence[Json] = ()
) -> bool:
    """Whether a schema is taken as a whole, or form by form; no value of it is one of `siblings`, its other forms."""
    if _taken(walk, schema, wanted, exactly=exactly, siblings=siblings):
        return True
    schema = walk.followed(schema)
    return any(
        all(
            _all_taken(walk, form, wanted, exactly=exactly, siblings=[*siblings, *others])
            for form, others in alternatives
        )
        for alternatives in _alternatives(walk, schema)
    )


def _taken(
    walk: UnionComparison, schema: Json, wanted: AcceptedForms, *, exactly: bool, siblings: Sequence[Json]
) -> bool:
    """Whether one form takes all of a schema, and no other that may have a value in common with it."""
    taken = wanted.taking(schema)
    if taken is None or not exactly:
        return taken is not None
    near = wanted.near(walk.sent.of(schema))
    return all(at == taken or _excluded(walk, siblings, wanted.forms[at]) for at in near)


def _excluded(walk: UnionComparison, siblings: Sequence[Json], form: Json) -> bool:
    """Whether a form of the consumer is one that no value of the schema is of."""
    walk.look(1 + len(siblings) // LOOKS_A_COMPARISON)
    return any(walk.same(sibling, form) for sibling in siblings)


def _alternatives(walk: UnionComparison, schema: Json) -> Iterator[list[tuple[Json, list[Json]]]]:
    """Each way to take a schema apart: its forms, and for each the forms that its values are not in."""
    if not isinstance(schema, dict):
        return
    if "anyOf" in schema:
        yield [(form, []) for form in schema["anyOf"]]
    if "oneOf" in schema:
        forms = schema["oneOf"]
        yield [(form, [*forms[:at], *forms[at + 1 :]]) for at, form in enumerate(forms)]
    kinds = schema.get("type")
    if isinstance(kinds, list) and len(kinds) > 1:
        yield [(walk.kept({**schema, "type": kind}), []) for kind in kinds]
    values = schema.get("enum", ())
    if 1 < len(values) <= MAX_VALUES:
        yield [(walk.kept({"const": value}), []) for value in values]
