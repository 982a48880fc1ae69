"""Forms of unions that can never be: told beside a verdict, so that no form is thought to be in use that is not.

Law: a form is named only where it is proved that no message of its place fits it: as it is written, beside what stands
around it; because what fits it always fits another form of its `oneOf`; or, of a producer, because closing leaves none.
What cannot be told within a small part of the budget is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from claude_comm.schema import keywords
from claude_comm.schema.budget import Budget, OutOfBudget, OutOfPart, Part
from claude_comm.schema.containment.alike import bare
from claude_comm.schema.containment.confirm import Side
from claude_comm.schema.containment.emptiness import is_empty
from claude_comm.schema.containment.guided_witness import needed
from claude_comm.schema.containment.joined import joined
from claude_comm.schema.containment.room import Room
from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.normalform.closing import marks_what_is_asked
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.normalform.forms import TESTS
from claude_comm.schema.pointer import pointer
from claude_comm.schema.verdict import EmptyForm, Json

# Forms of one schema that are looked at, and the steps that searches for their messages may take together.
MAX_FORMS, STEPS = 100, 1_000

NO_MESSAGE = "no message fits it"
NOT_ALONE = "what fits it fits another form as well, and exactly one is to fit"
NOT_DECLARED = "no message that has declared properties alone fits it"


def empty_forms(side: Side, budget: Budget, *, accepted: bool, closed: bool = False) -> tuple[EmptyForm, ...]:
    """Those of one side, in the order in which they stand in its schema; kept with it."""
    kept = f"empty_forms_{closed}"
    found = vars(side).get(kept)
    if found is None:
        found = vars(side)[kept] = tuple(_found(side.document, Part(budget, STEPS), closed))
    return tuple(
        EmptyForm(side="accepted" if accepted else "produced", schema_path=place, why=why) for place, why in found
    )


class _Form(NamedTuple):
    """One form of a union: where, the schema that has the union, its keyword, and which form."""

    place: tuple[str, ...]
    schema: dict[str, Any]
    keyword: str
    at: int


def _found(document: Document, part: Part, closed: bool) -> Iterator[tuple[str, str]]:
    if document.opaque or document.dynamic or not _has_unions(document):
        return
    room = Room(document.definitions, closed=closed and marks_what_is_asked(document))
    readable = not closed or room.closed
    try:
        for looked, form in enumerate(_forms(document)):
            if looked >= MAX_FORMS:
                return
            part.tick()
            if readable and _plainly_fits(form, room):
                continue
            why = _why_empty(form, document, part, closed)
            if why:
                yield pointer((*form.place, form.keyword, str(form.at))), why
    except (OutOfPart, OutOfBudget, RecursionError):
        return


def _has_unions(document: Document) -> bool:
    if document.size is not None:
        return not document.size.names.isdisjoint(keywords.UNIONS)
    return any(not schema.keys().isdisjoint(keywords.UNIONS) for schema in keywords.schemas(document.schema))


def _forms(document: Document) -> Iterator[_Form]:
    """Every form that describes a value of a message; what only tests one is passed over."""
    stack: list[_Ahead] = [
        (_steps(document.origins.get(name, "")), schema, "schema")
        for name, schema in reversed([*document.definitions.items()])
    ]
    stack.append(((), bare(document.schema), "schema"))
    while stack:
        place, value, holds = stack.pop()
        if isinstance(value, dict) and holds == "schema":
            for keyword in keywords.UNIONS:
                yield from (_Form(place, value, keyword, at) for at in range(len(value.get(keyword, ()))))
        inner: list[_Ahead] = [
            ((*place, step), item, held)
            for step, item, held in keywords.inside(value, holds)
            if held not in ("data", "unknown") and not (holds == "schema" and step in _PASSED_OVER)
        ]
        stack += inner[::-1]


# A place, what stands there, and what it holds.
_Ahead = tuple[tuple[str, ...], Json, keywords.Holds]
_PASSED_OVER = frozenset((*TESTS, "contains"))


def _steps(place: str) -> tuple[str, ...]:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in place.split("/")[1:])


def _plainly_fits(form: _Form, room: Room) -> bool:
    """Whether keywords show a message of this form, and of no other where one alone may fit."""
    forms = form.schema[form.keyword]
    beside = {name: value for name, value in form.schema.items() if name != form.keyword}
    whole = joined({**beside, "allOf": [form.schema[form.keyword][form.at]]}) if "allOf" not in beside else None
    return whole is not None and room.leaves(whole) and (form.keyword == "anyOf" or room.alone(form.at, forms))


def _why_empty(form: _Form, document: Document, part: Part, closed: bool) -> str:
    """What keeps every message from this form; empty where nothing is proved."""
    forms = form.schema[form.keyword]
    narrowed = _with_part(form.schema, forms[form.at])
    others = [other for at, other in enumerate(forms) if at != form.at]
    if form.keyword == "anyOf":
        alone = narrowed
    else:
        without = {name: value for name, value in form.schema.items() if name != "oneOf"}
        alone, narrowed = _with_part(form.schema, {"not": {"anyOf": others}}), _with_part(without, forms[form.at])
    if not _is_empty(alone, document, part, closed=closed):
        return ""
    if _is_empty(narrowed, document, part, closed=False):
        return NO_MESSAGE
    if form.keyword == "oneOf" and _is_empty(alone, document, part, closed=False):
        return NOT_ALONE
    return NOT_DECLARED if closed else ""


def _with_part(schema: dict[str, Any], part: Json) -> dict[str, Any]:
    return {**schema, "allOf": [*schema.get("allOf", ()), part]}


def _is_empty(schema: Json, document: Document, part: Part, *, closed: bool) -> bool:
    definitions = needed(schema, document.definitions)
    whole = {**schema, "$defs": definitions} if definitions else schema
    asked = msgspec.structs.replace(document, schema=whole, size=None)
    return is_empty(Side(whole, DEFAULT, asked), part, closed=closed, steps=STEPS)
